"""Bars and the map from ticks to time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instrument.errors import HocketError
from instrument.music.harmony import SCALES, scale_mask
from instrument.music.timebase import Metre, MetreMap, TempoMap, check_tempo

TEMPO = st.floats(20, 400)


def test_bars_go_on_over_a_change_of_metre():
    metres = MetreMap((Metre(0, 4, 4), Metre(192, 3, 4)))
    assert (metres.locate(191).bar, metres.locate(191).offset) == (1, 95)
    assert (metres.locate(192).bar, metres.locate(192).offset) == (2, 0)
    assert metres.locate(192 + 72).bar == 3
    assert [metres.start_of(b) for b in range(4)] == [0, 96, 192, 264]


@given(st.integers(-500, 5000), st.sampled_from([(4, 4), (3, 4), (6, 8), (7, 8)]))
def test_a_tick_lies_in_its_bar(tick, signature):
    metres = MetreMap((Metre(0, *signature),))
    where = metres.locate(tick)
    assert metres.start_of(where.bar) + where.offset == tick
    assert 0 <= where.offset < Metre(0, *signature).bar_ticks


@given(TEMPO, st.lists(st.tuples(st.floats(1, 500), TEMPO), max_size=6), st.floats(0, 5000))
def test_ticks_and_time_are_inverse_and_time_never_goes_back(bpm, changes, tick):
    tempo, at = TempoMap.start(bpm, 0, 1e9), 0.0
    for gap, new in changes:
        at += gap
        before = tempo.ns(at)
        tempo = tempo.changed(at, new)
        assert tempo.ns(at) == pytest.approx(before)
    assert tempo.tick(tempo.ns(tick)) == pytest.approx(tick, abs=1e-3)
    assert tempo.ns(tick + 1) > tempo.ns(tick)


@pytest.mark.parametrize("bpm", [0, -3, 19.9, 1e9, float("nan"), float("inf")])
def test_an_impossible_tempo_is_one_clear_line(bpm):
    with pytest.raises(HocketError, match="20 to 400"):
        check_tempo(bpm)


def test_scales():
    assert scale_mask(0, "major").nonzero()[0].tolist() == [0, 2, 4, 5, 7, 9, 11]
    assert scale_mask(2, "major")[[2, 6, 1]].all()
    assert all(scale_mask(k, s).sum() == len(SCALES[s]) for k in range(12) for s in SCALES)
    with pytest.raises(HocketError, match="unknown scale 'majr'"):
        scale_mask(0, "majr")
