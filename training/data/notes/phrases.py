"""Phrases of whole bars on sixteenth steps, as MusicVAE learns them (Roberts et al., 2018).

A phrase is a row of tokens, one a step (`instrument.music.phrases`): of melodies pitch, note-off or hold; of drums
a set of nine kinds. Phrases are cut from pieces in 4/4 at every `hop` bars; equal ones are kept once, and what a
held-out split shares with training is taken out of it, whatever its key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from instrument.models.latent import ATTRIBUTES
from instrument.music import phrases
from instrument.music.notes import Part
from instrument.music.phrases import HOLD, KIND_OF, KINDS, OFF, STEP_TICKS, STEPS_A_BAR, Shape
from training.core.ranges import BelowOne, Count, NotNegative, Semitones, Share
from training.data.notes.shards import INDEX_VERSION, Index, PieceInfo, Shards

BAR_TICKS = STEP_TICKS * STEPS_A_BAR
ON_GRID = 1.0  # ticks from a sixteenth step
WEAKNESS = np.tile([0, 3, 2, 3, 1, 3, 2, 3], 2)  # of the steps of a bar
FEWEST = 8  # notes of its part that a piece needs to be one of `PartShards`


@dataclass(frozen=True, slots=True)
class Phrases:
    """tokens: int16 (n, steps); genre: int16 (n,) number of its genre, -1 = none of those named."""

    tokens: NDArray[np.int16]
    genre: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.tokens)

    def chosen(self, which: NDArray) -> Phrases:
        """Those of `which`, numbers or a mask."""
        return Phrases(self.tokens[which], self.genre[which])


@dataclass(frozen=True, slots=True)
class Sampling:
    """How phrases are cut and varied.

    hop: bars from one phrase to the next; transpose: melodies are moved by at most this many semitones; drum_dropout:
    probability that a kind of drum is left out of a phrase; min_onsets: steps with an onset a bar, at least; max_rest:
    longest stretch without an onset, in steps; min_on_grid: share of a piece's onsets that must fall on sixteenths;
    realised: whether machine-made parts count.
    """

    hop: Count = 1
    transpose: Semitones = 6
    drum_dropout: BelowOne = 0.1
    min_onsets: NotNegative = 1.5
    max_rest: Count = 16
    min_on_grid: Share = 0.8
    realised: bool = False


def collect(
    shards: Shards, pieces: Sequence[PieceInfo], genres: tuple[str, ...], shape: Shape, sampling: Sampling
) -> Phrases:
    """All phrases of these pieces, equal ones once."""
    rows, numbers = [np.zeros((0, shape.steps), np.int16)], [np.zeros(0, np.int16)]
    for info in pieces:
        if info.realised and not sampling.realised:
            continue
        found = cut(shards.notes(info), info.metres, shape, sampling)
        rows.append(found)
        numbers.append(np.full(len(found), genres.index(info.genre) if info.genre in genres else -1, np.int16))
    tokens = np.concatenate(rows)
    _, first = np.unique(tokens, axis=0, return_index=True)
    return Phrases(tokens, np.concatenate(numbers)).chosen(np.sort(first))


class PartShards(Shards):
    """A collection as a model of phrases could play it: of every piece that part alone, on sixteenths, as tokens hold
    it. whole: the collection itself."""

    def __init__(self, whole: Shards, shape: Shape) -> None:
        self.whole, self._shape = whole, shape
        kept = [
            msgspec.structs.replace(info, drums_only=False, velocity_constant=True)
            for info in whole.pieces
            if len(_own(whole.notes(info), shape)) >= FEWEST
        ]
        super().__init__(whole.folder, Index(INDEX_VERSION, kept, f"{whole.data_hash} {shape.kind}"))

    def notes(self, info: PieceInfo) -> NDArray[np.int32]:
        """Those of the part (n, 6)."""
        own, drums = _own(super().notes(info), self._shape), self._shape.drums
        steps = int(own[:, 0].max() + own[:, 3].max()) // STEP_TICKS + 2
        return phrases.notes_of(phrases.tokens(own, 0, steps, drums), 0, drums)


def _own(notes: NDArray[np.int32], shape: Shape) -> NDArray[np.int32]:
    """The notes that a phrase of this shape can hold."""
    if shape.drums:
        return notes[(notes[:, 5] == Part.DRUMS) & (KIND_OF[notes[:, 2]] >= 0)]
    return notes[notes[:, 5] == Part.MELODY]


def cut(
    notes: NDArray[np.int32], metres: Sequence[tuple[int, int, int]], shape: Shape, sampling: Sampling
) -> NDArray[np.int16]:
    """The phrases (n, steps) of one piece."""
    notes = notes[notes[:, 5] == (Part.DRUMS if shape.drums else Part.MELODY)]
    found = [np.zeros((0, shape.steps), np.int16)]
    ends = [*(m[0] for m in metres[1:]), int(notes[-1, 0]) + BAR_TICKS if len(notes) else 0]
    for (begin, numerator, denominator), end in zip(metres, ends, strict=False):
        if (numerator, denominator) not in ((4, 4), (2, 2)):
            continue
        inside = notes[(notes[:, 0] >= begin - STEP_TICKS // 2) & (notes[:, 0] < end - STEP_TICKS // 2)]
        bars = -(-(end - begin) // BAR_TICKS)
        if not len(inside) or bars < shape.bars:
            continue
        first = int(inside[0, 0] - begin + STEP_TICKS // 2) // BAR_TICKS  # leave out bars of rest before it
        begin, bars = begin + first * BAR_TICKS, bars - first
        onsets = inside[:, 0] - begin + inside[:, 1] / 8
        off = np.abs(onsets - np.rint(onsets / STEP_TICKS) * STEP_TICKS)
        if bars < shape.bars or (off <= ON_GRID).mean() < sampling.min_on_grid:
            continue
        whole = phrases.tokens(inside, begin, bars * STEPS_A_BAR, shape.drums)
        windows = sliding_window_view(whole, shape.steps)[:: sampling.hop * STEPS_A_BAR]
        found.append(windows if shape.drums else canonical(windows))
    tokens = np.concatenate(found)
    onset = shape.onsets(tokens)
    places = np.arange(shape.steps)
    last = np.maximum.accumulate(np.where(onset, places, -1), 1)
    rest = np.maximum((places - last).max(1), shape.steps - 1 - last[:, -1])
    return tokens[(onset.sum(1) >= sampling.min_onsets * shape.bars) & (rest <= sampling.max_rest)]


def canonical(tokens: NDArray[np.int16]) -> NDArray[np.int16]:
    """Melodies (n, steps) whose first event is an onset: what ends before it began outside."""
    begun = np.cumsum(tokens < OFF, 1) > 0
    return np.where(begun, tokens, HOLD).astype(np.int16)


def without(held: Phrases, seen: Phrases, shape: Shape) -> Phrases:
    """Those of `held` of which no transposition is in `seen`."""
    mine, theirs = (keyless(p.tokens, shape) for p in (held, seen))
    width = mine.dtype.itemsize * mine.shape[1]
    mine, theirs = (np.ascontiguousarray(a).view(f"V{width}")[:, 0] for a in (mine, theirs))
    return held.chosen(~np.isin(mine, theirs))


def keyless(tokens: NDArray[np.int16], shape: Shape) -> NDArray[np.int16]:
    """The same for phrases that are transpositions of each other: melodies from their first pitch on."""
    if shape.drums:
        return tokens
    first = np.take_along_axis(tokens, np.argmax(tokens < OFF, 1)[:, None], 1)
    return np.where(tokens < OFF, tokens - first + 256, tokens).astype(np.int16)


def varied(tokens: NDArray[np.int16], shape: Shape, sampling: Sampling, rng: np.random.Generator) -> NDArray[np.int16]:
    """Phrases (n, steps) to learn from besides those that there are: melodies in other keys, drums without some
    kinds."""
    if not shape.drums:
        return transposed(tokens, sampling.transpose, rng) if sampling.transpose else tokens
    kept = (rng.random((len(tokens), len(KINDS))) >= sampling.drum_dropout) @ (1 << np.arange(len(KINDS)))
    return (tokens & kept[:, None]).astype(np.int16)


def transposed(tokens: NDArray[np.int16], most: int, rng: np.random.Generator) -> NDArray[np.int16]:
    """Melodies (n, steps), each moved by -most .. most - 1 semitones, as far as pitches allow."""
    pitched = tokens < OFF
    low = np.where(pitched, tokens, OFF).min(1)
    high = np.where(pitched, tokens, -1).max(1)
    shift = np.clip(rng.integers(-most, most, len(tokens)), -low, OFF - 1 - high)
    return np.where(pitched, tokens + shift[:, None], tokens).astype(np.int16)


def attributes(tokens: NDArray[np.int16], shape: Shape) -> dict[str, NDArray[np.float64]]:
    """name -> values (n,) of phrases (n, steps): onsets a step; mean pitch; how weak the steps of onsets are, beyond
    what their number implies; share of the time that notes sound. Drums have no pitch and no length."""
    onset = shape.onsets(tokens)
    count = np.maximum(1, onset.sum(1))
    density = onset.mean(1)
    weak = (onset * np.tile(WEAKNESS, shape.bars)).sum(1) / count
    spread = density - density.mean()
    weak = weak - spread * (spread @ weak) / max(float(spread @ spread), 1e-9)
    found = {"density": density, "syncopation": weak}
    if not shape.drums:
        found["register"] = np.where(onset, tokens, 0).sum(1) / count
        places = np.arange(shape.steps)
        event = np.maximum.accumulate(np.where(tokens != shape.rest, places, -1), 1)
        last = np.take_along_axis(tokens, np.maximum(event, 0), 1)
        found["length"] = ((event >= 0) & shape.onsets(last)).mean(1)
    return {name: found[name] for name in ATTRIBUTES if name in found}
