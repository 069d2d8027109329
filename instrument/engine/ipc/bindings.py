"""What MIDI controllers turn and press."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Mode = Literal["absolute", "fine", "relative", "offset", "sign"]


class Binding(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a controller or key of a MIDI controller turns or presses.

    name: of the knob or button ("0/temperature", "transport/tap"); number: of the controller or key; channel: 1..16,
    0 = any; mode of a controller: absolute, fine (14 bits, with the controller 32 numbers above), or one of an encoder
    that sends changes: relative (in two's complement), offset (around 64), sign (with a sign bit).
    """

    name: Annotated[str, Meta(max_length=100)]
    number: Annotated[int, Meta(ge=0, le=127)]
    kind: Literal["control", "note"] = "control"
    channel: Annotated[int, Meta(ge=0, le=16)] = 0
    mode: Mode = "absolute"
