"""Full bands for pieces without one: lead sheets and solos with chords get comping and bass by rule, and real drums.

Styles are tables of assets/styles.toml. The result depends only on the notes of the piece, the styles, and the drum
performances of the piece's split.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.music.chords.changes import PREFIX, ChordChange, block_chords, marked_chords
from instrument.music.notes import Marker, Part, Piece, order_keys, tidy
from instrument.music.reading import NOTATED_VELOCITIES
from instrument.music.timebase import TICKS_PER_BEAT, Metre
from training.data.arranging.bars import Bar, Harmony, bars_of
from training.data.arranging.basslines import bass_line
from training.data.arranging.comping import comping
from training.data.arranging.drummers import Performance, choose, laid, performance
from training.data.arranging.styles import Style, read_styles
from training.data.notes.shards import PieceInfo

VERSION = 1  # raise it when a change here or in `arranging` gives other notes
BLOCKS = 0.9  # share of the onsets of a lead sheet's chords that are of three notes and more
FEWEST_BARS = 8
KICKS = (35, 36)
OFF_BEAT = TICKS_PER_BEAT // 2
TUNE_VELOCITY, TUNE_ACCENT, TUNE_TOUCH = 88, 8, 5.0


class FullBands:
    """Collects pieces that need a band and drum performances, then makes the bands."""

    def __init__(self, styles: Mapping[str, Style] | None = None) -> None:
        self.styles = read_styles() if styles is None else styles
        self.rules = hashlib.sha256(msgspec.json.encode([VERSION, self.styles])).hexdigest()
        self._wanting: list[tuple[int, NDArray[np.int32]]] = []
        self._drummers: list[tuple[int, NDArray[np.int32]]] = []

    def see(self, number: int, info: PieceInfo, notes: NDArray[np.int32]) -> None:
        """Collect the piece of this number if it needs a band or is a drum performance."""
        if info.drums_only:
            self._drummers.append((number, notes))
        elif self._genre_is_known(info) and wants_band(info, notes):
            self._wanting.append((number, notes))

    def realised(self, pieces: Sequence[PieceInfo]) -> Iterator[tuple[PieceInfo, NDArray[np.int32]]]:
        """Facts and notes (n, 6) of the collected pieces with a band, each in the split of its source. pieces: facts of
        all pieces by number. Pieces with unreadable chords, or metres that no style has, are left out."""
        drummers: dict[str, list[Performance]] = {}
        for number, notes in self._drummers:
            if (found := performance(pieces[number], notes)) is not None:
                drummers.setdefault(found.info.split, []).append(found)
        for number, notes in self._wanting:
            info = pieces[number]
            made = realise(info, notes, self.styles, drummers.get(info.split, []))
            if made is not None:
                yield made

    def _genre_is_known(self, info: PieceInfo) -> bool:
        return any(info.genre in style.genres for style in self.styles.values())


def wants_band(info: PieceInfo, notes: NDArray[np.int32]) -> bool:
    """Whether a piece has a melody with written chords (markers, or block chords without bass), and no drums."""
    parts = set(np.unique(notes[:, 5]).tolist())
    if info.realised or not info.metres or Part.MELODY not in parts or Part.DRUMS in parts:
        return False
    return any(text.startswith(PREFIX) for _, text in info.markers) or _is_lead_sheet(notes, parts)


def realise(
    info: PieceInfo, notes: NDArray[np.int32], styles: Mapping[str, Style], drummers: Sequence[Performance]
) -> tuple[PieceInfo, NDArray[np.int32]] | None:
    """A piece with a band: facts and notes (n, 6). None if its chords cannot be read, it is too short, or no style of
    its genre has its metres. Existing parts are kept, except the block chords of a lead sheet."""
    piece = Piece(notes, tuple(Metre(*m) for m in info.metres), markers=tuple(Marker(*m) for m in info.markers))
    harmony = _harmony(piece)
    if harmony is None:
        return None
    bars = bars_of(piece, harmony.end)
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(notes.astype("<i4").tobytes()).digest()[:8]))
    name = _choose_style(info, bars, styles, rng)
    if name is None or len(bars) < FEWEST_BARS:
        return None
    style = styles[name]
    parts = set(np.unique(notes[:, 5]).tolist())
    kept = notes[notes[:, 5] != Part.CHORDS] if _is_lead_sheet(notes, parts) else notes
    kept = _played(swing_tune(kept, style, piece.metres), bars, rng)
    rows = [kept]
    if not (kept[:, 5] == Part.CHORDS).any():
        tune = [tuple(row) for row in kept[kept[:, 5] == Part.MELODY].tolist()]
        rows.append(_rows(comping(style, bars, harmony, tune, rng)))
    drummer = choose(drummers, style.drums, info.bpm, _usual_bar(bars), rng) if style.drums else None
    drums = laid(drummer, _from_first_chord(bars, harmony), rng) if drummer else notes[:0]
    rows.append(drums)
    if Part.BASS not in parts:
        kicks = np.unique(drums[np.isin(drums[:, 2], KICKS), 0]).tolist()
        rows.append(_rows(bass_line(style, bars, harmony, kicks, rng)))
    licence = f"{info.licence}; drums {drummer.info.licence}" if drummer else info.licence
    made = _bass_first(np.concatenate(rows))
    facts = msgspec.structs.replace(
        info, path=f"{info.path} [{name}]", licence=licence, realised=True, velocity_constant=False, count=len(made)
    )
    return facts, made


def swing_tune(notes: NDArray[np.int32], style: Style, metres: Sequence[Metre]) -> NDArray[np.int32]:
    """Notes (n, 6) with straight eighths moved to the swing of the style: onsets and ends on off-beats, in beats that
    contain only eighths."""
    late = round(style.swing * TICKS_PER_BEAT) - OFF_BEAT
    if late <= 0 or any(metre.denominator > 4 for metre in metres):
        return notes
    swung = notes.copy()
    ends = notes[:, 0] + notes[:, 3]
    other = np.unique(notes[~np.isin(notes[:, 0] % TICKS_PER_BEAT, (0, OFF_BEAT)), 0] // TICKS_PER_BEAT)

    def moved(ticks: NDArray[np.int32]) -> NDArray[np.int32]:
        eighths = (ticks % TICKS_PER_BEAT == OFF_BEAT) & ~np.isin(ticks // TICKS_PER_BEAT, other)
        return np.asarray(ticks + late * eighths, np.int32)

    swung[:, 0] = moved(notes[:, 0])
    swung[:, 3] = np.maximum(1, moved(ends) - swung[:, 0])
    return swung


def _is_lead_sheet(notes: NDArray[np.int32], parts: set[int]) -> bool:
    if parts != {Part.MELODY, Part.CHORDS}:
        return False
    _, sizes = np.unique(notes[notes[:, 5] == Part.CHORDS, 0], return_counts=True)
    return bool((sizes >= 3).mean() >= BLOCKS)


def _harmony(piece: Piece) -> Harmony | None:
    """The chords of a piece in order, one a tick and without immediate repeats; None if it has none."""
    try:
        changes = marked_chords(piece) or block_chords(piece)
    except HocketError:
        return None
    kept: list[ChordChange] = []
    for change in sorted({change.tick: change for change in changes}.values()):
        if not kept or kept[-1].chord != change.chord:
            kept.append(change)
    end = int((piece.notes[:, 0] + piece.notes[:, 3]).max())
    kept = [change for change in kept if change.tick < end]
    return Harmony(kept, end) if any(change.chord.tones for change in kept) else None


def _choose_style(
    info: PieceInfo, bars: Sequence[Bar], styles: Mapping[str, Style], rng: np.random.Generator
) -> str | None:
    """One of the genre's styles that have all metres, preferably for this tempo; None if there is none."""
    metres = {bar.metre for bar in bars}
    fitting = {n: s for n, s in styles.items() if info.genre in s.genres and all(s.plays(m) for m in metres)}
    in_time = {name: style for name, style in fitting.items() if style.tempo[0] <= info.bpm <= style.tempo[1]}
    names = list(in_time or fitting)
    if not names:
        return None
    odds = np.array([styles[name].genres[info.genre] for name in names])
    return names[int(rng.choice(len(names), p=odds / odds.sum()))]


