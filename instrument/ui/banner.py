"""A bar for messages: states of the engine, refused commands, and an offer with a button."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QWidget

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
        self._row = row = QHBoxLayout(self)
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

    def withdraw(self, text: str) -> None:
        """Remove a notice whose time is not over, if it is shown."""
        if self._notices.pop(text, None) is not None:
            self._refresh()

    def float_over(self, place: QWidget) -> None:
        """Lie over the top of a widget, whose layout does not move when messages come and go."""
        self.setParent(place)
        place.installEventFilter(self)
        self._refresh()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the width of what it lies over."""
        if event.type() == QEvent.Type.Resize:
            self._place()
        return False

    def _place(self) -> None:
        if (place := self.parentWidget()) is not None and not self.isWindow():
            edge = theme.px(10)
            width = place.width() - 2 * edge
            height = self._row.totalHeightForWidth(width) if self._row.hasHeightForWidth() else self.sizeHint().height()
            self.setGeometry(edge, edge, width, height)
            self.raise_()

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
        self._place()
