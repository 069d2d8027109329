"""Patches: everything that makes a sound and a style, as a small JSON file."""

from __future__ import annotations

import msgspec

from instrument.engine.messages import Value

VERSION = 1


class PlayerPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One player: the slug of its model and the knobs of that model that are not at their default."""

    model: str
    knobs: dict[str, Value] = {}


class VoicePatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a part sounds, where it is not as the genre says: General MIDI program, pan -1..1, level dB."""

    program: int | None = None
    pan: float | None = None
    level: float | None = None


class Routing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Devices by name, empty = whatever there is; channels: part name -> MIDI channel 1..16."""

    audio: str = ""
    midi: str = ""
    channels: dict[str, int] = {}


class Patch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A patch. knobs: the instrument's own (tempo, key, seed, ...); voices: part name -> `VoicePatch`."""

    version: int = VERSION
    name: str = ""
    knobs: dict[str, Value] = {}
    players: tuple[PlayerPatch, ...] = ()
    voices: dict[str, VoicePatch] = {}
    routing: Routing = Routing()
