"""The groove of each genre: tempo, swing, accents and microtiming by place in the bar, measured on what people played.

`python -m training grooves` writes the table `assets/grooves.toml`, which the instrument applies to its players.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.music.grooves import ROWS, SLOTS, STRAIGHT, row_of
from instrument.music.notes import Part
from instrument.music.reading import NOTATED_VELOCITIES
from instrument.music.timebase import MICRO_STEPS, TICKS_PER_BEAT
from instrument.saved import write_whole
from training.data.notes.shards import PieceInfo, Shards
from training.data.notes.traits import PLAYED, off_beats, swing_of, tempos

PIECES = 400  # of a genre, at most
PRIOR = 8  # pieces as which the mean of all genres counts beside those of a genre
FEWEST_NOTES = 32  # of a row in a piece
FEWEST_BEATS = 16  # with an off-beat eighth, for the swing of a piece
SLOT_TICKS = TICKS_PER_BEAT // 4
NEAR = 0.5  # of a sixteenth: notes further from one are left out of the microtiming
ALL = "none"  # of genres that have too few pieces
HEADER = """\
# Groove by genre, measured on played performances by `python -m training grooves`.
# tempo: beats a minute, the median; swing: where in the beat the off-beat eighth falls, .5 straight, .67 triplet.
# Of each part, and of the kick, the snare, the hi-hats and other drums, by sixteenth of a bar of four beats:
# accents: velocity above the mean of the piece; delays: eighths of a tick behind the sixteenth, swing left out;
# spread: standard deviation of the velocities that accents leave. What a genre lacks is as in "none".
"""

Line = tuple[NDArray[np.float64], NDArray[np.float64], float]  # accents, delays, spread


def groove_table(shards: Shards, pieces: Sequence[PieceInfo]) -> str:
    """The table of all genres, as TOML. HocketError where no piece was played with dynamics."""
    real = [p for p in pieces if not p.realised and p.metres]
    genres = sorted({p.genre for p in real})
    found = {genre: _rows(shards, [p for p in real if p.genre == genre]) for genre in genres}
    everything = {row: [line for rows in found.values() for line in rows[row]] for row in ROWS}
    if not all(everything.values()):
        raise HocketError("too few pieces were played with dynamics: prepare more data, such as `groove`")
    blocks = [HEADER, _block(ALL, 120.0, STRAIGHT, everything, everything)]
    for genre in genres:
        own = [p for p in real if p.genre == genre]
        tempo = tempos(own)
        swing = swing_of([(info, np.asarray(shards.notes(info))) for info in _some(own)])
        blocks.append(
            _block(genre, tempo[1] if tempo else 120.0, max(STRAIGHT, swing or STRAIGHT), found[genre], everything)
        )
    return "\n".join(blocks)


def write_grooves(folder: Path, out: Path) -> list[str]:
    """Write the table of a prepared folder. Returns its genres. HocketError as `groove_table`."""
    shards = Shards.open(folder)
    pieces = shards.select(split="train", ship_only=True)
    write_whole(out, groove_table(shards, pieces).encode(), "the grooves")
    return sorted({p.genre for p in pieces})


def measure(notes: NDArray[np.int32]) -> dict[str, Line]:
    """Row -> accents (16,), delays (16,) and spread of one piece in four beats a bar (n, 6); rows with few notes, or
    with one velocity, are left out. A slot without notes is nan. Delays are nan for what was not played freely."""
    swing = _swing(notes)
    played = (notes[:, 1] != 0).mean() >= PLAYED
    rows = np.array([ROWS.index(row_of(part, pitch)) for pitch, part in notes[:, [2, 5]].tolist()])
    steps = (notes[:, 0] + notes[:, 1] / MICRO_STEPS) / TICKS_PER_BEAT
    place = np.floor(steps) + _straightened(steps % 1, swing)
    slots = np.round(place * 4)
    late = (place * 4 - slots) * SLOT_TICKS * MICRO_STEPS
    found: dict[str, Line] = {}
    for index, row in enumerate(ROWS):
        own = rows == index
        velocities = notes[own, 4].astype(float)
        if own.sum() < FEWEST_NOTES or len(np.unique(velocities)) <= NOTATED_VELOCITIES:
            continue
        slot = slots[own].astype(int) % SLOTS
        accents = _means(velocities - velocities.mean(), slot)
        left = velocities - velocities.mean() - accents[slot]
        near = np.abs(place[own] * 4 - slots[own]) <= NEAR
        delays = _means(late[own][near], slot[near]) if played else np.full(SLOTS, np.nan)
        found[row] = accents, delays - np.nanmean(delays) if played else delays, float(left.std())
    return found


def _rows(shards: Shards, pieces: list[PieceInfo]) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {row: [] for row in ROWS}
    for info in _some([p for p in pieces if [tuple(m[1:]) for m in p.metres] == [(4, 4)]]):
        notes = np.asarray(shards.notes(info))
        if len(np.unique(notes[:, 4])) > NOTATED_VELOCITIES:
            for row, line in measure(notes).items():
                found[row].append(line)
    return found


def _block(
    genre: str, tempo: float, swing: float, rows: dict[str, list[Line]], everything: dict[str, list[Line]]
) -> str:
    lines = [f"[{genre}]", f"tempo = {tempo:.0f}", f"swing = {swing:.2f}"]
    for row, own in rows.items():
        if own:
            accents = _average([line[0] for line in own], [line[0] for line in everything[row]])
            delays = _average([line[1] for line in own], [line[1] for line in everything[row]])
            spread = float(np.median([line[2] for line in own]))
            delays = np.clip(delays, -MICRO_STEPS / 2, MICRO_STEPS)
            lines.append(f"{row} = {{ accents = {_list(accents)}, delays = {_list(delays)}, spread = {spread:.0f} }}")
    return "\n".join(lines) + "\n"


def _average(own: list[NDArray[np.float64]], everything: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The mean by slot over pieces, drawn towards that of all genres by as much as `PRIOR` pieces; nan is unknown."""
    prior = _sums(everything)
    sums, counts = _sums(own)
    mean = prior[0] / np.maximum(prior[1], 1)
    return (sums + PRIOR * mean) / (counts + PRIOR)


def _sums(rows: list[NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums (16,) and numbers (16,) of what is known."""
    table = np.array(rows)
    known = ~np.isnan(table)
    return np.where(known, table, 0.0).sum(0), known.sum(0).astype(float)


def _means(values: NDArray[np.float64], slots: NDArray[np.int64]) -> NDArray[np.float64]:
    counts = np.bincount(slots, minlength=SLOTS)
    sums = np.bincount(slots, values, minlength=SLOTS)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _swing(notes: NDArray[np.int32]) -> float:
    places = np.concatenate([off_beats(notes[notes[:, 5] == part]) for part in Part])
    return max(STRAIGHT, float(np.median(places))) if len(places) >= FEWEST_BEATS else STRAIGHT


def _straightened(places: NDArray[np.float64], swing: float) -> NDArray[np.float64]:
    """Places in the beat with the swing taken out."""
    return np.interp(places, [0.0, swing, 1.0], [0.0, STRAIGHT, 1.0])


def _list(values: NDArray[np.float64]) -> str:
    return "[" + ", ".join(str(round(value)) for value in values.tolist()) + "]"


def _some(pieces: list[PieceInfo]) -> list[PieceInfo]:
    return pieces[:: -(-len(pieces) // PIECES) or 1]
