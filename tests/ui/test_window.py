from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QApplication, QInputDialog, QWidget
from pytestqt.qtbot import QtBot

from instrument.engine.ipc.messages import (
    KnobInfo,
    LoadModel,
    LoadPatch,
    Panic,
    Play,
    Press,
    Quit,
    Record,
    SavePatch,
    SetKnob,
    Stop,
)
from instrument.ui import theme
from instrument.ui.knobs.controls import Choice, NumberBox
from instrument.ui.knobs.knob import KnobDial
from instrument.ui.link import RESTARTS, LinkState
from instrument.ui.transport import recording_path
from instrument.ui.window import Window
from tests.ui.labels import with_text
from tests.ui.stand_in import EngineStandIn


def frames(qtbot: QtBot, window: Window, condition: object) -> None:
    qtbot.waitUntil(condition, timeout=5000)


def dial(window: Window, player: int, id: str) -> KnobDial:
    control = window.board.controls[player, id]
    assert isinstance(control, KnobDial)
    return control


def activate(qtbot: QtBot, window: Window) -> None:
    with qtbot.waitActive(window):
        window.activateWindow()


# What it is made of


def test_every_knob_of_the_engine_has_a_control(window: Window, engine: EngineStandIn) -> None:
    by_buttons = {(-1, "loop"), (-1, "remake"), (-1, "mode")}
    controls, of_settings = set(window.board.controls), {(-1, window.setup.dialog.buffer.info.id)}
    assert controls | by_buttons | of_settings == {(info.player, info.id) for info in engine.knobs} | by_buttons
    seen = set()
    window.macros.more.setChecked(True)
    for choice in ("band", 0, "you"):
        window.band.choose(choice)
        page = window.band.page
        seen |= {name for name in controls if window.board.controls[name].isVisibleTo(window)}
        page.more.setChecked(True)
        seen |= {name for name in controls if window.board.controls[name].isVisibleTo(window)}
    elsewhere = {name for name in controls if window.board.controls[name].window() is window.studio}
    assert seen | elsewhere == controls


def test_everything_is_named_for_screen_readers_and_reached_by_tab(qtbot: QtBot, window: Window) -> None:
    window.unfold("devices")
    activate(qtbot, window)
    window.transport.play.setFocus()
    reached: list[QWidget] = []
    while (widget := QApplication.focusWidget()) is not None and widget not in reached:
        reached.append(widget)
        window.focusNextChild()
    assert widget is reached[0], "the way by Tab is a circle"
    nameless = [w for w in reached if not QAccessible.queryAccessibleInterface(w).text(QAccessible.Text.Name)]
    assert not nameless
    controls = [each for each in window.board.controls.values() if each.isVisibleTo(window)]
    inside = {control.box if hasattr(control, "box") else control for control in controls}
    ways = (
        window.transport.patch,
        window.transport.panic,
        window.roll,
        window.footer.audio,
        window.footer.midi,
    )
    for control in (*inside, *ways):
        assert control in reached
    parts = (window.transport, window.stage, window.macros, window.band, window.keyboard, window.footer)
    order = [next(i for i, part in enumerate(parts) if part.isAncestorOf(each)) for each in reached]
    assert order == sorted(order), "from the top to the bottom"


