"""The mouse wheel over a control: which of its turns count, and for how much."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QWidget

REST_S = 0.4  # how long the pointer rests on a control before the wheel turns it
_NOTCH = 120  # of `QWheelEvent.angleDelta`


class Wheel(QObject):
    """Counts the notches of the wheel over one control.

    A wheel that only passes over a control must not change the music. So it turns a control that has the focus, or on
    which the pointer rested before the wheel began. Other events are left to what is behind the control.
    """

    def __init__(self, control: QWidget, clock: Callable[[], float] = time.monotonic) -> None:
        """clock: seconds."""
        super().__init__(control)
        self._control, self._clock = control, clock
        self._still_since = math.inf
        self._rest = 0.0  # notches that are no whole one yet
        control.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Note when the pointer comes, and keep back the turns that do not count."""
        if event.type() == QEvent.Type.Enter:
            self._still_since, self._rest = self._clock(), 0.0
        if not isinstance(event, QWheelEvent) or self._counts(event):
            return False
        self._still_since = self._clock()  # the same movement of the fingers does not count later either
        event.ignore()
        return True

    def notches(self, event: QWheelEvent, whole: bool) -> float:
        """The notches of an event that counts, up or away from the user above 0. Fine wheels send fractions; with
        `whole` they add up, and whole ones are returned."""
        turned = self._rest + _delta(event) / _NOTCH
        self._rest = turned - math.trunc(turned) if whole else 0.0
        return turned - self._rest

    def _counts(self, event: QWheelEvent) -> bool:
        rested = self._clock() - self._still_since >= REST_S
        return _delta(event) != 0 and (self._control.hasFocus() or rested)


def is_fine(event: QWheelEvent) -> bool:
    """Whether Shift makes the movement fine."""
    return bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)


def _delta(event: QWheelEvent) -> int:
    """The movement up or down; 0 for a movement sideways, which scrolls. Some systems report Shift and wheel as one."""
    across, up = event.angleDelta().x(), event.angleDelta().y()
    if is_fine(event) and not up:
        return across
    return up if abs(up) > abs(across) else 0
