"""Messages to the process of the note models come out as they went in, and anything else is refused."""

from __future__ import annotations

from typing import get_args

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instrument.engine.note_worker import messages
from instrument.engine.note_worker.messages import (
    AnyRequest,
    AnyResponse,
    BundleSummary,
    Encode,
    Encoded,
    Failed,
    Feed,
    Forget,
    Fork,
    Forked,
    Latent,
    NoNotes,
    Open,
    Opened,
    Pace,
    Paced,
    Prefill,
    Propose,
    Proposed,
    Refused,
    Reseed,
    Reset,
    Rewind,
    Score,
    Scored,
    decode_request,
    decode_response,
    encode,
)
from instrument.models.latent import LatentPath, LatentSpace
from instrument.models.manifest import Knob
from instrument.models.notes.player import Ask
from instrument.music.notes import Note, Part
from instrument.music.phrases import Shape
from instrument.music.timebase import Metre, MetreMap

NOTE = Note(96, -3, 60, 12, 90, Part.BASS)
METRES = MetreMap((Metre(0, 3, 4), Metre(144, 4, 4)))
POINT = np.array([0.1, -2.5, 3e-8, 1e30], np.float32)
WAY = LatentPath(np.array([0, 0.1, 1]), np.array([0, 1 / 3, 1]), POINT)
ASK = Ask({"temperature": 0.1, "genre": "jazz"}, 7, 9, 2, "dorian", 0.3, 30, 90, frozenset({0, 3}), (0, 4, 7))
ROWS, TOUCH, NONE = np.stack([POINT] * 2), np.ones((9, 16), np.float32), np.zeros((0, 4), np.float32)
SPACE = LatentSpace(("march",), ROWS, ROWS, ROWS, {"density": POINT}, TOUCH, (NONE, ROWS))
REQUESTS = (
    Open("lstm-band"),
    Propose(
        3, (Reset(1 << 40, 2, METRES), Feed(NOTE), Prefill((NOTE, NOTE)), Rewind(2), Forget(1)), ASK, 7, None, (1, 2)
    ),
    Propose(3, (), None, 0, 5),
    Fork(3, (Feed(NOTE),)),
    Score(3, (Reseed(9),), ASK, 7, NOTE),
    Encode(1, (NOTE,), METRES),
    Pace(1, POINT, -POINT),
)
REPLIES = (
    Opened(
        1,
        BundleSummary("a", "b", "c", (0, 3), (Knob("genre", "Genre", "choice", default="x", choices=("x", "y")),)),
        None,
    ),
    Opened(2, BundleSummary("a", "b", "c", (), ()), Latent(SPACE, Shape("drums", 2), Part.DRUMS)),
    NoNotes(),
    Proposed(NOTE),
    Forked(4),
    Scored(-1.5),
    Encoded(POINT),
    Paced(WAY),
    Refused("no pitch may sound"),
    Failed("Traceback"),
)


def plain(value):
    """A message as something that compares."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, MetreMap):
        return value.metres
    if isinstance(value, msgspec.Struct):
        return type(value).__name__, [plain(getattr(value, name)) for name in value.__struct_fields__]
    if isinstance(value, LatentSpace):
        return [plain(getattr(value, name)) for name in LatentSpace.__slots__]
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return type(value).__name__, [plain(each) for each in value]
    return value


def test_every_message_comes_out_as_it_went_in():
    assert {type(each) for each in REQUESTS} == set(get_args(AnyRequest))
    assert {type(each) for each in REPLIES} == set(get_args(AnyResponse))
    for request in REQUESTS:
        assert plain(decode_request(encode(request))) == plain(request)
    for reply in REPLIES:
        assert plain(decode_response(encode(reply))) == plain(reply)


def test_numbers_of_numpy_are_numbers():
    note = Note(np.int64(96), np.int8(-3), np.int32(60), 12, np.int16(90), 2)
    assert decode_response(encode(Proposed(note))) == Proposed(Note(96, -3, 60, 12, 90, 2))
    ask = Ask({"temperature": np.float64(0.1), "density": np.float32(0.5)})
    found = decode_request(encode(Propose(1, (), ask, 0, None)))
    assert found.ask == Ask({"temperature": 0.1, "density": 0.5})


def test_arrays_may_be_written_to_and_are_floats():
    decode_response(encode(Encoded(POINT))).point[0] = 1
    with pytest.raises(msgspec.ValidationError, match=r"arrays of \|O cannot be sent"):
        decode_response(msgspec.msgpack.encode(["Encoded", ["|O", [1], b"12345678"]]))


@given(st.binary(max_size=60))
def test_what_is_no_message_is_refused(data):
    for decode in (decode_request, decode_response):
        try:
            found = decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        assert isinstance(found, messages.Request | messages.Response)
