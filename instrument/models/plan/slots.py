"""Chords on slots: how a bar is divided, the classes of chords, and the features of each slot for the plan model.

A slot's chord is one of 97 classes: 12 roots above the tonic in eight kinds, and N, no chord. `Tracker` computes the
network's features, slot by slot, from the past alone. Training and playing share it, so that their features agree.

Echoes are the chords that would come next if the music repeated itself. They are taken from:
- the same slot 2, 4, 8 and 16 bars ago,
- the slot after the longest match with the latest chords, and after the longest one that leads to another chord,
- the same place in the section's last and first appearance, and in its last one counted from its end.
Each echo comes with its run: the number of slots for which it would have been right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from instrument.music.chords.names import KIND, KINDS, NO_CHORD, TYPICAL, Chord

GENRES = ("pop", "rock", "jazz", "folk", "classical", "chorale")
NEAREST: Mapping[str, str] = {
    "game": "pop",
    "electronic": "pop",
    "funk": "pop",  # the charts of 1958 to 1991 hold soul and funk
    "latin": "jazz",  # the lead sheets hold bossa nova and Latin standards
    "ragtime_blues": "jazz",
    "none": "pop",
}
"""Genre of the band without training plans -> the genre with the most similar harmony."""

TONICS = 12
CLASSES = TONICS * (len(KINDS) - 1) + 1
NO_CHORD_CLASS = CLASSES - 1
NONE = CLASSES  # before the start, or no echo

LAGS = (2, 4, 8, 16)  # bars
ECHOES = (*(f"lag{lag}" for lag in LAGS), "match", "other", "last", "first", "ending")
OF_SECTIONS = 3  # the last echoes, which need sections
LONGEST_SINCE, LONGEST_LEFT, SECTIONS = 32, 16, 8
METRES = (2, 3, 4, 5, 6, 7, 9, 12)  # numerators with a value of their own; all others share one

SIZES: Mapping[str, int] = {
    "previous": CLASSES + 1,
    "before": CLASSES + 1,  # the last chord that was not the previous one
    "held": 16,  # slots since the last change
    "genre": len(GENRES),
    "minor": 2,
    "metre": len(METRES) + 1,
    "position": 8,
    "phase": 16,  # bar number modulo 16
    "bar": 8,
    "section": SECTIONS + 2,  # 0: not known
    "since": LONGEST_SINCE + 2,
    "left": LONGEST_LEFT + 2,
}
"""Feature of a slot -> number of values; echoes and their runs follow."""
COLUMNS = tuple(SIZES)
RUNS = 9  # 0: no echo
WIDTH = len(COLUMNS) + 2 * len(ECHOES)
_SECTION_COLUMNS = [COLUMNS.index(name) for name in ("section", "since", "left")]

# Genre -> kind -> quality it is played with, where most training pieces have another than `TYPICAL`.
_PLAYED: Mapping[str, Mapping[str, str]] = {
    "jazz": {"maj": "6", "dim": "hdim7", "sus": "7sus4"},
    "pop": {"sus": "7sus4"},
    "rock": {"dim": "hdim7"},
    "classical": {"dim": "dim7"},
}


class Section(NamedTuple):
    """A section of a piece. id: by first appearance, -1: not known; bars: its length; kind: of `PLAIN` .. `ENDING`."""

    id: int
    bars: int
    kind: int = 0


PLAIN, INTRO, ENDING = range(3)


def slots_in_bar(metre: tuple[int, int], genre: str) -> int:
    """The number of slots in a bar: 3 for numerators 3 and 9, 2 for even numerators, one a beat for other odd ones.
    Chorale and classical have 4 in 4/4."""
    numerator = metre[0]
    if numerator in (3, 9):
        return 3
    if metre == (4, 4) and genre in ("chorale", "classical"):
        return 4
    return 2 if numerator % 2 == 0 else numerator


def class_of(chord: Chord, tonic: int) -> int:
    """The class 0..96 of a chord in a key."""
    if chord.root is None:
        return NO_CHORD_CLASS
    return KINDS.index(KIND[chord.quality]) * TONICS + (chord.root - tonic) % TONICS


def chord_of(number: int, tonic: int, genre: str) -> Chord:
    """The chord of a class in a key, in the most frequent quality of the genre."""
    if number == NO_CHORD_CLASS:
        return NO_CHORD
    kind, degree = divmod(number, TONICS)
    name = KINDS[kind]
    root = (degree + tonic) % TONICS
    return Chord(root, _PLAYED.get(genre, {}).get(name, TYPICAL[name]), root)


class Tracker:
    """The features of the chord network, slot after slot of one piece.

    Call `begin_bar` for each bar, then for each of its slots `row` and `push`.
    """

    def __init__(self, genre: str, minor: bool) -> None:
        self._genre, self._minor = GENRES.index(genre), int(minor)
        self._chords = np.zeros(256, np.int64)
        self._where = np.zeros(256, np.int64)  # slots of the bar and position in it
        self._matches = np.zeros(256, np.int64)  # of each earlier slot: length of the match that ends before it
        self._count = 0
        self._bars: list[tuple[int, int]] = []  # first slot, slots
        self._sections: dict[int, list[tuple[int, int]]] = {}  # id -> first bar, bars
        self._place = (0, 0, -1, 0, 0)
        self._held, self._before = 0, NONE

    def begin_bar(self, slots: int, numerator: int, section: int = -1, since: int = 0, left: int = 0) -> None:
        """Begin a bar. section: its section's id, -1 if unknown; since, left: bars of the section before and after this
        one."""
        if section >= 0 and since == 0:
            self._sections.setdefault(section, []).append((len(self._bars), left + 1))
        self._place = (slots, numerator, section, since, left)
        self._bars.append((self._count, slots))

    def row(self) -> NDArray[np.int8]:
        """The features of the next slot, (`WIDTH`,)."""
        slots, numerator, section, since, left = self._place
        bar, count = len(self._bars) - 1, self._count
        position = count - self._bars[bar][0]
        known = section >= 0
        values = [
            self._chords[count - 1] if count else NONE,
            self._before,
            min(self._held, SIZES["held"] - 1),
            self._genre,
            self._minor,
            METRES.index(numerator) if numerator in METRES else len(METRES),
            min(position, SIZES["position"] - 1),
            bar % SIZES["phase"],
            min(bar.bit_length(), SIZES["bar"] - 1),
            1 + min(section, SECTIONS) if known else 0,
            1 + min(since, LONGEST_SINCE) if known else 0,
            1 + min(left, LONGEST_LEFT) if known else 0,
        ]
        sources = [*(self._slot_at(bar - lag, slots, position) for lag in LAGS), *self._matching(slots, position)]
        sources += self._of_section(slots, position) if known else [-1] * OF_SECTIONS
        values += [self._chords[source] if source >= 0 else NONE for source in sources]
        values += [1 + min(int(self._matches[s]).bit_length(), RUNS - 2) if s >= 0 else 0 for s in sources]
        return np.array(values, np.int8)

    def push(self, chord: int) -> None:
        """Set the class of the slot's chord and go on to the next slot."""
        count = self._count
        if count + 1 >= len(self._chords):
            self._chords, self._where, self._matches = (
                np.concatenate([a, np.zeros_like(a)]) for a in (self._chords, self._where, self._matches)
            )
        slots = self._place[0]
        changed = count == 0 or self._chords[count - 1] != chord
        if changed and count:
            self._before = int(self._chords[count - 1])
        self._held = 1 if changed else self._held + 1
        self._chords[count] = chord
        self._where[count] = slots << 8 | (count - self._bars[-1][0])
        self._matches[1 : count + 1] = np.where(self._chords[:count] == chord, self._matches[:count] + 1, 0)
        self._count += 1

    def _slot_at(self, bar: int, slots: int, position: int) -> int:
        """The slot at this position of an earlier bar, -1 if there is none."""
        if not 0 <= bar < len(self._bars) - 1 or self._bars[bar][1] != slots:
            return -1
        return self._bars[bar][0] + position

    def _matching(self, slots: int, position: int) -> list[int]:
        """The latest slot after the longest match at this position of a bar, and the best with another chord."""
        count = self._count
        found = np.where(self._where[:count] == slots << 8 | position, self._matches[:count], 0)
        best = self._longest(found)
        if best < 0:
            return [-1, -1]
        return [best, self._longest(np.where(self._chords[:count] == self._chords[best], 0, found))]

    @staticmethod
    def _longest(matches: NDArray[np.int64]) -> int:
        if not matches.any():
            return -1
        return len(matches) - 1 - int(matches[::-1].argmax())

    def _of_section(self, slots: int, position: int) -> list[int]:
        """The same place in the section's last and first appearance, and in its last one from its end."""
        _, _, section, since, left = self._place
        earlier = self._sections[section][:-1]
        if not earlier:
            return [-1] * OF_SECTIONS
        (last, length), (first, first_length) = earlier[-1], earlier[0]
        bars = (
            last + since if since < length else -1,
            first + since if since < first_length else -1,
            last + length - 1 - left if left < length else -1,
        )
        return [self._slot_at(bar, slots, position) for bar in bars]


