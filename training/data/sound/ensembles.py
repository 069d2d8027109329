"""Instruments for rendered pieces: General MIDI programs, counted from 0."""

from __future__ import annotations

from typing import NamedTuple

from instrument.music.notes import Part


class Ensemble(NamedTuple):
    """Programs of the parts; `kit` is the drums'."""

    melody: int
    chords: int
    bass: int
    other: int
    kit: int = 0

    def program(self, part: int) -> int:
        """The program of a `Part`."""
        return (self.melody, self.chords, self.bass, self.kit, self.other)[part]


# Every genre has several, and genres share some, so that a model learns the genre and not one instrument.
ENSEMBLES: dict[str, tuple[Ensemble, ...]] = {
    "chorale": (
        Ensemble(19, 19, 19, 19),  # church organ
        Ensemble(52, 52, 52, 52),  # choir
        Ensemble(48, 48, 48, 48),  # strings
        Ensemble(56, 57, 58, 60),  # brass
        Ensemble(68, 71, 70, 69),  # woodwinds
        Ensemble(20, 20, 20, 20),  # reed organ
        Ensemble(0, 0, 0, 0),  # piano
    ),
    "classical": (
        Ensemble(0, 0, 0, 0),  # piano
        Ensemble(1, 1, 1, 1),
        Ensemble(40, 48, 42, 41),  # string quartet
        Ensemble(40, 0, 42, 0),  # with piano: violin, flute, oboe, voice, clarinet
        Ensemble(73, 0, 0, 0),
        Ensemble(68, 0, 70, 71),
        Ensemble(53, 0, 0, 0),
        Ensemble(71, 48, 43, 48),
        Ensemble(6, 6, 6, 6),  # harpsichord
    ),
    "electronic": (
        Ensemble(81, 90, 38, 81, 25),
        Ensemble(80, 88, 39, 84, 24),
        Ensemble(87, 89, 87, 62, 25),
        Ensemble(84, 95, 38, 50, 24),
        Ensemble(81, 51, 39, 80, 24),
        Ensemble(86, 62, 38, 90, 25),
    ),
    "folk": (
        Ensemble(40, 25, 32, 24),  # fiddle
        Ensemble(21, 24, 32, 25),  # accordion
        Ensemble(73, 46, 43, 46),  # flute and harp
        Ensemble(74, 24, 32, 24),  # recorder
        Ensemble(105, 25, 32, 105),  # banjo
        Ensemble(15, 15, 43, 15),  # dulcimer
        Ensemble(22, 25, 32, 25),  # harmonica
        Ensemble(110, 21, 43, 21),
        Ensemble(0, 0, 0, 0),
    ),
    "funk": (Ensemble(27, 4, 36, 61), Ensemble(65, 7, 36, 28), Ensemble(16, 28, 37, 61)),
    "game": (
        Ensemble(80, 81, 38, 80),
        Ensemble(73, 48, 43, 46),
        Ensemble(56, 48, 43, 61, 48),
        Ensemble(79, 88, 39, 11),
        Ensemble(48, 61, 43, 47, 48),
        Ensemble(0, 48, 33, 46),
    ),
    "jazz": (
        Ensemble(66, 0, 32, 26, 32),  # tenor saxophone
        Ensemble(65, 0, 32, 26, 40),
        Ensemble(56, 0, 32, 0, 32),  # trumpet
        Ensemble(59, 26, 32, 0, 40),
        Ensemble(11, 0, 32, 26, 40),  # vibraphone
        Ensemble(26, 4, 32, 4, 32),  # guitar
        Ensemble(71, 0, 32, 26, 32),
        Ensemble(57, 0, 32, 26),
        Ensemble(0, 0, 32, 0, 32),
    ),
    "latin": (Ensemble(56, 24, 32, 0), Ensemble(73, 24, 32, 0), Ensemble(66, 0, 33, 24)),
    "pop": (
        Ensemble(0, 0, 0, 0),
        Ensemble(53, 0, 33, 48),
        Ensemble(54, 4, 33, 89),
        Ensemble(80, 5, 38, 90),
        Ensemble(25, 0, 33, 27),
        Ensemble(73, 25, 33, 48),
        Ensemble(4, 89, 38, 5),
        Ensemble(27, 25, 33, 50),
    ),
    "ragtime_blues": (
        Ensemble(0, 0, 0, 0),
        Ensemble(3, 3, 3, 3),  # honky-tonk
        Ensemble(1, 1, 32, 1),
        Ensemble(71, 0, 58, 57),
        Ensemble(22, 25, 32, 25),
        Ensemble(105, 0, 58, 105),
    ),
    "rock": (
        Ensemble(30, 29, 34, 30, 16),
        Ensemble(29, 30, 33, 29),
        Ensemble(30, 18, 34, 29, 16),
        Ensemble(27, 29, 33, 18),
        Ensemble(54, 29, 34, 27, 16),
        Ensemble(29, 27, 33, 0),
    ),
}
ANY = (
    Ensemble(0, 0, 32, 0),
    Ensemble(73, 25, 32, 48),
    Ensemble(40, 48, 43, 46),
    Ensemble(11, 4, 33, 27),
    Ensemble(65, 26, 33, 0),
)  # for genres that have none above

LEVELS = {Part.MELODY: 104, Part.CHORDS: 78, Part.BASS: 96, Part.DRUMS: 96, Part.OTHER: 84}  # MIDI volumes


class Range(NamedTuple):
    """The General MIDI program of an instrument, and the MIDI pitches that it is good for."""

    family: str
    program: int
    low: int
    high: int


# The notes rendered from a sound font, every third semitone, unless others are requested.
INSTRUMENTS: dict[str, Range] = {
    "piano": Range("keyboard", 0, 28, 96),
    "epiano": Range("keyboard", 4, 36, 90),
    "harpsichord": Range("keyboard", 6, 36, 84),
    "vibraphone": Range("mallet", 11, 53, 88),
    "marimba": Range("mallet", 12, 45, 88),
    "church_organ": Range("organ", 19, 36, 84),
    "accordion": Range("reed", 21, 50, 86),
    "guitar_nylon": Range("guitar", 24, 40, 80),
    "guitar_steel": Range("guitar", 25, 40, 80),
    "guitar_clean": Range("guitar", 27, 40, 80),
    "bass_acoustic": Range("bass", 32, 28, 60),
    "bass_fingered": Range("bass", 33, 28, 60),
    "violin": Range("string", 40, 55, 93),
    "viola": Range("string", 41, 48, 84),
    "cello": Range("string", 42, 36, 76),
    "contrabass": Range("string", 43, 28, 60),
    "harp": Range("string", 46, 30, 96),
    "choir": Range("vocal", 52, 43, 79),
    "trumpet": Range("brass", 56, 54, 84),
    "trombone": Range("brass", 57, 40, 72),
    "tuba": Range("brass", 58, 28, 58),
    "horn": Range("brass", 60, 40, 76),
    "sax": Range("reed", 65, 49, 80),
    "oboe": Range("reed", 68, 58, 88),
    "bassoon": Range("reed", 70, 34, 70),
    "clarinet": Range("reed", 71, 50, 90),
    "flute": Range("flute", 73, 60, 94),
    "sitar": Range("string", 104, 50, 76),
}
VELOCITIES = (55, 100)
