"""A row for each player: who it is, its model, level, mute, solo and a meter."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from instrument.engine.ipc.messages import KnobInfo
from instrument.ui import icons, theme
from instrument.ui.knobs.board import Board
from instrument.ui.knobs.chip import Chip
from instrument.ui.knobs.controls import Button, Selector
from instrument.ui.knobs.knob import KnobDial
from instrument.ui.knobs.values import FINE
from instrument.ui.meters import StripMeter

HEIGHT = 32
_ROLE = 92  # width of what a player does


class Fader(KnobDial):
    """A level: a dial as a bar, dragged to the right to be louder."""

    def sizeHint(self) -> QSize:
        return QSize(theme.px(58), theme.px(18))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def type_value(self, start: str = "") -> None:
        super().type_value(start)
        if self._typed is not None:
            self._typed.setGeometry(self.rect())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        if self._grip is not None:
            self._grip = (event.position().x(), self._grip[1])

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._grip is not None:
            x, place = self._grip
            moved = (event.position().x() - x) / max(1, self.width())
            place += moved * (FINE if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1.0)
            self._grip = (event.position().x(), min(max(place, 0.0), 1.0))
            self._turn(self.scale.value(place))
        event.accept()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        high = theme.px(6)
        bar = QRectF(1, (self.height() - high) / 2, self.width() - 2, high)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour(theme.TRACK))
        painter.drawRoundedRect(bar, high / 2, high / 2)
        filled = QRectF(bar)
        filled.setWidth(max(high, bar.width() * self.scale.place(self.exact)))
        painter.setBrush(theme.colour(theme.ACCENT if self.isEnabled() else theme.FAINT))
        painter.drawRoundedRect(filled, high / 2, high / 2)
        if self.hasFocus() or self.held:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(theme.colour(theme.ACCENT), 1))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), theme.px(5), theme.px(5))


class MiniChip(Chip):
    """A switch that is a letter."""

    def __init__(self, info: KnobInfo, letter: str, colour: str) -> None:
        super().__init__(info, colour)
        self.setText(letter)

    def sizeHint(self) -> QSize:
        return QSize(theme.px(24), theme.px(22))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        on = self.isChecked()
        painter.setPen(QPen(theme.colour(theme.ACCENT), 1) if self.hasFocus() else Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour(self.dot if on else theme.HOVER if self.underMouse() else theme.TRACK))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), theme.px(5), theme.px(5))
        painter.setPen(theme.colour(theme.ON_ACCENT if on else theme.TEXT))
        painter.setFont(theme.font(theme.CAPTION, QFont.Weight.DemiBold))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self.text())


class PlayerRow(QFrame):
    """One player. Signals: `chosen`: its knobs are to be shown; `removed`: its close button was pressed."""

    chosen, removed = Signal(), Signal()

    def __init__(self, board: Board, number: int, role: str, models: Selector, knobs: Iterable[KnobInfo]) -> None:
        """number: counted from 1; role: what it does; knobs: of which it takes level, mute and solo."""
        self.name = f"Player {number}"
        super().__init__()
        self.setObjectName("row")
        self.setAccessibleName(self.name)
        self.setFixedHeight(theme.px(HEIGHT))
        self.badge = Button(str(number), f"Show the knobs of player {number}", name="mini")
        self.badge.setAccessibleName(f"Knobs of player {number}")
        self.badge.setCheckable(True)
        self.badge.clicked.connect(self.chosen)
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(theme.px(4), 0, theme.px(4), 0)
        self.row.setSpacing(theme.px(6))
        self.row.addWidget(self.badge)
        infos = {info.id: info for info in knobs}
        models.setAccessibleName(f"Model of player {number}")
        self.meter = StripMeter(f"Level of player {number}")
        self.role = QLabel(role)
        self.role.setProperty("role", "caption")
        self.role.setToolTip(role)
        self.role.setFixedWidth(theme.px(_ROLE))
        self._role = role
        self.remove = Button("", f"Remove player {number}", icons.icon("close", theme.MUTED), "mini")
        self.remove.clicked.connect(self.removed)
        self.row.addWidget(models, 1)
        self.row.addWidget(self.role)
        level = QVBoxLayout()
        level.setSpacing(theme.px(2))
        level.addStretch(1)
        for id in ("volume", "level"):
            if id in infos:
                level.addWidget(self._named(board.add(infos[id], Fader(infos[id]))))
        level.addWidget(self.meter)
        level.addStretch(1)
        self.row.addLayout(level)
        for id, letter, colour in (("mute", "M", theme.WARN), ("solo", "S", theme.ACCENT)):
            if id in infos:
                self.row.addWidget(self._named(board.add(infos[id], MiniChip(infos[id], letter, colour))))
            else:
                empty = QWidget()
                empty.setFixedWidth(theme.px(24))
                self.row.addWidget(empty)
        self.row.addWidget(self.remove)

    def show_levels(self, levels: tuple[float, float], underruns: int) -> None:
        """Take the peaks in dBFS since the last call, and the number of underruns."""
        self.meter.show_levels(levels)
        text = f"Dropouts: {underruns}" if underruns else self._role
        if text != self.role.text():
            self.role.setText(text)
            self.role.setProperty("role", "alarm" if underruns else "caption")
            self.role.setToolTip("It was interrupted, as the computer was too slow: close other programs")
            self.role.style().polish(self.role)

    def show_chosen(self, on: bool) -> None:
        """Show that its knobs are those beside the list."""
        self.badge.setChecked(on)
        self.setProperty("chosen", on)
        self.style().unpolish(self)
        self.style().polish(self)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.chosen.emit()
        event.accept()

    def _named(self, control: QWidget) -> QWidget:
        """Put the player's name into the name for screen readers, because every row has a level."""
        control.setAccessibleName(f"{self.name}: {control.accessibleName()}")
        return control


ROW_KNOBS = frozenset(("volume", "level", "mute", "solo"))
"""Knobs of a player that its row has."""
