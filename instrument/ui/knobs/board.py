"""Controls built from the engine's description, and kept at the engine's values."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import partial

import msgspec
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QMenu, QWidget

from instrument.engine.ipc.bindings import Binding
from instrument.engine.ipc.messages import Anchor, Description, KnobInfo, MapMacro, ModelInfo, Value
from instrument.engine.performance.acts.macros import targets
from instrument.engine.performance.acts.waiting import timing_knob
from instrument.engine.performance.harmony.leading import BAR, NOW, PLACES
from instrument.engine.performance.knobs import INSTRUMENT, MACROS, knob_name
from instrument.engine.performance.pad import AXES
from instrument.engine.performance.sound_seats import VOICE
from instrument.ui import theme
from instrument.ui.knobs.chip import Chip
from instrument.ui.knobs.controls import Choice, Control, Field, NumberBox, SeedBox, Selector
from instrument.ui.knobs.knob import KnobDial
from instrument.ui.latent_pad.pad import LatentPad

NOTES, SOUNDS = ("notes",), ("voice", "stream")  # kinds of models of note players and of sound players
_PITCHES = frozenset(("low", "high"))  # knobs of the instrument that are MIDI pitches, shown by name
_AXIS_NAMES = ("left and right", "down and up")  # of a pad's axes
_TIMES = {NOW: "At once", "beat": "On the next beat", BAR: "On the next bar"}
_DIAL_STEPS = 1000  # a knob with more steps gets a number field instead of a dial


class Board(QObject):
    """All controls of the window by player and knob.

    Signals: `turned` carries player, knob and the value set by the user; `learned` says that a knob is to learn the
    next MIDI controller (True), or to forget its controller (False).
    controllers: name of a knob -> what turns it ("controller 74"); learning: the knob or button that waits for a
    controller, by name, or ""; values: of all knobs, by name.
    """

    turned = Signal(int, str, object)
    learned = Signal(int, str, bool)
    asked = Signal(object)  # a command
    gripped = Signal(bool)  # a hand takes hold of a control, or lets go

    def __init__(self) -> None:
        super().__init__()
        self.controls: dict[tuple[int, str], Control | KnobDial] = {}
        self.pads: dict[int, LatentPad] = {}
        self.controllers: dict[str, str] = {}
        self.learning = ""
        self.values: dict[str, Value] = {}
        self._description: Description | None = None

    def add(self, info: KnobInfo, control: Control | KnobDial) -> Control | KnobDial:
        """Register a control."""
        self.controls[info.player, info.id] = control
        (control.box if isinstance(control, SeedBox) else control).extend_menu = partial(self._extend_menu, info)
        dragged = control.box if isinstance(control, SeedBox) else control
        if isinstance(dragged, NumberBox | KnobDial):
            dragged.gripped.connect(self.gripped)
        control.turned.connect(lambda value: self.turned.emit(info.player, info.id, value))
        return control

    def add_pad(self, player: int, knobs: Iterable[KnobInfo], name: str) -> LatentPad:
        """The latent pad of a player, in place of its knobs x and y."""
        infos = {info.id: info for info in knobs}
        genres = infos["genre"].choices if "genre" in infos else ("none",)
        pad = self.pads[player] = LatentPad(player, name, genres)
        pad.gripped.connect(self.gripped)
        pad.turned.connect(partial(self.turned.emit, player))
        pad.sounded.connect(lambda axis, value: self.turned.emit(pad.sound_player, axis, value))
        axes = [(infos[axis], axis_name) for axis, axis_name in zip(AXES, _AXIS_NAMES, strict=True) if axis in infos]

        def extend_menu(menu: QMenu) -> None:
            for info, axis_name in axes:
                self._add_learn_actions(info, menu, f" for {axis_name}")

        pad.extend_menu = extend_menu
        return pad

    def show_anchors(self, pads: Sequence[Sequence[Anchor] | None]) -> None:
        """Show the engine's anchors, player by player."""
        for player, pad in self.pads.items():
            pad.show_anchors(pads[player] or ())

    def _extend_menu(self, info: KnobInfo, menu: QMenu) -> None:
        """Add to a control's context menu when it takes effect, and MIDI learn."""
        if when := timing_knob(info):
            now = self.values.get(knob_name(INSTRUMENT, when), NOW)
            effects = menu.addMenu("Takes effect")
            for place in PLACES:
                action = effects.addAction(_TIMES[place], partial(self.turned.emit, INSTRUMENT, when, place))
                action.setCheckable(True)
                action.setChecked(place == now)
        self._add_macros(info, menu)
        self._add_learn_actions(info, menu)

    def _add_macros(self, info: KnobInfo, menu: QMenu) -> None:
        """Add the macros that move this knob, and those that could."""
        description, name = self._description, knob_name(info.player, info.id)
        infos = {knob_name(each.player, each.id): each for each in description.knobs} if description else {}
        if description is None or info.kind != "number" or name not in infos or info.id in MACROS:
            return
        macros = menu.addMenu("Moved by macro")
        for macro in MACROS:
            moved = name in targets(description.macros, macro, infos)
            command = MapMacro(macro, name, 0.0 if moved else 1.0)
            action = macros.addAction(infos[knob_name(INSTRUMENT, macro)].label, partial(self.asked.emit, command))
            action.setCheckable(True)
            action.setChecked(moved)

    def show_description(self, description: Description) -> None:
        """Take which macros move which knobs."""
        self._description = description
        voices = (player for player, kind in enumerate(description.kinds) if kind == VOICE)
        axes = {(info.player, info.id) for info in description.knobs}
        sound = next((player for player in voices if all((player, axis) in axes for axis in AXES)), -1)
        for pad in self.pads.values():
            pad.sound_player = sound

    def _add_learn_actions(self, info: KnobInfo, menu: QMenu, what: str = "") -> None:
        """Add the entries about MIDI learn to a control's context menu. what: appended to the text."""
        menu.addSeparator()
        name = knob_name(info.player, info.id)
        if self.learning == name:
            menu.addAction(f"Stop waiting for a controller{what}", lambda: self.learned.emit(info.player, "", True))
        else:
            text = f"Learn a MIDI controller{what}\u2026"
            menu.addAction(text, lambda: self.learned.emit(info.player, info.id, True))
        bound = self.controllers.get(name)
        if bound:
            menu.addAction(f"Forget MIDI {bound}", lambda: self.learned.emit(info.player, info.id, False))

    def show_bindings(self, bindings: Iterable[Binding]) -> None:
        """Take what MIDI controllers turn and press."""
        kinds = {"control": "controller", "note": "key"}
        self.controllers = {each.name: f"{kinds[each.kind]} {each.number}" for each in bindings}

    def drop(self, keep: Iterable[tuple[int, str]]) -> None:
        """Forget all controls except `keep`, and all pads."""
        self.pads = {}
        self.controls = {name: self.controls[name] for name in keep if name in self.controls}

    def show_values(self, values: Mapping[str, Value], pending: Callable[[int, str], bool]) -> None:
        """Show values by the names of their knobs, except of controls being moved or with a value not confirmed yet."""
        self.values.update(values)
        for (player, id), control in self.controls.items():
            value = values.get(knob_name(player, id))
            if value is not None and not control.held and not pending(player, id):
                control.show_value(value)  # type: ignore[arg-type]
        for player, pad in self.pads.items():
            for axis in AXES:
                if (value := values.get(knob_name(player, axis))) is not None and not pending(player, axis):
                    pad.show_value(axis, float(value))
                value = values.get(knob_name(pad.sound_player, axis)) if pad.sound_player >= 0 else None
                if value is not None and not pending(pad.sound_player, axis):
                    pad.show_sound(axis, float(value))

    def make(self, info: KnobInfo) -> Control | KnobDial:
        """Build and register the control that fits a knob."""
        if info.player == INSTRUMENT and info.id in _PITCHES:
            info = msgspec.structs.replace(info, unit="note")
        if info.kind == "choice":
            return self.add(info, Choice(info))
        if info.kind == "switch":
            return self.add(info, Chip(info))
        if info.step >= 1 and (info.high - info.low) / info.step > _DIAL_STEPS:
            return self.add(info, SeedBox(info))
        return self.add(info, KnobDial(info))


