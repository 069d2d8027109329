"""Chord symbols as musicians write them (Dm9, F#m7b5, C/E, N.C.), and the chords they stand for."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import NamedTuple

from instrument.errors import HocketError
from instrument.music.harmony import KEYS

NO_CHORD_QUALITY = "N"

# Quality -> semitones above the root. Where two share their tones (11 and 9sus4), the first is what `identify` finds.
QUALITIES: Mapping[str, tuple[int, ...]] = {
    "maj": (0, 4, 7),
    "min": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "min7": (0, 3, 7, 10),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "sus4": (0, 5, 7),
    "sus2": (0, 2, 7),
    "7sus4": (0, 5, 7, 10),
    "hdim7": (0, 3, 6, 10),
    "dim7": (0, 3, 6, 9),
    "6": (0, 4, 7, 9),
    "min6": (0, 3, 7, 9),
    "minmaj7": (0, 3, 7, 11),
    "5": (0, 7),
    "add9": (0, 2, 4, 7),
    "minadd9": (0, 2, 3, 7),
    "69": (0, 2, 4, 7, 9),
    "min69": (0, 2, 3, 7, 9),
    "9": (0, 2, 4, 7, 10),
    "maj9": (0, 2, 4, 7, 11),
    "min9": (0, 2, 3, 7, 10),
    "9sus4": (0, 2, 5, 7, 10),
    "11": (0, 2, 5, 7, 10),  # without the third, which clashes with the eleventh
    "min11": (0, 2, 3, 5, 7, 10),
    "13": (0, 2, 4, 7, 9, 10),
    "maj13": (0, 2, 4, 7, 9, 11),
    "min13": (0, 2, 3, 7, 9, 10),
    "13sus4": (0, 2, 5, 7, 9, 10),
    "aug7": (0, 4, 8, 10),
    "7b5": (0, 4, 6, 10),
    "7b9": (0, 1, 4, 7, 10),
    "7#9": (0, 3, 4, 7, 10),
    "7#11": (0, 4, 6, 7, 10),
    "7b13": (0, 4, 7, 8, 10),
    "7alt": (0, 1, 3, 4, 8, 10),
    "maj7#5": (0, 4, 8, 11),
    "maj7#11": (0, 4, 6, 7, 11),
    NO_CHORD_QUALITY: (),
}

# Quality -> how it is written after the root, where that differs from its name.
_WRITTEN = {"maj": "", "aug7": "7#5", "hdim7": "m7b5", "minmaj7": "m(maj7)"}

# Quality -> kind: the nine kinds that chords are counted and compared by.
KINDS = ("maj", "min", "7", "maj7", "min7", "dim", "sus", "aug", NO_CHORD_QUALITY)
_KIND_OF: Mapping[str, tuple[str, ...]] = {
    "maj": ("maj", "6", "5", "add9", "69"),
    "min": ("min", "min6", "minmaj7", "minadd9", "min69"),
    "7": ("7", "9", "11", "13", "7b5", "7b9", "7#9", "7#11", "7b13", "7alt", "aug7"),
    "maj7": ("maj7", "maj9", "maj13", "maj7#5", "maj7#11"),
    "min7": ("min7", "min9", "min11", "min13"),
    "dim": ("dim", "dim7", "hdim7"),
    "sus": ("sus4", "sus2", "7sus4", "9sus4", "13sus4"),
    "aug": ("aug",),
    NO_CHORD_QUALITY: (NO_CHORD_QUALITY,),
}
# Kind -> the quality that stands for it.
TYPICAL = {kind: qualities[0] for kind, qualities in _KIND_OF.items()}
KIND = {quality: kind for kind, qualities in _KIND_OF.items() for quality in qualities}
TRIAD = {kind: {"7": "maj", "maj7": "maj", "min7": "min"}.get(kind, kind) for kind in KINDS}

LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
SHARP_KEYS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
MAX_SYMBOL = 32

_PLAIN = str.maketrans(
    {"♭": "b", "♯": "#", "𝄫": "bb", "𝄪": "##", "△": "Δ", "^": "Δ", "Ø": "ø", "º": "°", "–": "-", "−": "-"}
)
_SILENCE = {"n", "nc", "n.c.", "n.c", "no chord", "tacet"}
_NOTE = r"[A-Ga-g](?:##|bb|[#b])?"
_SYMBOL = re.compile(rf"({_NOTE})(:?)(.*?)(?:/({_NOTE}|[#b]*\d{{1,2}}))?$")
_DEGREES = {1: 0, 2: 2, 3: 4, 4: 5, 5: 7, 6: 9, 7: 11, 9: 14, 11: 17, 13: 21}

# The words that can follow the root, in the order in which they are tried.
_FAMILIES = ("maj", "min", "hdim", "dim", "aug")
_NUMBERS = ("69", "13", "11", "9", "7", "6", "5", "4", "2")
_WORDS = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        (r"maj(?:or)?|Maj(?:or)?|MAJ|ma(?!dd)|Ma|MA|M(?!I)|j", "maj"),
        (r"min(?:or)?|Min(?:or)?|MIN|mi|Mi|MI|m", "min"),
        (r"hdim|ø|h", "hdim"),
        (r"dim|Dim|o|°", "dim"),
        (r"aug|Aug", "aug"),
        (r"sus[24]?|alt|add(?:9|2|13)|[b#]\d+", ""),  # words that mean themselves
        ("|".join(_NUMBERS), ""),
    )
)
_SPELT = "Dm9, F#m7b5, Bbmaj7, C/E, G7alt, Asus4, N.C."


class Chord(NamedTuple):
    """A chord. root, bass: pitch classes 0..11 (C = 0); quality: a key of `QUALITIES`.

    If no chord sounds, root and bass are None and the quality is "N".
    """

    root: int | None
    quality: str
    bass: int | None

    @property
    def tones(self) -> frozenset[int]:
        """The chord's pitch classes, the bass among them."""
        if self.root is None or self.bass is None:
            return frozenset()
        return frozenset({(self.root + interval) % 12 for interval in QUALITIES[self.quality]} | {self.bass})

    @property
    def kind(self) -> str:
        """Its kind, one of `KINDS`."""
        return KIND[self.quality]

    def transposed(self, semitones: int) -> Chord:
        """The chord transposed up by this many semitones."""
        if self.root is None or self.bass is None:
            return self
        return Chord((self.root + semitones) % 12, self.quality, (self.bass + semitones) % 12)


