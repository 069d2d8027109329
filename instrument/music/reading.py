"""From the raw contents of a MIDI file to a Piece: the rules that every reader of MIDI files shares.

A reader fills a `RawMidi` with the contents of a file; `to_piece` puts it on the tick grid and gives every note its
part; `align` then finds the beats and bars.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.music.notes import Marker, Part, Piece, tidy
from instrument.music.parts.labels import Label, label_tracks
from instrument.music.timebase import MICRO_STEPS, TEMPO_RANGE, TICKS_PER_BEAT, Metre

RULES_VERSION = 6  # raise it when a change here gives other notes for the same file
STEPS_PER_BEAT = TICKS_PER_BEAT * MICRO_STEPS
MAX_BEATS = 100_000  # fourteen hours at 120 beats a minute
MAX_TICK = MAX_BEATS * TICKS_PER_BEAT
DEFAULT_METRE = Metre(0, 4, 4)
MAX_METRE = 64  # largest numerator and denominator of a time signature

LONGEST_MARKER = 64  # characters; longer ones are left out


@dataclass(frozen=True, slots=True)
class RawTrack:
    """The notes of one track on one channel with one program.

    starts, durations: int64 in the file's own ticks; pitches, velocities: integers, 0..127. All of one length.
    """

    name: str
    program: int
    is_drum: bool
    starts: NDArray[np.int64]
    durations: NDArray[np.int64]
    pitches: NDArray[np.integer]
    velocities: NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class RawMidi:
    """The contents of a MIDI file, in its own ticks, `resolution` of them a quarter note.

    metres: (tick, numerator, denominator); tempos: (tick, beats a minute); markers: (tick, text), each by time, and
    of those of a tick the last holds; in_seconds: whether it has no beats; warnings: what was wrong with the file.
    """

    resolution: int
    tracks: list[RawTrack] = field(default_factory=list)
    metres: list[tuple[int, int, int]] = field(default_factory=list)
    tempos: list[tuple[int, float]] = field(default_factory=list)
    markers: list[tuple[int, str]] = field(default_factory=list)
    in_seconds: bool = False
    warnings: list[str] = field(default_factory=list)

    @property
    def sounding(self) -> list[RawTrack]:
        """The tracks with notes."""
        return [track for track in self.tracks if len(track.starts)]


@dataclass(frozen=True, slots=True)
class Aligned:
    """The result of `align`: the piece, and by how many eighths of a tick its notes were moved."""

    piece: Piece
    phase: int


def read(raw: RawMidi, *, aligned: bool = True, noteless: bool = False, parts: Sequence[Part] | None = None) -> Aligned:
    """The piece in a raw file, by `align` if `aligned` is set and the file has beats. parts: those of its tracks with
    notes, where they are known. Raises HocketError where it has no notes (unless `noteless` allows that), with its
    warnings, and as `to_piece`."""
    piece = to_piece(raw, parts)
    if not len(piece) and not noteless:
        raise HocketError(f"it has no notes{''.join(f'; {warning}' for warning in raw.warnings)}")
    return align(piece) if aligned and not raw.in_seconds else Aligned(piece, 0)


def to_piece(raw: RawMidi, parts: Sequence[Part] | None = None) -> Piece:
    """Put a raw file on the tick grid. Raises HocketError when its numbers make no sense, or it is too long.

    The piece has no metre where the file gives none; `align` decides what that means.
    """
    if parts is None:
        parts = [label.part for label in track_labels(raw)]
    tracks = raw.sounding
    rows = [np.zeros((0, 6), np.int32)]
    for track, part in zip(tracks, parts, strict=True):
        steps = _scaled(track.starts, raw.resolution, STEPS_PER_BEAT)
        ticks = (steps + MICRO_STEPS // 2) // MICRO_STEPS
        durations = np.rint(track.durations * TICKS_PER_BEAT / raw.resolution).astype(np.int64)
        columns = (
            ticks,
            steps - ticks * MICRO_STEPS,
            track.pitches.clip(0, 127),
            durations.clip(1, MAX_TICK),
            track.velocities.clip(1, 127),
            np.full(len(ticks), part),
        )
        rows.append(np.stack(columns, 1, dtype=np.int32, casting="unsafe"))  # the length is checked
    return Piece(
        tidy(np.concatenate(rows)),
        _metres(raw),
        _tempos(raw),
        tuple(Marker(_tick(t, raw), text) for t, text in sorted(raw.markers) if _tick(t, raw) < MAX_TICK),
    )


def track_labels(raw: RawMidi) -> list[Label]:
    """The parts of the tracks with notes. Raises HocketError when the file's numbers make no sense, or it is too
    long."""
    if raw.resolution <= 0:
        raise HocketError(f"its resolution is {raw.resolution} ticks a quarter note: it must be above 0")
    _check_length(raw.sounding, raw.resolution)
    return label_tracks(raw.sounding, raw.resolution)


def align(piece: Piece) -> Aligned:
    """Find the beats and bars of a piece.

    A constant offset from the grid is subtracted, downbeats that are clearly elsewhere are moved to the bar lines,
    music without a beat loses its metre, and music with a beat but no metre gets 4/4, the default of MIDI files.
    """
    notes = piece.notes
    if not len(notes):
        return Aligned(piece, 0)
    steps = notes[:, 0].astype(np.int64) * MICRO_STEPS + notes[:, 1]
    drums = notes[:, 5] == Part.DRUMS
    if not drums.all() and beat_strength(steps) < UNMETERED_BELOW:  # drummers play to a click, however loosely
        return Aligned(replace(piece, metres=()), 0)
    piece = replace(piece, metres=piece.metres or (DEFAULT_METRE,))
    shift = -grid_offset(steps)
    if not drums.any():  # with drums it comes from a sequencer, whose bars are right
        bar = piece.metres[0].bar_ticks
        onsets = (steps + shift + MICRO_STEPS // 2) // MICRO_STEPS
        shift += -downbeat_offset(onsets, notes, piece.metres) % bar * MICRO_STEPS
    if shift == 0:
        return Aligned(piece, 0)
    steps = np.maximum(steps + shift, -(MICRO_STEPS // 2))
    moved = notes.copy()
    moved[:, 0] = (steps + MICRO_STEPS // 2) // MICRO_STEPS
    moved[:, 1] = steps - moved[:, 0].astype(np.int64) * MICRO_STEPS
    ticks = (shift + MICRO_STEPS // 2) // MICRO_STEPS
    return Aligned(
        replace(
            piece,
            notes=tidy(moved),
            metres=(piece.metres[0], *(replace(m, tick=m.tick + ticks) for m in piece.metres[1:])),
            tempos=(piece.tempos[0], *((max(0, t + ticks), bpm) for t, bpm in piece.tempos[1:])),
            markers=tuple(Marker(max(0, m.tick + ticks), m.text) for m in piece.markers),
        ),
        shift,
    )


UNMETERED_BELOW = 0.35  # scores have above 0.6, free performances mostly below 0.2
NOTATED_VELOCITIES = 6  # a performance has more different ones
FEWEST_BARS = 8  # for finding downbeats
_GRID = np.array([0, 48, 64, 96, 128, 144])  # sixteenths and triplets in steps of a beat
_GRID_TOLERANCE = np.arange(-3, 4)


def beat_strength(steps: NDArray[np.int64]) -> float:
    """0..1: how well onsets (in eighths of a tick) fit a grid of eighths, triplets or divisions of these.

    The length of the mean vector of their phases in the best grid; 1 is a perfect fit.
    """
    phases = 2j * np.pi * (steps % STEPS_PER_BEAT) / STEPS_PER_BEAT
    return max(float(abs(np.exp(k * phases).mean())) for k in (2, 3, 4, 6, 8, 12))


def grid_offset(steps: NDArray[np.int64]) -> int:
    """The constant offset of the onsets from the grid, -24..24 eighths of a tick; 0 if there is none."""
    share = np.bincount(steps % STEPS_PER_BEAT, minlength=STEPS_PER_BEAT) / len(steps)
    offsets = np.array(sorted(range(-24, 25), key=abs))
    where = (_GRID[:, None, None] + _GRID_TOLERANCE[:, None] + offsets) % STEPS_PER_BEAT
    on_grid = share[where].sum((0, 1))  # how many notes would be on the grid, for each offset
    best = on_grid.max()
    if best < 0.4 or best - on_grid[0] < 0.2:
        return 0
    near = np.flatnonzero(on_grid >= best - 0.02)
    return int(offsets[near].mean().round()) if np.ptp(offsets[near]) <= 6 else int(offsets[near[0]])


def downbeat_offset(ticks: NDArray[np.int64], notes: NDArray[np.int32], metres: Sequence[Metre]) -> int:
    """Ticks from the written bar lines of notated music to its downbeats; 0 unless it is clear.

    Programs often write a pickup as if the first bar began with it. Signs of this are a change of time signature that
    would cut a bar, accents at one place in the bar, or long notes that begin there.
    """
    velocity = notes[:, 4]
    bar = metres[0].bar_ticks
    if len(np.unique(velocity)) > NOTATED_VELOCITIES or ticks[-1] < FEWEST_BARS * bar:
        return 0
    if len(metres) > 1:
        return metres[1].tick % bar if metres[1].tick >= FEWEST_BARS * bar else 0
    places = ticks % bar
    loudest = velocity == velocity.max()
    accents = np.bincount(places[loudest], minlength=bar)
    best = int(accents.argmax())
    if 0.03 < loudest.mean() < 0.6 and accents[best] > 0.8 * loudest.sum():
        return best if loudest[places == best].mean() > 0.8 else 0
    lengths = np.bincount(places, (notes[:, 3].clip(max=bar) / bar) ** 2, minlength=bar)
    best = 1 + int(lengths[1 : bar // 2 + 1].argmax())
    return best if lengths[best] - lengths[0] > 0.2 * lengths.sum() else 0


def _check_length(tracks: Sequence[RawTrack], resolution: int) -> None:
    if any(int(track.starts.min()) < 0 for track in tracks):
        raise HocketError("it has a note before its beginning: the file is damaged")
    last = max((int((track.starts + track.durations).max()) for track in tracks), default=0)
    if (beats := -(-last // resolution)) > MAX_BEATS:
        raise HocketError(f"it is {beats:,} beats long: at most {MAX_BEATS:,} are read; cut it")


def _scaled(values: NDArray[np.int64], resolution: int, unit: int) -> NDArray[np.int64]:
    return (values.astype(np.int64) * unit * 2 + resolution) // (2 * resolution)  # rounds half up


def _tick(value: int, raw: RawMidi) -> int:
    return (value * TICKS_PER_BEAT * 2 + raw.resolution) // (2 * raw.resolution)


def _metres(raw: RawMidi) -> tuple[Metre, ...]:
    found: dict[int, Metre] = {}
    for value, numerator, denominator in sorted(raw.metres, key=lambda m: m[0]):
        tick = _tick(value, raw)
        if 0 < numerator <= MAX_METRE and 0 < denominator <= MAX_METRE and 0 <= tick < MAX_TICK:
            found[tick] = Metre(tick, numerator, denominator)
    if found and min(found) > 0:
        found = {0: DEFAULT_METRE} | found
    kept: list[Metre] = []
    for metre in found.values():
        if not kept or (metre.numerator, metre.denominator) != (kept[-1].numerator, kept[-1].denominator):
            kept.append(metre)
    return tuple(kept)


def _tempos(raw: RawMidi) -> tuple[tuple[int, float], ...]:
    low, high = TEMPO_RANGE
    found = {0: 120.0}
    for value, bpm in sorted(raw.tempos, key=lambda t: t[0]):  # stable: the last of a tick holds
        if 0 <= _tick(value, raw) < MAX_TICK:
            found[_tick(value, raw)] = min(max(float(bpm), low), high)
    return tuple(found.items())
