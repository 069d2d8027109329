"""Two rows of the computer's keys as a piano: Z is a C, and Q the C above it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractSpinBox, QApplication, QLineEdit, QPlainTextEdit, QWidget

from instrument.ui.knobs.knob import KnobDial

_LOWER, _UPPER = "ZSXDCVGBHNJM", "Q2W3ER5T6Y7UI9O0P"
OFFSETS = {letter: number for number, letter in enumerate(_LOWER)} | {
    letter: number + 12 for number, letter in enumerate(_UPPER)
}
"""Semitones above the C of the key Z."""
DOWN, UP = "[", "]"  # an octave
_KEYS = (QEvent.Type.KeyPress, QEvent.Type.KeyRelease, QEvent.Type.ShortcutOverride)
_HELD = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.MetaModifier


class ComputerKeys(QObject):
    """Takes these keys in a window while nothing is typed there.

    press, release: called with the semitones above the lowest C; shift: with -1 or 1 octaves.
    """

    def __init__(
        self,
        window: QWidget,
        press: Callable[[int], object],
        release: Callable[[int], object],
        shift: Callable[[int], object],
    ) -> None:
        super().__init__(window)
        self.on = False
        self._window, self._press, self._release, self._shift = window, press, release, shift
        self._down: dict[str, int] = {}

    def turn_on(self, on: bool) -> None:
        """Take the keys from now on, or no longer; keys that are down are released."""
        application = QApplication.instance()
        if on != self.on and application is not None:
            (application.installEventFilter if on else application.removeEventFilter)(self)
        self.on = on
        self.release_all()

    def release_all(self) -> None:
        """Release what is down."""
        down, self._down = self._down, {}
        for offset in down.values():
            self._release(offset)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take key presses and releases before shortcuts do."""
        if event.type() == QEvent.Type.WindowDeactivate and watched is self._window:
            self.release_all()
        if (
            event.type() not in _KEYS
            or not isinstance(event, QKeyEvent)
            or not isinstance(watched, QWidget)
            or watched.window() is not self._window
        ):
            return False
        letter = chr(event.key()) if 32 < event.key() < 127 else ""
        if event.type() == QEvent.Type.KeyRelease:
            return self._let_go(letter, event.isAutoRepeat())
        if event.modifiers() & _HELD or _is_typed(watched, letter) or letter not in (*OFFSETS, DOWN, UP):
            return False
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        if event.type() != QEvent.Type.KeyPress:
            return False
        if not event.isAutoRepeat():
            self._take(letter)
        return True

    def _take(self, letter: str) -> None:
        if letter in (DOWN, UP):
            self.release_all()
            self._shift(-1 if letter == DOWN else 1)
        elif letter not in self._down:
            self._down[letter] = OFFSETS[letter]
            self._press(OFFSETS[letter])

    def _let_go(self, letter: str, again: bool) -> bool:
        if letter not in self._down:
            return False
        if not again:
            self._release(self._down.pop(letter))
        return True


def _is_typed(widget: QWidget, letter: str) -> bool:
    """Whether a key belongs to the widget that gets it: a field, or a dial that gets a digit."""
    if isinstance(widget, QLineEdit | QAbstractSpinBox | QPlainTextEdit):
        return True
    return isinstance(widget, KnobDial) and letter.isdigit()
