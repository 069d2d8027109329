"""Statistics of the music of a genre, given to a player as conditions that its knobs leave open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from instrument.models.manifest import PartName, Traits
from instrument.models.notes.conditions import WINDOW, pitch_class_histograms
from instrument.models.notes.key_sense import IN_KEY, MIN_ENTROPY, entropy, in_key_ratio
from instrument.models.notes.steering import INTERVAL_CLASSES, interval_class
from instrument.music.notes import Part
from instrument.music.reading import NOTATED_VELOCITIES
from instrument.music.timebase import MICRO_STEPS, TEMPO_RANGE, TICKS_PER_BEAT
from training.data.notes.shards import PieceInfo, Shards

PIECES = 300
COMMON = 0.1
ANY_DENSITY = 2.0
STEPS = 7, 5  # pitch classes inside a key and outside
MOST_IN_KEY = 100.0
UNSAID_TEMPO = 120.0  # of a file that gives none
FEWEST_PIECES = 5  # that say a tempo, or are played, to leave the others out
FEWEST_NOTES = 16  # of a part in a piece, for its velocities to count
FEWEST_BEATS = 16  # of a piece with an off-beat eighth, for its swing to count
PLAYED = 0.2  # share of onsets off the grid of ticks from which on a piece counts as played
ON_BEAT = 0.1  # of a beat, to both sides
OFF_BEAT = (0.4, 0.72)  # of a beat: from before the straight eighth to behind the triplet


def traits(shards: Shards, genre: str, pieces: Sequence[PieceInfo]) -> Traits:
    """The traits of a genre, over up to 300 of its pieces with pitches: notes a beat in those with bars; the
    largest set of parts that a tenth of its pieces have (of equals the commonest); the ratio of pitch
    classes inside the likeliest key to those outside, over windows of 32 notes; and the median
    entropy of the tones that are remembered. Tempo, swing and velocities are of drum performances as well (see
    `tempos`, `swing_of`, `velocities`)."""
    real = [p for p in pieces if p.genre == genre and not p.realised]
    own = _some([p for p in real if not p.drums_only])
    bands: Counter[tuple[int, ...]] = Counter()
    notes_and_beats = np.zeros(2)
    tones = [np.zeros((0, 12))]
    bits: list[float] = []
    for info in own:
        notes = np.asarray(shards.notes(info))
        bands[tuple(np.unique(notes[:, 5]).tolist())] += 1
        if info.metres:
            notes_and_beats += len(notes), (notes[-1, 0] - notes[0, 0]) / TICKS_PER_BEAT
        classes = notes[notes[:, 5] != Part.DRUMS, 2] % 12
        whole = classes[: len(classes) // WINDOW * WINDOW].reshape(-1, WINDOW)
        windows = pitch_class_histograms(notes)[WINDOW * 2 :: WINDOW] + 1e-9
        bits += [entropy(row / row.sum()) for row in windows if row.sum() > WINDOW]
        tones.append((whole[:, :, None] == np.arange(12)).sum(1).astype(np.float64))
    common = [band for band, count in bands.items() if count >= len(own) * COMMON]
    within, without = in_key_ratio(np.concatenate(tones))
    ratio = (within / STEPS[0]) / max(without / STEPS[1], 1e-9) if within else IN_KEY
    heard_too = own + _some([p for p in real if p.drums_only])
    return Traits(
        round(float(notes_and_beats[0] / notes_and_beats[1]), 2) if notes_and_beats[1] else ANY_DENSITY,
        max(common, key=lambda band: (len(band), bands[band]), default=()),
        round(float(np.clip(ratio, 1.0, MOST_IN_KEY)), 1),
        round(float(np.percentile(bits or [MIN_ENTROPY], 50)), 2),
        tempos(real),
        swing_of([(info, np.asarray(shards.notes(info))) for info in heard_too if info.metres]),
        velocities(np.asarray(shards.notes(info)) for info in heard_too),
        melodic_intervals(np.asarray(shards.notes(info)) for info in own),
        rates(shards, genre, pieces),
    )


def tempos(pieces: Sequence[PieceInfo]) -> tuple[float, float, float] | None:
    """Beats a minute: the 10th, 50th and 90th percentile of pieces with bars. Those of exactly 120 throughout, which
    may be of files that give none, count only where fewer than five others are."""
    metered = [p for p in pieces if p.metres]
    said = [p.bpm for p in metered if [bpm for _, bpm in p.tempos] != [UNSAID_TEMPO]]
    found = said if len(said) >= FEWEST_PIECES else [p.bpm for p in metered]
    if not found:
        return None
    low, median, high = np.percentile(np.clip(found, *TEMPO_RANGE), (10, 50, 90)).round(1).tolist()
    return low, median, high


def swing_of(pieces: Sequence[tuple[PieceInfo, NDArray[np.int32]]]) -> float | None:
    """Where in the beat the off-beat eighth falls: the median over pieces of the median over their parts and beats with
    exactly two onsets, one on the beat and one off it. Pieces that were played count alone where there are five, as
    notation is straight whatever is meant; those in compound metres do not count. None of fewer than five."""
    found: list[tuple[bool, float]] = []
    for info, notes in pieces:
        if any(denominator >= 8 and numerator % 3 == 0 for _, numerator, denominator in info.metres):
            continue
        places = np.concatenate([off_beats(notes[notes[:, 5] == part]) for part in Part])
        if len(places) >= FEWEST_BEATS:
            found.append((bool((notes[:, 1] != 0).mean() >= PLAYED), float(np.median(places))))
    played = [place for was_played, place in found if was_played]
    chosen = played if len(played) >= FEWEST_PIECES else [place for _, place in found]
    return round(float(np.median(chosen)), 3) if len(chosen) >= FEWEST_PIECES else None


def off_beats(notes: NDArray[np.int32]) -> NDArray[np.float64]:
    """Places in the beat, .4 to .72 of it, of the off-beat eighths of one part's notes (n, 6) by onset."""
    beats = np.unique((notes[:, 0] * MICRO_STEPS + notes[:, 1]) / (MICRO_STEPS * TICKS_PER_BEAT))
    if not len(beats):
        return beats
    beats = beats[np.diff(beats, prepend=-1.0) > ON_BEAT]  # of notes struck together the first
    number = np.floor(beats + ON_BEAT).astype(np.int64)
    places = beats - number
    first = np.flatnonzero(np.diff(number, prepend=number[0] - 1))
    two = first[np.diff(first, append=len(number)) == 2]
    fitting = (places[two] <= ON_BEAT) & (places[two + 1] >= OFF_BEAT[0]) & (places[two + 1] <= OFF_BEAT[1])
    return np.asarray(places[two + 1][fitting])


