"""The chords of a piece, half bar by half bar, by templates and Viterbi's algorithm; and its key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from instrument.music.harmony import KEYS
from training.evaluation.bands.excerpt import SLACK, Excerpt

STAYING = 0.12  # added for keeping the same chord
TIE = 1e-9  # scores nearer than that are equal
THERE = 0.15  # share of the sounding duration from which on a tone of the chord counts as there
TONES_WEIGHT, ROOT_WEIGHT = 0.5, 0.15
NO_PITCH = 128
MINOR_THIRD = 3


class Quality(NamedTuple):
    """A kind of chord. tones: semitones above the root, the fifth third; prior: what its score is lowered by."""

    name: str
    tones: tuple[int, ...]
    prior: float

    @property
    def minor(self) -> bool:
        """Whether it has a minor third."""
        return MINOR_THIRD in self.tones


QUALITIES = (
    Quality("maj", (0, 4, 7), 0.0),
    Quality("min", (0, 3, 7), 0.0),
    Quality("7", (0, 4, 7, 10), 0.03),
    Quality("maj7", (0, 4, 7, 11), 0.03),
    Quality("m7", (0, 3, 7, 10), 0.03),
    Quality("dim", (0, 3, 6), 0.06),
    Quality("aug", (0, 4, 8), 0.1),
    Quality("m7b5", (0, 3, 6, 10), 0.06),
    Quality("dim7", (0, 3, 6, 9), 0.08),
    Quality("sus4", (0, 5, 7), 0.06),
)


class Chord(NamedTuple):
    """root: pitch class, C = 0; quality: index in `QUALITIES`."""

    root: int
    quality: int

    @property
    def minor(self) -> bool:
        """Whether it has a minor third."""
        return QUALITIES[self.quality].minor

    @property
    def fifth(self) -> int:
        """Pitch class of the fifth, diminished or augmented where the chord's is."""
        return (self.root + QUALITIES[self.quality].tones[2]) % 12

    @property
    def classes(self) -> frozenset[int]:
        """Pitch classes of its tones."""
        return frozenset((self.root + tone) % 12 for tone in QUALITIES[self.quality].tones)

    def __str__(self) -> str:
        return f"{KEYS[self.root]}:{QUALITIES[self.quality].name}"


# In the order of `QUALITIES`, twelve roots each, so that the plainer chord wins a tie.
STATES = tuple(Chord(root, quality) for quality in range(len(QUALITIES)) for root in range(12))
TEMPLATES = np.array([[pc in chord.classes for pc in range(12)] for chord in STATES], float)
_PRIORS = np.array([QUALITIES[chord.quality].prior for chord in STATES])
_ROOTS = np.array([chord.root for chord in STATES])

# Krumhansl & Kessler (1982), from the tonic upwards: major, minor.
PROFILES = np.array(
    [
        [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88],
        [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17],
    ]
)
MAJOR_SCALE = frozenset({0, 2, 4, 5, 7, 9, 11})
MINOR_SCALE = frozenset({0, 2, 3, 5, 7, 8, 10, 11})  # with the raised seventh


@dataclass(frozen=True, slots=True)
class Harmony:
    """The chords of an excerpt.

    edges: (h + 1,) ticks at which its half bars begin, and the end; chroma: (h, 12) ticks that each pitch class sounds
    in each half bar, summed over its notes; states: (h,) the chord of each, an index in `STATES`.
    """

    edges: NDArray[np.int64]
    chroma: NDArray[np.float64]
    states: NDArray[np.int64]

    @property
    def chords(self) -> list[Chord]:
        """The chord of each half bar."""
        return [STATES[state] for state in self.states.tolist()]

    @property
    def sounding(self) -> NDArray[np.bool_]:
        """(h,) whether anything with a pitch sounds in the half bar."""
        sounds: NDArray[np.bool_] = self.chroma.sum(1) > 0
        return sounds


