"""A path of the puck, its second puck, and anchors by a double click."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QMouseEvent
from pytestqt.qtbot import QtBot

from instrument.engine.ipc.messages import AddAnchor
from instrument.ui.latent_pad.pad import LatentPad

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
ALT = Qt.KeyboardModifier.AltModifier


@pytest.fixture
def pad(qtbot: QtBot) -> LatentPad:
    made = LatentPad(0)
    qtbot.addWidget(made)
    made.resize(264, 300)
    made.show()
    return made


def mouse(pad: LatentPad, kind: QMouseEvent.Type, x: float, y: float, keys: Qt.KeyboardModifier = NONE) -> None:
    at = pad.point_of(x, y)
    event = QMouseEvent(kind, at, pad.mapToGlobal(at), LEFT, LEFT, keys)
    {
        QMouseEvent.Type.MouseButtonPress: pad.mousePressEvent,
        QMouseEvent.Type.MouseMove: pad.mouseMoveEvent,
        QMouseEvent.Type.MouseButtonRelease: pad.mouseReleaseEvent,
        QMouseEvent.Type.MouseButtonDblClick: pad.mouseDoubleClickEvent,
    }[kind](event)


def drag(pad: LatentPad, *places: tuple[float, float], keys: Qt.KeyboardModifier = NONE) -> None:
    mouse(pad, QMouseEvent.Type.MouseButtonPress, *places[0], keys)
    for place in places[1:]:
        mouse(pad, QMouseEvent.Type.MouseMove, *place, keys)
    mouse(pad, QMouseEvent.Type.MouseButtonRelease, *places[-1], keys)


def test_a_path_is_recorded_and_looped_until_the_puck_is_taken(pad: LatentPad) -> None:
    now = [0.0]
    pad.path._clock = lambda: now[0]
    pad.path.arm()
    mouse(pad, QMouseEvent.Type.MouseButtonPress, -0.5, 0.0)
    for number, x in enumerate((0.0, 0.5)):
        now[0] = number + 1.0
        mouse(pad, QMouseEvent.Type.MouseMove, x, 0.25)
    now[0] = 3.0
    mouse(pad, QMouseEvent.Type.MouseButtonRelease, 0.5, 0.25)
    assert pad.path.looping
    heard: list[tuple[str, float]] = []
    pad.turned.connect(lambda axis, value: heard.append((axis, value)))
    seen = []
    for seconds in (3.1, 4.1, 5.1, 6.1):  # the path lasts 3 s, so the last is its beginning again
        now[0] = seconds
        pad.path.step()
        seen.append(round(pad.puck[0], 1))
    assert seen == [-0.5, 0.0, 0.5, -0.5]
    assert heard
    drag(pad, (0.1, 0.1))
    assert not pad.path.looping
    pad.path.loop()
    assert pad.path.looping
    pad.path.stop()


def test_a_click_is_no_path(pad: LatentPad) -> None:
    pad.path.arm()
    drag(pad, (0.1, 0.1))
    assert not pad.path.looping
    assert not pad.path.known


def test_the_puck_of_the_sound_goes_along_and_alt_moves_it_alone(pad: LatentPad) -> None:
    sounded: list[tuple[str, float]] = []
    turned: list[tuple[str, float]] = []
    pad.sounded.connect(lambda axis, value: sounded.append((axis, round(value, 2))))
    pad.turned.connect(lambda axis, value: turned.append((axis, round(value, 2))))
    drag(pad, (0.25, 0.0))
    assert sounded == [], "without a sound player there is no second puck"
    pad.sound_player = 1
    drag(pad, (0.5, 0.0))
    assert sounded == [("x", 0.25)]
    turned.clear()
    sounded.clear()
    drag(pad, (-0.5, 0.5), (-0.6, 0.5), keys=ALT)
    assert turned == []
    assert ("x", -0.5) in sounded
    assert round(pad.sound[0], 1) == -0.6
    assert round(pad.puck[0], 2) == 0.5


def test_a_double_click_makes_what_was_just_played_an_anchor(pad: LatentPad) -> None:
    asked: list[object] = []
    pad.asked.connect(asked.append)
    mouse(pad, QMouseEvent.Type.MouseButtonDblClick, 0.5, -0.5)
    (command,) = asked
    assert isinstance(command, AddAnchor)
    assert (command.source, round(command.x, 2), round(command.y, 2)) == ("phrase", 0.5, -0.5)
