"""The knobs of what is chosen in the list of players: the first ones at once, the others behind *More*."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from instrument.engine.ipc.messages import KnobInfo
from instrument.ui import theme
from instrument.ui.band.words import comes_first
from instrument.ui.knobs.board import Board
from instrument.ui.knobs.controls import Button, Control, Field, SeedBox
from instrument.ui.knobs.knob import KnobDial
from instrument.ui.layouts import FlowLayout

_WIDE, _LONG = 136, 20  # width of a number field, and of a list that has more choices than this
_FIELD = 112  # width of lists and number fields


class KnobPage(QWidget):
    """The signal `resized` says that it needs another height."""

    resized = Signal()

    def __init__(self, board: Board, title: str, of: str, knobs: Iterable[KnobInfo]) -> None:
        """of: "band", "you", or the kind of player."""
        super().__init__()
        infos = list(knobs)
        self.more = Button("More", f"Show the other knobs of {title.lower()}", name="fold")
        self.more.setCheckable(True)
        self.more.setAccessibleName(f"More knobs of {title.lower()}")
        self.more.toggled.connect(self._show_others)
        heading = QLabel(title.upper())
        heading.setProperty("role", "title")
        head = QHBoxLayout()
        head.addWidget(heading)
        head.addStretch(1)
        head.addWidget(self.more)
        self._first, self._others = QWidget(), QWidget()
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(theme.px(12), theme.px(4), theme.px(8), theme.px(6))
        column.setSpacing(theme.px(4))
        column.addLayout(head)
        many = []
        for part, first in ((self._first, True), (self._others, False)):
            flow = FlowLayout(6)
            part.setLayout(flow)
            for widget in _columns(board, (info for info in infos if comes_first(info, of) == first)):
                flow.addWidget(widget)
            column.addWidget(part)
            many.append(flow.count())
        column.addStretch(1)
        self.more.setVisible(many[1] > 0)
        if not many[0]:
            self.more.hide()
            self._first.hide()
        else:
            self._others.hide()

    def needed_height(self, width: int) -> int:
        """Pixels for all that is shown, in this width."""
        return self._column.totalHeightForWidth(width)

    def _show_others(self, on: bool) -> None:
        self._others.setVisible(on)
        self._first.setVisible(not on)
        self.more.setText("Back" if on else "More")
        self.resized.emit()


def _columns(board: Board, knobs: Iterable[KnobInfo]) -> Iterator[QWidget]:
    """Dials, and lists and fields two in a column."""
    made = [(info, board.make(info)) for info in knobs]
    fields = [_field(info, control) for info, control in made if not isinstance(control, KnobDial)]
    for at in range(0, len(fields), 2):
        column = QWidget()
        stack = QVBoxLayout(column)
        stack.setContentsMargins(0, 0, theme.px(6), 0)
        stack.setSpacing(theme.px(5))
        for field in fields[at : at + 2]:
            stack.addWidget(field, 0, Qt.AlignmentFlag.AlignTop)
        stack.addStretch(1)
        yield column
    yield from (control for _, control in made if isinstance(control, KnobDial))


def _field(info: KnobInfo, control: Control | KnobDial) -> QWidget:
    if info.kind == "switch":
        return control
    return Field(info.label, control, _WIDE if isinstance(control, SeedBox) or len(info.choices) > _LONG else _FIELD)