def _played(notes: NDArray[np.int32], bars: Sequence[Bar], rng: np.random.Generator) -> NDArray[np.int32]:
    """Notes with dynamics. Notated velocities are replaced by accents at the starts of bars and random variation."""
    if len(np.unique(notes[:, 4])) > NOTATED_VELOCITIES:
        return notes
    accents = np.isin(notes[:, 0], [bar.start for bar in bars])
    touched = notes.copy()
    touch = rng.normal(0, TUNE_TOUCH, len(notes))
    touched[:, 4] = np.clip(np.rint(TUNE_VELOCITY + TUNE_ACCENT * accents + touch), 1, 127)
    return touched


def _bass_first(notes: NDArray[np.int32]) -> NDArray[np.int32]:
    """Tidy notes (n, 6). A note that both bass and chords play is kept only in the bass."""
    bass = order_keys(notes[notes[:, 5] == Part.BASS])
    return tidy(notes[(notes[:, 5] != Part.CHORDS) | ~np.isin(order_keys(notes), bass)])


def _from_first_chord(bars: Sequence[Bar], harmony: Harmony) -> list[Bar]:
    first = next(change.tick for change in harmony.changes if change.chord.tones)
    return [bar for bar in bars if bar.end > first]


def _usual_bar(bars: Sequence[Bar]) -> int:
    lengths = [bar.end - bar.start for bar in bars]
    return max(set(lengths), key=lambda length: (lengths.count(length), length))


def _rows(rows: Iterator[tuple[int, ...]]) -> NDArray[np.int32]:
    return np.array(list(rows), np.int32).reshape(-1, 6)
