from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QAccessible, QAction, QDragEnterEvent, QDropEvent, QMouseEvent
from PySide6.QtWidgets import QInputDialog, QMenu
from pytestqt.qtbot import QtBot

from instrument.engine.ipc.messages import (
    AddAnchor,
    Anchor,
    ChangeAnchor,
    Learn,
    RemoveAnchor,
    SetKnob,
)
from instrument.engine.performance.pad import MAX_ANCHORS
from instrument.ui.latent_pad.pad import LatentPad
from instrument.ui.window import Window
from tests.ui.stand_in import PAD_KNOBS, PLAYER_KNOBS, EngineStandIn

SONG, RIFF = Anchor("Song", -0.5, 0.25), Anchor("Riff", 0.7, -0.4)
LEFT, NONE, CTRL, SHIFT = (
    Qt.MouseButton.LeftButton,
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
)


@pytest.fixture
def pad(qtbot: QtBot) -> LatentPad:
    made = LatentPad(2, genres=("none", "jazz"))
    qtbot.addWidget(made)
    made.resize(264, 300)
    made.show()
    made.show_anchors((SONG, RIFF))
    return made


@pytest.fixture
def turned(pad: LatentPad) -> list[tuple[str, float]]:
    heard: list[tuple[str, float]] = []
    pad.turned.connect(lambda axis, value: heard.append((axis, value)))
    return heard


@pytest.fixture
def asked(pad: LatentPad) -> list[object]:
    heard: list[object] = []
    pad.asked.connect(heard.append)
    return heard


def at(pad: LatentPad, x: float, y: float) -> QPoint:
    return pad.point_of(x, y).toPoint()


def drag(pad: LatentPad, to: QPoint, modifier: Qt.KeyboardModifier = NONE) -> None:
    """Moves the mouse there with the left button down: `qtbot.mouseMove` has none."""
    event = QMouseEvent(QMouseEvent.Type.MouseMove, QPointF(to), pad.mapToGlobal(QPointF(to)), LEFT, LEFT, modifier)
    pad.mouseMoveEvent(event)


def dropped(pad: LatentPad, *paths: str) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(path) for path in paths])
    entering = QDragEnterEvent(at(pad, 0.5, 0.5), Qt.DropAction.CopyAction, mime, LEFT, NONE)
    pad.dragEnterEvent(entering)
    assert entering.isAccepted()
    pad.dropEvent(QDropEvent(pad.point_of(0.5, 0.5), Qt.DropAction.CopyAction, mime, LEFT, NONE))


def action(menu: QMenu, text: str) -> QAction:
    return next(action for action in menu.actions() if action.text().startswith(text))


# The puck


def test_the_puck_goes_where_the_mouse_is(qtbot: QtBot, pad: LatentPad, turned: list[object]) -> None:
    qtbot.mousePress(pad, LEFT, NONE, at(pad, 0.0, 0.6))
    assert pad.held
    assert pad.puck == pytest.approx((0.0, 0.6), abs=0.01)
    pad.show_value("x", -1.0)
    assert pad.puck[0] != -1.0, "an echo does not move what is held"
    drag(pad, QPoint(5000, -5000))
    assert pad.puck == (1.0, 1.0)
    assert turned[-2:] == [("x", 1.0), ("y", 1.0)]
    qtbot.mouseRelease(pad, LEFT, NONE, QPoint(5000, -5000))
    pad.show_value("x", -1.0)
    assert pad.puck == (-1.0, 1.0)
    assert turned[-1] == ("y", 1.0), "what the engine says is not told it again"


def test_near_an_anchor_the_puck_falls_onto_it(qtbot: QtBot, pad: LatentPad) -> None:
    qtbot.mousePress(pad, LEFT, NONE, at(pad, 0, 0))
    drag(pad, at(pad, SONG.x, SONG.y) + QPoint(4, 3))
    assert pad.puck == (SONG.x, SONG.y)
    assert pad.text == "Song"