def recognise(excerpt: Excerpt) -> Harmony:
    """The chords of an excerpt. A half bar in which nothing sounds has the chord before it."""
    edges = np.arange(2 * excerpt.bars + 1) * excerpt.bar // 2
    chroma, lowest = _sounding(excerpt.pitched, edges)
    return Harmony(edges, chroma, viterbi(scores(chroma, lowest)))


def scores(chroma: NDArray[np.float64], lowest: NDArray[np.int64]) -> NDArray[np.float64]:
    """(h, 120): how well each chord fits each half bar; 0 for all where nothing sounds.

    The share of sounding duration within the chord, + .5 x the share of its tones that are there (a tone with .15 of
    the duration is, one with less in part), + .15 if the lowest pitch (h,) is its root, - its prior.
    """
    total = chroma.sum(1, keepdims=True)
    share = chroma / np.where(total > 0, total, 1)
    there = np.minimum(share, THERE) / THERE
    found = share @ TEMPLATES.T + TONES_WEIGHT * (there @ TEMPLATES.T) / TEMPLATES.sum(1)
    is_root = (lowest[:, None] % 12 == _ROOTS) & (lowest[:, None] != NO_PITCH)
    found += ROOT_WEIGHT * is_root - _PRIORS
    return np.where(total > 0, found, 0.0)


def viterbi(fits: NDArray[np.float64]) -> NDArray[np.int64]:
    """(h,) the states of the best path through scores (h, states), with `STAYING` added wherever a state stays."""
    best = fits[0].copy()
    back = np.zeros(fits.shape, np.int64)
    own = np.arange(fits.shape[1])
    for i in range(1, len(fits)):
        leaving = int(best.argmax())
        stays = best + STAYING > best[leaving] + TIE  # of equal paths the one that changes later
        back[i] = np.where(stays, own, leaving)
        best = np.where(stays, best + STAYING, best[leaving]) + fits[i]
    path = np.empty(len(fits), np.int64)
    path[-1] = best.argmax()
    for i in range(len(fits) - 1, 0, -1):
        path[i - 1] = back[i, path[i]]
    return path


def key(excerpt: Excerpt) -> tuple[int, bool]:
    """Tonic 0..11 and whether it is minor: the key whose profile correlates best with the durations of the pitch
    classes over the whole excerpt (Krumhansl)."""
    pitched = excerpt.pitched
    classes = np.bincount(pitched[:, 2] % 12, pitched[:, 3], 12)
    turned = np.stack([np.roll(profile, root) for profile in PROFILES for root in range(12)])
    centred, spread = turned - turned.mean(1, keepdims=True), turned.std(1)
    minor, tonic = divmod(int((centred @ (classes - classes.mean()) / spread).argmax()), 12)
    return tonic, bool(minor)


def is_diatonic(chord: Chord, tonic: int, minor: bool) -> bool:
    """Whether all tones of the chord are in the key's scale; in minor, natural and raised seventh both are."""
    scale = MINOR_SCALE if minor else MAJOR_SCALE
    return all((pc - tonic) % 12 in scale for pc in chord.classes)


def _sounding(notes: NDArray[np.int32], edges: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Ticks that each pitch class sounds between each two edges, and the lowest pitch that sounds there for more than a
    thirty-second (`NO_PITCH`: none); shorter than that is the end of a note held over."""
    chroma = np.zeros((len(edges) - 1, 12))
    lowest = np.full(len(edges) - 1, NO_PITCH, np.int64)
    starts = notes[:, 0].astype(np.int64)
    ends = starts + notes[:, 3]
    firsts = np.searchsorted(edges, starts, "right") - 1
    lasts = np.searchsorted(edges, ends, "left")
    spans = zip(starts.tolist(), ends.tolist(), notes[:, 2].tolist(), firsts.tolist(), lasts.tolist(), strict=True)
    bounds = edges.tolist()
    for start, end, pitch, first, last in spans:
        for i in range(first, min(last, len(chroma))):
            ticks = min(end, bounds[i + 1]) - max(start, bounds[i])
            chroma[i, pitch % 12] += ticks
            if ticks > SLACK:
                lowest[i] = min(lowest[i], pitch)
    return chroma, lowest
