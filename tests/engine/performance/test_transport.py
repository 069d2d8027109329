import pytest

from instrument.engine.performance.transport import METRES, Transport, metre_map
from instrument.errors import HocketError

BEAT_120 = 500_000_000


def test_stopped_transport_stands_at_zero():
    transport = Transport()
    assert not transport.playing
    assert transport.position(123) == 0
    assert transport.bar_and_beat(0) == (1, 1)


def test_position_runs_with_the_tempo_and_never_before_zero():
    transport = Transport(bpm=120).started(1_000)
    assert transport.position(0) == 0
    assert transport.position(1_000 + BEAT_120) == pytest.approx(24)
    assert transport.bar_and_beat(24 * 5) == (2, 2)


def test_tempo_change_keeps_what_lies_before_it():
    transport = Transport(bpm=120).started(0).with_tempo(240, 24)
    assert transport.tempo is not None
    assert transport.tempo.ns(24) == pytest.approx(BEAT_120)
    assert transport.tempo.ns(48) == pytest.approx(BEAT_120 * 1.5)
    assert transport.bpm == 240
    assert transport.stopped().bpm == 240


def test_after_a_gap_the_music_goes_on_where_it_was():
    transport = Transport(bpm=120).started(0).resumed(10 * BEAT_120, 9 * BEAT_120)
    assert transport.position(10 * BEAT_120) == pytest.approx(24)
    assert transport.position(11 * BEAT_120) == pytest.approx(48)


def test_tempo_set_while_stopped_is_the_tempo_it_starts_with():
    transport = Transport().with_tempo(60, 0).started(0)
    assert transport.position(2 * BEAT_120) == pytest.approx(24)


@pytest.mark.parametrize("bpm", [0, -1, 19.9, 400.1, float("nan"), float("inf")])
def test_impossible_tempo_is_refused(bpm):
    with pytest.raises(HocketError, match="20 to 400"):
        Transport().with_tempo(bpm, 0)


@pytest.mark.parametrize(("metre", "bar"), [("4/4", 96), ("3/4", 72), ("6/8", 72), ("12/8", 144), ("5/4", 120)])
def test_metres(metre, bar):
    assert metre in METRES
    assert metre_map(metre).start_of(3) == 3 * bar


def test_beats_of_six_eight_are_eighths():
    transport = Transport().with_metres(metre_map("6/8")).started(0)
    assert transport.bar_and_beat(72 + 12 * 5) == (2, 6)


def test_unknown_metre_names_those_there_are():
    with pytest.raises(HocketError, match="12/8"):
        metre_map("7/16")