NO_CHORD = Chord(None, NO_CHORD_QUALITY, None)


def chord(root: int, quality: str = "maj", bass: int | None = None) -> Chord:
    """A chord over its root, or another bass. Raises HocketError for a quality that is not in `QUALITIES`."""
    if quality not in QUALITIES:
        raise HocketError(f"unknown chord quality {quality!r}: choose one of {', '.join(QUALITIES)}")
    if quality == NO_CHORD_QUALITY:
        return NO_CHORD
    return Chord(root % 12, quality, (root if bass is None else bass) % 12)


def parse_chord(symbol: str) -> Chord:
    """The chord of a symbol.

    It reads the usual spellings (Cm7 Cmin7 C-7, CM7 Cmaj7 CΔ, Co7 Cdim7, Cø Cm7b5, C+ Caug, C7(b9), ♭ and ♯),
    a bass after a slash, N.C. for silence, and the notation of Harte et al. (ISMIR 2005), "B:min7/b3".
    A lower-case root without a third (c, d7) is minor. Raises HocketError if the symbol cannot be read.
    """
    text = plain(symbol)
    if is_silence(text):
        return NO_CHORD
    found = _SYMBOL.match(text) if len(text) <= MAX_SYMBOL else None
    if found is None:
        raise HocketError(f"{symbol[:MAX_SYMBOL]!r} is no chord: it begins with a note name A to G, as in {_SPELT}")
    letter, colon, tail, slash = found.groups()
    root = note_class(letter)
    quality = parse_quality(tail, symbol, small=letter[0].islower())
    bass = root
    if slash and slash[-1].isdigit():
        if not colon:
            raise HocketError(f"{symbol!r} has no note after the slash: write the bass as a note, as in C/E")
        bass = root + interval(slash, symbol)
    elif slash:
        bass = note_class(slash)
    return chord(root, quality, bass)


