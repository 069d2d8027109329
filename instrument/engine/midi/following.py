"""Keeps the music in the time of others: a MIDI clock, or JACK's transport."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from typing import Protocol

from instrument.engine.midi.clock_in import ClockFollower
from instrument.engine.midi.jack_transport import TransportFollower
from instrument.engine.performance.harmony.leading import BAR
from instrument.engine.performance.knobs import CLOCK, JACK, OWN
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.transport import Transport, bar_line
from instrument.io.midi import transport
from instrument.io.ports import Clock
from instrument.midi_spec import CLOCK as CLOCK_PULSE
from instrument.midi_spec import CLOCK_MESSAGES
from instrument.music.timebase import NS_PER_MINUTE, TEMPO_RANGE, TICKS_PER_BEAT

STEER_NS = 40_000_000  # least time between two changes of the tempo
CATCH_UP = 6.0  # ticks in which an error is made up for
SEEN_NS = 500_000_000  # a clock is seen for so long after a pulse
LOST = 12.0  # ticks: a larger error is a jump


class FollowingHost(Protocol):
    """What following needs of the notes thread."""

    @property
    def performance(self) -> Performance:
        """The present performance."""
        ...

    @property
    def transport(self) -> Transport:
        """The transport."""
        ...

    def start_at(self, tick: int, ns: float) -> None:
        """Start so that a tick of the outside transport is heard at `ns`."""
        ...

    def steer(self, bpm: float, tick: float) -> None:
        """Another tempo from a tick of the performance on."""
        ...

    def stop(self) -> None:
        """Stop the music."""
        ...


class Following:
    """Starts, stops and steers the music by what arrives. For the notes thread; others may read `text`.

    An error is made up for by a slightly different tempo, never by a leap, so that no note is lost or played twice. All
    tempos are in the take, which therefore renders in the time of the clock.

    roll: asks JACK's transport to roll or to stop.
    """

    def __init__(self, notes: FollowingHost, clock: Clock) -> None:
        self.roll: Callable[[bool], None] = lambda on: None
        self._notes = notes
        self._clock = clock
        self._followers: dict[str, ClockFollower | TransportFollower] = {}
        self._base = 0  # outside tick of tick 0 of the performance
        self._steered = 0
        self._pulse = -SEEN_NS  # when the last pulse of a MIDI clock came

    @property
    def source(self) -> str:
        """Whose time holds: "own", "clock" or "jack"."""
        return str(self._notes.performance.setting("follow"))

    @property
    def holds(self) -> bool:
        """Whether an outside tempo holds now, so that the knob does not."""
        follower = self._follower
        timed = not isinstance(follower, TransportFollower) or (follower.timed and follower.running)
        return follower is not None and timed and follower.seen(self._clock.now())

    @property
    def heard(self) -> bool:
        """Whether the time of others is followed and arrives."""
        return self._follower is not None and self._follower.seen(self._clock.now())

    @property
    def sees_clock(self) -> bool:
        """Whether a MIDI clock arrives, followed or not, or the transport that is followed."""
        return self._clock.now() - self._pulse < SEEN_NS or (self.source == JACK and self.heard)

    @property
    def text(self) -> str:
        """What the window shows: the source, and its tempo or that nothing arrives. Empty in own time."""
        follower, source = self._follower, self.source
        if source == OWN:
            return ""
        if follower is None or not self.heard:
            return f"{source}: nothing arrives"
        return f"{source}: {'running' if follower.running else 'stopped'}, {self._bpm(follower):.1f} bpm"

    def feed(self, arrived: Sequence[tuple[int, bytes]]) -> None:
        """(ns, message) of the clock or the transport, in order."""
        source = self.source
        self._pulse = max([self._pulse, *(ns for ns, message in arrived if message[0] == CLOCK_PULSE)])
        if source not in self._followers:
            self._followers.clear()
        if source == OWN:
            return
        follower = self._followers.setdefault(source, ClockFollower() if source == CLOCK else TransportFollower())
        kinds = CLOCK_MESSAGES if source == CLOCK else transport.STATUS  # both may arrive, and one is followed
        for ns, message in (each for each in arrived if each[1][0] in kinds):
            if isinstance(follower, TransportFollower) and not follower.timed:
                follower.bpm = self._notes.transport.bpm
            match follower.feed(ns, message):
                case "stop":
                    self._notes.stop()
                case "start" | "jump":
                    self._notes.start_at(*self._place(follower, ns))
        if self.holds and self._notes.transport.playing:
            self._steer(follower)

    def rolls(self) -> bool:
        """The music is to start: ask JACK's transport to roll, with which it will, if that is followed and stands."""
        follower = self._follower
        asks = isinstance(follower, TransportFollower) and follower.seen(self._clock.now()) and not follower.running
        if asks:
            self.roll(True)
        return asks

    def stops(self) -> None:
        """The music is stopped by hand: JACK's transport too, if it is followed and rolls."""
        if isinstance(self._follower, TransportFollower) and self._follower.running:
            self.roll(False)

    def first_tick(self, ns: float) -> tuple[int, float]:
        """The tick to begin with where the music is started at `ns` by hand, and when it falls: at the next tick or bar
        of an outside time that runs, else tick 0 at once."""
        follower = self._follower
        if follower is None or not self.heard:
            return 0, ns
        if not follower.running:
            return 0, follower.ns_of(ceil(follower.tick_at(ns)))
        return self._place(follower, ns)

    def started(self, base: int, tick: int) -> None:
        """The performance began at `tick`; base: the outside tick of its tick 0."""
        follower = self._follower
        if follower is None:
            return
        if isinstance(follower, ClockFollower) and not follower.running:
            base = ceil(follower.tick_at(self._notes.transport.tempo.ns(0))) if self._notes.transport.tempo else 0
        self._base, self._steered = base, self._clock.now()
        if self.holds:
            self._notes.steer(self._bpm(follower), float(tick))

    @property
    def _follower(self) -> ClockFollower | TransportFollower | None:
        return self._followers.get(self.source)

    def _place(self, follower: ClockFollower | TransportFollower, ns: float) -> tuple[int, float]:
        """The first tick at or after `ns` at which the music may begin, and when it falls."""
        tick = max(0, ceil(follower.tick_at(ns) - 0.25))
        if self._notes.performance.setting("start") == BAR:
            tick = bar_line(self._notes.performance.metres, tick)
        return tick, follower.ns_of(tick) if follower.period else ns

    def _steer(self, follower: ClockFollower | TransportFollower) -> None:
        now, tempo = self._clock.now(), self._notes.transport.tempo
        if tempo is None or now - self._steered < STEER_NS:
            return
        self._steered = now
        tick = max(tempo.tick(now), tempo.segments[-1][0])
        if abs(follower.tick_at(now) - self._base - tempo.tick(now)) > LOST:
            self._notes.start_at(*self._place(follower, now))
            return
        rate = (follower.ns_of(tick + CATCH_UP + self._base) - tempo.ns(tick)) / CATCH_UP
        fastest, slowest = (NS_PER_MINUTE / TICKS_PER_BEAT / bpm for bpm in reversed(TEMPO_RANGE))
        bpm = NS_PER_MINUTE / TICKS_PER_BEAT / min(max(rate, fastest), slowest)
        self._notes.steer(min(max(bpm, TEMPO_RANGE[0]), TEMPO_RANGE[1]), tick)

    def _bpm(self, follower: ClockFollower | TransportFollower) -> float:
        bpm = NS_PER_MINUTE / TICKS_PER_BEAT / (follower.period or 1e9)
        return min(max(bpm, TEMPO_RANGE[0]), TEMPO_RANGE[1])
