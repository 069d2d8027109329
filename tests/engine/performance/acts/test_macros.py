"""Macros move other knobs from where they are."""

from __future__ import annotations

import pytest

from instrument.engine.ipc.messages import MapMacro
from instrument.engine.offline.render import differences
from instrument.engine.performance.acts.asking import COMMANDS, ask_for
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.performance import Performance
from instrument.errors import HocketError
from tests.support.players import open_scale

DUET = Patch(players=(PlayerPatch("scale", {"temperature": 0.5}), PlayerPatch("scale", {"density": 4.0})))


@pytest.fixture
def playing() -> Performance:
    performance = Performance(DUET, open_scale)
    while performance.extend(96):
        pass
    performance.advance(48)
    return performance


def turn(performance: Performance, macro: str, value: float) -> None:
    ask_for(performance, performance.table.find(f"band/{macro}"), value)


def values(performance: Performance, *names: str) -> list[float]:
    return [float(performance.values[name]) for name in names]


def test_a_macro_moves_the_knobs_of_all_players_and_puts_them_back(playing: Performance) -> None:
    before = dict(playing.values)
    turn(playing, "surprise", 1.0)
    warm = values(playing, "0/temperature", "1/temperature")
    assert warm[0] == pytest.approx(0.5 + 0.35 * 1.9, abs=0.03)
    assert warm[1] == pytest.approx(1.0 + 0.35 * 1.9, abs=0.03)
    turn(playing, "surprise", 0.0)  # beyond the end of the first, which is remembered
    assert values(playing, "0/temperature") == [0.1]
    turn(playing, "surprise", 0.5)
    assert dict(playing.values) == before


def test_a_knob_that_was_free_moves_from_its_middle_and_is_free_again(playing: Performance) -> None:
    turn(playing, "busy", 0.6)
    assert values(playing, "0/density", "1/density") == [pytest.approx(4.75, abs=0.26), pytest.approx(4.75, abs=0.26)]
    turn(playing, "busy", 0.5)
    assert values(playing, "0/density", "1/density") == [0.0, 4.0]


def test_a_knob_that_was_turned_since_is_moved_from_there(playing: Performance) -> None:
    turn(playing, "surprise", 0.7)
    playing.set("temperature", 1.5, 0)
    turn(playing, "surprise", 0.7)
    assert values(playing, "0/temperature") == [1.5]
    turn(playing, "surprise", 0.6)
    assert 1.2 < values(playing, "0/temperature")[0] < 1.5


def test_any_number_is_mapped_to_any_macro(playing: Performance) -> None:
    for knob, amount in (("band/swing", 1.0), ("0/register", -0.5)):
        COMMANDS[MapMacro](playing, MapMacro("macro_5", knob, amount))
    before = values(playing, "band/swing")
    turn(playing, "macro_5", 0.8)
    assert values(playing, "band/swing") > before
    assert playing.current_patch().macros == {"macro_5": {"band/swing": 1.0, "0/register": -0.5}}
    COMMANDS[MapMacro](playing, MapMacro("macro_5", "band/swing", 0))
    assert list(playing.patch.macros["macro_5"]) == ["0/register"]
    for macro, knob, says in (
        ("none", "0/register", "no macro"),
        ("busy", "0/genre", "no number"),
        ("busy", "band/busy", "no number"),
    ):
        with pytest.raises(HocketError, match=says):
            COMMANDS[MapMacro](playing, MapMacro(macro, knob))
    COMMANDS[MapMacro](playing, MapMacro("surprise", "1/temperature", 0))
    assert list(playing.patch.macros["surprise"]) == ["0/temperature"], "its own knobs but for this one"


def test_what_a_macro_turned_is_rendered_as_it_was_heard(playing: Performance) -> None:
    for place in (0.7, 0.9, 0.3, 0.5):
        turn(playing, "busy", place)
        turn(playing, "surprise", place)
        while playing.extend(playing.floor + 96):
            pass
        playing.advance(playing.floor + 40)
    playing.stop(playing.floor)
    assert not differences(playing.take, open_scale)
