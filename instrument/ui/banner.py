"""A quiet bar that says what is worth knowing: states of the engine, refusals, and a way out."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy

from instrument.ui import icons, theme
from instrument.ui.knobs.controls import Button

NOTICE_S = 8.0


class Banner(QFrame):
    """Hidden while there is nothing to say.

    States last as long as the engine reports them, notices a few seconds, an offer until it is taken or
    withdrawn. The cross puts away what stands there now.
    """

    offered = Signal()  # the player took the offer

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.setObjectName("banner")
        self.setAccessibleName("Notices")
        self._clock = clock
        self._states: tuple[str, ...] = ()
        self._away: frozenset[str] = frozenset()
        self._notices: dict[str, float] = {}  # text -> when it goes
        self._offer = ""
        self.label = QLabel()
        self.label.setWordWrap(True)
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.button = Button("", "", name="offer")
        self.button.clicked.connect(self.offered)
        self.cross = Button("", "Put away", icons.icon("close", theme.MUTED), "flat")
        self.cross.clicked.connect(self.dismiss)
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.px(14), theme.px(4), theme.px(6), theme.px(4))
        row.addWidget(self.label, 1)
        row.addWidget(self.button)
        row.addWidget(self.cross)
        self._refresh()

    @property
    def text(self) -> str:
        """What it says."""
        return self.label.text()

    def show_states(self, states: tuple[str, ...]) -> None:
        """States the engine reports; called with every telemetry."""
        if states != self._states:
            self._states = states
            self._away &= frozenset(states)
            self._refresh()

    def notify(self, text: str, seconds: float = NOTICE_S) -> None:
        """Say something for a few seconds."""
        self._notices.pop(text, None)
        self._notices[text] = self._clock() + seconds
        self._refresh()

    def offer(self, text: str, button: str = "") -> None:
        """Say something that stays, with a button if it has a name; empty withdraws it."""
        self._offer = text
        self.button.setText(button)
        self.button.setAccessibleName(button)
        self._refresh()

    def dismiss(self) -> None:
        """Hide what stands there; the same states do not come back until they have been gone."""
        self._away = frozenset(self._states)
        self._notices.clear()
        self._refresh()

    def tick(self) -> None:
        """Let notices go when their time is over."""
        now = self._clock()
        if any(end <= now for end in self._notices.values()):
            self._notices = {text: end for text, end in self._notices.items() if end > now}
            self._refresh()

    def _refresh(self) -> None:
        lines = [
            self._offer,
            *reversed(self._notices),
            *(state for state in self._states if state not in self._away),
        ]
        text = "\n".join(dict.fromkeys(line[:1].upper() + line[1:] for line in lines if line))
        if text != self.label.text():
            self.label.setText(text)
            if text:
                QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, text))
        self.button.setVisible(bool(self._offer and self.button.text()))
        self.cross.setVisible(not self._offer)
        self.setVisible(bool(text))
