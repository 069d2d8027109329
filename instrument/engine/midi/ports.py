"""The MIDI ports that the players send to: one for all, or several."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from instrument.engine.midi.scheduler import Scheduler
from instrument.engine.performance.arrangement import Sending
from instrument.engine.performance.knobs import OFF
from instrument.engine.performance.performance import Performance, Played
from instrument.io.midi.output import NAME
from instrument.io.ports import Clock, MidiOutput
from instrument.music.timebase import TempoMap


class MidiPorts:
    """An `Output` of the notes thread that sends the notes of each player to its port.

    first: sends to the port that was chosen; others: to further ones, called "Hocket 2" and so on; wanted: how many
    ports there have to be.
    """

    def __init__(self, clock: Clock, port: MidiOutput) -> None:
        """port: the first one, which is open."""
        self.first = Scheduler(clock, port)
        self.others: tuple[Scheduler, ...] = ()
        self.wanted = 1
        self._clock = clock
        self._performance: Performance | None = None
        self._tempo: TempoMap | None = None
        self._changing = threading.Lock()  # never held while a port is opened or closed

    @property
    def all(self) -> tuple[Scheduler, ...]:
        """The senders of all open ports."""
        return (self.first, *self.others)

    @property
    def late(self) -> int:
        """Number of late note-ons of all ports."""
        return sum(each.late for each in self.all)

    @property
    def sounding(self) -> int:
        """Number of sounding notes of all ports."""
        return sum(each.agenda.sounding for each in self.all)

    @property
    def clock_runs(self) -> bool:
        """Whether a MIDI clock is sent now."""
        return any(each.clock_out.sends for each in self.all)

    def start(self) -> None:
        """Start to send."""
        self.first.start()

    def fit(self, open_port: Callable[[str], MidiOutput]) -> None:
        """Open the ports that are missing and close those that are needed no more. open_port: opens one by its name.
        Slow; for one thread. HocketError if a port does not open; the notes for it are left out then."""
        while len(self.all) > self.wanted:
            self._drop(self.others[-1])
        while (number := len(self.all)) < self.wanted:
            sender = Scheduler(self._clock, open_port(f"{NAME} {number + 1}"), number, self.first.loops)
            with self._changing:
                if self._performance:
                    sender.arrange(self._performance)
                sender.retime(self._tempo)
                self.others = (*self.others, sender)
            sender.start()

    def drop(self) -> None:
        """Close all ports but the first."""
        while self.others:
            self._drop(self.others[-1])

    def close(self) -> None:
        """End all notes and threads, and close the ports."""
        self.drop()
        self.first.close()

    def strike(self, played: Sequence[Played]) -> None:
        """As `Output.strike`."""
        for each in self.all:
            each.strike(played)

    def cut(self, played: Sequence[Played]) -> None:
        """As `Output.cut`."""
        for each in self.all:
            each.cut(played)

    def silence(self) -> None:
        """As `Output.silence`."""
        for each in self.all:
            each.silence()

    def retime(self, tempo: TempoMap | None) -> None:
        """As `Output.retime`."""
        with self._changing:
            self._tempo = tempo
            for each in self.all:
                each.retime(tempo)

    def lead_ns(self) -> int:
        """As `Output.lead_ns`."""
        return max(each.lead_ns() for each in self.all)

    def arrange(self, performance: Performance) -> None:
        """As `Output.arrange`."""
        clock = performance.setting("clock_out")
        ports = Sending(performance.patch, performance.values).ports
        with self._changing:
            self._performance = performance
            for each in self.all:
                each.arrange(performance)
        self.wanted = max(ports, 1 if clock == OFF else int(clock))

    def panic(self) -> None:
        """As `Output.panic`."""
        for each in self.all:
            each.panic()

    def poll(self) -> None:
        """Keep the ports alive."""
        for each in self.all:
            each.poll()

    def _drop(self, sender: Scheduler) -> None:
        with self._changing:
            self.others = tuple(each for each in self.others if each is not sender)
        sender.close()
