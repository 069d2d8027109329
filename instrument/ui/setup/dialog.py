"""The settings: sound, look, folders, help."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from instrument.engine.ipc.messages import Description, Telemetry
from instrument.engine.performance.knobs import INSTRUMENT, INSTRUMENT_KNOBS, knob_name
from instrument.ui import theme
from instrument.ui.knobs.controls import Button, Field, Selector
from instrument.ui.knobs.knob import KnobDial

BUFFER = next(info for info in INSTRUMENT_KNOBS if info.id == "buffer")
Row = tuple[str, str, Callable[[], object]]  # text and help of a button, and what it does


class SettingsDialog(QDialog):
    """A window beside the main one.

    Signals: `turned` carries player, knob and value; `zoomed` a zoom factor.
    """

    turned = Signal(int, str, object)
    zoomed = Signal(float)
    looked = Signal()  # the other theme is wanted

    def __init__(self, parent: QWidget, rows: Iterable[tuple[str, Iterable[Row]]]) -> None:
        """rows: titles with buttons below them."""
        super().__init__(parent)
        self.setWindowTitle("Settings")
        self.buffer = KnobDial(BUFFER)
        self.buffer.turned.connect(lambda value: self.turned.emit(INSTRUMENT, BUFFER.id, value))
        self.sound = QLabel()
        self.sound.setWordWrap(True)
        self.zoom = Selector("Size of the window's text and controls", "Larger or smaller (Ctrl+Plus, Ctrl+Minus)")
        self.zoom.picked.connect(lambda factor: self.zoomed.emit(float(factor)))
        self.look = Selector("Theme", "Dark or light (Ctrl+L)")
        self.look.show_items(((theme.DARK, "Dark", ""), (theme.LIGHT, "Light", "")), theme.look)
        self.look.picked.connect(lambda look: self.looked.emit() if look != theme.look else None)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme.px(12),) * 4)
        column.setSpacing(theme.px(10))
        first = QHBoxLayout()
        first.addWidget(self.buffer)
        first.addWidget(self.sound, 1)
        column.addWidget(_panel("Sound", first))
        look = QHBoxLayout()
        look.addWidget(Field("Size", self.zoom, 120))
        look.addWidget(Field("Theme", self.look, 120))
        look.addStretch(1)
        column.addWidget(_panel("Look", look))
        for title, buttons in rows:
            row = QHBoxLayout()
            for text, help, do in buttons:
                button = Button(text, help)
                button.clicked.connect(lambda _, do=do: do())
                row.addWidget(button)
            row.addStretch(1)
            column.addWidget(_panel(title, row))
        column.addStretch(1)
        self.setMinimumWidth(theme.px(520))
        self.show_zoom()

    def show_zoom(self) -> None:
        """Show the present size."""
        items = [(str(factor), f"{factor:.0%}", "") for factor in theme.ZOOMS]
        self.zoom.show_items(items, str(min(theme.ZOOMS, key=lambda factor: abs(factor - theme.zoom()))))

    def show_description(self, description: Description) -> None:
        """Take the value of the buffer."""
        value = description.values.get(knob_name(INSTRUMENT, BUFFER.id))
        if value is not None:
            self.buffer.show_value(float(value))

    def show_telemetry(self, report: Telemetry) -> None:
        """Show the device, its rate, the latency and what would help."""
        lost = report.starved + report.xruns
        advice = (
            f"{lost} dropouts so far: a larger buffer gives fewer, and all is heard later."
            if lost
            else "No dropouts so far."
            if not self.buffer.exact
            else "No dropouts so far: a smaller buffer lets you hear what you play sooner."
        )
        text = f"{report.audio}. What you do is heard after {report.latency_ms:.0f} ms. {advice}"
        if text != self.sound.text():
            self.sound.setText(text)


def _panel(title: str, row: QHBoxLayout) -> QFrame:
    panel = QFrame()
    panel.setObjectName("panel")
    panel.setAccessibleName(title)
    column = QVBoxLayout(panel)
    column.setContentsMargins(theme.px(16), theme.px(10), theme.px(16), theme.px(12))
    heading = QLabel(title.upper())
    heading.setProperty("role", "title")
    column.addWidget(heading)
    column.addLayout(row)
    return panel
