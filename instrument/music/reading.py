"""From the raw contents of a MIDI file to a Piece: the rules shared by every reader of MIDI files.

A reader fills a `RawMidi` with what the file says; `to_piece` puts it on the grid and gives every note
its part; `align` then finds out where the beats and the bars really are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.music.notes import Marker, Part, Piece, tidy
from instrument.music.timebase import MICRO_STEPS, TEMPO_RANGE, TICKS_PER_BEAT, Metre

RULES_VERSION = 1  # raise when a change here gives other notes for the same file
STEPS_PER_BEAT = TICKS_PER_BEAT * MICRO_STEPS
DRUM_CHANNEL = 9
BASS_PROGRAMS = range(32, 40)
MAX_TICK = 1 << 24  # eight days at 120 beats a minute: a longer file is a broken one

# A track's name tells its part; the first pattern found decides. Soprano carries the tune of a chorale.
NAME_RULES: tuple[tuple[re.Pattern[str], Part], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), part)
    for pattern, part in (
        (r"\bbass?\b(?!\s*(voice|solo))|\bbass[ _-]?(line|guitar|synth)|bassline|\bbase\b|\bslap\b", Part.BASS),
        (r"melod|\bvocals?\b|voice|voix|\blead|\bsolo\b|soprano|sopran|\bsing|gesang|\bcanto\b|\bchant\b", Part.MELODY),
        (r"chord|\bpads?\b|\bcomp(ing)?\b|\bstrum|\brhythm guitar|\bacc\b|accomp", Part.CHORDS),
        (r"^drums?$|^percussion$", Part.DRUMS),
    )
)
# A track named like this accompanies, if another track of the piece has the melody.
ACCOMPANIST = re.compile(r"piano|klavier|pianoforte|guitar|gitarre|harp|organ|keyboard", re.IGNORECASE)
