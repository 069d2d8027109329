"""The panel of the on-screen keyboard: octave, bend, modulation, sustain, and the keys."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QWidget

from instrument import midi_spec
from instrument.engine.ipc.messages import Description, PlayKeys, SetKnob, Telemetry
from instrument.engine.performance.harmony.leading import HELD, HOLD, OFF
from instrument.engine.performance.knobs import INSTRUMENT, knob_name
from instrument.music.notes import Part
from instrument.ui import theme
from instrument.ui.knobs.controls import Button
from instrument.ui.playing.computer_keys import OFFSETS, ComputerKeys
from instrument.ui.playing.keyboard import Piano
from instrument.ui.roll.score import Score

_MODULATION, _SUSTAIN = 1, 64  # controllers


class Wheel(QWidget):
    """A wheel that is dragged up and down. `moved` carries its place, -1 (or 0) to 1; one that springs goes back to the
    middle."""

    moved = Signal(float)

    def __init__(self, name: str, help: str, springs: bool) -> None:
        super().__init__()
        self.place, self._springs = 0.0, springs
        self._grip: float | None = None
        self.setAccessibleName(name)
        self.setToolTip(help)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def go_to(self, place: float) -> None:
        """Move it."""
        place = min(max(place, -1.0 if self._springs else 0.0), 1.0)
        if place != self.place:
            self.place = place
            self.setAccessibleDescription(f"{100 * place:.0f} percent")
            self.moved.emit(place)
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(theme.px(20), theme.px(54))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()
        self._grip = event.position().y() + self.place * self._travel

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._grip is not None:
            self.go_to((self._grip - event.position().y()) / self._travel)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._grip = None
        if self._springs:
            self.go_to(0.0)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.go_to(self.place + (0.1 if event.key() == Qt.Key.Key_Up else -0.1))
        else:
            event.ignore()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if self._springs and event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down) and not event.isAutoRepeat():
            self.go_to(0.0)

    @property
    def _travel(self) -> float:
        return self.height() / 2 if self._springs else self.height()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        painter.setPen(QPen(theme.colour(theme.ACCENT if self.hasFocus() else theme.TRACK), 1))
        painter.setBrush(theme.colour(theme.RAISED))
        painter.drawRoundedRect(box, theme.px(4), theme.px(4))
        low = (self.place + 1) / 2 if self._springs else self.place
        y = box.bottom() - theme.px(5) - low * (box.height() - theme.px(10))
        painter.setPen(QPen(theme.colour(theme.ACCENT), theme.px(3)))
        painter.drawLine(QPointF(box.left() + theme.px(4), y), QPointF(box.right() - theme.px(4), y))


class KeyboardPanel(QFrame):
    """Signals: `asked` carries a command; `struck`: a key was struck here."""

    asked = Signal(object)
    struck = Signal()

    def __init__(self, score: Score, window: QWidget) -> None:
        super().__init__()
        self.setObjectName("panel")
        self.setAccessibleName("On-screen keyboard")
        self._score = score
        self._base = 60  # the C of the key Z
        self._held: set[int] = set()
        self.piano = Piano()
        self.piano.played.connect(self._play)
        self.piano.split_moved.connect(lambda key: self.asked.emit(SetKnob("split", float(key), INSTRUMENT)))
        self.computer = ComputerKeys(window, self._press, self._release, self.shift)
        self.bend = Wheel("Bend", "Bend: drag up or down; it springs back", True)
        self.bend.moved.connect(self._bend)
        self.modulation = Wheel("Modulation", "Modulation: drag up for vibrato", False)
        self.modulation.moved.connect(lambda place: self._control(_MODULATION, round(127 * place)))
        self.down = Button("\u2212", "An octave lower (key [)", name="mini")
        self.up = Button("+", "An octave higher (key ])", name="mini")
        self.down.clicked.connect(lambda: self.shift(-1))
        self.up.clicked.connect(lambda: self.shift(1))
        self.sustain = Button("Sustain", "Notes ring on until it is pressed again", name="act")
        self.sustain.setCheckable(True)
        self.sustain.toggled.connect(lambda on: self._control(_SUSTAIN, 127 * on))
        self.typed = Button("Computer keys", "Z to M and Q to P play, [ and ] change the octave", name="act")
        self.typed.setCheckable(True)
        self.typed.toggled.connect(self._type)
        self.arranger = Button("Left hand leads", "Keys below the split point give the band its chords", name="act")
        self.arranger.setCheckable(True)
        self.arranger.clicked.connect(lambda on: self.asked.emit(SetKnob("lead", HOLD if on else OFF, INSTRUMENT)))
        octave = QHBoxLayout()
        octave.setSpacing(theme.px(4))
        caption = QLabel("Octave")
        caption.setProperty("role", "caption")
        for widget in (caption, self.down, self.up, self.sustain):
            octave.addWidget(widget)
        octave.addStretch(1)
        second = QHBoxLayout()
        second.setSpacing(theme.px(4))
        second.addWidget(self.typed)
        second.addWidget(self.arranger)
        left = QGridLayout()
        left.setSpacing(theme.px(4))
        left.addLayout(octave, 0, 0)
        left.addLayout(second, 1, 0)
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.px(8), theme.px(4), theme.px(8), theme.px(4))
        row.setSpacing(theme.px(8))
        row.addLayout(left)
        row.addWidget(self.bend)
        row.addWidget(self.modulation)
        row.addWidget(self.piano, 1)
        self.typed.setChecked(True)
        self._name_keys()

    def open(self, on: bool) -> None:
        """Show it, or fold it away. What is held is released then."""
        self.setVisible(on)
        if not on:
            self.release_all()
        self.computer.turn_on(on and self.typed.isChecked())

    def release_all(self) -> None:
        """Release all keys and the pedal."""
        self.computer.release_all()
        self.sustain.setChecked(False)
        for key in tuple(self._held):
            self.piano.release(key)

    def shift(self, octaves: int) -> None:
        """Move the keys by octaves."""
        self._base = min(max(self._base + 12 * octaves, 24), 84)
        self.piano.go_to(self._base - 12)
        self._name_keys()

    def show_description(self, description: Description) -> None:
        """Show the split point, and whether the left hand leads."""
        lead = description.values.get(knob_name(INSTRUMENT, "lead"), OFF)
        split = description.values.get(knob_name(INSTRUMENT, "split"), 60)
        leads = lead in (HELD, HOLD)
        self.arranger.setChecked(leads)
        self.piano.show_split(round(float(split)) if leads else None)

    def show_telemetry(self, report: Telemetry) -> None:
        """Light the keys that a person holds, and the notes of the band."""
        if self.isVisible():
            notes = ((note.part, note.pitch) for note in self._score.sounding if note.part != Part.DRUMS)
            self.piano.show_keys(notes, (*report.keys, *self._held))

    def _name_keys(self) -> None:
        on = self.typed.isChecked()
        self.piano.letters = {self._base + offset: letter for letter, offset in OFFSETS.items()} if on else {}
        self.piano.update()

    def _type(self, on: bool) -> None:
        self.computer.turn_on(on and self.isVisible())
        self._name_keys()

    def _press(self, offset: int) -> None:
        self.piano.press(self._base + offset)

    def _release(self, offset: int) -> None:
        self.piano.release(self._base + offset)

    def _play(self, messages: tuple[bytes, ...]) -> None:
        for message in messages:
            parsed = midi_spec.parse(message)
            if parsed.starts:
                self._held.add(parsed.first)
                self.struck.emit()
            elif parsed.ends:
                self._held.discard(parsed.first)
        self.asked.emit(PlayKeys(messages))

    def _control(self, number: int, value: int) -> None:
        self.asked.emit(PlayKeys((midi_spec.control(0, number, value),)))

    def _bend(self, place: float) -> None:
        value = min(2 * midi_spec.BEND_CENTRE - 1, round(midi_spec.BEND_CENTRE * (1 + place)))
        self.asked.emit(PlayKeys((midi_spec.bend(0, value),)))
