"""How the band plays along, and the buttons for its form."""

from __future__ import annotations

from pytestqt.qtbot import QtBot

from instrument.engine.ipc.messages import Lead, Press
from instrument.ui.window import Window
from tests.ui.stand_in import EngineStandIn


def test_the_form_has_plain_buttons(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    acts = window.stage.acts
    assert [button.text() for button in acts.buttons.values()] == [
        "Intro", "Fill", "Break", "Ending", "Again", "New idea"
    ]  # fmt: skip
    for name, button in acts.buttons.items():
        button.click()
        assert engine.commands(Press)[-1] == Press(name)
    more = {action.text(): action for action in acts.menu_of_more().actions()}
    more["The section before, again"].trigger()
    assert engine.commands(Press)[-1] == Press("form/previous")


def test_the_band_plays_with_a_person_holds_a_chord_and_loops(
    qtbot: QtBot, window: Window, engine: EngineStandIn
) -> None:
    acts = window.stage.acts
    acts.modes["accompany"].click()
    qtbot.waitUntil(lambda: engine.values["band/mode"] == "accompany")
    assert acts.modes["accompany"].isChecked()
    assert not acts.modes["jam"].isChecked()
    acts.hold.click()
    assert engine.commands(Press)[-1] == Press("chord/hold")
    engine.led = "Dm9"
    qtbot.waitUntil(lambda: acts.hold.text() == "Held: Dm9")
    acts.hold.click()
    assert engine.commands(Lead) == [Lead("")]
    next(action for action in acts.menu_of_loops().actions() if action.text() == "The last 4 bars").trigger()
    qtbot.waitUntil(lambda: acts.loop.text() == "Loop: 4")
