"""Messages between the engine and the process of the note models: msgspec structs as msgpack.

The engine sends a request, the process answers with the reply that belongs to it:

    Open -> Opened, or NoNotes where the model is no player of notes
    Propose -> Proposed
    Encode -> Encoded
    Pace -> Paced

and any of them with Refused (a HocketError) or Failed (any other exception). A player is known by the number that
`Opened` gives it. What changes a player's memory are orders; they go along with its next `Propose` and are carried out
in order before it, so that a note costs one request. A note, for example:

    engine                                             process
    Propose(3, orders=(Feed(note), Forget(40)), ...)   player.feed(note); player.forget_before(40)
                                                       player.propose(ask)
                                         Proposed(note)

Both ends are of one version: fields go by position, without names.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from instrument.models.latent import LatentPath, LatentSpace, Point
from instrument.models.manifest import Knob
from instrument.models.notes.player import Ask
from instrument.music.notes import Note, Part
from instrument.music.phrases import Shape
from instrument.music.timebase import Metre, MetreMap

LARGEST = 1 << 26  # bytes of a message
_FLOATS = ("<f4", "<f8")  # types of arrays that are sent


class Order(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of what changes a player's memory."""


class Reset(Order, frozen=True):
    """`NotePlayer.reset`."""

    seed: int
    player: int
    metres: MetreMap


class Feed(Order, frozen=True):
    """`NotePlayer.feed`."""

    note: Note


class Prefill(Order, frozen=True):
    """`player.feed_all`."""

    notes: tuple[Note, ...]


class Rewind(Order, frozen=True):
    """`NotePlayer.rewind`."""

    count: int


class Forget(Order, frozen=True):
    """`NotePlayer.forget_before`."""

    count: int


AnyOrder = Reset | Feed | Prefill | Rewind | Forget


class Request(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of what the engine sends."""


class Open(Request, frozen=True):
    """Open the model of that slug."""

    slug: str


class Propose(Request, frozen=True):
    """A player's next note, once the orders are carried out. ask: None where only floor and latest have changed since
    the last one; unwanted: players that nobody has any more."""

    player: int
    orders: tuple[AnyOrder, ...]
    ask: Ask | None
    floor: int
    latest: int | None
    unwanted: tuple[int, ...] = ()


class Encode(Request, frozen=True):
    """`LatentPlayer.encode`."""

    player: int
    notes: tuple[Note, ...]
    metres: MetreMap


class Pace(Request, frozen=True):
    """`LatentPlayer.pace`."""

    player: int
    a: Point
    b: Point


AnyRequest = Open | Propose | Encode | Pace


class Reply(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of what the process answers."""


class Bundle(msgspec.Struct, frozen=True, array_like=True):
    """What a performance asks of a bundle (`roster.BundleInfo`)."""

    slug: str
    bundle_hash: str
    legacy_hash: str
    parts: tuple[int, ...]
    knobs: tuple[Knob, ...]


class Latent(msgspec.Struct, frozen=True, array_like=True):
    """What is to be known of a `LatentPlayer`."""

    space: LatentSpace
    shape: Shape
    part: Part


class Opened(Reply, frozen=True):
    """A player of notes was opened. player: its number; latent: of a `LatentPlayer`."""

    player: int
    bundle: Bundle
    latent: Latent | None


class NoNotes(Reply, frozen=True):
    """The model is no player of notes: it is to be opened in the engine."""


class Proposed(Reply, frozen=True):
    """The note."""

    note: Note


class Encoded(Reply, frozen=True):
    """The point."""

    point: Point


class Paced(Reply, frozen=True):
    """The way."""

    way: LatentPath


class Refused(Reply, frozen=True):
    """A HocketError, and its text."""

    reason: str


class Failed(Reply, frozen=True):
    """Another exception, and its traceback."""

    traceback: str


AnyReply = Opened | NoNotes | Proposed | Encoded | Paced | Refused | Failed


def _simple(value: object) -> object:
    """What msgspec does not know, as what it does."""
    match value:
        case MetreMap():
            return value.metres
        case np.ndarray():
            return value.dtype.newbyteorder("<").str, value.shape, np.ascontiguousarray(value).tobytes()
        case np.generic():
            return value.item()
    raise NotImplementedError(f"{type(value).__name__} is not sent")


def _restored(kind: type, value: Any) -> object:
    """The inverse of `_simple`."""
    if kind is MetreMap:
        return MetreMap(msgspec.convert(value, tuple[Metre, ...]))
    return _array(value)


def _array(value: Any) -> NDArray[Any]:
    dtype, shape, data = value
    if dtype not in _FLOATS:
        raise ValueError(f"arrays of {dtype} are not sent")
    return np.frombuffer(data, dtype).reshape(shape).copy()


_encoder = msgspec.msgpack.Encoder(enc_hook=_simple)
_requests: msgspec.msgpack.Decoder[AnyRequest] = msgspec.msgpack.Decoder(AnyRequest, dec_hook=_restored)
_replies: msgspec.msgpack.Decoder[AnyReply] = msgspec.msgpack.Decoder(AnyReply, dec_hook=_restored)


def encode(message: Request | Reply) -> bytes:
    """A message as bytes."""
    return _encoder.encode(message)


def decode_request(data: bytes) -> AnyRequest:
    """The request in bytes. MsgspecError for anything else."""
    return _requests.decode(data)


def decode_reply(data: bytes) -> AnyReply:
    """The reply in bytes. MsgspecError for anything else."""
    return _replies.decode(data)
