"""Players that sound, in the window."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QMenu, QWidget
from pytestqt.qtbot import QtBot

from instrument.engine.ipc.messages import LoadModel, RemovePlayer, SetKnob
from instrument.ui import theme
from instrument.ui.knobs.chip import Chip
from instrument.ui.knobs.controls import Choice
from instrument.ui.knobs.knob import KnobDial
from instrument.ui.meters import StripMeter
from instrument.ui.sounds import MAX_PLAYERS, STRIP_HEIGHT, SoundStrip
from instrument.ui.window import Window
from tests.ui.labels import with_text
from tests.ui.stand_in import MODELS, EngineStandIn

PATIENCE_MS = 5000


def actions(menu: QMenu) -> dict[str, QAction]:
    return {action.text().strip(): action for action in menu.actions()}


def add(qtbot: QtBot, window: Window, name: str) -> SoundStrip:
    """Add a sound as a player does."""
    players = len(window.models)
    actions(window.add_sound.menu_of_models())[name].trigger()
    qtbot.waitUntil(lambda: players in window.players.strips, timeout=PATIENCE_MS)
    return window.players.strips[players]


def test_what_sounds_can_be_added_by_family_and_says_why_not(window: Window) -> None:
    assert window.add_sound.isVisible()
    there = actions(window.add_sound.menu_of_models())
    assert [name for name in there if name] == [
        "Endless streams", "River", "Voices that morph while held", "Brass", "Glass",
    ]  # fmt: skip
    assert [name for name, action in there.items() if action.isEnabled() and name] == ["River", "Glass"]
    assert there["Brass"].toolTip() == "its hash is wrong"


def test_a_sound_gets_a_strip_of_its_own(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    assert not window.players.strip_row.isVisible()
    strip = add(qtbot, window, "Glass")
    assert engine.commands(LoadModel) == [LoadModel("glass", 1)]
    assert window.add_sound.text() == "Add sound"
    assert window.players.strip_row.isVisible()
    assert strip.accessibleName() == "Sound 1"
    assert window.models[1].currentText() == "Glass"
    assert isinstance(window.board.controls[1, "level"], KnobDial)
    assert isinstance(window.board.controls[1, "mute"], Chip)
    assert isinstance(window.board.controls[1, "part"], Choice)
    assert all(
        window.board.controls[info.player, info.id].isVisibleTo(window) for info in engine.knobs if info.player == 1
    )
    assert (0, "temperature") in window.board.controls, "the player of notes stays"


def test_models_are_offered_where_they_fit(qtbot: QtBot, window: Window) -> None:
    add(qtbot, window, "River")
    notes, sound = ([models.itemData(row) for row in range(models.count())] for models in window.models)
    assert notes == ["hocket-lstm", "night-trio", "broken"]
    assert sound == ["broken", "glass", "brass", "river"]


def test_its_knobs_reach_the_engine_under_its_number(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    add(qtbot, window, "Glass")
    add(qtbot, window, "River")
    qtbot.keyClick(window.board.controls[1, "blend"], Qt.Key.Key_End)
    qtbot.keyClick(window.board.controls[2, "tune"], Qt.Key.Key_End)
    qtbot.mouseClick(window.board.controls[2, "mute"], Qt.MouseButton.LeftButton)
    assert engine.commands(SetKnob) == [
        SetKnob("blend", 1.0, 1), SetKnob("tune", 1.0, 2), SetKnob("mute", 1.0, 2),
    ]  # fmt: skip
    engine.values["1/level"] = -12.0
    engine.describe()
    level = window.board.controls[1, "level"]
    assert isinstance(level, KnobDial)
    qtbot.waitUntil(lambda: level.exact == -12.0, timeout=PATIENCE_MS)


def test_another_model_takes_its_seat(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    add(qtbot, window, "Glass")
    models = window.models[1]
    models.setCurrentIndex(models.findData("river"))
    models.textActivated.emit("River")
    assert models.currentText() == "Loading\u2026"
    qtbot.waitUntil(lambda: (1, "motion") in window.board.controls, timeout=PATIENCE_MS)
    assert engine.commands(LoadModel)[-1] == LoadModel("river", 1)
    assert (1, "blend") not in window.board.controls
    assert len(window.players.strips) == 1


def test_sounds_go_and_those_behind_move_up(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    add(qtbot, window, "Glass")
    add(qtbot, window, "River")
    with qtbot.waitActive(window):
        window.activateWindow()
    remove = window.players.strips[1].remove
    remove.setFocus()
    qtbot.keyClick(remove, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(window.models) == 2, timeout=PATIENCE_MS)
    assert window.add_sound.hasFocus()
    assert engine.commands(RemovePlayer) == [RemovePlayer(1)]
    assert window.models[1].currentText() == "River"
    qtbot.mouseClick(window.players.strips[1].remove, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not window.players.strips, timeout=PATIENCE_MS)
    assert not window.players.strip_row.isVisible()
    assert window.minimumHeight() == theme.px(640)


def test_a_sound_that_is_refused_is_explained_and_can_be_tried_again(
    qtbot: QtBot, window: Window, engine: EngineStandIn
) -> None:
    engine.refusals[LoadModel] = "it is not made for this version: get another"
    window.add_sound.picked.emit("glass")
    assert (window.add_sound.text(), window.add_sound.isEnabled()) == ("Loading\u2026", False)
    qtbot.waitUntil(lambda: "not made for this version" in window.banner.text, timeout=PATIENCE_MS)
    assert (window.add_sound.text(), window.add_sound.isEnabled()) == ("Add sound", True)


def test_no_button_where_nothing_sounds_and_none_beyond_the_last_seat(qtbot: QtBot, window: Window) -> None:
    window.add_sound.show_models(MODELS, MAX_PLAYERS)
    assert not window.add_sound.isEnabled()
    window.add_sound.show_models(MODELS[:2], 1)
    assert not window.add_sound.isVisible()


def test_levels_and_streams_that_ran_dry(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    engine.levels = (-8.0, -20.0)
    strip = add(qtbot, window, "River")
    window.play_or_stop()
    qtbot.waitUntil(lambda: strip.meter.bar == pytest.approx(-8.0), timeout=PATIENCE_MS)
    assert strip.underruns.text() == ""
    engine.underruns = 3
    qtbot.waitUntil(lambda: strip.underruns.text() == "Dropouts: 3", timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: any(window.spectrogram.seen), timeout=PATIENCE_MS)


def test_a_level_falls_slowly(qtbot: QtBot) -> None:
    times = iter((0.0, 0.0, 0.5, 60.0))
    meter = StripMeter("Level", lambda: next(times))
    qtbot.addWidget(meter)
    meter.show_levels((-6.0, -12.0))
    meter.show_levels((-120.0, -120.0))
    assert meter.bar == pytest.approx(-18.0)
    meter.show_levels((-120.0, -120.0))
    assert meter.accessibleDescription() == "silent"


def test_strips_are_named_for_screen_readers_and_reached_by_tab(qtbot: QtBot, window: Window) -> None:
    strip = add(qtbot, window, "Glass")
    assert window.board.controls[1, "level"].accessibleName() == "Sound 1: Level"
    assert window.board.controls[-1, "level"].accessibleName() == "Level"
    assert window.models[1].accessibleName() == "Model of sound 1"
    assert strip.remove.accessibleName() == "Remove sound 1"
    with qtbot.waitActive(window):
        window.activateWindow()
    window.models[1].setFocus()
    window.resize(1, 1)
    reached: list[QWidget] = []
    for _ in range(9):
        reached.append(window.focusWidget())
        window.focusNextChild()
        shelf = window.players.strip_row.viewport()
        seen = QRect(reached[-1].mapTo(shelf, QPoint()), reached[-1].size())
        assert shelf.rect().contains(seen), "the shelf scrolls along"
    inside = {control for (player, _), control in window.board.controls.items() if player == 1}
    assert inside | {window.models[1], strip.remove} == set(reached)


@pytest.mark.parametrize("zoom", [1.0, 1.5])
def test_all_fits_at_the_least_size(qtbot: QtBot, window: Window, zoom: float) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    try:
        if zoom != 1.0:
            theme.apply(app, 1.25)
            window._zoom(1)
        strip = add(qtbot, window, "Glass")
        window.resize(1, 1)
        assert window.height() <= theme.px(640 + STRIP_HEIGHT)
        qtbot.waitUntil(lambda: strip.height() > 0 and strip.isVisible(), timeout=PATIENCE_MS)
        shelf = window.players.strip_row
        assert strip.height() >= strip.minimumSizeHint().height()
        assert shelf.viewport().height() >= strip.minimumSizeHint().height()
        assert window.roll.height() >= theme.px(120)
        foot = window.footer.mapTo(window, QPoint(0, window.footer.height())).y()
        assert foot <= window.height()
        labels = with_text(strip)
        assert labels
        assert not [label.text() for label in labels if label.width() < label.minimumSizeHint().width()]
    finally:
        theme.apply(app)