class Panel(QFrame):
    """A titled group of controls in the order of the knobs: lists and fields in columns of two, tall dials."""

    def __init__(self, title: str, fields: Iterable[tuple[str, QWidget, float]], dials: Iterable[QWidget],
                 last: Iterable[tuple[str, QWidget, float]] = ()) -> None:  # fmt: skip
        super().__init__()
        self.setObjectName("panel")
        self.setAccessibleName(title)
        grid = QGridLayout(self)
        grid.setContentsMargins(theme.px(16), theme.px(12), theme.px(16), theme.px(14))
        grid.setHorizontalSpacing(theme.px(14))
        grid.setVerticalSpacing(theme.px(8))
        heading = QLabel(title.upper())
        heading.setProperty("role", "title")
        column = stack(grid, fields, 0)
        row = QHBoxLayout()
        row.setSpacing(theme.px(2))
        for dial in dials:
            row.addWidget(dial, 0, Qt.AlignmentFlag.AlignVCenter)
        if row.count():
            grid.addLayout(row, 1, column, 2, 1)
            column += 1
        column = stack(grid, last, column)
        grid.addWidget(heading, 0, 0, 1, max(1, column))
        grid.setColumnStretch(column, 1)
        grid.setRowStretch(3, 1)


def stack(grid: QGridLayout, fields: Iterable[tuple[str, QWidget, float]], column: int) -> int:
    """Add fields to a grid in columns of two, from `column` on and below its first row. Returns the next column."""
    place = 0
    for place, (name, control, width) in enumerate(fields, start=1):
        row, offset = (place - 1) % 2, (place - 1) // 2
        grid.addWidget(Field(name, control, width), 1 + row, column + offset, Qt.AlignmentFlag.AlignTop)
    return column + (place + 1) // 2


