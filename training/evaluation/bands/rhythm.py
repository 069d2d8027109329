"""Figures of rhythm and of the parts: drums, swing, density, dynamics; which parts play and rest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from instrument.music.notes import Part
from instrument.music.timebase import MICRO_STEPS, TICKS_PER_BEAT
from training.evaluation.bands.excerpt import PLAYED_PARTS, SLACK, Excerpt, mean, struck
from training.measures.bars import self_similarity, to_sixteenth

KICKS = (35, 36)
FEWEST = 16  # beats with an off-beat eighth, kicks, or notes; with fewer the figure is undefined
ON_BEAT = 0.1  # of a beat, to both sides
OFF_BEAT = (0.4, 0.72)  # of a beat: from before the straight eighth to behind the triplet


def rhythm_figures(excerpt: Excerpt) -> dict[str, float]:
    """The figures of rhythm, nan where undefined."""
    notes = excerpt.notes
    return {
        "drum bars alike": self_similarity(struck(excerpt, excerpt.part(Part.DRUMS)), 1),
        "kicks with bass": kicks_with_bass(excerpt),
        "swing": swing(excerpt),
        "off-beats": mean((to_sixteenth(notes[:, 0]) % TICKS_PER_BEAT != 0).tolist(), FEWEST),
        "notes a second": len(notes) / excerpt.seconds,
        **{f"{_name(part)} a second": _density(excerpt, part) for part in PLAYED_PARTS},
        **{f"{_name(part)} dynamics": _spread(excerpt.part(part)) for part in PLAYED_PARTS},
    }


def part_figures(excerpt: Excerpt) -> dict[str, float]:
    """How often each part plays, when the melody enters, and how long each rests; a part that never plays rests,
    and enters late, by the whole excerpt."""
    found = {f"{_name(part)} bars": bars_sounding(excerpt, part) for part in PLAYED_PARTS}
    melody = excerpt.part(Part.MELODY)
    found["melody enters"] = float(to_sixteenth(melody[0, 0]) // excerpt.bar if len(melody) else excerpt.bars)
    return found | {f"{_name(part)} rest": longest_rest(excerpt, part) for part in PLAYED_PARTS}


def bars_sounding(excerpt: Excerpt, part: Part) -> float:
    """Share of the bars in which the part sounds, or, drums, is struck. A note that reaches into a bar by less than a
    thirty-second does not sound there."""
    sounds = np.zeros(excerpt.bars, bool)
    for start, end in _sounding(excerpt, part):
        sounds[start // excerpt.bar : max(start, end - SLACK - 1) // excerpt.bar + 1] = True
    return float(sounds.mean())


def longest_rest(excerpt: Excerpt, part: Part) -> float:
    """The longest time in bars, of the whole excerpt, in which the part does not sound, or, drums, is not struck."""
    silent_from, longest = 0, 0
    for start, end in _sounding(excerpt, part):
        longest = max(longest, start - silent_from)
        silent_from = max(silent_from, end)
    return max(longest, excerpt.end - silent_from) / excerpt.bar


def kicks_with_bass(excerpt: Excerpt) -> float:
    """Share of the kicks, in the bars in which the bass strikes a note, that have one within a thirty-second."""
    drums, bass = excerpt.part(Part.DRUMS), _steps(excerpt.part(Part.BASS))
    kicks = _steps(drums[np.isin(drums[:, 2], KICKS)])
    bar = excerpt.bar * MICRO_STEPS
    kicks = kicks[np.isin(kicks // bar, bass // bar)]
    if not len(kicks):
        return float("nan")
    distance = np.abs(kicks[:, None] - bass).min(1)
    return mean((distance <= SLACK * MICRO_STEPS).tolist(), FEWEST)


def swing(excerpt: Excerpt) -> float:
    """Where in the beat the off-beat eighth falls, .5 straight and .67 triplet: the median over parts and beats in
    which a part has exactly two onsets (those within a tenth of a beat are one), one on the beat and one from .4 to
    .72 of it. nan in compound metres, and of fewer than 16 such beats."""
    if excerpt.metre.denominator >= 8 and excerpt.metre.numerator % 3 == 0:
        return float("nan")
    found: list[float] = []
    for part in Part:
        found += _off_beats(_steps(excerpt.part(part)) / (MICRO_STEPS * TICKS_PER_BEAT))
    return float(np.median(found)) if len(found) >= FEWEST else float("nan")


def _off_beats(onsets: NDArray[np.float64]) -> list[float]:
    """Places of off-beat eighths of a part whose onsets, in beats, ascend."""
    beats: dict[int, list[float]] = {}
    for onset in onsets.tolist():
        beat = int(np.floor(onset + ON_BEAT))
        places = beats.setdefault(beat, [])
        if not places or onset - beat - places[-1] > ON_BEAT:
            places.append(onset - beat)
    return [
        places[1]
        for places in beats.values()
        if len(places) == 2 and places[0] <= ON_BEAT and OFF_BEAT[0] <= places[1] <= OFF_BEAT[1]
    ]


def _steps(notes: NDArray[np.int32]) -> NDArray[np.int64]:
    """Onsets in eighths of a tick, ascending."""
    return np.sort(notes[:, 0].astype(np.int64) * MICRO_STEPS + notes[:, 1])


def _sounding(excerpt: Excerpt, part: Part) -> Sequence[tuple[int, int]]:
    """First and last tick of each note, by onset; drums end as they are struck."""
    notes = excerpt.part(part)
    lengths = np.zeros(len(notes), np.int64) if part == Part.DRUMS else notes[:, 3]
    starts = np.minimum(to_sixteenth(notes[:, 0]), excerpt.end - 1)
    return list(zip(starts.tolist(), np.maximum(notes[:, 0] + lengths, starts).tolist(), strict=True))


def _density(excerpt: Excerpt, part: Part) -> float:
    count = len(excerpt.part(part))
    return count / excerpt.seconds if count else float("nan")


def _spread(notes: NDArray[np.int32]) -> float:
    """Standard deviation of the velocities."""
    return float(notes[:, 4].std()) if len(notes) >= FEWEST else float("nan")


def _name(part: Part) -> str:
    return part.name.lower()
