"""Messages between the engine and the process of the note models: msgspec structs as msgpack.

The engine sends a request, the process answers with a response:

    Open -> Opened, or NoNotes if the model is not a note model
    Propose -> Proposed
    Fork -> Forked
    Score -> Scored
    Encode -> Encoded
    Pace -> Paced

and to any of them Refused (a HocketError) or Failed (any other exception). `Opened` gives a player its number. Orders
change the context of a player. They are sent with its next `Propose` and carried out before it, so a note costs one
request. For example:

    engine                                             process
    Propose(3, orders=(Feed(note), Forget(40)), ...)   player.feed(note); player.forget_before(40)
                                                       player.propose(ask)
                                         Proposed(note)

Both ends are of one version, so fields are sent by position, without names.
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

MAX_MESSAGE_BYTES = 1 << 26  # bytes of a message
_FLOATS = ("<f4", "<f8")  # types of arrays that are sent


class Order(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of the messages that change the context of a player."""


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


class Reseed(Order, frozen=True):
    """`Scoring.reseed`."""

    seed: int


AnyOrder = Reset | Feed | Prefill | Rewind | Forget | Reseed


class Request(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of the messages from the engine."""


class Open(Request, frozen=True):
    """Open the model of that slug. unused: players that can be released."""

    slug: str
    unused: tuple[int, ...] = ()


class Propose(Request, frozen=True):
    """A player's next note, after its orders. ask: None if only floor and latest have changed since the last one;
    unused: players that can be released."""

    player: int
    orders: tuple[AnyOrder, ...]
    ask: Ask | None
    floor: int
    latest: int | None
    unused: tuple[int, ...] = ()


class Fork(Request, frozen=True):
    """`Scoring.fork`, after the player's orders. Refused for a player that cannot."""

    player: int
    orders: tuple[AnyOrder, ...]


class Score(Request, frozen=True):
    """`Scoring.log_likelihood` of a note, after the player's orders. ask, floor: as of `Propose`."""

    player: int
    orders: tuple[AnyOrder, ...]
    ask: Ask | None
    floor: int
    note: Note


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


AnyRequest = Open | Propose | Fork | Score | Encode | Pace


class Response(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of the messages from the notes process."""


class BundleSummary(msgspec.Struct, frozen=True, array_like=True):
    """What a performance needs to know of a bundle (`roster.BundleInfo`)."""

    slug: str
    bundle_hash: str
    legacy_hash: str
    parts: tuple[int, ...]
    knobs: tuple[Knob, ...]


class Latent(msgspec.Struct, frozen=True, array_like=True):
    """The constants of a `LatentPlayer`."""

    space: LatentSpace
    shape: Shape
    part: Part


class Opened(Response, frozen=True):
    """A note model was opened. player: its number; latent: None unless it is a `LatentPlayer`."""

    player: int
    bundle: BundleSummary
    latent: Latent | None


class NoNotes(Response, frozen=True):
    """The model makes sound: the engine has to open it."""


class Proposed(Response, frozen=True):
    """The next note."""

    note: Note


class Forked(Response, frozen=True):
    """The number of the new player."""

    player: int


class Scored(Response, frozen=True):
    """The logarithm of a probability."""

    likelihood: float


class Encoded(Response, frozen=True):
    """The point of the latent space."""

    point: Point


class Paced(Response, frozen=True):
    """The measured way between two points."""

    way: LatentPath


class Refused(Response, frozen=True):
    """A HocketError with its text."""

    reason: str


class Failed(Response, frozen=True):
    """Any other exception in one line; the process has logged its traceback."""

    error: str


AnyResponse = Opened | NoNotes | Proposed | Forked | Scored | Encoded | Paced | Refused | Failed


def _simple(value: object) -> object:
    """Types that msgspec does not know, as ones that it does."""
    match value:
        case MetreMap():
            return value.metres
        case np.ndarray():
            return value.dtype.newbyteorder("<").str, value.shape, np.ascontiguousarray(value).tobytes()
        case np.generic():
            return value.item()
    raise NotImplementedError(f"{type(value).__name__} cannot be sent")


def _restored(kind: type, value: Any) -> object:
    """The inverse of `_simple`."""
    if kind is MetreMap:
        return MetreMap(msgspec.convert(value, tuple[Metre, ...]))
    return _array(value)


def _array(value: Any) -> NDArray[Any]:
    dtype, shape, data = value
    if dtype not in _FLOATS:
        raise ValueError(f"arrays of {dtype} cannot be sent")
    return np.frombuffer(data, dtype).reshape(shape).copy()


_encoder = msgspec.msgpack.Encoder(enc_hook=_simple)
_requests: msgspec.msgpack.Decoder[AnyRequest] = msgspec.msgpack.Decoder(AnyRequest, dec_hook=_restored)
_responses: msgspec.msgpack.Decoder[AnyResponse] = msgspec.msgpack.Decoder(AnyResponse, dec_hook=_restored)


def encode(message: Request | Response) -> bytes:
    """Encode a message."""
    return _encoder.encode(message)


def decode_request(data: bytes) -> AnyRequest:
    """Decode a request. MsgspecError for anything else."""
    return _requests.decode(data)


def decode_response(data: bytes) -> AnyResponse:
    """Decode a response. MsgspecError for anything else."""
    return _responses.decode(data)
