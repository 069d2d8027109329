"""The studio panel: clocks, metronome, ports and channels, MIDI maps, the offset."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QInputDialog
from pytestqt.qtbot import QtBot

from instrument.engine.ipc.messages import FindOffset, LoadMidiMap, Play, SaveMidiMap, SetKnob
from instrument.ui import theme
from instrument.ui.studio.panel import StudioPanel
from instrument.ui.window import Window
from tests.ui.stand_in import EngineStandIn

ARTIFACTS = Path(__file__).resolve().parents[3] / "artifacts"


@pytest.fixture
def panel(qtbot: QtBot, window: Window) -> StudioPanel:
    assert not window.studio.isVisible(), "it is folded away"
    qtbot.mouseClick(window.footer.studio, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(window.studio.isVisible)
    return window.studio


def test_clocks_ports_and_channels_are_set(
    qtbot: QtBot, window: Window, panel: StudioPanel, engine: EngineStandIn
) -> None:
    for name, value in (
        ("follow", "clock"),
        ("start", "bar"),
        ("clock_out", "1"),
        ("ports", "players"),
        ("bass_program", "sent"),
    ):
        control = window.board.controls[-1, name]
        control.setFocus()
        qtbot.keyClick(control, Qt.Key.Key_Down)
        if name == "ports":
            assert control.currentText() == "Players"
        assert engine.commands(SetKnob)[-1] == SetKnob(name, value, -1)
    qtbot.mouseClick(window.board.controls[-1, "metronome"], Qt.MouseButton.LeftButton)
    assert engine.commands(SetKnob)[-1] == SetKnob("metronome", 1.0, -1)
    qtbot.keyClick(window.board.controls[0, "melody_channel"], Qt.Key.Key_Down)
    assert engine.commands(SetKnob)[-1] == SetKnob("melody_channel", "1", 0)
    assert (0, "port") in window.board.controls
    named = [each.accessibleName() for (player, _), each in window.board.controls.items() if player == 0]
    assert "Player: Drums channel" in named
    qtbot.keyClick(panel, Qt.Key.Key_Space)
    assert engine.commands(Play) == [Play()], "the keys of the window work here, too"


def test_lights_and_what_is_followed(qtbot: QtBot, panel: StudioPanel, engine: EngineStandIn) -> None:
    assert (panel.seen.lit, panel.sent.lit) == (False, False)
    engine.clock_seen, engine.time = True, "clock: running, 120.0 bpm"
    qtbot.waitUntil(lambda: panel.seen.lit and not panel.sent.lit and panel.time.text() == engine.time)
    engine.clock_seen, engine.clock_sent = False, True
    qtbot.waitUntil(lambda: panel.sent.lit and not panel.seen.lit)
    assert panel.sent.accessibleName() == "Clock sent: yes"


def test_midi_maps_are_chosen_and_saved(qtbot: QtBot, panel: StudioPanel, engine: EngineStandIn) -> None:
    assert [panel.maps.itemText(i) for i in range(panel.maps.count())] == ["None", "Akai MPK mini mk3", "Mine"]
    qtbot.keyClick(panel.maps, Qt.Key.Key_Down)
    assert engine.commands(LoadMidiMap) == [LoadMidiMap("Akai MPK mini mk3")]
    engine.midi_in = "Keystation 49 (alsa)"
    qtbot.waitUntil(lambda: panel._device == "Keystation 49")
    qtbot.mouseClick(panel.save, Qt.MouseButton.LeftButton)
    dialog = panel.findChild(QInputDialog)
    assert dialog is not None
    assert "of Keystation 49" in dialog.labelText()
    dialog.setTextValue(" Stage ")
    dialog.accept()
    assert engine.commands(SaveMidiMap) == [SaveMidiMap("Stage", "Keystation 49")]


def test_the_offset_is_looked_for(qtbot: QtBot, window: Window, panel: StudioPanel, engine: EngineStandIn) -> None:
    engine.refusals[FindOffset] = "no loop is heard: connect the MIDI output Hocket to the MIDI input Keys"
    qtbot.mouseClick(panel.find_offset, Qt.MouseButton.LeftButton)
    assert engine.commands(FindOffset) == [FindOffset()]
    qtbot.waitUntil(lambda: "No loop is heard" in window.banner.text)


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_it_fits_and_its_picture_is_kept(
    qtbot: QtBot, qapp: QApplication, window: Window, engine: EngineStandIn, scale: float
) -> None:
    try:
        while theme.zoom() < scale:
            before = theme.zoom()
            window.appearance.zoom(1)
            if theme.zoom() == before:
                break
        window.studio.show()
        panel = window.studio
        qtbot.waitUntil(panel.isVisible)
        qtbot.wait(200)
        table = [window.board.controls[0, id] for id in ("port", "melody_channel", "other_channel")]
        places = [each.mapTo(panel, each.rect().topLeft()).x() for each in table]
        assert places[1] - places[0] >= table[0].width(), "the columns stand side by side"
        assert panel.sizeHint().width() <= theme.px(1000)
        assert panel.sizeHint().height() <= theme.px(520)
        ARTIFACTS.mkdir(exist_ok=True)
        panel.grab().save(str(ARTIFACTS / f"studio-{scale:g}x.png"))
        window.grab().save(str(ARTIFACTS / f"studio-window-{scale:g}x.png"))
    finally:
        theme.apply(qapp)
