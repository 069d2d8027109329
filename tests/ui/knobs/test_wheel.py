"""The wheel turns a control only where it is meant."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QEnterEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from instrument.engine.ipc.messages import KnobInfo
from instrument.ui.knobs.controls import Choice, NumberBox
from instrument.ui.knobs.knob import KnobDial
from instrument.ui.knobs.wheel import REST_S

SHIFT, PLAIN = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.NoModifier
GENRE = KnobInfo("genre", "Genre", "choice", default="none", choices=("none", "jazz", "pop", "folk"))
DENSITY = KnobInfo("density", "Density", low=0.0, high=1.0, default=0.5)
REGISTER = KnobInfo("register", "Register", unit="st", low=-24, high=24, step=1, default=0)
TEMPO = KnobInfo("tempo", "Tempo", unit="bpm", low=20, high=400, default=120.0, player=-1)


class Hand:
    """A pointer over one control, with a clock of its own."""

    def __init__(self, qtbot: QtBot, control: KnobDial | Choice | NumberBox) -> None:
        self.now = 100.0
        self.control = control
        self.turned: list[object] = []
        control.turned.connect(self.turned.append)
        control._wheel._clock = lambda: self.now
        self._around = QWidget()  # has the focus
        self._around.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        control.setParent(self._around)
        qtbot.addWidget(self._around)
        self._around.show()
        self._around.setFocus()

    def enter(self, rest: float = 0.0) -> None:
        at = QPointF(self.control.rect().center())
        QApplication.sendEvent(self.control, QEnterEvent(at, at, at))
        self.now += rest

    def wheel(self, up: int, across: int = 0, modifiers: Qt.KeyboardModifier = PLAIN) -> bool:
        """Whether the control took it. up, across: in eighths of a degree, 120 a notch."""
        at = QPointF(self.control.rect().center())
        none, phase = Qt.MouseButton.NoButton, Qt.ScrollPhase.NoScrollPhase
        event = QWheelEvent(
            at, self.control.mapToGlobal(at), QPoint(), QPoint(across, up), none, modifiers, phase, False
        )
        event.ignore()
        QApplication.sendEvent(self.control, event)
        return event.isAccepted()


@pytest.mark.parametrize("make", [lambda: Choice(GENRE), lambda: KnobDial(DENSITY), lambda: NumberBox(TEMPO, 1)])
def test_a_wheel_that_passes_over_changes_nothing(qtbot: QtBot, make) -> None:
    hand = Hand(qtbot, make())
    hand.enter(rest=REST_S / 4)
    for _ in range(20):  # it goes on, longer than the pointer would have to rest
        assert not hand.wheel(-120)
        hand.now += REST_S / 4
    assert hand.turned == []
    hand.now += REST_S
    assert hand.wheel(-120)
    assert len(hand.turned) == 1


def test_a_control_with_the_focus_is_turned_at_once(qtbot: QtBot) -> None:
    hand = Hand(qtbot, KnobDial(DENSITY))
    with qtbot.waitActive(hand._around):
        hand._around.activateWindow()
    hand.control.setFocus()
    assert hand.wheel(120)
    assert hand.turned == [0.51]


@pytest.mark.parametrize("make", [lambda: Choice(GENRE), lambda: KnobDial(DENSITY), lambda: NumberBox(TEMPO, 1)])
def test_a_swipe_sideways_turns_nothing(qtbot: QtBot, make) -> None:
    hand = Hand(qtbot, make())
    hand.enter(rest=REST_S)
    assert not hand.wheel(0, across=240)
    assert not hand.wheel(30, across=240)
    assert hand.turned == []


def test_a_fine_wheel_is_counted_in_fractions(qtbot: QtBot) -> None:
    dial = Hand(qtbot, KnobDial(DENSITY))
    dial.enter(rest=REST_S)
    dial.wheel(15)
    assert dial.turned == [pytest.approx(0.5 + 0.01 / 8)]
    for control, all_turns in ((Choice(GENRE), ["jazz"]), (KnobDial(REGISTER), [-1.0])):
        hand = Hand(qtbot, control)
        hand.enter(rest=REST_S)
        for _ in range(12):  # one notch and a half
            hand.wheel(-15)
        assert hand.turned == all_turns
    tempo = Hand(qtbot, NumberBox(TEMPO, 1))
    tempo.enter(rest=REST_S)
    for _ in range(8):
        tempo.wheel(15)
    assert tempo.control.value() == 121.0


def test_shift_turns_a_tenth_also_where_it_comes_sideways(qtbot: QtBot) -> None:
    dial, tempo = Hand(qtbot, KnobDial(DENSITY)), Hand(qtbot, NumberBox(TEMPO, 1))
    for hand in (dial, tempo):
        hand.enter(rest=REST_S)
        hand.wheel(120, modifiers=SHIFT)
        hand.wheel(0, across=120, modifiers=SHIFT)
    assert dial.turned == [pytest.approx(0.501), pytest.approx(0.502)]
    assert tempo.turned == [pytest.approx(120.1), pytest.approx(120.2)]


def test_the_wheel_gives_no_focus(qtbot: QtBot) -> None:
    for control in (Choice(GENRE), KnobDial(DENSITY), NumberBox(TEMPO)):
        qtbot.addWidget(control)
        assert control.focusPolicy() == Qt.FocusPolicy.StrongFocus


def test_a_wheel_over_a_closed_list_stops_at_its_ends(qtbot: QtBot) -> None:
    hand = Hand(qtbot, Choice(GENRE))
    hand.enter(rest=REST_S)
    hand.wheel(1200)
    hand.wheel(-1200)
    hand.wheel(-120)
    assert hand.turned == ["folk"]


def test_an_enter_forgets_what_was_left_of_a_notch(qtbot: QtBot) -> None:
    hand = Hand(qtbot, KnobDial(REGISTER))
    hand.enter(rest=REST_S)
    hand.wheel(90)
    QApplication.sendEvent(hand.control, QEvent(QEvent.Type.Leave))
    hand.enter(rest=REST_S)
    hand.wheel(90)
    assert hand.turned == []
