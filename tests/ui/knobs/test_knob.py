from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QAccessible, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot

from instrument.engine.ipc.messages import KnobInfo
from instrument.ui.knobs.knob import KnobDial

TEMPERATURE = KnobInfo("temperature", "Temperature", low=0.0, high=2.0, default=1.0, help="How daring it is")
REGISTER = KnobInfo("register", "Register", unit="st", low=-24, high=24, step=1, default=0)
SHIFT = Qt.KeyboardModifier.ShiftModifier
PLAIN = Qt.KeyboardModifier.NoModifier


@pytest.fixture
def knob(qtbot: QtBot) -> KnobDial:
    made = KnobDial(TEMPERATURE)
    qtbot.addWidget(made)
    made.show()
    made.resize(made.sizeHint())
    return made


@pytest.fixture
def stepped(qtbot: QtBot) -> KnobDial:
    made = KnobDial(REGISTER)
    qtbot.addWidget(made)
    made.show()
    return made


def turns(knob: KnobDial) -> list[float]:
    heard: list[float] = []
    knob.turned.connect(heard.append)
    return heard


def drag(
    knob: KnobDial, up: float, modifiers: Qt.KeyboardModifier = PLAIN, steps: int = 10, release: bool = True
) -> None:
    start = QPointF(knob.rect().center())

    def send(kind: QEvent.Type, y: float, button: Qt.MouseButton, buttons: Qt.MouseButton) -> None:
        at = start - QPointF(0, y)
        event = QMouseEvent(kind, at, knob.mapToGlobal(at), button, buttons, modifiers)
        QApplication.sendEvent(knob, event)

    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    send(QEvent.Type.MouseButtonPress, 0, left, left)
    for step in range(1, steps + 1):
        send(QEvent.Type.MouseMove, up * step / steps, none, left)
    if release:
        send(QEvent.Type.MouseButtonRelease, up, left, none)


