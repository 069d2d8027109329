"""Macros and variations in the window."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from instrument.engine.ipc.messages import MapMacro, SetKnob
from instrument.engine.performance.knobs import MACROS
from instrument.ui.knobs.knob import KnobDial
from instrument.ui.macros.strip import SHOWN
from instrument.ui.macros.variations import BAND, LITTLE, LOT, NOTES, SOUND, STYLE, group_of, variations
from instrument.ui.window import Window
from tests.ui.stand_in import EngineStandIn


def dial(window: Window, player: int, knob: str) -> KnobDial:
    found = window.board.controls[player, knob]
    assert isinstance(found, KnobDial)
    return found


def test_four_macros_are_seen_and_four_more_are_one_click_away(qtbot: QtBot, window: Window) -> None:
    shown = [window.board.controls[-1, macro].isVisible() for macro in MACROS]
    assert shown == [True] * SHOWN + [False] * (len(MACROS) - SHOWN)
    assert [dial(window, -1, macro).info.label for macro in MACROS[:SHOWN]] == ["Surprise", "Busy", "Bright", "Feel"]
    window.macros.more.click()
    assert all(window.board.controls[-1, macro].isVisible() for macro in MACROS)


def test_a_knob_is_mapped_by_its_context_menu(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    menu = dial(window, 0, "temperature").menu()
    macros = next(each for each in menu.findChildren(QMenu) if each.title() == "Moved by macro")
    checked = {action.text(): action.isChecked() for action in macros.actions()}
    assert checked["Surprise"]
    assert not checked["Macro 5"]
    next(action for action in macros.actions() if action.text() == "Macro 5").trigger()
    next(action for action in macros.actions() if action.text() == "Surprise").trigger()
    assert engine.commands(MapMacro) == [
        MapMacro("macro_5", "0/temperature", 1.0),
        MapMacro("surprise", "0/temperature", 0.0),
    ]
    assert not [each for each in dial(window, -1, "busy").menu().findChildren(QMenu) if "macro" in each.title()]


def test_variations_are_heard_kept_and_undone_as_one_step(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    before = dict(engine.values)
    window.macros.vary.click()
    dialog = window.surprise.dialog
    assert dialog is not None
    qtbot.keyClick(dialog.letters[0], Qt.Key.Key_Return)
    first = dict(engine.values)
    assert first != before
    sent = [
        gesture for command, gesture in zip(engine.sent, engine.gestures, strict=True) if isinstance(command, SetKnob)
    ]
    assert len(set(sent)) == 1
    assert sent[0] > 0
    dialog.letters[1].click()
    assert dict(engine.values) not in (before, first)
    dialog.original.click()
    assert dict(engine.values) == before
    dialog.letters[0].click()
    assert dict(engine.values) == first, "it is the same again"
    dialog.reject()
    assert dict(engine.values) == before
    window.macros.vary.click()
    assert window.surprise.dialog is not None
    window.surprise.dialog.letters[2].click()
    window.surprise.dialog.accept()
    assert dict(engine.values) != before


def test_locks_hold_and_a_little_is_near(window: Window) -> None:
    description = window._description
    assert description is not None
    groups = {group_of(info, description.kinds) for info in description.knobs}
    assert groups == {"", STYLE, NOTES, BAND}
    for changed in variations(description, LITTLE, [STYLE, NOTES, SOUND], 1):
        assert changed
        assert all(name.startswith("band/") for name in changed)
    near, far = (variations(description, reach, [], 3) for reach in (LITTLE, LOT))
    base = float(description.values["0/temperature"])
    assert all(abs(float(each["0/temperature"]) - base) <= 2 * LITTLE + 1e-9 for each in near)
    assert any(abs(float(each["0/temperature"]) - base) > 2 * LITTLE for each in far)
    assert all(each["0/genre"] == description.values["0/genre"] for each in near)
    for name in ("band/tempo", "band/level", "0/port", "band/key"):
        assert all(name not in each for each in far)
