"""Turns what a person plays into notes of the performance, and records it message by message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from instrument import midi_spec
from instrument.engine.performance.harmony.left_hand import LeftHand
from instrument.engine.performance.live_notes import LiveNote
from instrument.engine.performance.performance import Performance, Played
from instrument.engine.performance.takes import Keyboard
from instrument.engine.performance.transport import Transport
from instrument.engine.voices.live_channels import LiveChannels
from instrument.midi_spec import DRUM_CHANNEL, NOTES_OFF, SOUND_OFF
from instrument.music.notes import Note, Part
from instrument.music.timebase import MICRO_STEPS

STRUCK = 12  # assumed duration (ticks) of a live note until its key is released

Arrived = tuple[int, bytes]  # when (`perf_counter_ns`), and a short MIDI message


class Shown(Protocol):
    """Shows what is played."""

    def add_live(self, note: Note) -> None:
        """Add a note played by a person."""
        ...


class LiveInputHost(Protocol):
    """What live input needs of whoever plays a performance: the notes thread, or a rendering."""

    @property
    def performance(self) -> Performance:
        """The present performance."""
        ...

    @property
    def transport(self) -> Transport:
        """The transport."""
        ...

    @property
    def view(self) -> Shown:
        """Where live notes are shown."""
        ...

    def cut(self, played: Sequence[Played]) -> None:
        """End committed notes on all outputs."""
        ...


class LiveInput:
    """Puts pressed keys on their ticks and gives them to the first player as context, and writes all that is played
    into the take. For the notes thread."""

    def __init__(self, notes: LiveInputHost) -> None:
        self._notes = notes
        self._channels = LiveChannels()  # what pedals, wheels and controllers are set to
        self._left = LeftHand()
        self._down: dict[tuple[int, int], int] = {}  # (channel, key) -> velocity of the keys that are down
        self._prompt: dict[tuple[int, int], int] = {}  # the keys that were down together last while it stood still
        self._begun: Performance | None = None

    def begin(self) -> None:
        """The transport is about to start: the take begins with what the keyboards have set and hold, the band with the
        chord of the left hand, and the first player with the keys that were held last as its context."""
        performance, prompt = self._notes.performance, self._prompt | self._down
        if performance is self._begun:
            return
        self._begun = performance
        for message in self._channels.setup():
            self._record(0.0, message)
        if self._left.led:
            performance.lead(self._left.led)
        for (channel, key), velocity in self._down.items():
            self._record(0.0, midi_spec.note_on(channel, key, velocity))
        notes = {each: _struck(midi_spec.parse(midi_spec.note_on(*each, prompt[each])), 0.0) for each in prompt}
        self._hear([LiveNote(channel, notes[channel, key]) for channel, key in sorted(self._down)])
        gone = sorted((note for each, note in notes.items() if each not in self._down), key=lambda note: note.order)
        if gone and performance.lines:
            performance.put(performance.lines[0].number, overheard=tuple(gone))
        self._prompt = {}

    def listen(self, arrived: Iterable[Arrived]) -> None:
        """Take messages of a person, in order of time. While it stands still, what they set and hold is kept."""
        tempo = self._notes.transport.tempo
        struck: list[LiveNote] = []  # keys pressed together are passed on together
        arrived = self._lead(arrived)
        for ns, message in arrived:
            self._channels.take(message)
            self._keep(midi_spec.parse(message), stopped=tempo is None)
            if tempo is None:
                continue
            at = max(0.0, tempo.tick(ns))
            self._record(at, message)
            parsed = midi_spec.parse(message)
            if parsed.starts:
                struck.append(LiveNote(parsed.channel, _struck(parsed, at)))
                continue
            self._hear(struck)
            struck = []
            self._release(parsed, at)
        self._hear(struck)

    def _lead(self, arrived: Iterable[Arrived]) -> list[Arrived]:
        """Let the band follow the keys of the left hand. Returns the messages that are not its own."""
        performance, others = self._notes.performance, []
        for ns, message in arrived:
            if not self._left.take(message, performance.left_hand):
                others.append((ns, message))
        symbol = self._left.symbol(performance.left_hand)
        if symbol is not None:
            performance.lead(symbol)
        return others

    def _keep(self, parsed: midi_spec.ShortMessage, stopped: bool) -> None:
        """Keep which keys are down, and which were together before the start."""
        key = parsed.channel, parsed.first
        if parsed.starts:
            if not self._down:
                self._prompt = {}
            self._down[key] = parsed.second
            if stopped:
                self._prompt[key] = parsed.second
        for ended in self._ended(parsed, self._down):
            self._down.pop(ended, None)

    def _ended(self, parsed: midi_spec.ShortMessage, keys: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """Which keys (channel, key) a message ends: one, or those of its channel."""
        if parsed.ends:
            return [(parsed.channel, parsed.first)]
        if parsed.kind == midi_spec.CONTROL and (parsed.first == SOUND_OFF or parsed.first >= NOTES_OFF):
            zone = self._channels.zone(parsed.channel)
            return [key for key in keys if key[0] in zone]
        return []

    def _record(self, tick: float, message: bytes) -> None:
        self._notes.performance.take.entries.append(Keyboard(tick, tuple(message)))

    def _hear(self, struck: list[LiveNote]) -> None:
        if struck and self._notes.performance.players:
            performance = self._notes.performance
            performance.listen(struck, performance.company.listener)
            if cut := performance.cutting.taken():
                self._notes.cut(cut)
            for _, note in struck:
                self._notes.view.add_live(note._replace(duration=1))  # the full duration is added at its release

    def _release(self, parsed: midi_spec.ShortMessage, at: float) -> None:
        """End the notes that a message ends."""
        performance = self._notes.performance
        for channel, pitch in self._ended(parsed, performance.held.keys):
            if note := performance.release(channel, pitch, at):
                self._notes.view.add_live(note)


def _struck(key: midi_spec.ShortMessage, at: float) -> Note:
    tick = round(at)
    micro = min(MICRO_STEPS // 2 - 1, round((at - tick) * MICRO_STEPS))
    return Note(tick, micro, key.first, STRUCK, key.second, Part.DRUMS if key.channel == DRUM_CHANNEL else Part.MELODY)
