"""How the band plays with a person, and buttons for what it is to do next."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QMenu, QWidget

from instrument.engine.ipc.messages import Description, KnobInfo, Lead, Press, SetKnob, Telemetry
from instrument.engine.performance.knobs import INSTRUMENT, knob_name
from instrument.engine.surface.buttons import BUTTONS
from instrument.ui import theme
from instrument.ui.knobs.controls import Button, pretty

_MODES = {
    "jam": ("Jam", "All play, and you with them"),
    "answer": ("Answer me", "The lead is silent while you play, and answers you"),
    "accompany": ("Accompany me", "You are the lead; the band follows your chords"),
    "duet": ("Duet", "You and the lead play together"),
}
ACTS = ("form/intro", "form/fill", "form/break", "form/ending", "form/again", "idea/new")
MORE = ("form/previous", "form/pin", "form/new", "chord/release", "answer/now")
_NAMED = {"form/previous": "The section before, again", "form/pin": "Begin sections with these two bars",
          "chord/release": "Back to the chord plan", "answer/now": "Answer now"}  # fmt: skip
ACT_KNOBS = ("mode", "loop")  # of the instrument
LOOPS = (1, 2, 4, 8)  # bars


class ActsBar(QWidget):
    """The signal `asked` carries a command.

    modes: the buttons of the duet switch, by value of the knob; buttons: by name.
    """

    asked = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("What the band does")
        self.modes: dict[str, Button] = {}
        self.buttons: dict[str, Button] = {}
        self._group = QButtonGroup(self)
        self._switch = QHBoxLayout()
        self._switch.setSpacing(theme.px(2))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.px(4))
        row.addLayout(self._switch)
        row.addSpacing(theme.px(10))
        table = {button.name: button for button in BUTTONS}
        for name in ACTS:
            button = self.buttons[name] = Button(table[name].label, table[name].help, name="act")
            button.clicked.connect(partial(self._press, name))
            row.addWidget(button)
        row.addSpacing(theme.px(10))
        self.hold = Button("Hold chord", "Stay on this chord; press again to go back to the plan", name="act")
        self.hold.setCheckable(True)
        self.hold.clicked.connect(self._hold)
        self.loop = Button("Loop", "Play the last bars over and over", name="act")
        self.loop.setCheckable(True)
        self.loop.clicked.connect(self._open_loops)
        self.more = Button("\u2026", "More that the band can do", name="act")
        self.more.clicked.connect(lambda: self._pop(self.menu_of_more(), self.more))
        for each in (self.hold, self.loop, self.more):
            row.addWidget(each)
        row.addStretch(1)
        self._looped = 0

    def make(self, mode: KnobInfo | None) -> None:
        """Build the duet switch from the values of its knob."""
        choices = mode.choices if mode else ()
        if tuple(self.modes) == choices:
            return
        for button in self.modes.values():
            self._group.removeButton(button)
            self._switch.removeWidget(button)
            button.deleteLater()
        self.modes = {}
        for choice in choices:
            name, help = _MODES.get(choice, (pretty(choice), mode.help if mode else ""))
            button = self.modes[choice] = Button(name, help, name="act")
            button.setCheckable(True)
            button.clicked.connect(partial(self._set, "mode", choice))
            self._group.addButton(button)
            self._switch.addWidget(button)

    def show_description(self, description: Description) -> None:
        """Show the mode, and whether bars are looped."""
        values = description.values
        if button := self.modes.get(str(values.get(knob_name(INSTRUMENT, "mode")))):
            button.setChecked(True)
        self._looped = round(float(values.get(knob_name(INSTRUMENT, "loop"), 0)))
        self.loop.setChecked(self._looped > 0)
        self.loop.setText(f"Loop: {self._looped}" if self._looped else "Loop")

    def show_telemetry(self, report: Telemetry) -> None:
        """Show the chord that is held."""
        if bool(report.led) != self.hold.isChecked():
            self.hold.setChecked(bool(report.led))
        text = f"Held: {report.led}" if report.led else "Hold chord"
        if text != self.hold.text():
            self.hold.setText(text)

    def menu_of_loops(self) -> QMenu:
        """How many bars to loop; it deletes itself when closed."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for bars in LOOPS:
            menu.addAction(f"The last {bars} bars" if bars > 1 else "The last bar", partial(self._set, "loop", bars))
        menu.addAction("Go on", partial(self._set, "loop", 0)).setEnabled(self._looped > 0)
        return menu

    def menu_of_more(self) -> QMenu:
        """Other buttons; it deletes itself when closed."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setToolTipsVisible(True)
        table = {button.name: button for button in BUTTONS}
        for name in MORE:
            action = menu.addAction(_NAMED.get(name, table[name].label), partial(self._press, name))
            action.setToolTip(table[name].help)
        return menu

    def _open_loops(self) -> None:
        self.loop.setChecked(self._looped > 0)
        self._pop(self.menu_of_loops(), self.loop)

    def _pop(self, menu: QMenu, button: Button) -> None:
        menu.popup(button.mapToGlobal(button.rect().bottomLeft()))

    def _hold(self, on: bool) -> None:
        self.asked.emit(Press("chord/hold") if on else Lead(""))

    def _press(self, name: str, _checked: bool = False) -> None:
        self.asked.emit(Press(name))

    def _set(self, knob: str, value: float | str, _checked: bool = False) -> None:
        self.asked.emit(SetKnob(knob, value, INSTRUMENT))
