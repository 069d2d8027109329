"""Phrases as rows of tokens, one a sixteenth step, and back.

Melodies: a pitch 0..127 where a note starts, `OFF` where one ends and none starts, `HOLD` where nothing happens.
Drums: the set of kinds struck, bit k for `KINDS[k]`. Training and playing share this.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from instrument.music.notes import Part
from instrument.music.timebase import TICKS_PER_BEAT

STEPS_A_BEAT = 4
STEPS_A_BAR = 16
STEP_TICKS = TICKS_PER_BEAT // STEPS_A_BEAT
OFF, HOLD = 128, 129
MELODY_TOKENS = 130
# The nine kinds of Roberts et al. 2018, ascending by the General MIDI key that stands for each: kick, snare,
# closed hi-hat, low tom, open hi-hat, mid tom, crash, high tom, ride; with the other keys that count as each.
KINDS: tuple[tuple[int, tuple[int, ...]], ...] = (
    (36, (35,)),
    (38, (37, 39, 40)),
    (42, (22, 44, 54, 69, 70, 82)),
    (43, (41, 58, 64, 66, 68, 78, 86)),
    (46, (26, 67, 74, 79)),
    (47, (45, 61, 63, 65, 77)),
    (49, (52, 55, 57)),
    (50, (48, 60, 62, 76)),
    (51, (53, 56, 59, 80, 81)),
)
DRUM_KEYS = tuple(key for key, _ in KINDS)
DRUM_TOKENS = 1 << len(KINDS)
SETS = (np.arange(DRUM_TOKENS)[:, None] >> np.arange(len(KINDS)) & 1).astype(bool)  # (512, 9) which kinds
# (128,) kind of each percussion key, -1 for keys that are left out
KIND_OF = np.full(128, -1, np.int64)
for _kind, (_key, _others) in enumerate(KINDS):
    KIND_OF[[_key, *_others]] = _kind


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape of a phrase. kind: "melody" or "drums"; bars: of sixteen steps."""

    kind: str = "melody"
    bars: int = 2

    @property
    def drums(self) -> bool:
        """Whether it is of drums."""
        return self.kind == "drums"

    @property
    def steps(self) -> int:
        """Tokens of a phrase."""
        return self.bars * STEPS_A_BAR

    @property
    def vocabulary(self) -> int:
        """The number of different tokens."""
        return DRUM_TOKENS if self.drums else MELODY_TOKENS

    @property
    def rest(self) -> int:
        """The token of a step at which nothing happens."""
        return 0 if self.drums else HOLD

    def onsets(self, tokens: NDArray[np.int16]) -> NDArray[np.bool_]:
        """(steps,) whether a note starts at each step."""
        found: NDArray[np.bool_] = tokens > 0 if self.drums else tokens < OFF
        return found


def tokens(notes: NDArray[np.int32], begin: int, steps: int, drums: bool) -> NDArray[np.int16]:
    """The tokens (steps,) of notes (n, 6) in `Note.order`, from tick `begin` on. Onsets go to the nearest
    sixteenth; of several notes of a melody at a step the highest counts, and it ends where the next starts."""
    step = np.rint((notes[:, 0] - begin + notes[:, 1] / 8) / STEP_TICKS).astype(np.int64)
    inside = (step >= 0) & (step < steps)
    notes, step = notes[inside], step[inside]
    if drums:
        kind = KIND_OF[notes[:, 2]]
        struck = np.zeros((steps, len(KINDS)), bool)
        struck[step[kind >= 0], kind[kind >= 0]] = True
        sets: NDArray[np.int16] = (struck @ (1 << np.arange(len(KINDS)))).astype(np.int16)
        return sets
    out = np.full(steps, HOLD, np.int16)
    if not len(notes):
        return out
    order = np.lexsort((notes[:, 2], step))
    notes, step = notes[order], step[order]
    top = np.append(step[1:] != step[:-1], True)
    notes, step = notes[top], step[top]
    length = np.maximum(1, np.rint(notes[:, 3] / STEP_TICKS).astype(np.int64))
    end = np.minimum(step + length, np.append(step[1:], steps))
    out[end[end < steps]] = OFF
    out[step] = notes[:, 2]
    return out


def notes_of(tokens: NDArray[np.int16], begin: int, drums: bool) -> NDArray[np.int32]:
    """The notes (n, 6) of a phrase (steps,) that begins at tick `begin`; velocities are 80, drums a step long."""
    if drums:
        step, kind = np.nonzero(tokens[:, None] >> np.arange(len(KINDS)) & 1)
        pitch, length, part = np.array(DRUM_KEYS)[kind], np.ones(len(step), np.int64), Part.DRUMS
    else:
        step = np.flatnonzero(tokens < OFF)
        events = np.append(np.flatnonzero(tokens != HOLD), len(tokens))
        pitch, part = tokens[step], Part.MELODY
        length = events[np.searchsorted(events, step) + 1] - step if len(step) else step
    zero = np.zeros(len(step), np.int64)
    columns = [begin + step * STEP_TICKS, zero, pitch, length * STEP_TICKS, zero + 80, zero + int(part)]
    return np.stack(columns, 1).astype(np.int32)
