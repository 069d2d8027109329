"""A small collection of MIDI files, made up: tunes with chords, bass and drums in two genres."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from instrument.music.midifile import write_midi
from instrument.music.notes import Part, Piece, tidy
from instrument.music.timebase import Metre

GENRES = {"march": Metre(0, 4, 4), "waltz": Metre(0, 3, 4)}
SCALE = (0, 2, 4, 5, 7, 9, 11)


def tune(seed: int, metre: Metre, bars: int = 16) -> Piece:
    """A phrase of four bars in C major that comes back varied, over broken chords, bass and drums."""
    rng = np.random.default_rng(seed)
    rows = []
    phrase = rng.integers(0, 8, 4 * metre.numerator)
    for bar in range(bars):
        chord = (0, 3, 4, 0)[bar % 4]
        start = bar * metre.bar_ticks
        rows.append((start, 0, 36 + SCALE[chord], metre.bar_ticks, 90, Part.BASS))
        for beat in range(metre.numerator):
            tick = start + 24 * beat
            step = int(phrase[bar % 4 * metre.numerator + beat]) + (rng.random() < 0.1)
            rows.append((tick, 0, 60 + 12 * (step // 7) + SCALE[step % 7], 24, 70 + 8 * (beat == 0), Part.MELODY))
            rows += [(tick, 0, 48 + SCALE[(chord + third) % 7], 20, 60, Part.CHORDS) for third in (2, 4)]
            rows.append((tick, 0, 36 if beat == 0 else 42, 6, 80, Part.DRUMS))
    return Piece(tidy(np.array(rows, np.int32)), (metre,))


def write_corpus(folder: Path, pieces: int = 24) -> Path:
    """Write that many tunes as .mid files, a folder a genre; returns the folder."""
    for i in range(pieces):
        genre = list(GENRES)[i % len(GENRES)]
        (folder / genre).mkdir(parents=True, exist_ok=True)
        write_midi(tune(i, GENRES[genre]), folder / genre / f"{i:02}.mid")
    return folder
