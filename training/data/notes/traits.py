"""Statistics of the music of a genre, given to a player as conditions that its knobs leave open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from instrument.models.manifest import Traits
from instrument.models.notes.conditions import WINDOW, pitch_class_histograms
from instrument.models.notes.key_sense import IN_KEY, MIN_ENTROPY, entropy, in_key_ratio
from instrument.music.notes import Part
from instrument.music.timebase import TICKS_PER_BEAT
from training.data.notes.shards import PieceInfo, Shards

PIECES = 300
COMMON = 0.1
ANY_DENSITY = 2.0
STEPS = 7, 5  # pitch classes inside a key and outside
MOST_IN_KEY = 100.0


def traits(shards: Shards, genre: str, pieces: Sequence[PieceInfo]) -> Traits:
    """The traits of a genre, over up to 300 of its pieces with pitches: notes a beat in those with bars; the
    largest set of parts that a tenth of its pieces have (of equals the commonest); the ratio of pitch
    classes inside the likeliest key to those outside, over windows of 32 notes; and the median
    entropy of the tones that are remembered."""
    own = [p for p in pieces if p.genre == genre and not p.drums_only and not p.realised]
    own = own[:: -(-len(own) // PIECES) or 1]
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
    return Traits(
        round(float(notes_and_beats[0] / notes_and_beats[1]), 2) if notes_and_beats[1] else ANY_DENSITY,
        max(common, key=lambda band: (len(band), bands[band]), default=()),
        round(float(np.clip(ratio, 1.0, MOST_IN_KEY)), 1),
        round(float(np.percentile(bits or [MIN_ENTROPY], 50)), 2),
    )
