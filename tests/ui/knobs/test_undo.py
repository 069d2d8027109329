"""Undo in the window: what is sent, and how much of it is one step."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from instrument.engine.ipc.messages import SetKnob, Undo
from instrument.ui.knobs.controls import NumberBox
from instrument.ui.knobs.knob import KnobDial
from instrument.ui.window import Window
from tests.ui.stand_in import EngineStandIn


def drag(target: QWidget, by: int) -> None:
    """Up, in some movements, and let go."""
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    kinds = [QEvent.Type.MouseButtonPress, *[QEvent.Type.MouseMove] * 4, QEvent.Type.MouseButtonRelease]
    for number, kind in enumerate(kinds):
        at = QPointF(target.rect().center()) - QPointF(0, by * min(number, 4) / 4)
        button = none if kind == QEvent.Type.MouseMove else left
        event = QMouseEvent(kind, at, target.mapToGlobal(at), button, left, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(target, event)
        QApplication.processEvents()


def gestures(engine: EngineStandIn, knob: str) -> list[int]:
    sent = zip(engine.sent, engine.gestures, strict=True)
    return [gesture for command, gesture in sent if isinstance(command, SetKnob) and command.knob == knob]


def test_a_drag_has_one_number_and_the_next_another(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    dial, tempo = window.board.controls[0, "temperature"], window.board.controls[-1, "tempo"]
    assert isinstance(dial, KnobDial)
    assert isinstance(tempo, NumberBox)
    for place, by in ((dial, 40), (dial, -20), (tempo.lineEdit(), 20)):
        drag(place, by)
        qtbot.waitUntil(lambda: not window.link.pending(0, "temperature") and not window.link.pending(-1, "tempo"))
    first, second = gestures(engine, "temperature")[0], gestures(engine, "temperature")[-1]
    assert 0 < first < second < gestures(engine, "tempo")[0]
    assert gestures(engine, "tempo")[0] > 0
    qtbot.keyClick(dial, Qt.Key.Key_Up)
    assert engine.gestures[-1] == 0


def test_keys_undo_and_redo_also_where_a_number_has_the_focus(
    qtbot: QtBot, window: Window, engine: EngineStandIn
) -> None:
    with qtbot.waitActive(window):
        window.activateWindow()
    tempo = window.board.controls[-1, "tempo"]
    assert isinstance(tempo, NumberBox)
    control, shift = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
    for place in (window.transport.play, tempo):
        place.setFocus()
        target = tempo.lineEdit() if place is tempo else place
        qtbot.keyClick(target, Qt.Key.Key_Z, control)
        qtbot.keyClick(target, Qt.Key.Key_Z, control | shift)
    assert engine.commands(Undo) == [Undo(), Undo(redo=True)] * 2
    qtbot.keyClicks(tempo.lineEdit(), "9")
    qtbot.keyClick(tempo.lineEdit(), Qt.Key.Key_Z, control)
    assert len(engine.commands(Undo)) == 4, "what is typed is undone in its field"
