from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instrument.engine.performance.knobs import (
    INSTRUMENT,
    INSTRUMENT_KNOBS,
    KnobTable,
    ask_from,
    checked,
    parse_setting,
    parse_timed,
    value_at,
)
from instrument.errors import HocketError
from instrument.music.notes import Part
from tests.support.players import KNOBS

TABLE = KnobTable([KNOBS, KNOBS])
DEFAULTS = {info.id: info.default for info in INSTRUMENT_KNOBS}


def test_every_knob_takes_its_default_and_explains_itself():
    assert len({info.id for info in INSTRUMENT_KNOBS}) == len(INSTRUMENT_KNOBS)
    for info in INSTRUMENT_KNOBS:
        assert checked(info, info.default) == info.default
        assert info.player == INSTRUMENT
        assert info.help
        assert info.label


def test_a_player_has_his_model_s_knobs_and_the_instrument_its_own():
    assert TABLE.find("temperature", 1).player == 1
    assert TABLE.find("tempo", 1).player == INSTRUMENT
    assert TABLE.find("tempo", INSTRUMENT).player == INSTRUMENT
    assert [info.id for info in TABLE.of(0)] == [knob.id for knob in KNOBS]
    with pytest.raises(HocketError, match=r"unknown knob 'volume': choose one of bass, .*, temperature, tempo"):
        TABLE.find("volume")
    with pytest.raises(HocketError, match="unknown knob 'temperature'"):
        TABLE.find("temperature", INSTRUMENT)


@pytest.mark.parametrize(
    ("knob", "value", "taken"),
    [
        ("tempo", "96.5", 96.5),
        ("tempo", 20, 20.0),
        ("seed", 12.4, 12.0),
        ("low", "48", 48.0),
        ("key", "bb", "Bb"),
        ("scale", "Harmonic Minor", "harmonic minor"),
        ("drums", "Off", "off"),
        ("drums", True, "auto"),
        ("drums", 1.0, "auto"),
        ("drums", "0", "off"),
        ("metre", "6/8", "6/8"),
    ],
)
def test_values_are_taken(knob, value, taken):
    assert checked(TABLE.find(knob), value) == taken


@pytest.mark.parametrize(
    ("knob", "value", "says"),
    [
        ("tempo", 19.9, "tempo cannot be 19.9: give 20 to 400 bpm"),
        ("tempo", "fast", "tempo cannot be fast: give 20 to 400 bpm"),
        ("tempo", float("nan"), "tempo cannot be nan"),
        ("tempo", float("inf"), "tempo cannot be inf"),
        ("tempo", None, "tempo cannot be None"),
        ("tempo", [1], "tempo cannot be"),
        ("key", "H", "key cannot be 'H': choose one of C, Db"),
        ("key", 3, "key cannot be '3'"),
        ("metre", "7/8", "metre cannot be '7/8': choose one of 4/4"),
        ("drums", 0.5, "drums cannot be '0.5': choose one of off, auto, on"),
        ("seed", -1, "seed cannot be -1: give 0 to 999999"),
    ],
)
def test_values_are_refused_with_what_is_allowed(knob, value, says):
    with pytest.raises(HocketError, match=says) as error:
        checked(TABLE.find(knob), value)
    assert "\n" not in str(error.value)


def test_what_is_asked_of_a_model():
    values = DEFAULTS | {
        "key": "G",
        "scale": "dorian",
        "chromatic": 0.25,
        "low": 72.0,
        "high": 48.0,
        "bass": "off",
        "drums": "on",
    }
    ask = ask_from(values, {"temperature": 0.8}, 17)
    assert ask.knobs == {"temperature": 0.8}
    assert (ask.floor, ask.key, ask.scale, ask.chromatic) == (17, 7, "dorian", 0.25)
    assert (ask.low, ask.high) == (48, 72), "lowest and highest may be turned past one another"
    assert ask.parts == frozenset(Part) - {Part.BASS}
    assert ask.on == {Part.DRUMS}
    assert ask_from(values, {}, own=frozenset({Part.BASS, Part.MELODY})).parts == {Part.MELODY}
    assert ask_from(values, {}, own=frozenset({Part.MELODY})).on == frozenset()
    assert ask_from(DEFAULTS, {}).parts == frozenset(), "with no part muted there is nothing to ask"


def test_settings_on_the_command_line():
    assert parse_setting("temperature=0.9") == (0, "temperature", "0.9")
    assert parse_setting(" 1/genre = jazz ") == (1, "genre", "jazz")
    assert parse_timed("16:tempo=90") == (16.0, "tempo=90")
    assert parse_timed("2.5:1/metre=6/8") == (2.5, "1/metre=6/8")


@pytest.mark.parametrize("text", ["", "temperature", "=1", "tempo=", "x/tempo=1", "/tempo=1"])
def test_settings_that_set_nothing(text):
    with pytest.raises(HocketError, match=r"KNOB=VALUE|PLAYER/KNOB"):
        parse_setting(text)


@pytest.mark.parametrize("text", ["tempo=90", "x:tempo=90", "-1:tempo=90", "nan:tempo=90", ":tempo=90", "1e9:tempo=3"])
def test_settings_without_a_beat(text):
    with pytest.raises(HocketError, match="BEAT:KNOB=VALUE"):
        parse_timed(text)


@settings(deadline=None)
@given(st.text(max_size=30), st.sampled_from((parse_setting, parse_timed)))
def test_any_text_sets_a_knob_or_is_refused(text, parse):
    with suppress(HocketError):
        assert parse(text)


@settings(deadline=None)
@given(st.sampled_from(INSTRUMENT_KNOBS), st.one_of(st.floats(), st.text(max_size=8), st.integers()))
def test_a_value_is_taken_within_range_or_refused(info, value):
    try:
        taken = checked(info, value)
    except HocketError:
        return
    assert checked(info, taken) == taken
    if info.kind == "number":
        assert info.low <= taken <= info.high
    elif info.kind == "choice":
        assert taken in info.choices


@given(st.sampled_from((*INSTRUMENT_KNOBS, *TABLE.of(0))), st.floats(0, 1))
def test_every_place_of_a_knob_is_a_value_it_takes(info, place):
    checked(info, value_at(info, place))


def test_the_ends_of_a_knob_are_at_the_ends_of_a_controller():
    for info in (*INSTRUMENT_KNOBS, *TABLE.of(0)):
        ends = (info.choices[0], info.choices[-1]) if info.choices else (info.low, info.high)
        found = (value_at(info, 0), value_at(info, 1))
        assert found == (ends if info.choices else pytest.approx(ends))