def plain(symbol: str) -> str:
    """A symbol in normal form: # and b for accidentals, Δ for every triangle, 69 for 6/9, no space around it."""
    return symbol.strip().translate(_PLAIN).replace("6/9", "69")


def is_silence(symbol: str) -> bool:
    """Whether a symbol means that no chord sounds: N.C., NC, N, tacet."""
    return symbol.strip().lower() in _SILENCE


def note_class(name: str) -> int:
    """The pitch class 0..11 of a note name such as "F#" or "bb". Raises HocketError if it is not a note name."""
    text = plain(name)
    if not re.fullmatch(_NOTE, text):
        raise HocketError(f"{name!r} is no note: give a letter A to G, with # or b where needed")
    return (LETTERS[text[0].upper()] + text.count("#") - text.count("b", 1)) % 12


def interval(text: str, symbol: str) -> int:
    """Semitones above the root of a degree of its major scale, such as "b3" or "5"; HocketError names `symbol`."""
    degree = int(text.lstrip("#b"))
    if degree not in _DEGREES:
        raise HocketError(f"{symbol!r} has {text} after the slash: give a degree, {', '.join(map(str, _DEGREES))}")
    return _DEGREES[degree] + text.count("#") - text.count("b")


def parse_quality(tail: str, symbol: str, *, small: bool = False) -> str:
    """The quality written after a root; `small`: minor where no third is written. HocketError names `symbol`."""
    words = _words(tail)
    families = "".join(word for word in words if word in _FAMILIES)
    numbers = [word for word in words if word in _NUMBERS]
    rest = sorted((word for word in words if word not in _FAMILIES and word not in _NUMBERS), key=_rank)
    if small and not families and numbers != ["5"] and not any(word.startswith(("sus", "alt")) for word in rest):
        families = "min"
    name = _BASES.get((families, "".join(numbers)))
    for word in rest:
        tense = name in _ALTERED_DOMINANTS and word in _TENSIONS
        name = _ALTERED.get((name or "", word), "7alt" if tense else None)
    if name is None:
        raise HocketError(f"{symbol!r} has an unknown ending {tail!r}: write chords as in {_SPELT}")
    return name


def _words(tail: str) -> list[str]:
    """The words after a root, ["?"] if some part is unknown."""
    text = re.sub(r"[(),\s]", "", tail)
    text = re.sub(r"Δ(?!\d)", "Δ7", text).replace("Δ", "maj")
    text = re.sub(r"^-", "min", re.sub(r"^\+", "aug", text))
    text = re.sub(r"-(?=\d)", "b", re.sub(r"\+(?=\d)", "#", text)).replace("+", "aug")
    words = []
    while text:
        match, word = next(((m, w) for pattern, w in _WORDS if (m := pattern.match(text))), (None, "?"))
        if match is None:
            return ["?"]
        words.append(word or match.group())
        text = text[match.end() :]
    return words


def _rank(word: str) -> int:
    """The order in which alterations are applied: sus, then the fifth, then the rest."""
    return 0 if word.startswith("sus") else 1 if word.endswith("5") else 2


