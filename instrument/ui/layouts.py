"""Helpers for layouts: a row that scrolls, the order of tab keys, and clearing."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QBoxLayout, QFrame, QHBoxLayout, QLayout, QScrollArea, QWidget

from instrument.ui import theme


class ScrollRow(QScrollArea):
    """A row of panels that scrolls sideways when they are too wide; the layout `contents` holds them."""

    def __init__(self, height: float) -> None:
        super().__init__()
        panels = QWidget()
        self.contents = QHBoxLayout(panels)
        self.contents.setContentsMargins(0, 0, 0, 0)
        self.contents.setSpacing(theme.px(10))
        self.setWidget(panels)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFixedHeight(theme.px(height))


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


def clear(layout: QBoxLayout) -> None:
    """Remove and delete all widgets of a layout."""
    while (item := layout.takeAt(0)) is not None:
        if (widget := item.widget()) is not None:
            widget.hide()
            widget.deleteLater()
