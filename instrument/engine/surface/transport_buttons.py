"""The buttons of the transport, and the tempo from taps."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from instrument.engine.ipc.messages import KnobInfo
from instrument.engine.performance.knobs import INSTRUMENT
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.transport import Transport
from instrument.engine.surface.buttons import Buttons

TAPS = 6  # the most taps that count
GAP_NS = 2_000_000_000  # a longer pause starts again
NS_PER_MINUTE = 60_000_000_000


class Tapper:
    """Tempo from taps: the mean of the last intervals."""

    def __init__(self) -> None:
        self._taps: deque[int] = deque(maxlen=TAPS)

    def tap(self, ns: int) -> float | None:
        """Add a tap at the time `ns`. Returns beats a minute, None at the first tap."""
        if self._taps and not 0 < ns - self._taps[-1] <= GAP_NS:
            self._taps.clear()
        self._taps.append(ns)
        if len(self._taps) < 2:
            return None
        return NS_PER_MINUTE * (len(self._taps) - 1) / (ns - self._taps[0])


class TransportHost(Protocol):
    """What the buttons of the transport need of the notes thread."""

    @property
    def performance(self) -> Performance:
        """The present performance."""
        ...

    @property
    def transport(self) -> Transport:
        """The transport."""
        ...

    def play(self) -> None:
        """Start the transport."""
        ...

    def stop(self) -> None:
        """Stop it."""
        ...

    def panic(self) -> None:
        """Silence everything."""
        ...

    def turn(self, info: KnobInfo, value: object) -> int:
        """Turn a knob."""
        ...


def connect_transport(buttons: Buttons, notes: TransportHost) -> None:
    """Set what the buttons of the transport do."""
    tapper = Tapper()

    def tap(ns: int) -> None:
        bpm = tapper.tap(ns)
        if bpm is not None:
            info = notes.performance.table.find("tempo", INSTRUMENT)
            notes.turn(info, min(max(bpm, info.low), info.high))

    buttons.on("transport/play", lambda _: notes.play())
    buttons.on("transport/stop", lambda _: notes.stop())
    buttons.on("transport/toggle", lambda _: notes.stop() if notes.transport.playing else notes.play())
    buttons.on("transport/panic", lambda _: notes.panic())
    buttons.on("transport/tap", tap)
