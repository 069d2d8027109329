"""Generation: the notes that a bundle plays with its knobs left alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from instrument.models.manifest import Manifest
from instrument.models.notes.player import Ask, NotePlayer
from instrument.music.notes import Note, Piece
from instrument.music.timebase import TICKS_PER_BEAT, Metre, MetreMap

MOST_NOTES = 48  # a beat; a model that plays more is stopped, so that an evaluation ends
COMMON_TIME = (Metre(0, 4, 4),)

Knobs = dict[str, float | str]


def default_knobs(manifest: Manifest, **changed: float | str) -> Knobs:
    """Every knob of a model at its default, except for those in `changed` that the model has."""
    knobs: Knobs = {knob.id: knob.default for knob in manifest.knobs}
    return knobs | {name: value for name, value in changed.items() if name in knobs}


def play(
    player: NotePlayer,
    knobs: Knobs,
    seed: int,
    ticks: int,
    metres: tuple[Metre, ...] = COMMON_TIME,
    turns: Sequence[tuple[int, Knobs]] = (),
    **asked: Any,
) -> Piece:
    """What it plays before tick `ticks`. turns: (tick, knobs) in order of time, as they are from that tick on;
    what was planned from there on is dropped, as the instrument does. asked: other fields of `Ask`, such as
    key and scale."""
    player.reset(seed, 0, MetreMap(metres))
    ask = Ask(knobs=knobs, **asked)
    notes: list[Note] = []
    to_come = list(turns)
    while len(notes) < MOST_NOTES * ticks // TICKS_PER_BEAT:
        note = player.propose(ask)
        if to_come and note.tick >= to_come[0][0]:
            floor, turned = to_come.pop(0)
            ask = replace(ask, knobs=turned, floor=floor)
            continue
        if note.tick >= ticks:
            break
        player.feed(note)
        player.forget_before(player.count)
        notes.append(note)
    return Piece(np.array(notes, np.int32).reshape(-1, 6), metres)
