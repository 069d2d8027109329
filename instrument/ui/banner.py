"""A bar for messages: states of the engine, refused commands, and an offer with a button."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy

from instrument.ui import icons, theme
from instrument.ui.knobs.controls import Button

NOTICE_S = 8.0
_OFFER = "Do what the notice offers"


class Banner(QFrame):
    """Hidden while there is no message.

    A state is shown as long as the engine reports it, a notice for a few seconds, an offer until its button is
    pressed or it is withdrawn. The close button dismisses the messages shown.
    """

    offered = Signal()  # the button of the offer was pressed

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.setObjectName("banner")
        self.setAccessibleName("Notices")
        self._clock = clock
        self._states: tuple[str, ...] = ()
        self._dismissed: frozenset[str] = frozenset()
        self._notices: dict[str, float] = {}  # text -> time at which it is removed
        self._offer = ""
        self.label = QLabel()
        self.label.setWordWrap(True)
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.button = Button("", _OFFER, name="offer")
        self.button.clicked.connect(self.offered)
        self.cross = Button("", "Dismiss", icons.icon("close", theme.MUTED), "flat")
        self.cross.clicked.connect(self.dismiss)
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.px(14), theme.px(4), theme.px(6), theme.px(4))
        row.addWidget(self.label, 1)
        row.addWidget(self.button)
        row.addWidget(self.cross)
        self._refresh()

    @property
    def text(self) -> str:
        """The text shown."""
        return self.label.text()

    def show_states(self, states: tuple[str, ...]) -> None:
        """Show the states that the engine reports; called with every telemetry."""
        if states != self._states:
            self._states = states
            self._dismissed &= frozenset(states)
            self._refresh()

    def notify(self, text: str, seconds: float = NOTICE_S) -> None:
        """Show a notice for some seconds."""
        self._notices.pop(text, None)
        self._notices[text] = self._clock() + seconds
        self._refresh()

    def offer(self, text: str, button: str = "") -> None:
        """Show a message that stays, with a button if `button` is not empty. An empty text withdraws it."""
        self._offer = text
        self.button.setText(button)
        self.button.setAccessibleName(button or _OFFER)
        self._refresh()

    def dismiss(self) -> None:
        """Hide the messages shown. A dismissed state is shown again only after the engine has stopped reporting it."""
        self._dismissed = frozenset(self._states)
        self._notices.clear()
        self._refresh()

    def tick(self) -> None:
        """Remove notices whose time is over."""
        now = self._clock()
        if any(end <= now for end in self._notices.values()):
            self._notices = {text: end for text, end in self._notices.items() if end > now}
            self._refresh()

    def _refresh(self) -> None:
        lines = [
            self._offer,
            *reversed(self._notices),
            *(state for state in self._states if state not in self._dismissed),
        ]
        text = "\n".join(dict.fromkeys(line[:1].upper() + line[1:] for line in lines if line))
        if text != self.label.text():
            self.label.setText(text)
            if text:
                QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, text))
        self.button.setVisible(bool(self._offer and self.button.text()))
        self.cross.setVisible(not self._offer)
        self.setVisible(bool(text))
