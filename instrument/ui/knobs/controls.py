"""Controls other than the dial: lists, number fields, switches, and buttons."""

from __future__ import annotations

import random
from collections.abc import Iterable

from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QIcon,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QStandardItemModel,
    QValidator,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QListView,
    QPushButton,
    QSizePolicy,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from instrument.engine.ipc.messages import KnobInfo
from instrument.errors import HocketError
from instrument.ui import icons, theme
from instrument.ui.knobs.chip import Chip
from instrument.ui.knobs.knob import MenuExtension, control_menu
from instrument.ui.knobs.values import FINE, Scale
from instrument.ui.knobs.wheel import Wheel, is_fine

_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
_EXACT = 9  # decimals that a number field keeps
_MOST_SHOWN = 3  # decimals that it shows


class Button(QPushButton):
    """A button that is pressed by Enter, because the space bar starts and stops the music."""

    def __init__(self, text: str, help: str, icon: QIcon | None = None, name: str = "") -> None:
        super().__init__(text)
        self.setObjectName(name)
        self.setToolTip(help)
        self.setAccessibleName(text or help)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        if icon is not None:
            self.setIcon(icon)
            self.setIconSize(QSize(theme.px(16), theme.px(16)))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in _ENTER:
            self.click()
        else:
            super().keyPressEvent(event)


