"""Whether the key/scale lock is obeyed."""

from __future__ import annotations

import numpy as np

from instrument.models.manifest import Manifest
from instrument.models.notes.player import NotePlayer
from instrument.music.harmony import KEYS, scale_mask
from instrument.music.notes import Part
from instrument.music.timebase import TICKS_PER_BEAT
from training.evaluation.generation import default_knobs, play

BEATS = 64
PITCHED = frozenset(int(p) for p in Part if p != Part.DRUMS)
# (key, scale, how freely steps outside of it may come off the beat)
LOCKS = (
    ("C", "major", 0.0),
    ("F", "minor", 0.0),
    ("Eb", "minor pentatonic", 0.0),
    ("A", "harmonic minor", 0.0),
    ("Gb", "blues", 0.0),
    ("B", "whole tone", 0.0),
    ("D", "dorian", 0.5),
    ("Bb", "major", 1.0),
)


def key_lock(player: NotePlayer, manifest: Manifest, seed: int = 1) -> list[dict[str, object]]:
    """For each of `LOCKS`, played without drums, the share of the notes that lie in the scale, of all and of
    those on the beat, and whether the lock was obeyed: always in the scale, or where steps outside are
    allowed, always on the beat."""
    genres = manifest.genres or ("none",)
    rows = []
    for i, (key, scale, chromatic) in enumerate(LOCKS):
        genre = genres[i % len(genres)]
        lock = {"key": KEYS.index(key), "scale": scale, "chromatic": chromatic, "parts": PITCHED}
        notes = play(player, default_knobs(manifest, genre=genre), seed + i, BEATS * TICKS_PER_BEAT, **lock).notes
        inside = scale_mask(lock["key"], scale)[notes[:, 2] % 12]
        on_beat = inside[notes[:, 0] % TICKS_PER_BEAT == 0]
        rows.append(
            {
                "key": key,
                "scale": scale,
                "chromatic": chromatic,
                "genre": genre,
                "notes": len(notes),
                "in_scale": _share(inside),
                "in_scale_on_beat": _share(on_beat),
                "obeyed": bool(len(notes) and (on_beat if chromatic else inside).all()),
            }
        )
    return rows


def _share(inside: np.ndarray) -> float:
    return round(float(inside.mean()), 4) if len(inside) else 1.0
