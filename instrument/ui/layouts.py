"""Helpers for windows: a layout that wraps, the order of tab keys, clearing, and actions with their keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from PySide6.QtCore import QMargins, QPoint, QRect, QSize, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QHBoxLayout, QLayout, QLayoutItem, QScrollArea, QVBoxLayout, QWidget

from instrument.ui import theme


class FlowLayout(QLayout):
    """Lays widgets out in rows, and begins another row where the width ends. Rows are aligned at the top."""

    def __init__(self, spacing: float = 8) -> None:
        super().__init__()
        self._items: list[QLayoutItem] = []
        self.setContentsMargins(QMargins())
        self.setSpacing(theme.px(spacing))

    def addItem(self, item: QLayoutItem) -> None:
        self._items.append(item)

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._arrange(QRect(0, 0, width, 0), False)

    def setGeometry(self, area: QRect) -> None:
        super().setGeometry(area)
        self._arrange(area, True)

    def sizeHint(self) -> QSize:
        return self.minimumSize()

    def minimumSize(self) -> QSize:
        size = QSize()
        for item in self._items:
            size = size.expandedTo(item.minimumSize())
        return size

    def _arrange(self, area: QRect, move: bool) -> int:
        """Place the items, or only compute the height that they need."""
        x, y, high = area.x(), area.y(), 0
        for item in self._items:
            if item.isEmpty():
                continue
            size = item.sizeHint()
            if x > area.x() and x + size.width() > area.right() + 1:
                x, y, high = area.x(), y + high + self.spacing(), 0
            if move:
                item.setGeometry(QRect(QPoint(x, y), size))
            x, high = x + size.width() + self.spacing(), max(high, size.height())
        return y + high - area.y()


class ScrollRow(QScrollArea):
    """A row that is moved by its wheel where it is too wide, without a bar; the layout `contents` holds it."""

    def __init__(self, height: float) -> None:
        super().__init__()
        panels = QWidget()
        self.contents = QHBoxLayout(panels)
        self.contents.setContentsMargins(QMargins())
        self.contents.setSpacing(theme.px(6))
        _quiet(self, panels)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFixedHeight(theme.px(height))


class ScrollColumn(QScrollArea):
    """A column that scrolls up and down where it is too high; the layout `contents` holds it."""

    def __init__(self) -> None:
        super().__init__()
        inside = QWidget()
        self.contents = QVBoxLayout(inside)
        self.contents.setContentsMargins(QMargins())
        self.contents.setSpacing(theme.px(2))
        _quiet(self, inside)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)


def _quiet(area: QScrollArea, inside: QWidget) -> None:
    area.setWidget(inside)
    area.setWidgetResizable(True)
    area.setFrameShape(QScrollArea.Shape.NoFrame)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    inside.setAutoFillBackground(False)
    area.viewport().setAutoFillBackground(False)


def in_reading_order(within: QWidget | None) -> Iterator[QWidget]:
    """The widgets that accept keyboard focus, in the order of the screen."""
    if within is None:
        return
    if within.focusPolicy() & Qt.FocusPolicy.TabFocus:
        yield within
    elif isinstance(within, QScrollArea):
        yield from in_reading_order(within.widget())
    elif (layout := within.layout()) is not None:
        for widget in _laid_out(layout):
            yield from in_reading_order(widget)


def _laid_out(layout: QLayout) -> Iterator[QWidget]:
    for at in range(layout.count()):
        item = layout.itemAt(at)
        if item is not None and (widget := item.widget()) is not None:
            yield widget
        elif item is not None and (inner := item.layout()) is not None:
            yield from _laid_out(inner)


def clear(layout: QLayout) -> None:
    """Remove and delete all widgets of a layout."""
    while (item := layout.takeAt(0)) is not None:
        if (widget := item.widget()) is not None:
            widget.hide()
            widget.deleteLater()


def add_actions(window: QWidget, table: Iterable[tuple[str, str, Callable[[], object]]]) -> list[QAction]:
    """Add actions to a window, by rows of name, keys and what they do. One without keys is a separator."""
    actions = []
    for name, keys, do in table:
        action = QAction(name, window)
        action.setSeparator(not keys)
        action.setShortcuts([QKeySequence(key) for key in keys.split()])
        action.setAutoRepeat(False)
        action.triggered.connect(do)
        window.addAction(action)
        actions.append(action)
    return actions
