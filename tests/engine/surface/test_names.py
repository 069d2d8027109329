"""One name for all that can be turned or pressed."""

import json

import pytest
from typer.testing import CliRunner

from instrument.cli import app
from instrument.engine.ipc.messages import Press, SavePatch, SetKnob
from instrument.engine.performance.knobs import INSTRUMENT_KNOBS, moved_up, parse_setting, split_name
from instrument.engine.surface.buttons import BUTTONS, Buttons, value_after_press
from instrument.engine.surface.transport_buttons import Tapper
from instrument.errors import HocketError
from tests.support.engine import start_engine

__all__ = ["start_engine"]  # the fixture

SECOND = 1_000_000_000
OF_INSTRUMENT = {info.id: info for info in INSTRUMENT_KNOBS}


def test_names_are_split():
    assert split_name("band/tempo") == split_name("tempo") == split_name("-1/tempo") == (-1, "tempo")
    assert split_name("12/density") == (12, "density")
    for wrong in ("plan/hold", "/density", "999/density", "²/density", "1.5/density"):
        with pytest.raises(HocketError, match=r"names no knob: write band/KNOB or PLAYER/KNOB"):
            split_name(wrong)
    assert parse_setting("band/tempo=90") == (-1, "tempo", "90")


def test_names_of_those_behind_a_player_that_leaves_go_down():
    assert moved_up("2/density", 1) == "1/density"
    assert moved_up("1/density", 1) == ""
    assert moved_up("0/density", 1) == "0/density"
    assert moved_up("band/tempo", 0) == "band/tempo"
    assert moved_up("transport/tap", 0) == "transport/tap"


def test_every_button_has_a_name_of_its_own_and_explains_itself():
    assert len({button.name for button in BUTTONS}) == len(BUTTONS)
    for button in BUTTONS:
        group, _, what = button.name.partition("/")
        assert group
        assert not group.isdecimal()
        assert what
        assert button.label
        assert button.help
        assert group != "band" or what not in OF_INSTRUMENT, "it would hide a knob"


def test_an_unknown_button_is_refused_and_cannot_be_given_an_action():
    buttons = Buttons()
    assert buttons.without_action == [button.name for button in BUTTONS]
    with pytest.raises(HocketError, match=r"there is no button 'plan/hold!': press a knob or one of transport/play, "):
        buttons.press("plan/hold!", 0)
    with pytest.raises(KeyError):
        buttons.on("plan/hold!", print)


@pytest.mark.parametrize(
    ("knob", "value", "after"),
    [("drums", "off", "auto"), ("drums", "on", "off"), ("metre", "12/8", "4/4"), ("harmony", 0.9, 0.5)],
)
def test_a_knob_that_is_pressed(knob, value, after):
    assert value_after_press(OF_INSTRUMENT[knob], value) == after


def test_the_tempo_is_tapped():
    tapper = Tapper()
    taps = [tapper.tap(round(s * SECOND)) for s in (1.0, 1.5, 2.01, 2.5, 10.0, 10.25)]
    assert taps[0] is None
    assert taps[3] == pytest.approx(120)
    assert taps[4] is None, "after a pause it begins anew"
    assert taps[5] == pytest.approx(240)
    assert tapper.tap(round(10.25 * SECOND)) is None, "two taps at one time give no tempo"


def test_names_are_listed():
    rows = json.loads(CliRunner().invoke(app, ["names", "--json"]).output)
    assert {"band/tempo", "transport/tap", "N/temperature"} <= {row["name"] for row in rows}
    assert all(row["help"] for row in rows)


def test_an_engine_is_reached_by_names(start_engine):
    engine = start_engine()
    for button in BUTTONS:
        if not button.name.startswith("patch/"):
            engine.client.ask(Press(button.name))
    engine.client.ask(Press("transport/stop"))
    engine.client.ask(SetKnob("band/tempo", 90))
    engine.until(lambda: engine.description.values["band/tempo"] == 90)
    engine.client.ask(Press("band/tempo"))
    engine.until(lambda: engine.description.values["band/tempo"] == OF_INSTRUMENT["tempo"].default)
    engine.client.ask(Press("transport/toggle"))
    engine.until(lambda: engine.telemetry.playing)
    for name in ("plan/hold!", "0/nothing", "99/density"):
        with pytest.raises(HocketError, match="there is no button"):
            engine.client.ask(Press(name))
    for name in ("Aa 1", "Aa 2"):
        engine.client.ask(SavePatch(name))
    engine.until(lambda: engine.description.patch == "Aa 2")
    engine.client.ask(Press("patch/previous"))
    engine.until(lambda: engine.description.patch == "Aa 1")
    engine.client.ask(Press("patch/next"))
    engine.until(lambda: engine.description.patch == "Aa 2")
    engine.until(lambda: engine.telemetry.playing)
