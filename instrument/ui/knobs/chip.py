"""The switch of a knob: a chip with a dot that is filled where it is on."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QFont,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QAbstractButton, QSizePolicy

from instrument.engine.ipc.messages import KnobInfo
from instrument.ui import theme
from instrument.ui.knobs.knob import MenuExtension, control_menu

_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class Chip(QAbstractButton):
    """A switch built from a `KnobInfo` of kind "switch": a coloured dot and a label, grey when off."""

    turned = Signal(float)
    held = False
    extend_menu: MenuExtension | None = None

    def __init__(self, info: KnobInfo, dot: str = theme.ACCENT) -> None:
        super().__init__()
        self.info, self.dot = info, dot
        self.setText(info.label)
        self.setCheckable(True)
        self.setChecked(bool(info.default))
        self.setAccessibleName(info.label)
        self.setToolTip(info.help)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.clicked.connect(lambda on: self.turned.emit(float(on)))

    @property
    def _lit(self) -> bool:
        return self.isChecked()

    @property
    def _filled(self) -> bool:
        return self.isChecked()

    def show_value(self, value: float) -> None:
        """Show the engine's value."""
        self.setChecked(bool(value))

    def reset(self) -> None:
        """Set the default value."""
        if self.isChecked() != bool(self.info.default):
            self.click()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in _ENTER:
            self.click()
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        default = "on" if self.info.default else "off"
        control_menu(self, self.info, default, self.reset, extend=self.extend_menu).popup(event.globalPos())

    def sizeHint(self) -> QSize:
        return QSize(self.fontMetrics().horizontalAdvance(self.text()) + theme.px(34), theme.px(24))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setPen(QPen(theme.colour(theme.ACCENT), 1) if self.hasFocus() else Qt.PenStyle.NoPen)
        on, filled = self._lit, self._filled
        painter.setBrush(theme.colour(theme.HOVER if self.underMouse() else theme.RAISED, 1.0 if on else 0.45))
        painter.drawRoundedRect(box, box.height() / 2, box.height() / 2)
        dot, middle = theme.px(4), box.center().y()
        at = QPointF(theme.px(13), middle)
        painter.setPen(QPen(theme.colour(self.dot if on else theme.FAINT), theme.px(1.4)))
        painter.setBrush(theme.colour(self.dot) if filled else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(at, dot, dot)
        painter.setPen(theme.colour(theme.TEXT if on else theme.MUTED))
        painter.setFont(theme.font(12, QFont.Weight.Medium))
        words = box.adjusted(theme.px(23), 0, 0, 0)
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, self.text())


class PartChip(Chip):
    """The state of a part, from a `KnobInfo` with the choices off, auto and on: grey, a ring, a dot. A click or Return
    goes to the next one."""

    turned = Signal(str)

    def __init__(self, info: KnobInfo, dot: str = theme.ACCENT) -> None:
        super().__init__(info, dot)
        self.setCheckable(False)
        self.clicked.disconnect()
        self.clicked.connect(self._advance)
        self.state = ""
        self.show_value(str(info.default))

    @property
    def _lit(self) -> bool:
        return self.state != self.info.choices[0]

    @property
    def _filled(self) -> bool:
        return self.state == self.info.choices[-1]

    def show_value(self, value: float | str) -> None:
        """Show the engine's value."""
        self.state = str(value)
        self.setAccessibleName(f"{self.info.label}: {self.state}")
        self.setToolTip(f"{self.info.help}. Now: {self.state}")
        self.update()

    def reset(self) -> None:
        """Set the default value."""
        if self.state != self.info.default:
            self._turn(str(self.info.default))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = control_menu(self, self.info, str(self.info.default), self.reset, extend=self.extend_menu)
        menu.popup(event.globalPos())

    def _advance(self) -> None:
        choices = self.info.choices
        self._turn(choices[(choices.index(self.state) + 1) % len(choices)])

    def _turn(self, state: str) -> None:
        self.show_value(state)
        self.turned.emit(state)
