"""The dialog of variations: a little or a lot, with locks; four to hear, and one to keep."""

from __future__ import annotations

import secrets

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from instrument.engine.ipc.messages import Description, SetKnob, Value
from instrument.engine.performance.knobs import split_name
from instrument.ui import theme
from instrument.ui.knobs.controls import Button, Field, Selector
from instrument.ui.link import EngineLink
from instrument.ui.macros.variations import COUNT, LITTLE, LOCKS, LOT, changed, variations


class Surprise(QObject):
    """Opens the dialog. One dialog at a time."""

    def __init__(self, window: QWidget, link: EngineLink) -> None:
        super().__init__(window)
        self._window, self._link = window, link
        self._description: Description | None = None
        self.dialog: SurpriseDialog | None = None
        link.described.connect(self._described)

    def open(self) -> None:
        """Offer variations of what plays now."""
        if self._description is None:
            return
        if self.dialog is not None:
            self.dialog.close()
        self.dialog = SurpriseDialog(self._window, self._link, self._description)
        self.dialog.show()

    def _described(self, description: Description) -> None:
        self._description = description
        if self.dialog is not None and description.players != self.dialog.players:
            self.dialog.close()  # it has variations of other players
            self.dialog = None


class SurpriseDialog(QDialog):
    """Each variation is heard at once, and undone as one step."""

    def __init__(self, parent: QWidget, link: EngineLink, description: Description) -> None:
        super().__init__(parent)
        self.setWindowTitle("Surprise me")
        self.players = description.players
        self._link, self._description = link, description
        self._before = dict(description.values)
        self._now = dict(description.values)
        self.far = Selector("How far", "How far the variations are from what plays now")
        self.far.show_items(((str(LITTLE), "A little", ""), (str(LOT), "A lot", "")), str(LITTLE))
        self.far.picked.connect(self.draw)
        self.locks = {}
        above = QHBoxLayout()
        above.addWidget(Field("How far", self.far, 110))
        caption = QLabel("Keep as it is:")
        caption.setProperty("role", "caption")
        above.addWidget(caption)
        for name, help in LOCKS.items():
            lock = self.locks[name] = Button(name, help)
            lock.setCheckable(True)
            lock.toggled.connect(self.draw)
            above.addWidget(lock)
        self.letters = [Button("ABCD"[number], f"Hear variation {'ABCD'[number]}") for number in range(COUNT)]
        middle = QHBoxLayout()
        for number, letter in enumerate(self.letters):
            letter.clicked.connect(lambda _, number=number: self.hear(number))
            middle.addWidget(letter)
        self.original = Button("As it was", "Hear what was there before")
        self.original.clicked.connect(self.put_back)
        others = Button("Four others", "Draw four other variations")
        others.clicked.connect(self.draw)
        middle.addWidget(self.original)
        middle.addWidget(others)
        keep = Button("Keep", "Keep what plays now, and close")
        keep.clicked.connect(self.accept)
        undo = Button("Undo", "Put back what was there before, and close")
        undo.clicked.connect(self.reject)
        below = QHBoxLayout()
        below.addStretch(1)
        below.addWidget(undo)
        below.addWidget(keep)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme.px(14),) * 4)
        column.setSpacing(theme.px(10))
        for row in (above, middle, below):
            column.addLayout(row)
        self.draw()

    def draw(self, *_: object) -> None:
        """Draw other variations of what was there."""
        locked = {name for name, lock in self.locks.items() if lock.isChecked()}
        self._drawn = variations(self._description, float(self.far.currentData()), locked, secrets.randbits(32))

    def hear(self, number: int) -> None:
        """Turn the knobs to a variation."""
        self._turn({**self._before, **self._drawn[number]})

    def put_back(self) -> None:
        """Turn the knobs to what was there."""
        self._turn(self._before)

    def reject(self) -> None:
        """Close, with what was there."""
        self.put_back()
        super().reject()

    def _turn(self, values: dict[str, Value]) -> None:
        self._link.grip(True)
        for name, value in changed(self._now, values).items():
            player, knob = split_name(name)
            self._link.send(SetKnob(knob, value, player))
        self._link.grip(False)
        self._now = values