def test_models_can_be_chosen_and_broken_ones_say_why(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    models = window.models[0]
    assert [models.itemText(i) for i in range(models.count())] == ["Hocket LSTM", "Night Trio", "Old Rhodes"]
    assert "hash" in models.itemData(2, Qt.ItemDataRole.ToolTipRole)
    qtbot.keyClick(models, Qt.Key.Key_Down)
    assert models.currentText() == "Loading…"
    qtbot.waitUntil(lambda: models.currentText() == "Night Trio", timeout=5000)
    assert engine.commands(LoadModel) == [LoadModel("night-trio", 0)]


def test_another_models_knobs_take_the_place_of_the_last(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    engine.player_knobs = (KnobInfo("swing", "Swing", low=0.0, high=1.0, default=0.5),)
    engine.values["0/swing"] = 0.75
    engine.describe()
    qtbot.waitUntil(lambda: (0, "swing") in window.board.controls, timeout=5000)
    assert (0, "temperature") not in window.board.controls
    assert dial(window, 0, "swing").exact == 0.75
    assert isinstance(window.board.controls[-1, "tempo"], NumberBox), "the instrument's own stay"


# What the player does


def test_space_plays_and_stops_from_wherever_the_keyboard_is(
    qtbot: QtBot, window: Window, engine: EngineStandIn
) -> None:
    activate(qtbot, window)
    tempo = window.transport.tempo
    assert tempo is not None
    for widget in (window.transport.save, tempo.lineEdit(), window.models[0], dial(window, 0, "temperature")):
        widget.setFocus()
        before = window.transport.playing
        qtbot.keyClick(widget, Qt.Key.Key_Space)
        qtbot.waitUntil(lambda before=before: window.transport.playing != before, timeout=5000)
    assert engine.sent == [Play(), Stop(), Play(), Stop()]


def test_play_button_and_escape(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    qtbot.mouseClick(window.transport.play, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.transport.play.text() == "Stop", timeout=5000)
    assert window.transport.play.accessibleName() == "Stop"
    activate(qtbot, window)
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    qtbot.mouseClick(window.transport.panic, Qt.MouseButton.LeftButton)
    assert engine.sent == [Play(), Panic(), Panic()]


def test_a_turned_knob_reaches_the_engine_and_comes_back_as_an_echo(
    qtbot: QtBot, window: Window, engine: EngineStandIn
) -> None:
    knob = dial(window, 0, "temperature")
    qtbot.keyClick(knob, Qt.Key.Key_End)
    assert engine.commands(SetKnob) == [SetKnob("temperature", 2.0, 0)]
    engine.values["0/density"] = 6.0  # as another client may turn it
    engine.describe()
    qtbot.waitUntil(lambda: dial(window, 0, "density").exact == 6.0, timeout=5000)
    assert knob.exact == 2.0


def test_a_refused_value_is_explained_and_taken_back(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    engine.refusals[SetKnob] = "temperature cannot be 2: give 0 to 1.5"
    knob = dial(window, 0, "temperature")
    qtbot.keyClick(knob, Qt.Key.Key_End)
    qtbot.waitUntil(lambda: "Temperature cannot be 2" in window.banner.text, timeout=5000)
    assert knob.exact == 1.0
    assert window.banner.isVisible()


def test_an_echo_older_than_the_hand_is_not_shown(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    engine.answers = False
    knob = dial(window, 0, "temperature")
    qtbot.keyClick(knob, Qt.Key.Key_End)
    engine.values["0/temperature"] = 0.5
    engine.describe()
    engine.values["0/density"] = 6.0
    engine.describe()
    qtbot.waitUntil(lambda: dial(window, 0, "density").exact == 6.0, timeout=5000)
    assert knob.exact == 2.0


def test_parts_are_switched_in_the_legend_of_the_roll(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    qtbot.mouseClick(window.board.controls[-1, "drums"], Qt.MouseButton.LeftButton)
    assert engine.commands(SetKnob) == [SetKnob("drums", "on", -1)]


def test_key_scale_and_metre_shade_the_roll(qtbot: QtBot, window: Window) -> None:
    for id, value in (("key", "D"), ("scale", "dorian"), ("metre", "3/4")):
        control = window.board.controls[-1, id]
        assert isinstance(control, Choice)
        control.setCurrentIndex(control.findData(value))
        control.textActivated.emit(control.currentText())
    qtbot.waitUntil(lambda: window.roll.score.root == 2, timeout=5000)
    qtbot.waitUntil(lambda: window.roll.score.bars.lines(0, 80).bars == [(0, 1), (72, 2)], timeout=5000)


def test_tempo_is_typed_and_tapped(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    tempo = window.transport.tempo
    assert tempo is not None
    tempo.setFocus()
    tempo.selectAll()
    qtbot.keyClicks(tempo, "87.5")
    qtbot.keyClick(tempo, Qt.Key.Key_Return)
    assert engine.commands(SetKnob) == [SetKnob("tempo", 87.5, -1)]
    window.transport.tap.click()
    qtbot.keyClick(window, Qt.Key.Key_T, Qt.KeyboardModifier.ControlModifier)
    assert engine.commands(Press) == [Press("transport/tap"), Press("transport/tap")]


def test_patches(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    patch = window.transport.patch
    assert patch.currentText() == "Night bus"
    assert not window.transport.save.isEnabled()
    qtbot.keyClick(dial(window, 0, "temperature"), Qt.Key.Key_Up)
    qtbot.waitUntil(lambda: patch.currentText() == "Night bus *", timeout=5000)
    assert window.windowTitle().startswith("Night bus*")
    activate(qtbot, window)
    qtbot.keyClick(window, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: patch.currentText() == "Night bus", timeout=5000)
    qtbot.keyClick(patch, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: engine.patch == "Rain on tin", timeout=5000)
    window.patches.save_as()
    dialog = window.findChild(QInputDialog)
    assert dialog is not None
    dialog.setTextValue("  Mine ")
    dialog.accept()
    qtbot.waitUntil(lambda: patch.currentText() == "Mine", timeout=5000)
    assert engine.commands(SavePatch) == [SavePatch("Night bus"), SavePatch("Mine")]
    assert engine.commands(LoadPatch) == [LoadPatch("Rain on tin")]


def test_recording(qtbot: QtBot, window: Window, engine: EngineStandIn, tmp_path: Path) -> None:
    transport = window.transport
    qtbot.keyClick(transport.kind, Qt.Key.Key_Down)
    activate(qtbot, window)
    qtbot.keyClick(window, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
    (started,) = engine.commands(Record)
    assert isinstance(started, Record)
    assert started.path.endswith(".mid")
    assert Path(started.path).parent.is_dir()
    qtbot.waitUntil(lambda: "Stop recording" in transport.record.toolTip(), timeout=5000)
    qtbot.mouseClick(transport.record, Qt.MouseButton.LeftButton)
    assert engine.commands(Record)[-1] == Record("")


def test_a_recording_that_fails_lifts_the_button(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    engine.refusals[Record] = "cannot write there: choose another folder"
    qtbot.mouseClick(window.transport.record, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "Cannot write there" in window.banner.text, timeout=5000)
    qtbot.waitUntil(lambda: not window.transport.record.isChecked(), timeout=5000)


def test_recordings_are_named_by_their_time() -> None:
    from datetime import datetime

    path = recording_path("take.json", datetime(2026, 3, 1, 21, 4, 5))
    assert path.name == "Hocket 2026-03-01 21.04.05.take.json"
    assert path.parent.name == "Hocket"


# What it shows


def test_health(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    health = window.footer.health
    qtbot.waitUntil(lambda: health.latency.text == "29 ms", timeout=5000)
    assert (health.starved.text, health.late.text, health.note.text) == ("0", "0", "1.2 ms")
    engine.starved, engine.load = 3, 0.93
    qtbot.waitUntil(lambda: health.starved.text == "3", timeout=5000)
    qtbot.waitUntil(lambda: health.load.text == "93 %", timeout=5000)
    assert "larger buffer" in health.starved.toolTip()
    assert "smaller model" in health.load.toolTip()
    assert health.starved.accessibleDescription() == "3"


def test_level_and_overs(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    engine.levels = (-6.0, 1.5)
    window.play_or_stop()
    qtbot.waitUntil(lambda: window.level.over, timeout=5000)
    assert window.level.bars[1] > window.level.bars[0] >= -6.5
    qtbot.mouseClick(window.level, Qt.MouseButton.LeftButton)
    engine.levels = (-20.0, -20.0)
    qtbot.waitUntil(lambda: window.level.bars[1] <= -19, timeout=5000)


def test_banners_come_go_and_can_be_dismiss(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    banner = window.banner
    assert not banner.isVisible()
    engine.banners = ("no audio device: playing to the null device",)
    qtbot.waitUntil(lambda: banner.text == "No audio device: playing to the null device", timeout=5000)
    qtbot.mouseClick(banner.cross, Qt.MouseButton.LeftButton)
    assert not banner.isVisible()
    engine.banners = ("no audio device: playing to the null device", "MIDI port Hocket is lost")
    qtbot.waitUntil(lambda: banner.text == "MIDI port Hocket is lost", timeout=5000)
    engine.banners = ()
    qtbot.waitUntil(lambda: not banner.isVisible(), timeout=5000)
    engine.banners = ("no audio device: playing to the null device",)
    qtbot.waitUntil(banner.isVisible, timeout=5000)


def test_the_music_appears_in_the_roll(qtbot: QtBot, window: Window) -> None:
    qtbot.waitUntil(lambda: len(window.roll.score.notes.planned) > 20, timeout=5000)
    window.play_or_stop()
    qtbot.waitUntil(lambda: len(window.roll.score.notes.committed) > 5, timeout=5000)
    qtbot.waitUntil(lambda: window.transport.position.text() == "1.2", timeout=5000)


def test_the_window_can_be_enlarged_and_keeps_all_it_shows(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    window.play_or_stop()
    qtbot.waitUntil(lambda: bool(window.roll.score.notes.committed), timeout=5000)
    before = dial(window, 0, "temperature").sizeHint().width()
    activate(qtbot, window)
    try:
        qtbot.keyClick(window, Qt.Key.Key_Equal, Qt.KeyboardModifier.ControlModifier)
        qtbot.keyClick(window, Qt.Key.Key_Equal, Qt.KeyboardModifier.ControlModifier)
        assert theme.zoom() == 1.25
        assert dial(window, 0, "temperature").sizeHint().width() == before * 1.25
        assert window.roll.score.notes.committed
        assert window.transport.play.text() == "Stop"
        qtbot.keyClick(dial(window, 0, "temperature"), Qt.Key.Key_End)
        assert SetKnob("temperature", 2.0, 0) in engine.sent
        qtbot.keyClick(window, Qt.Key.Key_0, Qt.KeyboardModifier.ControlModifier)
        assert theme.zoom() == 1.0
    finally:
        theme.apply(app)


def test_no_text_is_cut_off(qtbot: QtBot, zoomed: Window) -> None:
    qtbot.waitUntil(lambda: len(with_text(zoomed)) > 20, timeout=5000)  # what a zoom builds anew is shown later
    zoomed.resize(zoomed.minimumSizeHint())
    for label in with_text(zoomed):
        hint = label.minimumSizeHint()
        assert label.width() >= hint.width(), label.text()
        assert label.height() >= hint.height() - 1, label.text()


# Life and death


def test_a_dead_engine_comes_back_and_the_music_with_it(
    qtbot: QtBot, window: Window, engines: list[EngineStandIn]
) -> None:
    window.play_or_stop()
    qtbot.waitUntil(lambda: window.transport.playing, timeout=5000)
    engines[0].die()
    qtbot.waitUntil(lambda: len(engines) == 2 and window.transport.playing, timeout=5000)
    assert engines[1].sent[:2] == [Panic(), Play()]
    assert "started again" in window.banner.text
    qtbot.keyClick(dial(window, 0, "temperature"), Qt.Key.Key_End)
    assert SetKnob("temperature", 2.0, 0) in engines[1].sent


def test_an_engine_that_keeps_dying_is_offered_again(
    qtbot: QtBot, window: Window, engines: list[EngineStandIn]
) -> None:
    for deaths in range(1, RESTARTS + 2):
        engines[-1].die()
        qtbot.waitUntil(
            lambda deaths=deaths: len(engines) == deaths + 1 or window.link.state == LinkState.LOST, timeout=5000
        )
        qtbot.waitUntil(lambda: window.link.state in (LinkState.RUNNING, LinkState.LOST), timeout=5000)
    assert window.link.state == LinkState.LOST
    assert not window.transport.isEnabled()
    assert window.transport.play.text() == "Play"
    assert "4 times within a minute" in window.banner.text
    assert window.banner.button.isVisible()
    qtbot.mouseClick(window.banner.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.link.state == LinkState.RUNNING, timeout=5000)
    assert window.transport.isEnabled()
    assert not window.banner.button.isVisible()


def test_the_window_goes_on_without_an_engine(qtbot: QtBot, window: Window, engines: list[EngineStandIn]) -> None:
    engines[-1].depart("asked to quit")
    qtbot.waitUntil(lambda: window.link.state == LinkState.LOST, timeout=5000)
    window.play_or_stop()
    window.panic()
    qtbot.keyClick(window.roll, Qt.Key.Key_Minus)
    assert window.banner.text.startswith("The engine was asked to quit.")


@pytest.mark.parametrize("keep", [False, True])
def test_closing_ends_the_engine_unless_it_is_to_stay(
    qtbot: QtBot, window: Window, engine: EngineStandIn, keep: bool
) -> None:
    window.keep = keep
    window.close()
    assert (engine.sent == [Quit(alone=True)]) != keep
    assert engine.closed
