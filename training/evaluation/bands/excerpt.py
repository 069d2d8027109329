"""The stretch of a piece that is measured, and what several figures read from it: bars and lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.music.notes import Note, Part, Piece
from instrument.music.timebase import TICKS_PER_BEAT, Metre, MetreMap
from training.measures.bars import SIXTEENTH, to_sixteenth
from training.measures.bars import struck as stretches

SECONDS = 180.0
SLACK = TICKS_PER_BEAT // 8  # a thirty-second, by which a player may be early or late
FEWEST_BARS = 8
PLAYED_PARTS = (Part.MELODY, Part.CHORDS, Part.BASS, Part.DRUMS)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Notes of one metre, beginning with a bar that has a note.

    notes: int32 array (n, 6) with the columns of `Note`, sorted by tick; ticks count from the start of the first
    bar and no note sounds beyond the last; metre: only its signature counts; bars: how many; bpm: mean quarter
    beats a minute.
    """

    notes: NDArray[np.int32]
    metre: Metre
    bars: int
    bpm: float

    @property
    def bar(self) -> int:
        """Ticks a bar."""
        return self.metre.bar_ticks

    @property
    def end(self) -> int:
        """Ticks from the start of the first bar to the end of the last."""
        return self.bars * self.bar

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.end / TICKS_PER_BEAT * 60 / self.bpm

    def part(self, part: Part) -> NDArray[np.int32]:
        """The notes of one part, (m, 6)."""
        own: NDArray[np.int32] = self.notes[self.notes[:, 5] == part]
        return own

    @property
    def pitched(self) -> NDArray[np.int32]:
        """All notes but those of drums, (m, 6)."""
        own: NDArray[np.int32] = self.notes[self.notes[:, 5] != Part.DRUMS]
        return own


class LineNote(NamedTuple):
    """A note of a monophonic line. onset: tick, on the nearest sixteenth; end: tick, at most the next onset."""

    onset: int
    pitch: int
    end: int


def from_notes(notes: Sequence[Note], metre: Metre, bpm: float = 120.0, seconds: float = SECONDS) -> Excerpt:
    """The excerpt of a list of notes in one metre, which begins at its tick. HocketError as in `cut`."""
    rows = np.array(sorted(notes, key=lambda note: note.order), np.int32).reshape(-1, 6)
    return cut(Piece(rows, (metre,), ((0, bpm),)), seconds)


def cut(piece: Piece, seconds: float = SECONDS) -> Excerpt:
    """The whole bars of the first `seconds` from the start of the first bar with a note; all of a shorter piece, to
    the end of the bar of its last onset.

    Raises HocketError if the piece has no notes or no metre, changes its metre in there, or is shorter than
    `FEWEST_BARS` bars.
    """
    if not len(piece):
        raise HocketError("it has no notes: give a piece with notes")
    if not piece.metres:
        raise HocketError("it has no metre: give a piece with bars")
    onsets = to_sixteenth(piece.notes[:, 0])
    position = MetreMap(piece.metres).locate(int(onsets[0]))
    metre = position.metre or piece.metres[0]
    bar, start = metre.bar_ticks, int(onsets[0]) - position.offset
    limit = _tick_after(piece.tempos, start, seconds)
    last = int(onsets.max())
    bars = min((limit - start) // bar, (last - start) // bar + 1)
    end = start + bars * bar
    if any(
        start < m.tick < end and (_signature(m) != _signature(metre) or (m.tick - start) % bar) for m in piece.metres
    ):
        raise HocketError("it changes its metre: give a piece in one metre")
    if bars < FEWEST_BARS:
        raise HocketError(f"it has {bars} bars: give a piece of {FEWEST_BARS} bars or more")
    notes = piece.notes[(onsets >= start) & (onsets < end)].copy()
    notes[:, 0] = np.maximum(notes[:, 0] - start, 0)
    notes[:, 3] = np.clip(notes[:, 3], 1, np.maximum(bars * bar - notes[:, 0], 1))
    return Excerpt(notes, metre, bars, _mean_bpm(piece.tempos, start, end))


def struck(excerpt: Excerpt, notes: NDArray[np.int32], bars: int = 1) -> list[frozenset[int]]:
    """What is struck in each stretch of so many bars, as `training.measures.bars.struck` numbers it. A last stretch
    that is not whole is left out."""
    return stretches(notes, 0, bars * excerpt.bar, excerpt.bars // bars)


def melody_line(excerpt: Excerpt) -> list[LineNote]:
    """The melody part, monophonic (of notes struck together the highest), or the top line where there is no
    melody part."""
    melody = excerpt.part(Part.MELODY)
    return line(melody) if len(melody) else line(excerpt.pitched, covered=True)


def line(notes: NDArray[np.int32], covered: bool = False) -> list[LineNote]:
    """The highest of the notes struck at each sixteenth, each ending at the next onset at the latest.
    covered: leave out those below a note of the line that sounds for more than a sixteenth longer."""
    onsets = to_sixteenth(notes[:, 0])
    chosen: list[LineNote] = []
    for i in np.lexsort((-notes[:, 2], onsets)).tolist():
        onset, pitch = int(onsets[i]), int(notes[i, 2])
        end = max(int(notes[i, 0] + notes[i, 3]), onset + 1)
        if chosen and chosen[-1].onset == onset:
            continue
        if covered and chosen and pitch < chosen[-1].pitch and chosen[-1].end > onset + SIXTEENTH:
            continue
        chosen.append(LineNote(onset, pitch, end))
    following = [note.onset for note in chosen[1:]]
    cut_off = [note._replace(end=min(note.end, after)) for note, after in zip(chosen, following, strict=False)]
    return cut_off + chosen[-1:]


def mean(values: Iterable[float], fewest: int = 1) -> float:
    """The mean, or nan of fewer values than that."""
    found = list(values)
    return float(np.mean(found)) if len(found) >= fewest else float("nan")


def _signature(metre: Metre) -> tuple[int, int]:
    return metre.numerator, metre.denominator


def _spans(tempos: Sequence[tuple[int, float]], start: int) -> list[tuple[int, float]]:
    """Tempo changes from `start` on, the first at `start`."""
    first = max((i for i, (tick, _) in enumerate(tempos) if tick <= start), default=0)
    return [(start, tempos[first][1]), *(change for change in tempos[first + 1 :] if change[0] > start)]


def _tick_after(tempos: Sequence[tuple[int, float]], start: int, seconds: float) -> int:
    spans = _spans(tempos, start)
    for (tick, bpm), (following, _) in pairwise(spans):
        length = (following - tick) / TICKS_PER_BEAT * 60 / bpm
        if length >= seconds:
            break
        seconds -= length
    else:
        tick, bpm = spans[-1]
    return tick + int(seconds * bpm / 60 * TICKS_PER_BEAT + 1e-6)


def _mean_bpm(tempos: Sequence[tuple[int, float]], start: int, end: int) -> float:
    spans = _spans(tempos, start)
    edges = [min(tick, end) for tick, _ in spans] + [end]
    seconds = sum(
        (b - a) * 60 / (TICKS_PER_BEAT * bpm) for a, b, (_, bpm) in zip(edges, edges[1:], spans, strict=False)
    )
    return (end - start) / TICKS_PER_BEAT / seconds * 60