class Selector(QComboBox):
    """A list to choose from. Enter or a click opens it, arrow keys step through it."""

    picked = Signal(str)  # by the user, never by `show_items`
    opened = Signal()

    def __init__(self, name: str, help: str = "") -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setToolTip(help)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # not by the wheel
        self.setView(QListView())  # the default view of the Fusion style ignores the style sheet
        self.textActivated.connect(self._pick)
        self._data: tuple[tuple[str, str, str], ...] = ()

    def show_items(self, items: Iterable[tuple[str, str, str]], current: str) -> None:
        """items: (id, text, why it cannot be chosen or ""); current: an id, shown even if it is not among the items."""
        data = tuple(items)
        if current not in (item[0] for item in data):
            data = ((current, current, ""), *data)
        if data != self._data:
            self._data = data
            self.clear()
            for row, (id, text, problem) in enumerate(data):
                self.addItem(text, id)
                model = self.model()
                if problem and isinstance(model, QStandardItemModel):
                    model.item(row).setEnabled(False)
                    self.setItemData(row, problem, Qt.ItemDataRole.ToolTipRole)
        self.setCurrentIndex(self.findData(current))

    def show_busy(self, text: str) -> None:
        """Show `text` in place of the picked item, until the next `show_items`."""
        self.setItemText(self.currentIndex(), text)
        self._data = ()

    def _pick(self, _text: str) -> None:
        self.picked.emit(str(self.currentData()))

    def sizeHint(self) -> QSize:
        return QSize(theme.px(150), super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(theme.px(80), super().minimumSizeHint().height())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in _ENTER:
            self.showPopup()
        else:
            super().keyPressEvent(event)

    def showPopup(self) -> None:
        longest = max((self.fontMetrics().horizontalAdvance(text) for _, text, _ in self._data), default=0)
        self.view().setMinimumWidth(max(self.width(), min(longest + theme.px(48), theme.px(420))))
        super().showPopup()
        self.opened.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()  # the wheel must not change a model or device by accident

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, option = QStylePainter(self), QStyleOptionComboBox()
        self.initStyleOption(option)
        room = self.width() - theme.px(46)
        option.currentText = self.fontMetrics().elidedText(option.currentText, Qt.TextElideMode.ElideMiddle, room)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        at = QPointF(self.width() - theme.px(15), self.height() / 2)
        icons.chevron(painter, at, theme.MUTED if self.isEnabled() else theme.FAINT)


class Choice(Selector):
    """A `Selector` built from a `KnobInfo` of kind "choice"."""

    turned = Signal(str)
    extend_menu: MenuExtension | None = None

    def __init__(self, info: KnobInfo) -> None:
        super().__init__(info.label, info.help)
        self.info = info
        self.show_items(((choice, pretty(choice), "") for choice in info.choices), str(info.default))
        self.picked.connect(self.turned)
        self._wheel = Wheel(self)

    @property
    def held(self) -> bool:
        """Whether the list is open."""
        return self.view().isVisible()

    def show_value(self, value: str) -> None:
        """Show the engine's value."""
        if not self.held:
            self.setCurrentIndex(self.findData(value))

    def reset(self) -> None:
        """Set the default value."""
        self.show_value(str(self.info.default))
        self.turned.emit(str(self.info.default))

    def wheelEvent(self, event: QWheelEvent) -> None:
        by = -round(self._wheel.notches(event, whole=True))
        row = min(max(self.currentIndex() + by, 0), self.count() - 1)
        if row != self.currentIndex():
            self.setCurrentIndex(row)
            self.turned.emit(str(self.currentData()))
        event.accept()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        default = pretty(str(self.info.default))
        control_menu(self, self.info, default, self.reset, extend=self.extend_menu).popup(event.globalPos())


class NumberBox(QDoubleSpinBox):
    """A number to type, drag or step, for ranges that are too wide or too fine for a dial.

    Typed text is read by `Scale.parse`, not by the locale. A typed value is kept exactly; `decimals` are shown, and a
    few more where a value has them.
    """

    turned = Signal(float)
    gripped = Signal(bool)  # a drag begins, or ends
    extend_menu: MenuExtension | None = None

    def __init__(self, info: KnobInfo, decimals: int = 0) -> None:
        super().__init__()
        self.info = info
        self.scale = Scale(info)
        self._shown = decimals
        self._grip: tuple[float, float] | None = None
        self._wheel = Wheel(self)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # not by the wheel
        self.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)
        self.setFrame(False)  # style sheets cannot draw a spin box without buttons, so `paintEvent` draws it
        self.setFixedHeight(theme.px(theme.CONTROL))
        self.lineEdit().setStyleSheet("background: transparent;")
        self.setKeyboardTracking(False)
        self.setDecimals(_EXACT)
        self.setRange(info.low, info.high)
        self.setSingleStep(info.step or 1.0)
        self.setAccessibleName(info.label)
        self.setToolTip(info.help)
        self.setValue(float(info.default))
        self.lineEdit().installEventFilter(self)
        self.valueChanged.connect(self.turned)
        self.editingFinished.connect(lambda: self.lineEdit().deselect())

    @property
    def held(self) -> bool:
        """Whether the user is dragging or typing."""
        return self._grip is not None or (self.hasFocus() and self.lineEdit().isModified())

    def show_value(self, value: float) -> None:
        """Show the engine's value without emitting `turned`."""
        if not self.held and value != self.value():  # setting the same value would repaint
            blocked = self.blockSignals(True)
            self.setValue(value)
            self.blockSignals(blocked)

    def reset(self) -> None:
        """Set the default value."""
        self.setValue(float(self.info.default))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu_at(event.globalPos())

    def menu_at(self, at: QPoint) -> None:
        """Open the context menu."""
        default = self.scale.text(float(self.info.default))
        control_menu(self, self.info, default, self.reset, self.selectAll, self.extend_menu).popup(at)

    def wheelEvent(self, event: QWheelEvent) -> None:
        step = self.singleStep() * (FINE if is_fine(event) else 1.0)
        if notches := self._wheel.notches(event, whole=self.info.step > 0):
            self.setValue(self.scale.snap(self.value() + notches * max(step, self.info.step)))
        event.accept()

    def textFromValue(self, value: float) -> str:
        texts = (f"{value:.{decimals}f}" for decimals in range(self._shown, _MOST_SHOWN + 1))
        return next((text for text in texts if float(text) == value), f"{value:.{self._shown}f}")

    def valueFromText(self, text: str) -> float:
        return self.value() if text == self.textFromValue(self.value()) else self.scale.parse(text)

    def validate(self, text: str, place: int) -> tuple[QValidator.State, str, int]:
        try:
            self.valueFromText(text)
        except HocketError:
            return QValidator.State.Intermediate, text, place
        return QValidator.State.Acceptable, text, place

    def fixup(self, text: str) -> str:
        """What stands in place of text that is no value, and why."""
        try:
            self.valueFromText(text)
        except HocketError as error:
            QToolTip.showText(self.mapToGlobal(self.rect().bottomLeft()), str(error))
        return self.textFromValue(self.value())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.colour(theme.ACCENT), 1) if self.hasFocus() else Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour(theme.HOVER if self.underMouse() else theme.RAISED))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), theme.px(6), theme.px(6))

    def event(self, event: QEvent) -> bool:
        return True if self._is_for_others(event) else super().event(event)

    def _is_for_others(self, event: QEvent) -> bool:
        """Whether the event is the space bar, which plays, as no number contains a space; or undo or redo of the music,
        as nothing was typed."""
        if not isinstance(event, QKeyEvent):
            return False
        undoes = event.matches(QKeySequence.StandardKey.Undo) or event.matches(QKeySequence.StandardKey.Redo)
        if event.key() != Qt.Key.Key_Space and not (undoes and not self.lineEdit().isModified()):
            return False
        event.ignore()
        return True

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if self._is_for_others(event):
            return True
        if kind == QEvent.Type.ContextMenu and isinstance(event, QContextMenuEvent):
            self.menu_at(event.globalPos())
            return True
        if isinstance(event, QMouseEvent):
            return self._dragged(event)
        return super().eventFilter(watched, event)

    def _dragged(self, event: QMouseEvent) -> bool:
        kind = event.type()
        if kind == QEvent.Type.MouseButtonDblClick:
            self.reset()
            return True
        if kind == QEvent.Type.MouseButtonPress and event.button() == Qt.MouseButton.LeftButton:
            self._grip = (event.globalPosition().y(), self.value())
            self.gripped.emit(True)
        elif kind == QEvent.Type.MouseMove and self._grip is not None:
            y, value = self._grip
            fine = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            pixels = (y - event.globalPosition().y()) / theme.zoom()
            value += pixels * self.singleStep() * (FINE if fine else 0.5)
            self._grip = (event.globalPosition().y(), value)
            self.setValue(self.scale.snap(value))
            return True
        elif kind == QEvent.Type.MouseButtonRelease and self._grip is not None:
            self._grip = None
            self.gripped.emit(False)
        return False


