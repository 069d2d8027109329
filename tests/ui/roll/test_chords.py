"""The chord lane over the roll: chords are seen, typed, dragged, deleted and held."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from instrument.engine.ipc.messages import Lead, Play, SetChords, SetKnob
from instrument.ui.roll.chords import ChordLane
from instrument.ui.window import Window
from tests.ui.stand_in import EngineStandIn


@pytest.fixture
def lane(qtbot: QtBot, window: Window) -> ChordLane:
    with qtbot.waitActive(window):
        window.activateWindow()
    qtbot.waitUntil(lambda: bool(window.stage.lane.bars))
    qtbot.waitUntil(lambda: window.stage.lane.box(4).right() < window.stage.lane.width())
    return window.stage.lane


def middle(lane: ChordLane, bar: int) -> QPoint:
    return lane.box(bar).center().toPoint()


def test_it_has_the_chords_of_the_plan_over_the_bars_of_the_roll(window: Window, lane: ChordLane) -> None:
    assert [lane.text_of(bar) for bar in range(4)] == ["Dm7", "G7", "Cmaj7", "Am7"]
    roll = window.roll
    assert lane.mapTo(window, QPoint()).x() == roll.mapTo(window, QPoint()).x(), "one axis"
    for bar in range(4):
        assert lane.box(bar).left() == roll.x_of(96 * bar)
        assert lane.bar_at(lane.box(bar).center().x()) == bar


def test_chords_are_typed(qtbot: QtBot, lane: ChordLane, engine: EngineStandIn) -> None:
    qtbot.mouseDClick(lane, Qt.MouseButton.LeftButton, pos=middle(lane, 2))
    field = lane.findChild(QLineEdit)
    assert field is not None
    assert field.text() == "Cmaj7"
    for key in "Dm9 G13":
        QTest.keyClick(lane.window().windowHandle(), key)
    assert field.text() == "Dm9 G13"
    QTest.keyClick(lane.window().windowHandle(), Qt.Key.Key_Return)
    assert engine.commands(SetChords) == [SetChords(3, "Dm9 G13")]
    assert engine.commands(Play) == [], "the space was part of the text"
    qtbot.waitUntil(lambda: lane.text_of(2) == "Dm9 G13")


def test_escape_leaves_the_chords_as_they_were(qtbot: QtBot, lane: ChordLane, engine: EngineStandIn) -> None:
    lane.setFocus()
    qtbot.keyClick(lane, Qt.Key.Key_Right)
    qtbot.keyClick(lane, Qt.Key.Key_Return)
    field = lane.findChild(QLineEdit)
    assert field is not None
    qtbot.keyClicks(field, "X")
    qtbot.keyClick(field, Qt.Key.Key_Escape)
    assert engine.commands(SetChords) == []
    assert lane.hasFocus()


def test_chords_are_dragged_to_another_bar_and_copied(qtbot: QtBot, lane: ChordLane, engine: EngineStandIn) -> None:
    def drag(held: Qt.KeyboardModifier) -> None:
        qtbot.mousePress(lane, Qt.MouseButton.LeftButton, pos=middle(lane, 1))
        qtbot.mouseMove(lane, middle(lane, 2))
        qtbot.mouseMove(lane, middle(lane, 3))
        qtbot.mouseRelease(lane, Qt.MouseButton.LeftButton, held, middle(lane, 3))

    drag(Qt.KeyboardModifier.NoModifier)
    assert engine.commands(SetChords) == [SetChords(4, "G7"), SetChords(2, "%")]
    qtbot.waitUntil(lambda: lane.text_of(1) == "%")
    engine.sent.clear()
    drag(Qt.KeyboardModifier.ControlModifier)
    assert engine.commands(SetChords) == [SetChords(4, "%")]


def test_chords_are_deleted_held_and_looped(qtbot: QtBot, lane: ChordLane, engine: EngineStandIn) -> None:
    lane.setFocus()
    lane.choose(3)
    qtbot.keyClick(lane, Qt.Key.Key_Delete)
    assert engine.commands(SetChords) == [SetChords(4, "%")]

    def entries(bar: int) -> dict[str, object]:
        return {action.text(): action for action in lane.menu(bar).actions()}

    entries(1)["Hold G7"].trigger()  # type: ignore[attr-defined]
    assert engine.commands(Lead) == [Lead("G7")]
    qtbot.waitUntil(lambda: entries(1)["Back to the plan"].isEnabled())  # type: ignore[attr-defined]
    entries(1)["Back to the plan"].trigger()  # type: ignore[attr-defined]
    assert engine.commands(Lead)[-1] == Lead("")
    loops = entries(1)["Loop"].menu()  # type: ignore[attr-defined]
    next(action for action in loops.actions() if "4" in action.text()).trigger()
    assert engine.commands(SetKnob)[-1] == SetKnob("loop", 4, -1)
    qtbot.waitUntil(lambda: lane.bars[3].written)
    entries(3)["As it was planned"].trigger()  # type: ignore[attr-defined]
    assert engine.commands(SetChords)[-1] == SetChords(4, "")


def test_a_screen_reader_is_told_chord_section_and_what_returns(lane: ChordLane) -> None:
    lane.choose(9)
    assert lane.accessibleDescription().startswith("Bar 10: G7, section A, recalls bar 2.")
