"""The macros: four of them, four more behind a button, and the button for variations."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from instrument.engine.ipc.messages import Description
from instrument.engine.performance.knobs import INSTRUMENT, MACROS
from instrument.ui import theme
from instrument.ui.knobs.board import Board
from instrument.ui.knobs.controls import Button
from instrument.ui.knobs.knob import KnobDial
from instrument.ui.layouts import clear

SHOWN = 4  # macros that are always seen
_WIDTH, _NARROWEST, _HEIGHT = 118, 84, 26


class MacroBar(KnobDial):
    """A knob as a bar with its name in it, in one line of the window."""

    def sizeHint(self) -> QSize:
        return QSize(theme.px(_WIDTH), theme.px(_HEIGHT))

    def minimumSizeHint(self) -> QSize:
        return QSize(theme.px(_NARROWEST), theme.px(_HEIGHT))

    def _row(self, top: float, height: float) -> QRectF:
        return QRectF(self.rect())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        focused = self.hasFocus()
        painter.setPen(QPen(theme.colour(theme.ACCENT), 1) if focused else Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour(theme.HOVER if self.underMouse() else theme.RAISED))
        painter.drawRoundedRect(box, theme.px(5), theme.px(5))
        filled = QRectF(box.left(), box.bottom() - theme.px(4), box.width() * self.scale.place(self.exact), theme.px(3))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour(theme.ACCENT if self.isEnabled() else theme.FAINT))
        painter.drawRoundedRect(filled, theme.px(1.5), theme.px(1.5))
        inner = box.adjusted(theme.px(8), 0, -theme.px(8), -theme.px(3))
        painter.setFont(theme.font(12, QFont.Weight.Medium))
        painter.setPen(theme.colour(theme.TEXT if self.isEnabled() else theme.FAINT))
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(inner, Qt.AlignmentFlag.AlignLeft | middle, self.info.label)
        painter.setPen(theme.colour(theme.MUTED))
        painter.drawText(inner, Qt.AlignmentFlag.AlignRight | middle, f"{self.exact:.0%}")


class MacroStrip(QFrame):
    """Signal: `varied`: open the variations."""

    varied = Signal()

    def __init__(self, board: Board) -> None:
        super().__init__()
        self.setAccessibleName("Macros")
        self._board = board
        self._first, self._others = QHBoxLayout(), QHBoxLayout()
        self._rest = QWidget()
        self._rest.setLayout(self._others)
        self._rest.hide()
        for each in (self._first, self._others):
            each.setContentsMargins(0, 0, 0, 0)
            each.setSpacing(theme.px(6))
        self.more = Button("More", "Four more macros, to which you map knobs by their context menus", name="fold")
        self.more.setCheckable(True)
        self.more.toggled.connect(self._rest.setVisible)
        self.vary = Button("Surprise me\u2026", "Hear four variations of this patch, and keep one", name="fold")
        self.vary.clicked.connect(self.varied)
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.px(8), 0, theme.px(8), 0)
        row.setSpacing(theme.px(6))
        row.addLayout(self._first, 4)
        row.addWidget(self._rest, 4)
        row.addWidget(self.more)
        row.addWidget(self.vary)

    def make(self, description: Description) -> None:
        """Build the bars."""
        clear(self._first)
        clear(self._others)
        own = {info.id: info for info in description.knobs if info.player == INSTRUMENT}
        for number, id in enumerate(MACROS):
            if id in own:
                bar = MacroBar(own[id])
                self._board.add(own[id], bar)
                (self._first if number < SHOWN else self._others).addWidget(bar)
