"""The on-screen keyboard, under the mouse and under the computer's keys."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from instrument import midi_spec
from instrument.engine.ipc.messages import Play, PlayKeys, Press, SetKnob, Stop
from instrument.ui import theme
from instrument.ui.playing.panel import KeyboardPanel
from instrument.ui.window import Window
from tests.ui.stand_in import EngineStandIn


@pytest.fixture
def keyboard(qtbot: QtBot, window: Window) -> Iterator[KeyboardPanel]:
    with qtbot.waitActive(window):
        window.activateWindow()
    window.unfold("keyboard")
    qtbot.waitUntil(lambda: window.keyboard.piano.width() > 300)
    yield window.keyboard
    window.keyboard.open(False)


def played(engine: EngineStandIn) -> list[bytes]:
    return [message for command in engine.commands(PlayKeys) for message in command.messages]  # type: ignore[attr-defined]


def on(key: int) -> tuple[int, int]:
    return midi_spec.NOTE_ON, key


def off(key: int) -> tuple[int, int]:
    return midi_spec.NOTE_OFF, key


def test_the_mouse_plays_and_the_first_key_starts_the_music(
    qtbot: QtBot, keyboard: KeyboardPanel, engine: EngineStandIn
) -> None:
    piano = keyboard.piano
    low = QPoint(round(1.5 * piano.width() / len(piano.white)), piano.height() - 4)
    assert piano.key_at(low.toPointF()) == 50
    qtbot.mouseClick(piano, Qt.MouseButton.LeftButton, pos=low)
    assert [tuple(message[:2]) for message in played(engine)] == [on(50), off(50)]
    assert engine.commands(Play) == [Play()]
    black = QPoint(round(piano.width() / len(piano.white)), 4)
    assert piano.key_at(black.toPointF()) == 49
    qtbot.mousePress(piano, Qt.MouseButton.LeftButton, pos=black)
    qtbot.mouseMove(piano, low)
    qtbot.mouseRelease(piano, Qt.MouseButton.LeftButton, pos=low)
    assert [tuple(message[:2]) for message in played(engine)][2:] == [on(49), off(49), on(50), off(50)]
    assert engine.commands(Play) == [Play()], "once"


def test_it_plays_on_while_the_music_is_stopped(qtbot: QtBot, window: Window, keyboard: KeyboardPanel,
                                                engine: EngineStandIn) -> None:  # fmt: skip
    window.play_or_stop()
    qtbot.waitUntil(lambda: window.transport.playing)
    window.play_or_stop()
    qtbot.waitUntil(lambda: not window.transport.playing)
    keyboard.piano.press(60)
    keyboard.piano.release(60)
    assert len(played(engine)) == 2
    assert engine.commands(Play) == [Play()]
    assert engine.commands(Stop) == [Stop()]


def test_two_rows_of_the_computers_keys_play(qtbot: QtBot, window: Window, keyboard: KeyboardPanel,
                                             engine: EngineStandIn) -> None:  # fmt: skip
    handle = window.windowHandle()
    window.roll.setFocus()
    for key in (Qt.Key.Key_Z, Qt.Key.Key_S, Qt.Key.Key_Q, Qt.Key.Key_T):
        QTest.keyPress(handle, key)
    for key in (Qt.Key.Key_S, Qt.Key.Key_Z, Qt.Key.Key_Q, Qt.Key.Key_T):
        QTest.keyRelease(handle, key)
    pressed = [on(60), on(61), on(72), on(79)]
    assert [tuple(message[:2]) for message in played(engine)] == [*pressed, off(61), off(60), off(72), off(79)]
    assert engine.commands(Press) == [], "T is a note here, not the tempo"
    engine.sent.clear()
    QTest.keyClick(handle, "]")
    QTest.keyClick(handle, Qt.Key.Key_Z)
    assert [tuple(message[:2]) for message in played(engine)] == [on(72), off(72)]
    engine.sent.clear()
    keyboard.typed.click()
    QTest.keyClick(handle, Qt.Key.Key_Z)
    assert played(engine) == []


def test_what_is_typed_into_a_field_is_no_note(qtbot: QtBot, window: Window, keyboard: KeyboardPanel,
                                               engine: EngineStandIn) -> None:  # fmt: skip
    tempo = window.transport.tempo
    assert tempo is not None
    tempo.setFocus()
    tempo.selectAll()
    for key in "95":
        QTest.keyClick(window.windowHandle(), key)
    QTest.keyClick(window.windowHandle(), Qt.Key.Key_Return)
    assert tempo.value() == 95
    assert played(engine) == []


def test_bend_modulation_and_sustain(qtbot: QtBot, keyboard: KeyboardPanel, engine: EngineStandIn) -> None:
    bend = keyboard.bend
    middle = QPoint(bend.width() // 2, bend.height() // 2)
    qtbot.mousePress(bend, Qt.MouseButton.LeftButton, pos=middle)
    qtbot.mouseMove(bend, QPoint(middle.x(), 0))
    assert played(engine)[-1][0] == midi_spec.BEND
    assert played(engine)[-1][2] > 100
    qtbot.mouseRelease(bend, Qt.MouseButton.LeftButton, pos=middle)
    assert played(engine)[-1] == midi_spec.bend(0, midi_spec.BEND_CENTRE)
    qtbot.keyClick(keyboard.modulation, Qt.Key.Key_Up)
    assert played(engine)[-1] == midi_spec.control(0, 1, 13)
    keyboard.sustain.click()
    assert played(engine)[-1] == midi_spec.control(0, 64, 127)


def test_keys_that_are_held_are_released_when_it_is_folded_away(
    window: Window, keyboard: KeyboardPanel, engine: EngineStandIn
) -> None:
    QTest.keyPress(window.windowHandle(), Qt.Key.Key_Z)
    keyboard.sustain.click()
    engine.sent.clear()
    window.unfold("keyboard", False)
    assert {tuple(message[:2]) for message in played(engine)} == {off(60), (midi_spec.CONTROL, 64)}


def test_what_sounds_is_lit(qtbot: QtBot, window: Window, keyboard: KeyboardPanel) -> None:
    window.play_or_stop()
    qtbot.waitUntil(lambda: len(keyboard.piano._lit) > 1, timeout=5000)
    assert set(keyboard.piano._lit.values()) <= {*theme.PARTS, theme.ACCENT}


def test_the_split_point_is_dragged_while_the_left_hand_leads(
    qtbot: QtBot, keyboard: KeyboardPanel, engine: EngineStandIn
) -> None:
    piano = keyboard.piano
    assert piano.split is None
    keyboard.arranger.click()
    qtbot.waitUntil(lambda: piano.split == 60)
    assert engine.commands(SetKnob) == [SetKnob("lead", "hold", -1)]
    there, here = QPoint(round(piano._x_of(60)), 20), QPoint(round(piano._x_of(64)) + 3, 20)
    qtbot.mousePress(piano, Qt.MouseButton.LeftButton, pos=there)
    qtbot.mouseMove(piano, here)
    qtbot.mouseRelease(piano, Qt.MouseButton.LeftButton, pos=here)
    assert engine.commands(SetKnob)[-1] == SetKnob("split", 64.0, -1)
    assert played(engine) == []
