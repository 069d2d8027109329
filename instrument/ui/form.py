"""The buttons that act on the form of the music."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel

from instrument.engine.surface.buttons import BUTTONS
from instrument.ui import theme
from instrument.ui.knobs.controls import Button

FORM = tuple(button for button in BUTTONS if button.name.startswith("form/"))
ROWS = 2


class FormPanel(QFrame):
    """A panel with a button for each row of the table whose name begins with "form/".

    buttons: by name; pressed: carries a name.
    """

    pressed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("panel")
        self.setAccessibleName("Form")
        grid = QGridLayout(self)
        grid.setContentsMargins(theme.px(16), theme.px(12), theme.px(16), theme.px(14))
        grid.setHorizontalSpacing(theme.px(8))
        grid.setVerticalSpacing(theme.px(8))
        heading = QLabel("FORM")
        heading.setProperty("role", "title")
        columns = -(-len(FORM) // ROWS)
        grid.addWidget(heading, 0, 0, 1, columns)
        self.buttons: dict[str, Button] = {}
        for number, row in enumerate(FORM):
            button = self.buttons[row.name] = Button(row.label, row.help)
            button.clicked.connect(partial(self._press, row.name))
            grid.addWidget(button, 1 + number // columns, number % columns)
        grid.setRowStretch(1 + ROWS, 1)

    def _press(self, name: str, _checked: bool = False) -> None:
        self.pressed.emit(name)
