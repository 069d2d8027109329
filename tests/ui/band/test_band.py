"""The panel of the band: its rows, the knobs of the chosen one, and players that come and go."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from instrument.engine.ipc.messages import LoadModel, RemovePlayer, SetKnob
from instrument.ui import fitting, theme
from instrument.ui.band.adding import MAX_PLAYERS
from instrument.ui.band.rows import Fader, MiniChip, PlayerRow
from instrument.ui.knobs.controls import Choice
from instrument.ui.meters import StripMeter
from instrument.ui.window import Window
from tests.ui.labels import with_text
from tests.ui.stand_in import MODELS, EngineStandIn

PATIENCE_MS = 5000


def actions(menu: QMenu) -> dict[str, QAction]:
    return {action.text().strip(): action for action in menu.actions()}


def add(qtbot: QtBot, window: Window, name: str) -> PlayerRow:
    """Add a player as a person does."""
    players = len(window.models)
    actions(window.band.add.menu_of_models())[name].trigger()
    qtbot.waitUntil(lambda: players in window.band.rows, timeout=PATIENCE_MS)
    return window.band.rows[players]


def test_players_can_be_added_by_what_they_do_and_say_why_not(window: Window) -> None:
    there = actions(window.band.add.menu_of_models())
    assert {"Endless streams", "River", "Voices that morph while held", "Brass", "Glass"} <= set(there)
    assert there["River"].isEnabled()
    assert not there["Brass"].isEnabled()
    assert there["Brass"].toolTip() == "its hash is wrong"


def test_a_player_has_a_row_of_its_own(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    add(qtbot, window, "Glass")
    assert engine.commands(LoadModel) == [LoadModel("glass", 1)]
    assert window.band.add.text() == "Add player"
    assert window.models[1].currentText() == "Glass"
    assert isinstance(window.board.controls[1, "level"], Fader)
    assert isinstance(window.board.controls[1, "mute"], MiniChip)
    assert isinstance(window.board.controls[1, "part"], Choice)
    assert (0, "temperature") in window.board.controls, "the player of notes stays"


def test_the_knobs_of_the_chosen_row_are_shown_and_the_rest_is_one_click_away(qtbot: QtBot, window: Window) -> None:
    row = add(qtbot, window, "Glass")
    assert window.board.controls[0, "temperature"].isVisible()
    assert not window.board.controls[1, "blend"].isVisible()
    qtbot.mouseClick(row, Qt.MouseButton.LeftButton, pos=QPoint(4, 4))
    assert window.band.choice == 1
    assert not window.board.controls[0, "temperature"].isVisible()
    assert window.board.controls[1, "part"].isVisible()
    assert not window.board.controls[1, "blend"].isVisible()
    qtbot.mouseClick(window.band.page.more, Qt.MouseButton.LeftButton)
    assert window.board.controls[1, "blend"].isVisible()
    assert not window.board.controls[1, "part"].isVisible()


def test_models_are_offered_where_they_fit(qtbot: QtBot, window: Window) -> None:
    add(qtbot, window, "River")
    notes, sound = ([models.itemData(row) for row in range(models.count())] for models in window.models)
    assert notes == ["hocket-lstm", "night-trio", "broken"]
    assert sound == ["broken", "glass", "brass", "river"]


def test_level_and_mute_are_turned_by_the_mouse(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    add(qtbot, window, "Glass")
    add(qtbot, window, "River")
    qtbot.mouseClick(window.board.controls[2, "mute"], Qt.MouseButton.LeftButton)
    assert engine.commands(SetKnob) == [SetKnob("mute", 1.0, 2)]
    level = window.board.controls[1, "level"]
    assert isinstance(level, Fader)
    before, middle = level.exact, level.height() // 2
    qtbot.mousePress(level, Qt.MouseButton.LeftButton, pos=QPoint(10, middle))
    qtbot.mouseMove(level, QPoint(40, middle))
    qtbot.mouseRelease(level, Qt.MouseButton.LeftButton, pos=QPoint(40, middle))
    assert level.exact > before
    assert engine.commands(SetKnob)[-1].player == 1  # type: ignore[attr-defined]
    engine.values["1/level"] = -12.0
    engine.describe()
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
    assert len(window.band.rows) == 2


def test_players_go_and_those_behind_move_up(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    add(qtbot, window, "Glass")
    add(qtbot, window, "River")
    with qtbot.waitActive(window):
        window.activateWindow()
    remove = window.band.rows[1].remove
    remove.setFocus()
    qtbot.keyClick(remove, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(window.models) == 2, timeout=PATIENCE_MS)
    assert window.band.add.hasFocus()
    assert engine.commands(RemovePlayer) == [RemovePlayer(1)]
    assert window.models[1].currentText() == "River"
    qtbot.mouseClick(window.band.rows[1].remove, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(window.band.rows) == 1, timeout=PATIENCE_MS)


def test_a_player_that_is_refused_is_explained_and_can_be_tried_again(
    qtbot: QtBot, window: Window, engine: EngineStandIn
) -> None:
    engine.refusals[LoadModel] = "it is not made for this version: get another"
    window.band.add.picked.emit("glass")
    assert (window.band.add.text(), window.band.add.isEnabled()) == ("Loading\u2026", False)
    qtbot.waitUntil(lambda: "not made for this version" in window.banner.text, timeout=PATIENCE_MS)
    assert (window.band.add.text(), window.band.add.isEnabled()) == ("Add player", True)


def test_none_beyond_the_last_seat(window: Window) -> None:
    window.band.add.show_models(MODELS, MAX_PLAYERS)
    assert not window.band.add.isEnabled()


def test_levels_and_streams_that_ran_dry(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    engine.levels = (-8.0, -20.0)
    row = add(qtbot, window, "River")
    window.play_or_stop()
    qtbot.waitUntil(lambda: row.meter.bar == pytest.approx(-8.0), timeout=PATIENCE_MS)
    assert row.role.text() == "Stream"
    engine.underruns = 3
    qtbot.waitUntil(lambda: row.role.text() == "Dropouts: 3", timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: any(window.stage.spectrogram.seen), timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: window.band.rows[0].meter.bar > -40, timeout=PATIENCE_MS)  # by the notes that sound


def test_a_player_says_which_parts_it_plays(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    assert window.band.rows[0].role.text() == "Whole band"
    engine.parts = (("bass", "drums"),)
    engine.describe()
    qtbot.waitUntil(lambda: window.band.rows[0].role.text() == "Bass, drums", timeout=PATIENCE_MS)


def test_a_level_falls_slowly(qtbot: QtBot) -> None:
    times = iter((0.0, 0.0, 0.5, 60.0))
    meter = StripMeter("Level", lambda: next(times))
    qtbot.addWidget(meter)
    meter.show_levels((-6.0, -12.0))
    meter.show_levels((-120.0, -120.0))
    assert meter.bar == pytest.approx(-18.0)
    meter.show_levels((-120.0, -120.0))
    assert meter.accessibleDescription() == "silent"


def test_rows_are_named_for_screen_readers(qtbot: QtBot, window: Window) -> None:
    row = add(qtbot, window, "Glass")
    assert window.board.controls[1, "level"].accessibleName() == "Player 2: Level"
    assert window.board.controls[-1, "level"].accessibleName() == "Loudness"
    assert window.models[1].accessibleName() == "Model of player 2"
    assert row.remove.accessibleName() == "Remove player 2"


def test_no_label_is_a_word_of_the_trade(qtbot: QtBot, window: Window) -> None:
    """Words that say nothing to a stranger."""
    add(qtbot, window, "River")
    shown = {info.label for info in window._description.knobs} if window._description else set()
    assert shown
    assert not shown & {"Other", "Style", "Focus", "Pad X", "Pad Y", "Hear", "Temperature", "Lowest", "Turn", "Changes"}


def test_all_fits_at_the_least_size(qtbot: QtBot, zoomed: Window) -> None:
    add(qtbot, zoomed, "Glass")
    zoomed.unfold("keyboard", False)
    zoomed.resize(1, 1)
    least = fitting.LEAST
    assert (zoomed.width(), zoomed.height()) == (theme.px(least.width()), theme.px(least.height()))
    qtbot.waitUntil(lambda: zoomed.footer.y() + zoomed.footer.height() <= zoomed.height(), timeout=PATIENCE_MS)
    assert zoomed.roll.height() >= theme.px(90)
    for choice in ("band", 0, 1, "you"):
        zoomed.band.choose(choice)
        QApplication.processEvents()
        page = zoomed.band.page
        assert page.needed_height(page.width()) <= zoomed.band.height(), choice
        assert page.mapTo(zoomed, page.rect().topRight()).x() <= zoomed.width()
        cut = [each.text() for each in with_text(page) if each.width() < each.minimumSizeHint().width()]
        assert not cut, choice
