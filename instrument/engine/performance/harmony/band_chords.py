"""Recognises the chords that the band plays from its notes, for streams that are tuned to them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter

from instrument.music.harmony import PitchClasses
from instrument.music.notes import Note, Part
from instrument.music.timebase import TICKS_PER_BEAT

PLAYING = (Part.CHORDS, Part.BASS)
LEAST = 3  # least pitch classes of a chord
LATE = TICKS_PER_BEAT // 4  # ticks from the onset of a chord until it holds, so that rendering ahead knows it in time
LASTS = 4 * TICKS_PER_BEAT  # a chord ends after this time without a new one


class Chords:
    """The chord at each tick. One thread calls `add_notes` and `clear`, any thread `at`."""

    def __init__(self) -> None:
        self._notes: list[tuple[int, int, int]] = []  # ticks, ends and pitches, in order
        self._found: list[tuple[int, PitchClasses]] = []

    def add_notes(self, notes: Iterable[Note]) -> None:
        """Add played notes, roughly in order."""
        new = [(note.tick, note.tick + note.duration, note.pitch) for note in notes if note.part in PLAYING]
        if not new:
            return
        first = min(new)[0]
        self._notes = sorted([*(note for note in self._notes if note[1] > first - LASTS), *new])
        found = [chord for chord in self._found if chord[0] < first + LATE]
        sounding = [note for note in self._notes if note[0] < first]
        for tick, struck in groupby((note for note in self._notes if note[0] >= first), itemgetter(0)):
            sounding = [*(note for note in sounding if note[1] > tick), *struck]
            tones = {pitch % 12 for _, _, pitch in sounding}
            if len(tones) >= LEAST:
                found.append((tick + LATE, tuple(sorted(tones))))
        self._found = found

    def at(self, tick: float) -> PitchClasses:
        """The pitch classes of the chord at a tick, empty if no chord is known."""
        found = self._found
        index = bisect_right(found, tick, key=lambda chord: chord[0])
        since, tones = found[index - 1] if index else (0, ())
        return tones if index and tick < since + LASTS else ()

    def clear(self) -> None:
        """Forget all notes and chords."""
        self._notes, self._found = [], []
