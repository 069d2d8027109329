"""Following a MIDI clock: when its ticks fall, and when it starts, stops and jumps.

The pulses of a clock are late by up to some milliseconds, each by another amount, and some are lost. A filter of second
order (alpha-beta, critically damped) estimates place and rate. It begins as a line through all pulses so far
(growing memory) and keeps its gains from then on, so that it is exact after a few pulses and follows changes
(Brookner, *Tracking and Kalman Filtering Made Easy*, 1998, chapter 1).
"""

from __future__ import annotations

from instrument.midi_spec import CLOCK, CONTINUE, SONG_POSITION, START, STOP, TICKS_PER_POSITION

THETA = 0.9  # memory of the filter: a larger one is steadier and slower
ALPHA, BETA = 1 - THETA**2, (1 - THETA) ** 2
ODD = 0.35  # of a period: a pulse that is further off is not used before the next one shows what it means
CHANGED = 0.5  # of a period: after two pulses so far off the clock is faster or slower now, or has lost a pulse
SILENT_NS = 1_000_000_000  # after so long without a pulse the clock is gone
LONGEST_NS, SHORTEST_NS = 250_000_000, 4_000_000  # between two pulses: 10 to 625 beats a minute
SURE = 4  # pulses after which the estimate is used


class Pulses:
    """When the pulses of a clock fall. count: of the last pulse; period: between two (ns), 0 while unknown; known:
    pulses since the estimate began; last: when the last one arrived (ns)."""

    def __init__(self) -> None:
        self.count = 0
        self.period = 0.0
        self.known = 0
        self.last = 0
        self._at = 0.0  # of pulse number `_base`, as estimated
        self._base = 0
        self._odd = 0  # interval before the last pulse, if that was off

    def add(self, ns: int) -> None:
        """A pulse arrived at `ns`."""
        interval, self.last = ns - self.last, ns
        self.count += 1
        if self.known == 0 or not 0 < interval < 4 * SILENT_NS:
            self._begin(ns, 0.0)
        elif self.period == 0:
            self._begin(ns, interval)
        elif self._odd:
            self._judge(ns, interval)
        elif abs(self._lateness(ns)) > ODD:
            self._odd = interval
        else:
            self._correct(ns)

    def ns_of(self, pulse: float) -> float:
        """When a pulse falls."""
        return self._at + (pulse - self._base) * self.period

    def pulse_at(self, ns: float) -> float:
        """The pulse, with its fraction, that falls at `ns`."""
        return self._base + (ns - self._at) / self.period if self.period else float(self.count)

    def _lateness(self, ns: int) -> float:
        """By how many periods the pulse `count` is late at `ns`."""
        return (ns - self.ns_of(self.count)) / self.period

    def _judge(self, ns: int, interval: int) -> None:
        """The pulse before was off: this one shows whether the rate changed, a pulse was lost, or that one was late."""
        odd, self._odd = self._odd, 0
        late = self._lateness(ns)
        if abs(late) > CHANGED and max(odd, interval) < 1.5 * min(odd, interval):
            self._begin(ns, (odd + interval) / 2)
            return
        if late > CHANGED:
            self.count += round(late)
        self._correct(ns)

    def _begin(self, ns: int, period: float) -> None:
        self._odd = 0
        self._at, self._base = float(ns), self.count
        self.period = min(max(period, SHORTEST_NS), LONGEST_NS) if period else 0.0
        self.known = 2 if period else 1

    def _correct(self, ns: int) -> None:
        expected, passed = self.ns_of(self.count), self.count - self._base
        self.known += 1
        n = self.known
        alpha = max(ALPHA, 2 * (2 * n - 1) / (n * (n + 1)))
        beta = max(BETA, 6 / (n * (n + 1)))
        error = ns - expected
        self._at, self._base = expected + alpha * error, self.count
        self.period = min(max(self.period + beta * error / passed, SHORTEST_NS), LONGEST_NS)


class ClockFollower:
    """What a MIDI clock says. Ticks are its pulses, counted from its start.

    running: whether it has been started; event: what `feed` found, "start", "stop", "jump" or "".
    """

    def __init__(self) -> None:
        self.pulses = Pulses()
        self.running = False
        self._origin = 0  # pulse number of tick 0
        self._song = 0  # tick at which it continues
        self._pending = ""

    @property
    def period(self) -> float:
        """ns a tick, 0 while unknown."""
        return self.pulses.period

    def feed(self, ns: int, message: bytes) -> str:
        """Take a message that arrived at `ns`. Returns "start" or "jump" with the first pulse there, "stop", or ""."""
        status = message[0]
        if status == CLOCK:
            self.pulses.add(ns)
            if self._pending:
                event, self._pending = self._pending, ""
                self._origin, self.running = self.pulses.count - self._song, True
                return event
        elif status == START:
            self._song, self._pending = 0, "jump" if self.running else "start"
        elif status == CONTINUE and not self.running:
            self._pending = "start"
        elif status == SONG_POSITION and len(message) == 3:
            self._song = (message[1] | message[2] << 7) * TICKS_PER_POSITION
            self._pending = "jump" if self.running else self._pending
        elif status == STOP:
            self._pending = ""
            self._song = self.pulses.count - self._origin + 1 if self.running else self._song
            if self.running:
                self.running = False
                return "stop"
        return ""

    def seen(self, now: int) -> bool:
        """Whether pulses arrive, enough of them to know their tempo."""
        return self.pulses.known >= SURE and now - self.pulses.last < SILENT_NS

    def tick_at(self, ns: float) -> float:
        """The tick at `ns`, with its fraction."""
        return self.pulses.pulse_at(ns) - self._origin

    def ns_of(self, tick: float) -> float:
        """When a tick falls."""
        return self.pulses.ns_of(tick + self._origin)
