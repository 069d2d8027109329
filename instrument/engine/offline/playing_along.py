"""A person who plays along with a performance that has no real time: the notes of a MIDI file, each on its tick."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter

from instrument import midi_spec
from instrument.engine.performance.acts.live_input import Arrived, LiveInput
from instrument.engine.performance.performance import Performance, Played
from instrument.engine.performance.transport import Transport
from instrument.midi_spec import DRUM_CHANNEL
from instrument.music.notes import Note, Part

TICK_NS = 20_000_000  # any: ticks stand for time


class PlayingAlong:
    """What live input needs of whoever plays a performance. Nothing is shown, and what is cut is in the take."""

    def __init__(self, performance: Performance) -> None:
        self.performance = performance
        self.transport = Transport().with_tempo(60e9 / TICK_NS / 24, 0).started(0)
        self._live = LiveInput(self)

    @property
    def view(self) -> PlayingAlong:
        """Where live notes are shown: here."""
        return self

    def add_live(self, note: Note) -> None:
        """Show a note of the person."""

    def cut(self, played: Iterable[Played]) -> None:
        """End committed notes."""

    def listen(self, tick: int, messages: Iterable[bytes]) -> None:
        """The person plays short MIDI messages at a tick, up to which all has been committed."""
        self._live.listen([(tick * TICK_NS, message) for message in messages])


def keyboard_messages(notes: Iterable[Note]) -> list[tuple[int, list[bytes]]]:
    """(tick, short MIDI messages) that play notes, in order of time; drums on channel 10. At a tick, keys are let go
    before others are struck."""
    timed: list[Arrived] = []
    for note in notes:
        channel = DRUM_CHANNEL if note.part == Part.DRUMS else 0
        timed.append((note.tick, midi_spec.note_on(channel, note.pitch, note.velocity)))
        timed.append((note.tick + note.duration, midi_spec.note_off(channel, note.pitch)))
    timed.sort(key=lambda each: (each[0], midi_spec.parse(each[1]).starts, each[1]))
    return [(tick, [message for _, message in group]) for tick, group in groupby(timed, itemgetter(0))]
