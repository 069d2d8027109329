"""Deadlines: the coming and the sounding notes of a destination, and the thread that sends MIDI on time."""

from __future__ import annotations

import heapq
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from instrument import last_resort, midi_spec
from instrument.engine.midi.clock_out import ClockSender
from instrument.engine.midi.keys import Through
from instrument.engine.midi.ledger import Ledger
from instrument.engine.midi.loops import LoopWatch
from instrument.engine.performance.arrangement import Sending, arrange
from instrument.engine.performance.knobs import AS_PLAYED, OFF, SENT
from instrument.engine.performance.patches import Patch
from instrument.engine.performance.performance import Performance, Played
from instrument.io.midi.output import NullMidi
from instrument.io.ports import Clock, MidiOutput
from instrument.io.priority import DEADLINE_PRIORITY, set_realtime_priority
from instrument.music.midifile import CHANNELS
from instrument.music.notes import Note, Part
from instrument.music.timebase import MICRO_STEPS, TempoMap

LATE_NS = 3_000_000  # later note-ons are counted as late
_SPIN_NS = 2_000_000  # this close to a deadline the clock waits, and no change wakes the thread
_REST_S = 0.2  # longest wait of the thread, so that it ends soon after `close`


class Strike(NamedTuple):
    """A coming note: fractional tick, MIDI channel 0..15, key, velocity, and duration in ticks."""

    tick: float
    channel: int
    key: int
    velocity: int
    duration: float


def strikes(played: Iterable[Played]) -> list[Strike]:
    """The notes for an output that plays each part on its usual channel."""
    return [_strike(note, CHANNELS[Part(note.part)]) for _, note in played]


def _strike(note: Note, channel: int) -> Strike:
    return Strike(note.tick + note.micro / MICRO_STEPS, channel, note.pitch, note.velocity, note.duration)


class Agenda:
    """What one destination still has to play, ordered by tick. So a change of tempo moves everything, the ends of
    sounding notes too. Any thread may call it."""

    def __init__(self) -> None:
        self.version = 0  # number of changes, for `wait`
        self._changed = threading.Condition()
        self._heap: list[tuple[float, int, Strike]] = []
        self._ledger = Ledger()

    @property
    def sounding(self) -> int:
        """Number of sounding notes."""
        return len(self._ledger)

    def add(self, strikes: Iterable[Strike]) -> None:
        """Enter notes."""
        with self._changed:
            for strike in strikes:
                self.version += 1
                heapq.heappush(self._heap, (strike.tick, self.version, strike))
            self._changed.notify_all()

    def take(self, until: float) -> list[tuple[float, bytes]]:
        """(tick, MIDI message) of all starts and ends before `until`, in order, ends before starts."""
        taken: list[tuple[float, bytes]] = []
        with self._changed:
            while (tick := self._next()) is not None and tick < until:
                taken += self._ledger.due(tick)
                if self._heap and self._heap[0][0] <= tick:
                    strike = heapq.heappop(self._heap)[2]
                    taken += ((tick, message) for message in self._ledger.on(*strike))
        return taken

    def next(self) -> float | None:
        """The tick of the next start or end."""
        with self._changed:
            return self._next()

    def poke(self) -> None:
        """Wake threads in `wait`, as the tempo changed."""
        with self._changed:
            self.version += 1
            self._changed.notify_all()

    def wait(self, version: int, timeout_s: float) -> None:
        """Wait until something has changed since `version` was read, for up to `timeout_s`."""
        with self._changed:
            if self.version == version:
                self._changed.wait(timeout_s)

    def silence(self) -> list[bytes]:
        """Drop the coming notes. Returns the note-offs of the sounding ones, which end."""
        with self._changed:
            self._heap.clear()
            return self._ledger.release_all()

    def cut(self, strikes: Iterable[Strike]) -> list[bytes]:
        """End these notes, and drop those that are still to come. Returns the note-offs."""
        cut = {(strike.tick, strike.channel, strike.key) for strike in strikes}
        with self._changed:
            coming = [each for each in self._heap if (each[0], each[2].channel, each[2].key) in cut]
            self._heap = [each for each in self._heap if each not in coming]
            heapq.heapify(self._heap)
            begun = cut - {(tick, strike.channel, strike.key) for tick, _, strike in coming}
            return [message for _, channel, key in begun for message in self._ledger.off(channel, key)]

    def release(self) -> list[bytes]:
        """End the sounding notes and keep the coming ones. Returns the note-offs."""
        with self._changed:
            return self._ledger.release_all()

    def _next(self) -> float | None:
        end = self._ledger.next_end()
        if not self._heap:
            return end
        return self._heap[0][0] if end is None else min(self._heap[0][0], end)