class SeedBox(QWidget):
    """A `NumberBox` for a wide range of integers, with a button for a random one."""

    def __init__(self, info: KnobInfo) -> None:
        super().__init__()
        self.info = info
        self.box = NumberBox(info)
        self.turned = self.box.turned
        dice = Button("", f"{info.label}: choose at random", icons.icon("dice", theme.MUTED), "flat")
        dice.clicked.connect(self.randomise)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.px(2))
        row.addWidget(self.box, 1)
        row.addWidget(dice)

    @property
    def held(self) -> bool:
        """Whether the user is dragging or typing."""
        return self.box.held

    def show_value(self, value: float) -> None:
        """Show the engine's value."""
        self.box.show_value(value)

    def reset(self) -> None:
        """Set the default value."""
        self.box.reset()

    def randomise(self) -> None:
        """Set a random value other than the present one."""
        low, high = round(self.info.low), round(self.info.high)
        while (value := random.randint(low, high)) == self.box.value() and high > low:
            pass
        self.box.setValue(value)


class Field(QWidget):
    """A control with its name above it, half as high as a dial."""

    def __init__(self, name: str, control: QWidget, width: float, least: float = 0) -> None:
        """width, least: the largest and least width in pixels at zoom 1. `least` 0 means a fixed width."""
        super().__init__()
        label = QLabel(name)
        label.setProperty("role", "caption")
        label.setBuddy(control)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.px(3))
        column.addWidget(label)
        column.addWidget(control)
        self.setMaximumWidth(theme.px(width))
        self.setMinimumWidth(theme.px(least or width))


Control = Choice | NumberBox | SeedBox | Chip


def pretty(name: str) -> str:
    """An id as text: "jazz_funk" -> "Jazz funk"."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]
