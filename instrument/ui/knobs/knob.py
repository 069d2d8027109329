"""The dial that turns a knob of kind "number"."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QContextMenuEvent,
    QFocusEvent,
    QFont,
    QKeyEvent,
    QLinearGradient,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import QDial, QLineEdit, QMenu, QToolTip, QWidget

from instrument.engine.ipc.messages import KnobInfo
from instrument.errors import HocketError
from instrument.ui import theme
from instrument.ui.knobs.values import FINE, Scale
from instrument.ui.knobs.wheel import Wheel, is_fine

_TRAVEL = 200  # pixels of drag from one end to the other, before the zoom
_SWEEP = 270.0  # degrees from one end to the other
_LABEL, _FACE, _VALUE = 18, 60, 20  # heights of the three rows
_WIDTH = 80
_PERCENT = 100

MenuExtension = Callable[[QMenu], object]  # adds to a context menu


class KnobDial(QDial):
    """A dial built from a `KnobInfo` of kind "number".

    Drag up or down (Shift: fine), wheel (see `Wheel`), arrows, PageUp and PageDown, Home and End; double-click, Delete
    or Backspace resets; Enter or a digit types an exact value; the context menu has help. `turned` is emitted with
    the new value when the user, and not the engine, changed it.
    """

    turned = Signal(float)
    gripped = Signal(bool)  # a drag begins, or ends
    extend_menu: MenuExtension | None = None

    def __init__(self, info: KnobInfo, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.info = info
        self.scale = Scale(info)
        self.exact = self.scale.snap(float(info.default))
        self._grip: tuple[float, float] | None = None  # y of the pointer and place on the dial at the last move
        self._wheel = Wheel(self)
        self._typed: QLineEdit | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(info.label)
        self.setToolTip(info.help)
        # The integer value of QDial is only for screen readers: the value itself, or percent of the range.
        self._counts = info.step >= 1 and info.high - info.low < 1e6
        self.setRange(*((round(info.low), round(info.high)) if self._counts else (0, _PERCENT)))
        self._update_value()
        self.valueChanged.connect(self._set_by_screen_reader)

    @property
    def held(self) -> bool:
        """Whether the user is dragging or typing. The engine's values must not move it then."""
        return self._grip is not None or self._typed is not None

    def show_value(self, value: float) -> None:
        """Show the engine's value without emitting `turned`."""
        if not self.held and value != self.exact:
            self.exact = value
            self._update_value()

    def reset(self) -> None:
        """Set the default value."""
        self._turn(float(self.info.default))

    def type_value(self, start: str = "") -> None:
        """Open a field to type an exact value in. start: its text, else the present value."""
        if self._typed is not None:
            return
        self._typed = field = QLineEdit(start, self)
        field.setObjectName("typed")
        field.setAlignment(Qt.AlignmentFlag.AlignCenter)
        field.setAccessibleName(f"{self.info.label}: value")
        field.setGeometry(self._row(_LABEL + _FACE, _VALUE).toRect())
        if not start:
            field.setText(self.scale.exact_text(self.exact))
            field.selectAll()
        field.installEventFilter(self)
        field.show()
        field.setFocus(Qt.FocusReason.OtherFocusReason)

    def sizeHint(self) -> QSize:
        return QSize(theme.px(_WIDTH), theme.px(_LABEL + _FACE + _VALUE))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    # -- turning

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._grip = (event.position().y(), self.scale.place(self.exact))
            self.gripped.emit(True)
            self.update()
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._grip is not None:
            y, place = self._grip
            travelled = (y - event.position().y()) / (_TRAVEL * theme.zoom())
            place += travelled * (FINE if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1.0)
            # The place is kept unrounded, so that slow drags cross the steps, and clipped to the ends.
            self._grip = (event.position().y(), min(max(place, 0.0), 1.0))
            self._turn(self.scale.value(place))
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._let_go()
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.reset()
        event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if notches := self._wheel.notches(event, whole=self.info.step > 0):
            self._step(notches, is_fine(event))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, fine = event.key(), bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if key in _STEPS:
            self._step(_STEPS[key], fine)
        elif key == Qt.Key.Key_Home:
            self._turn(self.info.low)
        elif key == Qt.Key.Key_End:
            self._turn(self.info.high)
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.reset()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_F2):
            self.type_value()
        elif event.text() and (event.text().isdecimal() or event.text() in ".,-"):
            self.type_value(event.text())
        else:
            event.ignore()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu().popup(event.globalPos())

    def menu(self) -> QMenu:
        """The context menu; it deletes itself when closed."""
        default = self.scale.text(float(self.info.default))
        return control_menu(self, self.info, default, self.reset, self.type_value, self.extend_menu)

    def _step(self, notches: float, fine: bool) -> None:
        self._turn(self.scale.moved(self.exact, notches * (FINE if fine else 1.0)))

    def _turn(self, value: float) -> None:
        value = self.scale.snap(value)
        if value != self.exact:
            self.exact = value
            self._update_value()
            self.turned.emit(value)

    def _update_value(self) -> None:
        text = self.scale.text(self.exact)
        self.setAccessibleDescription(f"{text}. {self.info.help}")
        shown = round(self.exact) if self._counts else round(self.scale.place(self.exact) * _PERCENT)
        blocked = self.blockSignals(True)
        self.setValue(shown)
        self.blockSignals(blocked)
        QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.ValueChanged))
        self.update()

    def _set_by_screen_reader(self, shown: int) -> None:
        self._turn(float(shown) if self._counts else self.scale.value(shown / _PERCENT))

    # -- typing

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is not self._typed:
            return False
        if event.type() == QEvent.Type.FocusOut:
            self._close_typed()
        elif isinstance(event, QKeyEvent) and event.key() in _TYPING_KEYS:
            event.accept()  # also as a shortcut: Escape closes the field and is not Panic here
            if event.type() == QEvent.Type.KeyPress:
                self._close_typed() if event.key() == Qt.Key.Key_Escape else self._take_typed()
            return True
        return False

    def _take_typed(self) -> None:
        if self._typed is None:
            return
        if self._typed.text() == self.scale.exact_text(self.exact):
            self._close_typed()
            return
        try:
            value = self.scale.parse(self._typed.text())
        except HocketError as error:
            QToolTip.showText(self._typed.mapToGlobal(QPointF(0, self._typed.height()).toPoint()), str(error))
            self._typed.selectAll()
            return
        self._close_typed()
        self._turn(value)

    def _close_typed(self) -> None:
        if (field := self._typed) is not None:
            self._typed = None
            field.removeEventFilter(self)
            field.hide()
            field.deleteLater()
            self.setFocus(Qt.FocusReason.OtherFocusReason)

    # -- painting

    def enterEvent(self, event: object) -> None:
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self.update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._let_go()

    def _let_go(self) -> None:
        if self._grip is not None:
            self._grip = None
            self.gripped.emit(False)
        self.update()

    def _row(self, top: float, height: float) -> QRectF:
        return QRectF(0, theme.px(top), self.width(), theme.px(height))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        enabled = self.isEnabled()
        highlighted = enabled and (self.underMouse() or self._grip is not None or self.hasFocus())
        painter.setFont(theme.font(theme.CAPTION))
        painter.setPen(theme.colour(theme.MUTED if enabled else theme.FAINT))
        centred = Qt.AlignmentFlag.AlignCenter
        label = painter.fontMetrics().elidedText(self.info.label, Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(self._row(0, _LABEL), centred, label)
        painter.setFont(theme.font(theme.CAPTION, QFont.Weight.Medium))
        painter.setPen(theme.colour(theme.TEXT if highlighted else theme.MUTED if enabled else theme.FAINT))
        text = self.scale.text(self.exact)
        if painter.fontMetrics().horizontalAdvance(text) > self.width():
            text = self.scale.text(self.exact, unit=False)
        painter.drawText(self._row(_LABEL + _FACE, _VALUE), centred, text)
        face = self._row(_LABEL, _FACE)
        side = face.height() - theme.px(6)
        box = QRectF(face.center().x() - side / 2, face.center().y() - side / 2 + theme.px(2), side, side)
        draw_dial(painter, box, self.scale.place(self.exact), self.scale.origin, enabled, highlighted, self.hasFocus())


_TYPING_KEYS = (Qt.Key.Key_Escape, Qt.Key.Key_Return, Qt.Key.Key_Enter)
_STEPS: dict[int, float] = {
    Qt.Key.Key_Up: 1, Qt.Key.Key_Right: 1, Qt.Key.Key_Down: -1, Qt.Key.Key_Left: -1,
    Qt.Key.Key_PageUp: 10, Qt.Key.Key_PageDown: -10,
}  # fmt: skip


def draw_dial(
    painter: QPainter, box: QRectF, place: float, origin: float, enabled: bool, highlighted: bool, focused: bool
) -> None:
    """Paint the face of a dial: track, arc from `origin` to `place` (both 0..1), cap and pointer."""
    width = theme.px(3)
    ring = box.adjusted(width / 2, width / 2, -width / 2, -width / 2)

    def arc(start: float, end: float, name: str) -> None:
        pen = QPen(theme.colour(name), width)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        first = 90 + _SWEEP / 2 - start * _SWEEP
        painter.drawArc(ring, round(first * 16), round(-(end - start) * _SWEEP * 16))

    arc(0.0, 1.0, theme.TRACK)
    if enabled and place != origin:
        arc(min(origin, place), max(origin, place), theme.ACCENT)
    inset = width + theme.px(3.5)
    cap = box.adjusted(inset, inset, -inset, -inset)
    shade = QLinearGradient(cap.topLeft(), cap.bottomLeft())
    shade.setColorAt(0, theme.colour(theme.KNOB_LIT if highlighted else theme.KNOB))
    shade.setColorAt(1, theme.colour(theme.KNOB_FOOT))
    painter.setBrush(shade)
    painter.setPen(QPen(theme.colour(theme.TEXT if focused else theme.GROUND), theme.px(1.4 if focused else 1)))
    painter.drawEllipse(cap)
    angle = math.radians((place - 0.5) * _SWEEP)
    direction = QPointF(math.sin(angle), -math.cos(angle))
    pen = QPen(theme.colour(theme.TEXT if enabled else theme.FAINT), theme.px(2))
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    painter.setPen(pen)
    reach = cap.width() / 2
    painter.drawLine(cap.center() + direction * reach * 0.42, cap.center() + direction * reach * 0.8)


def control_menu(
    widget: QWidget,
    info: KnobInfo,
    default: str,
    reset: Callable[[], object],
    type_value: Callable[[], object] | None = None,
    extend: MenuExtension | None = None,
) -> QMenu:
    """The context menu that all controls share: help, reset, and typing a value if `type_value` is given. `extend`
    adds more entries."""
    menu = QMenu(widget)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    heading = menu.addAction(info.help or info.label)
    heading.setEnabled(False)
    menu.addSeparator()
    menu.addAction(f"Reset to {default}", reset)
    if type_value is not None:
        menu.addAction("Type a value\u2026", type_value)
    if extend is not None:
        extend(menu)
    return menu
