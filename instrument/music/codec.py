"""The event codec: pieces to events of bounded integers and back, for training and for playing.

An event is one note, relative to the note before it. `FIELDS` names its integers, in the order in which a model decides
them, with the number of values of each. The codec's grid has 24 ticks a beat with eighths of a tick, gaps of at most
384 ticks (longer silence is shortened by multiples of 96 ticks), durations of 1..384 ticks, and 32 velocities. On this
grid decode(encode(notes)) == notes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from instrument.music.notes import Note, Part
from instrument.music.timebase import Metre, MetreMap

MAX_GAP = 384
MAX_DURATION = 384
GAP_SPAN = 96
FIELDS = {
    "time": MAX_GAP + 1,
    "part": len(Part),
    "pitch": 128,
    "duration": MAX_DURATION,
    "velocity": 32,
    "micro": 8,
}
TIME, PART, PITCH, DURATION, VELOCITY, MICRO = range(6)

# The metres a model knows; index 0 is unmetered, the last stands for every other.
METRES: tuple[tuple[int, int] | None, ...] = (
    None,
    (2, 4),
    (3, 4),
    (4, 4),
    (6, 8),
    (3, 8),
    (2, 2),
    (9, 8),
    (12, 8),
    (5, 4),
    (6, 4),
    (3, 2),
    (0, 0),
)
POSITIONS = 146  # 0..144 within a bar (longer bars share the last), 145 = unmetered
UNMETERED = POSITIONS - 1

# A pitch and a drum as one number, a row: pitched 0..127, drums above.
DRUM_ROW = 128
ROWS = 256
FLAT = FIELDS["velocity"]  # the velocity class "constant, as before"
NO_DURATION = FIELDS["duration"]

# How many bars ago echoes are, and the values where there is none.
ECHO_BARS = (1, 2, 4, 8)
ECHO_MAX_GAP = 96
NO_GAP = ECHO_MAX_GAP + 1
NO_NOTE = ROWS
START = (NO_NOTE, 0, 0, FLAT, len(Part), 4)  # row, time, duration, velocity, part, micro before a piece


def to_grid(notes: NDArray[np.int32]) -> NDArray[np.int32]:
    """Notes (n, 6) in `tidy` order, moved onto the codec's grid; the first keeps its tick."""
    notes = np.array(notes, np.int32)
    if len(notes):
        gaps = np.diff(notes[:, 0], prepend=notes[0, 0])
        over = np.maximum(gaps - MAX_GAP, 0)
        gaps -= -(-over // GAP_SPAN) * GAP_SPAN
        notes[:, 0] = notes[0, 0] + np.cumsum(gaps)
        notes[:, 3] = np.clip(notes[:, 3], 1, MAX_DURATION)
        notes[:, 4] = (np.clip(notes[:, 4], 1, 127) >> 2) * 4 + 2
    return notes


def encode(notes: NDArray[np.int32], start: int) -> NDArray[np.int32]:
    """Events (n, 6), columns as `FIELDS`, of notes (n, 6) on the grid; the first gap counts from `start`."""
    events = np.empty((len(notes), len(FIELDS)), np.int32)
    events[:, TIME] = np.diff(notes[:, 0], prepend=start)
    events[:, PART] = notes[:, 5]
    events[:, PITCH] = notes[:, 2]
    events[:, DURATION] = notes[:, 3] - 1
    events[:, VELOCITY] = notes[:, 4] >> 2
    events[:, MICRO] = notes[:, 1] + 4
    return events


def decode(events: NDArray[np.int32], start: int) -> NDArray[np.int32]:
    """Notes (n, 6) of events (n, 6): the inverse of `encode`."""
    notes = np.empty((len(events), len(FIELDS)), np.int32)
    notes[:, 0] = start + np.cumsum(events[:, TIME])
    notes[:, 1] = events[:, MICRO] - 4
    notes[:, 2] = events[:, PITCH]
    notes[:, 3] = events[:, DURATION] + 1
    notes[:, 4] = events[:, VELOCITY] * 4 + 2
    notes[:, 5] = events[:, PART]
    return notes


def encode_note(note: Note, last_tick: int) -> tuple[int, int, int, int, int, int]:
    """The event of one note, bounded to the grid, after an onset at `last_tick`."""
    return (
        min(max(note.tick - last_tick, 0), MAX_GAP),
        note.part,
        note.pitch,
        min(max(note.duration, 1), MAX_DURATION) - 1,
        min(max(note.velocity, 1), 127) >> 2,
        min(max(note.micro, -4), 3) + 4,
    )


def decode_note(event: Sequence[int], last_tick: int) -> Note:
    """The note of one event after an onset at `last_tick`."""
    time, part, pitch, duration, velocity, micro = event
    return Note(last_tick + time, micro - 4, pitch, duration + 1, velocity * 4 + 2, part)


def metre_index(metre: Metre | None) -> int:
    """Where `metre` stands in `METRES`."""
    if metre is None:
        return 0
    signature = (metre.numerator, metre.denominator)
    return METRES.index(signature) if signature in METRES else len(METRES) - 1


def bar_context(ticks: NDArray[np.int32], metres: Sequence[Metre]) -> NDArray[np.int32]:
    """(n, 3) of position in the bar (0..145), index of the metre, and length of the bar in ticks
    (0 = unmetered) for each tick."""
    out = np.zeros((len(ticks), 3), np.int32)
    if not metres:
        out[:, 0] = UNMETERED
        return out
    starts = np.array([m.tick for m in metres])
    which = np.maximum(np.searchsorted(starts, ticks, "right") - 1, 0)
    bars = np.array([m.bar_ticks for m in metres])[which]
    out[:, 0] = np.minimum((ticks - starts[which]) % bars, POSITIONS - 2)
    out[:, 1] = np.array([metre_index(m) for m in metres])[which]
    out[:, 2] = bars
    return out


def tick_context(tick: int, metres: MetreMap) -> tuple[int, int, int]:
    """`bar_context` of one tick."""
    where = metres.locate(tick)
    if where.metre is None:
        return UNMETERED, 0, 0
    return min(where.offset, POSITIONS - 2), metre_index(where.metre), where.metre.bar_ticks


# --- Echoes: the note that would follow if the music repeated what it did 1, 2, 4 or 8 bars ago. They are features of
# the model, as in Magenta's Lookback RNN (Waite, 2016), by which a small network can repeat a phrase exactly.


def echo_gaps(keys: Sequence[int], bar_ticks: int, begin: int = 0) -> list[int]:
    """For each of `ECHO_BARS`, the gap in ticks (0..96) from the last note to where its echo's successor
    falls, or `NO_GAP`. keys: `Note.order` of all notes so far, ascending; begin: the first of them that
    counts; where there is none, nothing has an echo."""
    if begin >= len(keys):
        return [NO_GAP] * len(ECHO_BARS)
    last = keys[-1]
    gaps = []
    for bars in ECHO_BARS:
        lag = bars * bar_ticks * 256
        if not bar_ticks or last - lag < keys[begin]:
            gaps.append(NO_GAP)
            continue
        follower = keys[bisect_right(keys, last - lag, begin)]
        gaps.append(min((follower >> 8) - ((last - lag) >> 8), ECHO_MAX_GAP))
    return gaps


def echo_notes(keys: Sequence[int], tick: int, bar_ticks: int, begin: int = 0) -> list[int]:
    """For each of `ECHO_BARS`, the index of the note at the same place that many bars before `tick` (in a
    chord being built, the first above the last note), or -1. keys, begin as in `echo_gaps`."""
    above = (keys[-1] & 255) if keys and tick == keys[-1] >> 8 else -1
    found = []
    for bars in ECHO_BARS:
        then = tick - bars * bar_ticks
        j = bisect_right(keys, then * 256 + above, begin) if bar_ticks else len(keys)
        found.append(j if j < len(keys) and keys[j] >> 8 == then else -1)
    return found


def all_echo_gaps(keys: NDArray[np.int64], bar_ticks: NDArray[np.int32]) -> NDArray[np.int32]:
    """`echo_gaps` after every note of a piece at once, (n, 4). bar_ticks: the bar at each note."""
    out = np.full((len(keys), len(ECHO_BARS)), NO_GAP, np.int32)
    for column, bars in enumerate(ECHO_BARS):
        then = keys - bars * bar_ticks.astype(np.int64) * 256
        valid = (bar_ticks > 0) & (then >= keys[0])
        follower = keys[np.minimum(np.searchsorted(keys, then, "right"), len(keys) - 1)]
        out[valid, column] = np.minimum((follower >> 8) - (then >> 8), ECHO_MAX_GAP)[valid]
    return out


def all_echo_notes(keys: NDArray[np.int64], bar_ticks: NDArray[np.int32]) -> NDArray[np.int32]:
    """`echo_notes` for every note of a piece but the first, from the notes before it, (n - 1, 4)."""
    ticks = keys >> 8
    same = ticks[1:] == ticks[:-1]
    above = np.where(same, keys[:-1] & 255, -1)
    out = np.full((len(keys) - 1, len(ECHO_BARS)), -1, np.int32)
    for column, bars in enumerate(ECHO_BARS):
        then = ticks[1:] - bars * bar_ticks[1:].astype(np.int64)
        j = np.searchsorted(keys, then * 256 + above, "right")
        known = (bar_ticks[1:] > 0) & (j <= np.arange(len(keys) - 1))
        known &= ticks[np.minimum(j, len(keys) - 1)] == then
        out[known, column] = j[known]
    return out