def velocities(pieces: Iterable[NDArray[np.int32]]) -> dict[str, tuple[float, float]] | None:
    """Part -> mean and standard deviation of its velocities within a piece, the medians over pieces (n, 6) that were
    played with dynamics of their own: of more than six velocities."""
    found: dict[str, list[tuple[float, float]]] = {}
    for notes in pieces:
        if len(np.unique(notes[:, 4])) <= NOTATED_VELOCITIES:
            continue
        for part in Part:
            own = notes[notes[:, 5] == part, 4]
            if len(own) >= FEWEST_NOTES and (own != own[0]).any():
                found.setdefault(part.name.lower(), []).append((float(own.mean()), float(own.std())))
    middles = {part: np.median(values, 0).round(1).tolist() for part, values in found.items()}
    return {part: (mean, spread) for part, (mean, spread) in middles.items()} or None


def melodic_intervals(pieces: Iterable[NDArray[np.int32]]) -> tuple[float, ...] | None:
    """How often the melody moves by each class of intervals (`Traits.intervals`): the mean over the pieces (n, 6) with
    enough of it. None of fewer than five."""
    found = []
    for notes in pieces:
        own = notes[notes[:, 5] == Part.MELODY]
        top = np.flatnonzero(np.diff(own[:, 0], append=-1))  # the last note of an onset is its highest
        sizes = np.abs(np.diff(own[top, 2]))
        if len(sizes) >= FEWEST_NOTES:
            found.append(np.bincount(interval_class(sizes), minlength=len(INTERVAL_CLASSES) + 1) / len(sizes))
    return tuple(np.mean(found, 0).round(3).tolist()) if len(found) >= FEWEST_PIECES else None


def rates(shards: Shards, genre: str, pieces: Sequence[PieceInfo]) -> dict[PartName, float] | None:
    """Notes a beat of each part, in pieces with bars that have enough of it: the median over those of the genre; where
    there are fewer than five, over its realised ones, then over all genres."""
    metered = [p for p in pieces if p.metres and not p.drums_only]
    sets = (
        _some([p for p in metered if p.genre == genre and not p.realised]),
        _some([p for p in metered if p.genre == genre and p.realised]),
        _some([p for p in metered if not p.realised]),
    )
    found: dict[Part, float] = {}
    for chosen in sets:
        if len(found) == len(Part):
            break
        of_pieces = np.array([_rates(np.asarray(shards.notes(p))) for p in chosen]).reshape(-1, len(Part))
        for part, column in zip(Part, of_pieces.T, strict=True):
            enough = column[column > 0]
            if part not in found and len(enough) >= FEWEST_PIECES:
                found[part] = round(float(np.median(enough)), 2)
    return {cast(PartName, part.name.lower()): found[part] for part in Part if part in found} or None


def _rates(notes: NDArray[np.int32]) -> NDArray[np.float64]:
    """Notes a beat of each part of a piece; 0 of those that have few."""
    beats = (notes[-1, 0] - notes[0, 0]) / TICKS_PER_BEAT
    counts = np.array([(notes[:, 5] == part).sum() for part in Part])
    return np.where(counts >= FEWEST_NOTES, counts, 0) / beats if beats else np.zeros(len(Part))


def _some(pieces: list[PieceInfo]) -> list[PieceInfo]:
    return pieces[:: -(-len(pieces) // PIECES) or 1]
