from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instrument.engine.ipc.messages import KnobInfo
from instrument.errors import HocketError
from instrument.ui.knobs.values import Scale, note_name

TEMPERATURE = Scale(KnobInfo("temperature", "Temperature", low=0.0, high=2.0, default=1.0))
TEMPO = Scale(KnobInfo("tempo", "Tempo", unit="bpm", low=20.0, high=400.0, default=120.0, curve="log"))
PITCH = Scale(KnobInfo("low", "Lowest", unit="note", low=0, high=127, step=1, default=0))
LEVEL = Scale(KnobInfo("level", "Level", unit="dB", low=-60.0, high=6.0, default=0.0))
DETUNE = Scale(KnobInfo("detune", "Detune", unit="ct", low=-50.0, high=50.0, default=0.0))
DENSITY = Scale(KnobInfo("density", "Density", low=0.0, high=8.0, step=0.1, default=0.0, zero="free"))
SCALES = (TEMPERATURE, TEMPO, PITCH, LEVEL, DETUNE, DENSITY)


@given(st.sampled_from(SCALES), st.floats(0, 1))
def test_a_place_and_its_value_belong_together(scale: Scale, place: float) -> None:
    value = scale.value(place)
    assert scale.info.low <= value <= scale.info.high
    assert scale.value(scale.place(value)) == pytest.approx(value)
    if not scale.info.step:
        assert scale.place(value) == pytest.approx(place, abs=1e-9)


@given(st.sampled_from(SCALES), st.floats(allow_nan=False))
def test_no_value_leaves_the_range(scale: Scale, value: float) -> None:
    assert 0 <= scale.place(value) <= 1
    if math.isfinite(value):
        assert scale.info.low <= scale.snap(value) <= scale.info.high


def test_a_log_curve_gives_equal_ratios_equal_ways() -> None:
    way = TEMPO.place(80) - TEMPO.place(40)
    assert TEMPO.place(160) - TEMPO.place(80) == pytest.approx(way)


def test_a_notch_is_a_hundredth_of_the_way_but_at_least_a_step() -> None:
    assert TEMPERATURE.moved(1.0, 1) == pytest.approx(1.02)
    assert TEMPERATURE.moved(1.0, -0.1) == pytest.approx(0.998)
    assert PITCH.moved(60, 0.1) == 61
    assert PITCH.moved(60, -3) == 56
    assert PITCH.moved(127, 1) == 127


@pytest.mark.parametrize(
    ("scale", "value", "text"),
    [
        (TEMPERATURE, 1.0, "1.00"),
        (TEMPO, 120.0, "120 bpm"),
        (LEVEL, -6.5, "−6.5 dB"),
        (PITCH, 60, "C4"),
        (PITCH, 127, "G9"),
        (DENSITY, 0.0, "free"),
        (DENSITY, 0.1, "0.1"),
    ],
)
def test_values_read_as_players_say_them(scale: Scale, value: float, text: str) -> None:
    assert scale.text(value) == text
    assert scale.parse(text) == pytest.approx(value)


def test_a_unit_is_left_out_where_there_is_no_room() -> None:
    assert TEMPO.text(96, unit=False) == "96"


@pytest.mark.parametrize(("text", "value"), [("1,25", 1.25), (" 0.5 ", 0.5), (".5", 0.5)])
def test_numbers_are_taken_as_typed(text: str, value: float) -> None:
    assert TEMPERATURE.parse(text) == value


@pytest.mark.parametrize(("text", "pitch"), [("c4", 60), ("F#3", 54), ("Gb3", 54), ("61", 61), ("C-1", 0)])
def test_pitches_are_taken_by_name_or_number(text: str, pitch: int) -> None:
    assert PITCH.parse(text) == pitch


@pytest.mark.parametrize("text", ["", "loud", "3", "-0.1", "nan", "1e9"])
def test_what_cannot_be_is_refused_with_what_can(text: str) -> None:
    with pytest.raises(HocketError, match=r"Temperature cannot be .* give 0\.00 to 2\.00"):
        TEMPERATURE.parse(text)


def test_the_arc_starts_in_the_middle_of_what_goes_both_ways() -> None:
    assert DETUNE.origin == pytest.approx(0.5)
    assert LEVEL.origin == 0
    assert TEMPERATURE.origin == 0


def test_a_range_of_one_value_is_no_trouble() -> None:
    scale = Scale(KnobInfo("only", "Only", low=3, high=3, default=3))
    assert scale.place(3) == 0
    assert scale.moved(3, 5) == 3
    assert scale.text(3) == "3"


def test_note_names() -> None:
    assert [note_name(p) for p in (0, 61, 69)] == ["C-1", "Db4", "A4"]