def wheel(knob: KnobDial, notches: float, modifiers: Qt.KeyboardModifier = PLAIN, sideways: bool = False) -> None:
    angle = round(120 * notches)
    delta = QPoint(angle, 0) if sideways else QPoint(0, angle)
    at = QPointF(knob.rect().center())
    event = QWheelEvent(
        at, knob.mapToGlobal(at), QPoint(), delta, Qt.MouseButton.NoButton, modifiers,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(knob, event)


def test_dragging_up_turns_it_up(knob: KnobDial) -> None:
    heard = turns(knob)
    drag(knob, 50)
    assert knob.exact == pytest.approx(1.5)
    assert heard[-1] == knob.exact
    assert len(heard) == 10
    drag(knob, -100)
    assert knob.exact == pytest.approx(0.5)


def test_shift_drag_is_ten_times_finer(knob: KnobDial) -> None:
    drag(knob, 50, SHIFT)
    assert knob.exact == pytest.approx(1.05)


def test_a_drag_ends_at_the_ends_and_comes_straight_back(knob: KnobDial) -> None:
    drag(knob, 1000, release=False)
    assert knob.exact == 2.0
    at = QPointF(0, knob.rect().center().y() - 980)
    none, left = Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton
    knob.mouseMoveEvent(QMouseEvent(QEvent.Type.MouseMove, at, at, none, left, PLAIN))
    assert knob.exact < 2.0


def test_a_slow_drag_gets_across_the_steps(stepped: KnobDial) -> None:
    heard = turns(stepped)
    drag(stepped, 25, steps=100)
    assert heard == [1, 2, 3, 4, 5, 6]


def test_double_click_resets(qtbot: QtBot, knob: KnobDial) -> None:
    knob.show_value(1.7)
    heard = turns(knob)
    qtbot.mouseDClick(knob, Qt.MouseButton.LeftButton)
    assert heard == [1.0]


def test_the_wheel_turns_and_shift_makes_it_small(knob: KnobDial) -> None:
    wheel(knob, 1)
    assert knob.exact == pytest.approx(1.02)
    wheel(knob, -1, SHIFT)
    assert knob.exact == pytest.approx(1.018)
    wheel(knob, -1, SHIFT, sideways=True)  # as some systems send it
    assert knob.exact == pytest.approx(1.016)


def test_a_fine_wheel_adds_up_to_steps(stepped: KnobDial) -> None:
    heard = turns(stepped)
    for _ in range(8):
        wheel(stepped, 0.25)
    assert heard == [1, 2]


@pytest.mark.parametrize(
    ("key", "modifiers", "value"),
    [
        (Qt.Key.Key_Up, PLAIN, 1.02), (Qt.Key.Key_Right, PLAIN, 1.02), (Qt.Key.Key_Down, PLAIN, 0.98),
        (Qt.Key.Key_Up, SHIFT, 1.002), (Qt.Key.Key_PageUp, PLAIN, 1.2), (Qt.Key.Key_PageDown, PLAIN, 0.8),
        (Qt.Key.Key_Home, PLAIN, 0.0), (Qt.Key.Key_End, PLAIN, 2.0),
    ],
)  # fmt: skip
def test_it_can_be_turned_by_keys(
    qtbot: QtBot, knob: KnobDial, key: Qt.Key, modifiers: Qt.KeyboardModifier, value: float
) -> None:
    qtbot.keyClick(knob, key, modifiers)
    assert knob.exact == pytest.approx(value)


@pytest.mark.parametrize("key", [Qt.Key.Key_Delete, Qt.Key.Key_Backspace])
def test_delete_resets(qtbot: QtBot, knob: KnobDial, key: Qt.Key) -> None:
    knob.show_value(0.3)
    qtbot.keyClick(knob, key)
    assert knob.exact == 1.0


def test_a_digit_begins_an_exact_value(qtbot: QtBot, knob: KnobDial) -> None:
    heard = turns(knob)
    qtbot.keyClick(knob, Qt.Key.Key_0)
    assert knob._typed is not None
    qtbot.keyClicks(knob._typed, ".77")
    qtbot.keyClick(knob._typed, Qt.Key.Key_Return)
    assert heard == [0.77]
    assert knob._typed is None


def test_enter_opens_the_present_value_and_escape_leaves_it(qtbot: QtBot, knob: KnobDial) -> None:
    heard = turns(knob)
    qtbot.keyClick(knob, Qt.Key.Key_Return)
    assert knob._typed is not None
    assert knob._typed.text() == "1.00"
    assert knob._typed.accessibleName() == "Temperature: value"
    qtbot.keyClicks(knob._typed, "2")
    qtbot.keyClick(knob._typed, Qt.Key.Key_Escape)
    assert knob._typed is None
    assert heard == []


def test_what_cannot_be_typed_is_explained_and_stays_open(qtbot: QtBot, knob: KnobDial) -> None:
    knob.type_value("7")
    assert knob._typed is not None
    qtbot.keyClick(knob._typed, Qt.Key.Key_Return)
    assert knob._typed is not None
    assert "give 0.00 to 2.00" in QToolTip.text()
    assert knob.exact == 1.0


def test_an_echo_moves_it_silently_but_not_under_the_fingers(knob: KnobDial) -> None:
    heard = turns(knob)
    knob.show_value(0.25)
    assert knob.exact == 0.25
    assert heard == []
    drag(knob, 10, release=False)
    held = knob.exact
    knob.show_value(1.9)
    assert knob.exact == held


def test_its_menu_has_help_reset_and_typing(knob: KnobDial) -> None:
    knob.show_value(1.6)
    menu = knob.menu()
    texts = [action.text() for action in menu.actions() if action.text()]
    assert texts == ["How daring it is", "Reset to 1.00", "Type a value…"]
    menu.actions()[2].trigger()
    assert knob.exact == 1.0
    menu.actions()[3].trigger()
    assert knob._typed is not None


def test_screen_readers_are_told(knob: KnobDial, stepped: KnobDial) -> None:
    interface = QAccessible.queryAccessibleInterface(knob)
    assert interface.role() == QAccessible.Role.Dial
    assert interface.text(QAccessible.Text.Name) == "Temperature"
    assert interface.text(QAccessible.Text.Description) == "1.00. How daring it is"
    assert knob.value() == 50  # percent of the way
    stepped.show_value(-5)
    assert stepped.value() == -5
    assert QAccessible.queryAccessibleInterface(stepped).text(QAccessible.Text.Description).startswith("−5 st")


def test_a_screen_reader_can_turn_it(knob: KnobDial) -> None:
    heard = turns(knob)
    knob.setValue(75)
    assert heard == [1.5]


def test_it_shows_what_it_is_set_to(qtbot: QtBot, knob: KnobDial) -> None:
    before = knob.grab().toImage()
    knob.show_value(1.9)
    assert knob.grab().toImage() != before
    knob.setEnabled(False)
    assert knob.grab().toImage() != before
