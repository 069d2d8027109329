"""What can be done to the bar of the roll that was clicked: made anew, kept, put back."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QWidget

from instrument.engine.ipc.messages import Press, Remake
from instrument.ui import icons, theme
from instrument.ui.knobs.controls import Button


class BarTools(QFrame):
    """A small bar over the roll. The signal `asked` carries a command."""

    asked = Signal(object)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("tools")
        self.bar, self.player = 0, 0
        self._label = QLabel()
        self.remake = Button("Remake", "Make this bar anew, so that it fits to those around it", name="act")
        self.other = Button("Another", "Hear the next of four candidates for this bar", name="act")
        self.keep = Button("Keep", "Keep the bar as it now is", name="act")
        self.undo = Button("As it was", "Put back what was in the bar before", name="act")
        self.cross = Button("", "Close", icons.icon("close", theme.MUTED), "mini")
        self.remake.clicked.connect(lambda: self.asked.emit(Remake(self.bar + 1, self.player)))
        self.other.clicked.connect(lambda: self.asked.emit(Press("remake/other")))
        self.keep.clicked.connect(lambda: self._end("remake/keep"))
        self.undo.clicked.connect(lambda: self._end("remake/undo"))
        self.cross.clicked.connect(self.hide)
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.px(8), theme.px(3), theme.px(4), theme.px(3))
        row.setSpacing(theme.px(4))
        row.addWidget(self._label)
        for button in (self.remake, self.other, self.keep, self.undo, self.cross):
            row.addWidget(button)
        self.hide()

    def open(self, bar: int, player: int) -> None:
        """Show it for a bar, counted from 0, of a player."""
        self.bar, self.player = bar, player
        self._label.setText(f"Bar {bar + 1}, player {player + 1}")
        self.adjustSize()
        self.show()
        self.raise_()

    def _end(self, button: str) -> None:
        self.asked.emit(Press(button))
        self.hide()
