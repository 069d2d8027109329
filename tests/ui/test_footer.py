"""The bar at the foot of the window: devices, the offset; and what MIDI controllers turn."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from instrument.engine.ipc.bindings import Binding
from instrument.engine.ipc.messages import Describe, Learn, SetDevice
from instrument.ui.knobs.controls import NumberBox, Selector
from instrument.ui.knobs.knob import KnobDial
from instrument.ui.window import Window
from tests.ui.stand_in import EngineStandIn


def test_devices_in_use_and_others(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    def texts(selector: Selector) -> list[str]:
        return [selector.itemText(i) for i in range(selector.count())]

    audio, midi = window.footer.audio, window.footer.midi
    qtbot.waitUntil(lambda: bool(audio.currentText()), timeout=5000)
    assert texts(audio) == ["Default device", "Built-in Audio, 48000 Hz", "Scarlett 2i2", "No sound"]
    assert audio.currentText() == "Built-in Audio, 48000 Hz"
    assert texts(midi) == ["Hocket (alsa)", "FluidSynth", "Midi Through", "No port"]
    qtbot.keyClick(audio, Qt.Key.Key_Down)
    qtbot.keyClick(midi, Qt.Key.Key_Down)
    keyboard = window.footer.input
    assert texts(keyboard) == ["Hocket in (alsa)", "Keystation 49", "No keyboard"]
    qtbot.keyClick(keyboard, Qt.Key.Key_Down)
    assert engine.commands(SetDevice) == [
        SetDevice(audio="Scarlett 2i2"), SetDevice(midi="FluidSynth"), SetDevice(midi_in="Keystation 49"),
    ]  # fmt: skip
    engine.audio, engine.midi = "null", "null"
    qtbot.waitUntil(lambda: (audio.currentText(), midi.currentText()) == ("No sound", "No port"), timeout=5000)


def test_the_offset_of_the_midi_port(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    window.unfold("devices")
    offset = window.footer.offset
    qtbot.keyClick(offset, Qt.Key.Key_Up)
    offset.lineEdit().selectAll()
    qtbot.keyClicks(offset, "-35")
    qtbot.keyClick(offset, Qt.Key.Key_Return)
    assert engine.commands(SetDevice) == [SetDevice(offset_ms=1), SetDevice(offset_ms=-35)]
    engine.offset = 12
    engine.describe()
    qtbot.waitUntil(lambda: offset.value() == 12, timeout=5000)
    assert engine.commands(SetDevice)[2:] == []


def test_a_list_of_devices_that_is_opened_is_looked_up_anew(window: Window, engine: EngineStandIn) -> None:
    window.footer.midi.showPopup()
    window.footer.midi.hidePopup()
    assert engine.commands(Describe) == [Describe()]


def test_a_knob_learns_a_midi_controller_from_its_menu(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    knob = window.board.controls[0, "temperature"]
    assert isinstance(knob, KnobDial)

    def entries() -> dict[str, QAction]:
        return {action.text(): action for action in knob.menu().actions()}

    entries()["Learn a MIDI controller\u2026"].trigger()
    engine.bindings = (Binding("0/temperature", 74),)
    engine.describe()
    qtbot.waitUntil(lambda: "Forget MIDI controller 74" in entries(), timeout=5000)
    entries()["Forget MIDI controller 74"].trigger()
    assert engine.commands(Learn) == [Learn("temperature", 0), Learn("temperature", 0, on=False)]
    assert not any("Learn" in action.text() for action in menu_of(window.footer.offset).actions())


def menu_of(box: NumberBox) -> QMenu:
    """Its context menu."""
    box.menu_at(box.rect().center())
    return box.findChildren(QMenu)[-1]
