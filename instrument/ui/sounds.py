"""Sound players: a strip for each, and the button that adds one."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import groupby

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QMenu, QVBoxLayout

from instrument.engine.ipc.messages import KnobInfo, ModelInfo
from instrument.ui import icons, theme
from instrument.ui.knobs.board import SOUNDS, Board, stack
from instrument.ui.knobs.chip import Chip
from instrument.ui.knobs.controls import Button, Choice, Control, SeedBox, Selector, pretty
from instrument.ui.knobs.knob import KnobDial
from instrument.ui.meters import StripMeter

STRIP_HEIGHT = 126
MAX_PLAYERS = 16  # most players of a patch
_HEAD = 168  # width of the part that all strips have
_FAMILIES = {"cmelgan": "Endless streams", "ddsp": "Voices that morph while held", "gansynth": "Voices"}


class SoundStrip(QFrame):
    """One sound player: its model, meter and knobs. The signal `removed` says that its close button was pressed."""

    removed = Signal()

    def __init__(self, board: Board, number: int, models: Selector, knobs: Iterable[KnobInfo]) -> None:
        """number: of the sound player, counted from 1."""
        super().__init__()
        self.name = f"Sound {number}"
        self.setObjectName("panel")
        self.setAccessibleName(self.name)
        models.setAccessibleName(f"Model of {self.name.lower()}")
        self.meter = StripMeter(f"Level of {self.name.lower()}")
        self.underruns = QLabel()
        self.underruns.setProperty("role", "alarm")
        self.underruns.setToolTip("This sound was interrupted because the computer was too slow: close other programs")
        self.remove = Button("", f"Remove {self.name.lower()}", icons.icon("close", theme.MUTED), "flat")
        self.remove.clicked.connect(self.removed)
        made = [(info, self._named(board.make(info))) for info in knobs]
        chips = [control for _, control in made if isinstance(control, Chip)]
        fields = [(info.label, control, 118) for info, control in made if isinstance(control, Choice | SeedBox)]
        dials = [control for _, control in made if isinstance(control, KnobDial)]

        title = QLabel(self.name.upper())
        title.setProperty("role", "title")
        above = QHBoxLayout()
        above.addWidget(title)
        above.addStretch(1)
        above.addWidget(self.underruns)
        below = QHBoxLayout()
        for chip in chips:
            chip.dot = theme.WARN
            below.addWidget(chip)
        below.addStretch(1)
        below.addWidget(self.remove)
        head = QVBoxLayout()
        head.setSpacing(theme.px(6))
        head.addLayout(above)
        models.setFixedWidth(theme.px(_HEAD))
        head.addWidget(models)
        head.addWidget(self.meter)
        head.addLayout(below)
        row = QHBoxLayout()
        row.setSpacing(theme.px(2))
        for dial in dials:
            row.addWidget(dial)
        grid = QGridLayout(self)
        grid.setContentsMargins(theme.px(16), theme.px(8), theme.px(12), theme.px(8))
        grid.setHorizontalSpacing(theme.px(14))
        grid.setVerticalSpacing(theme.px(4))
        grid.addLayout(head, 1, 0, 2, 1, Qt.AlignmentFlag.AlignTop)
        column = stack(grid, fields, 1)
        grid.addLayout(row, 1, column, 2, 1)
        grid.setColumnStretch(column + 1, 1)

    def show_levels(self, levels: tuple[float, float], underruns: int) -> None:
        """Take the peaks in dBFS since the last call, and the number of underruns."""
        self.meter.show_levels(levels)
        text = f"Dropouts: {underruns}" if underruns else ""
        if text != self.underruns.text():
            self.underruns.setText(text)

    def _named(self, control: Control | KnobDial) -> Control | KnobDial:
        """Put the player's name into the name for screen readers, because every strip has a level."""
        spoken = control.box if isinstance(control, SeedBox) else control
        spoken.setAccessibleName(f"{self.name}: {spoken.accessibleName()}")
        return control


class AddSound(Button):
    """A button that opens a list of the sound models, by family. The signal `picked` carries a slug."""

    picked = Signal(str)

    def __init__(self) -> None:
        super().__init__("Add sound", "Add a sound player: a voice that plays a part, or an endless stream",
                         icons.icon("add", theme.MUTED), "flat")  # fmt: skip
        self.setIconSize(QSize(theme.px(12), theme.px(12)))
        self._models: tuple[ModelInfo, ...] = ()
        self.clicked.connect(lambda: self.menu_of_models().popup(self.mapToGlobal(self.rect().bottomLeft())))
        self.hide()

    def show_models(self, models: Iterable[ModelInfo], players: int) -> None:
        """Take the list. models: all models; players: the number of players in the patch."""
        self._models = tuple(model for model in models if model.kind in SOUNDS)
        self.setVisible(bool(self._models))
        self.setText("Add sound")
        self.setEnabled(players < MAX_PLAYERS)

    def show_busy(self) -> None:
        """Show that a model is being loaded, until `show_models`."""
        self.setText("Loading\u2026")
        self.setEnabled(False)

    def menu_of_models(self) -> QMenu:
        """The list as a menu; it deletes itself when closed."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setToolTipsVisible(True)
        for family, models in groupby(sorted(self._models, key=lambda m: (m.family, m.name)), lambda m: m.family):
            menu.addAction(_FAMILIES.get(family, pretty(family))).setEnabled(False)
            for model in models:
                action = menu.addAction(f"   {model.name or model.slug}", partial(self.picked.emit, model.slug))
                action.setEnabled(not model.problem)
                action.setToolTip(model.problem)
            menu.addSeparator()
        return menu
