"""Chords written relative to a key: Nashville numbers (1, 2m7, 5/7, b7) and Roman numerals (I, ii7, V7/V, bVII)."""

from __future__ import annotations

import re

from instrument.errors import HocketError
from instrument.music.chords.names import (
    NO_CHORD,
    Chord,
    chord,
    is_silence,
    parse_quality,
    plain,
    quality_name,
)
from instrument.music.harmony import SCALES

MODES = tuple(name for name, scale in SCALES.items() if len(scale) == 7)
MAJOR = SCALES["major"]  # semitones of the degrees 1 to 7
ROMANS = ("I", "II", "III", "IV", "V", "VI", "VII")
NUMBERS = ("1", "b2", "2", "b3", "3", "4", "b5", "5", "b6", "6", "b7", "7")  # by semitones above the tonic

_ROMAN = r"VII|VI|V|IV|III|II|I|vii|vi|v|iv|iii|ii|i"
_NASHVILLE = re.compile(r"([#b]*)([1-7])(.*?)(?:/([#b]*)([1-7]))?$")
_NUMERAL = re.compile(rf"([#b]*)({_ROMAN})(.*?)(?:/([#b]*)([1-7]))?$")
_APPLIED = re.compile(rf"(.+)/([#b]*(?:{_ROMAN}))$")
_SPELT = "1, 2m7, 5/7, b7maj7, or ii7, V7, bVII, V7/V"


def is_degree(symbol: str) -> bool:
    """Whether a symbol begins with a number or Roman numeral rather than a note name."""
    return re.match(rf"[#b]*(?:[1-7]|{_ROMAN})", plain(symbol)) is not None


def parse_degree(symbol: str, tonic: int, mode: str = "major") -> Chord:
    """The chord of a number or Roman numeral in a key.

    A number alone is a major triad (6m is minor). Roman numerals are major in capitals, else minor. A numeral after the
    slash is the key that the chord is borrowed from (V7/V), a number after it is the bass (I/3). Degrees count in the
    major scale. Only III, VI and VII in a mode with a minor third count in its own scale: in minor VI and bVI are the
    same. tonic: pitch class 0..11. Raises HocketError if the symbol cannot be read or the mode is not in `MODES`.
    """
    check_mode(mode)
    text = plain(symbol)
    if is_silence(text):
        return NO_CHORD
    if applied := _APPLIED.match(text):
        head, key = applied.groups()
        target = parse_degree(key, tonic, mode)
        return parse_degree(head, target.root or 0, "minor" if target.kind == "min" else "major")
    if found := _NASHVILLE.match(text):
        accidentals, number, tail, bass_accidentals, bass = found.groups()
        root, small = _degree(accidentals, int(number)), False
    elif found := _NUMERAL.match(text):
        accidentals, numeral, tail, bass_accidentals, bass = found.groups()
        degree, small = ROMANS.index(numeral.upper()) + 1, numeral.islower()
        own = 3 in SCALES[mode] and not small and degree in (3, 6, 7) and not accidentals
        root = SCALES[mode][degree - 1] if own else _degree(accidentals, degree)
        if small and re.match(r"maj|Maj|M|Δ", tail):
            tail = "m" + tail
    else:
        raise HocketError(f"{symbol!r} is not a number or numeral of a chord: write chords as in {_SPELT}")
    quality = parse_quality(tail, symbol, small=small)
    return chord(tonic + root, quality, tonic + (_degree(bass_accidentals, int(bass)) if bass else root))


def degree_name(chord: Chord, tonic: int) -> str:
    """The Nashville number of a chord, as `parse_degree` reads it in the key of this tonic."""
    if chord.root is None or chord.bass is None:
        return "N.C."
    slash = "" if chord.bass == chord.root else f"/{NUMBERS[(chord.bass - tonic) % 12]}"
    return f"{NUMBERS[(chord.root - tonic) % 12]}{quality_name(chord.quality)}{slash}"


def check_mode(mode: str) -> None:
    """Raise HocketError for a mode that is not in `MODES`."""
    if mode not in MODES:
        raise HocketError(f"unknown mode {mode!r}: choose one of {', '.join(MODES)}")


def _degree(accidentals: str, number: int) -> int:
    return MAJOR[number - 1] + accidentals.count("#") - accidentals.count("b")