def features(
    genre: str,
    minor: bool,
    metres: Sequence[tuple[int, int]],
    sections: Sequence[Section],
    chords: Sequence[int] | NDArray[np.int64],
) -> NDArray[np.int8]:
    """The features of all slots of a piece, (slots, `WIDTH`). metres: of its bars; sections: one after another, from
    the first bar to the end; chords: classes of its slots."""
    tracker, rows, at, bar = Tracker(genre, minor), [], 0, 0
    for section in sections:
        for since in range(section.bars):
            slots = slots_in_bar(metres[bar], genre)
            tracker.begin_bar(slots, metres[bar][0], section.id, since, section.bars - since - 1)
            for chord in chords[at : at + slots]:
                rows.append(tracker.row())
                tracker.push(int(chord))
            at, bar = at + slots, bar + 1
    return np.stack(rows) if rows else np.zeros((0, WIDTH), np.int8)


def without_sections(rows: NDArray[np.int8]) -> NDArray[np.int8]:
    """Rows (..., `WIDTH`) whose features of sections are set to unknown."""
    hidden = rows.copy()
    hidden[..., _SECTION_COLUMNS] = 0
    echoes = len(COLUMNS) + len(ECHOES)
    hidden[..., echoes - OF_SECTIONS : echoes] = NONE
    hidden[..., WIDTH - OF_SECTIONS :] = 0
    return hidden