class Scheduler:
    """An `Output` of the notes thread that sends notes to a MIDI port on time, from a thread of its own.

    late: number of note-ons sent more than `LATE_NS` after their deadline; lateness: (deadline, lateness) in ns of
    the last note-ons.
    """

    def __init__(self, clock: Clock, port: MidiOutput, number: int = 0, loops: LoopWatch | None = None) -> None:
        """number: of the port, from 0, of which the patch says what is sent there; loops: knows what is sent."""
        self.agenda = Agenda()
        self.port = port
        self.number = number
        self._sending = Sending(Patch(), {})
        self._programs: list[bytes] = []
        self.clock_out = ClockSender()
        self.late = 0
        self.lateness: deque[tuple[int, int]] = deque(maxlen=100_000)
        self._clock = clock
        self.loops = loops or LoopWatch()
        self._through = Through()
        self._offset = 0  # ns by which the port sends after the note is heard
        self._tempo: TempoMap | None = None
        self._busy = threading.Lock()
        self._latest = 0  # deadline of the last message sent
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def strike(self, played: Sequence[Played]) -> None:
        """As `Output.strike`."""
        self.agenda.add(self._strikes(played))

    def cut(self, played: Sequence[Played]) -> None:
        """As `Output.cut`."""
        with self._busy:
            self._send_now(self.agenda.cut(self._strikes(played)))

    def retime(self, tempo: TempoMap | None) -> None:
        """As `Output.retime`."""
        begins, self._tempo = tempo is not None and self._tempo is None, tempo
        with self._busy:
            self._send_now([*self.clock_out.retime(tempo), *(self._programs if begins else ())])
        self.agenda.poke()

    def arrange(self, performance: Performance) -> None:
        """As `Output.arrange`."""
        self._sending = Sending(performance.patch, performance.values)
        self._offset = round(performance.patch.routing.offset_ms * 1e6)
        out, clock = performance.setting("keys_out"), performance.setting("clock_out")
        before, self._programs = self._programs, self._programs_of(performance)
        with self._busy:
            self._through.sends = out != OFF
            self._through.channel = None if out in (OFF, AS_PLAYED) else int(out) - 1
            self._send_now([*self.clock_out.switch(clock == str(self.number + 1)),
                            *(each for each in self._programs if each not in before)])  # fmt: skip
        self.agenda.poke()

    def lead_ns(self) -> int:
        """As `Output.lead_ns`."""
        return max(0, self._early())

    def silence(self) -> None:
        """As `Output.silence`. CC 123 on the channels in use ends notes whose note-off was lost on its way."""
        with self._busy:
            used = sorted({channel for channel, _ in self._sending.parts(self.number)})
            self._send_now(
                [*self.agenda.silence(), *(midi_spec.control(each, midi_spec.NOTES_OFF, 0) for each in used)]
            )

    def play(self, message: bytes) -> None:
        """Send a short MIDI message of a person at once, if the patch says so. Any thread."""
        with self._busy:
            for each in self._through.take(message):
                self.port.send(each, 0)
                self._watch(each, self._clock.now())

    def send_at(self, message: bytes, ns: int) -> None:
        """Send a message that is no part of the music so that it is heard at `ns`, whatever the offset. Waits until it
        can be given to the port."""
        self._clock.sleep_until(ns - self.port.early_ns)
        with self._busy:
            self.port.send(message, ns)

    def panic(self) -> None:
        """End all notes, and send all-notes-off on every channel."""
        with self._busy:
            self._send_now([*self.agenda.silence(), *midi_spec.all_notes_off()])

    def poll(self) -> None:
        """Keep the port alive. Notes that sounded when it was lost are released once it is back."""
        if self.port.poll():
            with self._busy:
                self._send_now([*self.agenda.release(), *midi_spec.all_notes_off(), *self._programs])

    def use(self, open_port: Callable[[], MidiOutput]) -> None:
        """Close the port and send to another one from now on. The other one is opened second, as both may have the same
        name. HocketError if it does not open: then there is none."""
        self._change(NullMidi(self._clock))
        self._change(open_port())

    def _change(self, port: MidiOutput) -> None:
        with self._busy:
            last, messages = self.port, [*self.agenda.release(), *self._through.release()]
            self._send_now(messages)
            self.port = port
            self._send_now(self._programs)
        last.close()

    def close(self) -> None:
        """End all notes and the thread, and close the port."""
        self._closed = True
        self.agenda.poke()
        if self._thread.is_alive():
            self._thread.join(2)
        self.silence()
        self.port.close()

    def send_due(self) -> int | None:
        """Send what is due. Returns when (ns) the next message has to be sent, None if there is none."""
        tempo = self._tempo
        if tempo is None:
            return None
        early = self._early()
        with self._busy:
            until = tempo.tick(self._clock.now() + early)
            due = heapq.merge(self.clock_out.take(until), self.agenda.take(until), key=lambda each: each[0])
            for tick, message in due:
                self._send(message, int(tempo.ns(tick)) + self._offset)
        coming = [tick for tick in (self.agenda.next(), self.clock_out.next()) if tick is not None]
        return int(tempo.ns(min(coming))) - early if coming else None

    def _strikes(self, played: Sequence[Played]) -> list[Strike]:
        """The notes that are sent to this port."""
        sent = ((self._sending.of(player, note.part), note) for player, note in played)
        return [_strike(note, to.channel) for to, note in sent if to.port == self.number]

    def _programs_of(self, performance: Performance) -> list[bytes]:
        """The program changes of the parts that are sent to this port."""
        arranged = arrange(performance.genre, performance.patch.voices)
        return [
            midi_spec.program(channel, arranged[part].program)
            for channel, part in self._sending.parts(self.number)
            if self._sending.programs[part] == SENT
        ]

    def _early(self) -> int:
        """How long (ns) before it is heard a note is sent; negative: after."""
        return self.port.early_ns - self._offset

    def _send(self, message: bytes, ns: int) -> None:
        """Send a message, never before an earlier one that the port holds: the offset may have become smaller."""
        ns = self._latest = max(self._latest, ns)
        self.port.send(message, ns)
        self._watch(message, ns)
        if midi_spec.parse(message).starts:
            lateness = self._clock.now() - ns
            self.lateness.append((ns, lateness))
            self.late += lateness > LATE_NS

    def _watch(self, message: bytes, ns: int) -> None:
        parsed = midi_spec.parse(message)
        if parsed.starts:
            self.loops.sent(ns, parsed.first, parsed.second)

    def _send_now(self, messages: Iterable[bytes]) -> None:
        """Send messages after all that a port holds that takes them early, else a note-on could follow its note-off."""
        ns = max(self._clock.now(), self._latest)
        for message in messages:
            self.port.send(message, ns)

    def _run(self) -> None:
        set_realtime_priority(DEADLINE_PRIORITY)
        last_resort.keep_going("the scheduler thread", self._turn, lambda: self._closed)

    def _turn(self) -> None:
        version = self.agenda.version
        due = self.send_due()
        ahead = None if due is None else due - self._clock.now()
        if due is not None and ahead is not None and ahead < _SPIN_NS:
            self._clock.sleep_until(due)
        else:
            rest = _REST_S if ahead is None else (ahead - _SPIN_NS / 2) / 1e9
            self.agenda.wait(version, min(_REST_S, rest))