def test_with_shift_the_puck_creeps_from_where_it_is(qtbot: QtBot, pad: LatentPad) -> None:
    qtbot.mousePress(pad, LEFT, SHIFT, at(pad, 0.5, 0.5))
    assert pad.puck == (0, 0)
    drag(pad, at(pad, 0.5, 0.5) + QPoint(100, 0), SHIFT)
    assert 0.02 < pad.puck[0] < 0.15
    assert pad.puck[1] == pytest.approx(0, abs=0.001)


def test_keys(qtbot: QtBot, pad: LatentPad, turned: list[object]) -> None:
    for key, modifier, place in (
        (Qt.Key.Key_Right, NONE, (0.05, 0)),
        (Qt.Key.Key_Up, NONE, (0.05, 0.05)),
        (Qt.Key.Key_Left, SHIFT, (0.045, 0.05)),
        (Qt.Key.Key_Down, SHIFT, (0.045, 0.045)),
        (Qt.Key.Key_PageDown, NONE, (SONG.x, SONG.y)),
        (Qt.Key.Key_PageDown, NONE, (RIFF.x, RIFF.y)),
        (Qt.Key.Key_PageDown, NONE, (SONG.x, SONG.y)),
        (Qt.Key.Key_PageUp, NONE, (RIFF.x, RIFF.y)),
        (Qt.Key.Key_Home, NONE, (0, 0)),
    ):
        qtbot.keyClick(pad, key, modifier)
        assert pad.puck == pytest.approx(place)
    assert turned[0] == ("x", 0.05)


def test_it_is_named_and_says_where_it_is(pad: LatentPad) -> None:
    interface = QAccessible.queryAccessibleInterface(pad)
    assert interface.text(QAccessible.Text.Name) == "Latent pad"
    pad.show_value("x", SONG.x)
    pad.show_value("y", SONG.y)
    assert interface.text(QAccessible.Text.Description).startswith("-0.50 right, 0.25 up. Song. Arrow keys")
    pad.show_value("x", 0.1)
    assert pad.text.split(" \u00b7 ")[0].endswith("% Song")
    pad.show_anchors(())
    assert "No anchors yet" in interface.text(QAccessible.Text.Description)
    assert pad.focusPolicy() & Qt.FocusPolicy.TabFocus
    assert "MIDI file" in pad.toolTip()


# Anchors


def test_files_dropped_become_anchors_there(pad: LatentPad, asked: list[AddAnchor]) -> None:
    dropped(pad, "/music/one.mid", "/music/two.mid")
    assert {(a.source, a.player) for a in asked} == {("file", 2)}
    assert [a.what for a in asked] == ["/music/one.mid", "/music/two.mid"]
    assert asked[0].x == pytest.approx(0.5, abs=0.01)


def test_an_anchor_is_carried_with_ctrl(qtbot: QtBot, pad: LatentPad, turned: list, asked: list[ChangeAnchor]) -> None:
    qtbot.mousePress(pad, LEFT, CTRL, at(pad, RIFF.x, RIFF.y))
    drag(pad, at(pad, 0, 0.5), CTRL)
    qtbot.mouseRelease(pad, LEFT, CTRL, at(pad, 0, 0.5))
    (change,) = asked
    assert (change.name, change.player, change.to) == ("Riff", 2, "")
    assert (change.x, change.y) == pytest.approx((0, 0.5), abs=0.01)
    assert turned == []


def test_the_menu_adds_anchors(pad: LatentPad, asked: list[AddAnchor]) -> None:
    menu = pad.menu(pad.point_of(0.1, 0.2))
    action(menu, "Capture").trigger()
    action(menu, "Add a random phrase").trigger()
    genres = action(menu, "Add the average of a genre").menu()
    assert isinstance(genres, QMenu)
    assert [one.text() for one in genres.actions()] == ["All genres", "Jazz"]
    genres.actions()[1].trigger()
    assert [(a.source, a.what) for a in asked] == [("phrase", ""), ("sample", ""), ("genre", "jazz")]
    assert {(round(a.x, 6), round(a.y, 6)) for a in asked} == {(0.1, 0.2)}
    pad.show_anchors([Anchor(str(i), -1 + i / 10, 0) for i in range(MAX_ANCHORS)])
    assert not action(pad.menu(QPointF()), "Capture").isEnabled()