def instrument_panel(board: Board, knobs: Iterable[KnobInfo], title: str = "Instrument") -> Panel:
    """A panel of what belongs to no single player: key, scale, range, seed, level; or the keyboard."""
    made = [(info, board.make(info)) for info in knobs]
    lists = [(info.label, control, 132) for info, control in made if isinstance(control, Choice)]
    dials = [control for _, control in made if isinstance(control, KnobDial)]
    boxes = [(info.label, control, 118) for info, control in made if isinstance(control, SeedBox | Chip)]
    return Panel(title, lists, dials, boxes)


def player_panel(board: Board, title: str, models: Selector, knobs: Iterable[KnobInfo]) -> Panel:
    """The panel of a note player: its model and the knobs of that model."""
    made = [(info, board.make(info)) for info in knobs]
    lists = [(info.label, control, 168) for info, control in made if isinstance(control, Choice)]
    dials = [control for _, control in made if isinstance(control, KnobDial)]
    boxes = [(info.label, control, 118) for info, control in made if isinstance(control, SeedBox | Chip)]
    return Panel(title, [("Model", models, 168), *lists], dials, boxes)


def model_items(models: Iterable[ModelInfo], kinds: Container[str] = NOTES) -> list[tuple[str, str, str]]:
    """The items of a list of models of some kinds: (slug, name, why it cannot be chosen). A broken model whose kind
    is unknown is in every list."""
    return [
        (model.slug, model.name or model.slug, model.problem)
        for model in models
        if model.kind in kinds or (model.problem and not model.kind)
    ]