_BASES: Mapping[tuple[str, str], str] = {
    ("", ""): "maj", ("", "5"): "5", ("", "6"): "6", ("", "69"): "69", ("", "7"): "7", ("", "9"): "9",
    ("", "11"): "11", ("", "13"): "13",
    ("", "2"): "add9", ("", "4"): "sus4", ("minmaj", ""): "minmaj7", ("minmaj", "7"): "minmaj7",
    ("minmaj", "9"): "minmaj7",
    ("maj", ""): "maj", ("maj", "6"): "6", ("maj", "69"): "69", ("maj", "7"): "maj7", ("maj", "9"): "maj9",
    ("maj", "13"): "maj13",
    ("min", ""): "min", ("min", "6"): "min6", ("min", "69"): "min69", ("min", "7"): "min7", ("min", "9"): "min9",
    ("min", "11"): "min11", ("min", "13"): "min13",
    ("dim", ""): "dim", ("dim", "7"): "dim7", ("hdim", ""): "hdim7", ("hdim", "7"): "hdim7",
    ("aug", ""): "aug", ("aug", "7"): "aug7", ("aug", "9"): "aug7",
}  # fmt: skip
_ALTERED: Mapping[tuple[str, str], str] = {
    ("maj", "sus"): "sus4", ("maj", "sus4"): "sus4", ("maj", "sus2"): "sus2", ("7", "sus"): "7sus4",
    ("7", "sus4"): "7sus4", ("9", "sus"): "9sus4", ("9", "sus4"): "9sus4", ("13", "sus"): "13sus4",
    ("13", "sus4"): "13sus4", ("sus4", "b7"): "7sus4",
    ("maj", "add9"): "add9", ("maj", "add2"): "add9", ("min", "add9"): "minadd9", ("min", "add2"): "minadd9",
    ("6", "add9"): "69", ("7", "add13"): "13",
    ("maj", "alt"): "7alt", ("7", "alt"): "7alt",
    ("maj", "#5"): "aug", ("min", "b5"): "dim", ("min7", "b5"): "hdim7", ("min9", "b5"): "hdim7",
    ("7", "b5"): "7b5", ("7", "#5"): "aug7", ("7", "b9"): "7b9", ("7", "#9"): "7#9", ("7", "#11"): "7#11",
    ("7", "b13"): "7b13", ("9", "#11"): "7#11", ("13", "#11"): "7#11", ("9", "#5"): "aug7", ("9", "b5"): "7b5",
    ("13", "b9"): "7b9", ("13", "#9"): "7#9",
    ("maj7", "#5"): "maj7#5", ("maj7", "#11"): "maj7#11", ("maj7", "b5"): "maj7#11", ("maj9", "#11"): "maj7#11",
}  # fmt: skip
_ALTERED_DOMINANTS = ("7b5", "aug7", "7b9", "7#9", "7#11", "7b13", "7alt")
_TENSIONS = ("b5", "#5", "b9", "#9", "#11", "b13")


def chord_name(chord: Chord, *, sharps: bool = False) -> str:
    """The symbol of a chord, as `parse_chord` reads it. sharps: name black keys as sharps, else as in `KEYS`."""
    if chord.root is None or chord.bass is None:
        return "N.C."
    names = SHARP_KEYS if sharps else KEYS
    slash = "" if chord.bass == chord.root else f"/{names[chord.bass]}"
    return f"{names[chord.root]}{quality_name(chord.quality)}{slash}"


def quality_name(quality: str) -> str:
    """How a quality is written after a root: "min7" is "m7"."""
    if quality in _WRITTEN:
        return _WRITTEN[quality]
    return "m" + quality.removeprefix("min") if quality.startswith("min") else quality


@functools.lru_cache(maxsize=4096)
def identify(tones: frozenset[int], bass: int, rooted: bool = False) -> Chord:
    """The chord that fits these pitches or pitch classes best, over this bass.

    An extra tone costs twice as much as a missing one, and a missing fifth costs little. On equal fit the bass is
    preferred as root, then the first in `QUALITIES`. rooted: prefer the bass as root even if one more tone is missing,
    for voicings without their root. Without tones the result is `NO_CHORD`.
    """
    wanted = frozenset(tone % 12 for tone in tones) | {bass % 12}
    if not tones:
        return NO_CHORD
    best, found = -100.0, NO_CHORD
    for root in (bass % 12, *sorted(wanted - {bass % 12})):
        shape = {(tone - root) % 12 for tone in wanted}
        for quality, intervals in QUALITIES.items():
            missing = set(intervals) - shape
            fit = 0.0 - 2 * len(shape - set(intervals)) - len(missing - {7}) - 0.2 * (7 in missing)
            fit += 1.2 * (rooted and root == bass % 12)
            if fit > best and quality != NO_CHORD_QUALITY:
                best, found = fit, Chord(root, quality, bass % 12)
    return found