def test_the_menu_of_an_anchor(qtbot: QtBot, pad: LatentPad, asked: list[object]) -> None:
    menu = pad.menu(pad.point_of(RIFF.x, RIFF.y))
    action(menu, "Move the puck here").trigger()
    assert pad.puck == (RIFF.x, RIFF.y)
    action(menu, "Rename").trigger()
    dialog = pad.findChild(QInputDialog)
    assert dialog is not None
    dialog.setTextValue(" Bridge ")
    dialog.accept()
    action(menu, "Remove").trigger()
    assert asked == [ChangeAnchor("Riff", "Bridge", player=2), RemoveAnchor("Riff", 2)]
    assert not [a for a in pad.menu(pad.point_of(0.9, 0.9)).actions() if a.text() == "Remove"]


# In the window


@pytest.fixture
def latent(qtbot: QtBot, window: Window, engine: EngineStandIn) -> LatentPad:
    engine.player_knobs, engine.anchors = PAD_KNOBS, (SONG,)
    engine.values |= {f"0/{info.id}": info.default for info in PAD_KNOBS}
    engine.describe()
    qtbot.waitUntil(lambda: 0 in window.board.pads, timeout=5000)
    return window.board.pads[0]


def test_only_a_player_with_a_latent_space_has_a_pad(
    qtbot: QtBot, window: Window, engine: EngineStandIn, latent: LatentPad
) -> None:
    assert latent.isVisible()
    assert latent.anchors == (SONG,)
    assert (0, "wander") in window.board.controls
    assert (0, "x") not in window.board.controls, "the pad is its control"
    engine.player_knobs, engine.anchors = PLAYER_KNOBS, None
    engine.describe()
    qtbot.waitUntil(lambda: not window.board.pads, timeout=5000)
    qtbot.waitUntil(lambda: not window.findChildren(LatentPad), timeout=5000)


def test_the_puck_turns_the_players_knobs_and_follows_them(
    qtbot: QtBot, window: Window, engine: EngineStandIn, latent: LatentPad
) -> None:
    qtbot.mouseClick(latent, LEFT, NONE, at(latent, SONG.x, SONG.y))
    assert engine.commands(SetKnob) == [SetKnob("x", SONG.x, 0), SetKnob("y", SONG.y, 0)]
    qtbot.waitUntil(lambda: not window.link.pending(0, "y"), timeout=5000)
    engine.values["0/x"] = 0.75  # as a MIDI controller may turn it
    engine.describe()
    qtbot.waitUntil(lambda: latent.puck == (0.75, SONG.y), timeout=5000)


def test_anchors_come_from_the_engine_and_refusals_are_told(
    qtbot: QtBot, window: Window, engine: EngineStandIn, latent: LatentPad, tmp_path: Path
) -> None:
    dropped(latent, str(tmp_path / "tune.mid"))
    qtbot.waitUntil(lambda: len(latent.anchors) == 2, timeout=5000)
    engine.refusals[AddAnchor] = "empty.mid has no notes: give a MIDI file with at least one"
    dropped(latent, str(tmp_path / "empty.mid"))
    qtbot.waitUntil(lambda: "Empty.mid has no notes" in window.banner.text, timeout=5000)
    assert len(latent.anchors) == 2


def test_two_controllers_can_be_learnt(engine: EngineStandIn, latent: LatentPad) -> None:
    menu = latent.menu(QPointF())
    action(menu, "Learn a MIDI controller for left and right").trigger()
    action(menu, "Learn a MIDI controller for down and up").trigger()
    assert engine.commands(Learn) == [Learn("x", 0), Learn("y", 0)]


def test_it_is_reached_by_tab_and_keeps_the_keyboard_when_knobs_change(
    qtbot: QtBot, window: Window, engine: EngineStandIn, latent: LatentPad
) -> None:
    with qtbot.waitActive(window):
        window.activateWindow()
    window.roll.setFocus()
    window.focusNextChild()
    assert latent.hasFocus()
    engine.player_knobs = PAD_KNOBS[:3]
    engine.describe()
    qtbot.waitUntil(lambda: window.board.pads[0] is not latent, timeout=5000)
    qtbot.waitUntil(lambda: window.board.pads[0].hasFocus(), timeout=5000)
