"""A path of the puck: recorded while it is dragged, and played in a loop."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal

STEP_MS = 40
SHORTEST_S = 0.2  # a shorter path is none

Place = tuple[float, float]


class PuckPath(QObject):
    """Armed, it records the next drag; let go, the path is looped until it is stopped. `moved` carries x and y."""

    moved = Signal(float, float)

    def __init__(self, parent: QObject | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """clock: seconds."""
        super().__init__(parent)
        self.armed = self.recording = False
        self._clock = clock
        self._began = 0.0
        self._times: list[float] = []
        self._places: list[Place] = []
        self._length = 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(STEP_MS)
        self._timer.timeout.connect(self.step)

    @property
    def looping(self) -> bool:
        """Whether the path is played."""
        return self._timer.isActive()

    @property
    def known(self) -> bool:
        """Whether there is a path."""
        return self._length > 0

    def arm(self) -> None:
        """Record the next drag."""
        self.stop()
        self.armed = True

    def begin(self) -> None:
        """A drag begins: it ends the loop, and is recorded if that was asked for."""
        self.stop()
        if self.armed:
            self.armed, self.recording = False, True
            self._began, self._times, self._places, self._length = self._clock(), [], [], 0.0

    def add(self, place: Place) -> None:
        """The puck was dragged to a place."""
        if self.recording:
            self._times.append(self._clock() - self._began)
            self._places.append(place)

    def end(self) -> None:
        """The drag has ended: what was recorded is looped."""
        if self.recording:
            self.recording = False
            self._length = self._clock() - self._began
            if len(self._places) < 2 or self._length < SHORTEST_S:
                self._length = 0.0
            self.loop()

    def loop(self) -> None:
        """Play the path from its beginning, over and over."""
        if self.known:
            self._began = self._clock()
            self._timer.start()

    def stop(self) -> None:
        """Play it no longer."""
        self._timer.stop()

    def step(self) -> None:
        """Go to where the puck was at this time of the path."""
        at = bisect_right(self._times, (self._clock() - self._began) % self._length) - 1
        self.moved.emit(*self._places[max(at, 0)])
