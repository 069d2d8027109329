"""Tempo, metre, key, loudness and form of pieces whose answers are known."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest

from instrument.music.notes import Part, tidy
from instrument.music.timebase import Metre
from training.evaluation.notes.form import LAGS, self_similarity
from training.measures import analysis
from training.measures.analysis import (
    analyse,
    key_fits,
    keys,
    metre,
    metre_agreement,
    signature,
    tempo,
)

COMMON, WALTZ, JIG = Metre(0, 4, 4), Metre(0, 3, 4), Metre(0, 6, 8)
MAJOR = (0, 2, 4, 5, 7, 9, 11)


def notes(rows: list[tuple[int, int, int]], velocity: int = 80, part: int = Part.MELODY) -> np.ndarray:
    """Of (tick, pitch, duration)."""
    return tidy(np.array([(t, 0, p, d, velocity, part) for t, p, d in rows], np.int32))


def dance(beats: int, beat: int, bars: int, key: int = 0, seed: int = 1) -> np.ndarray:
    """A bass note, then short chords, under a melody at random in a major key that rests on the first beat."""
    rng = np.random.default_rng(seed)
    bar, rows = beats * beat, []
    for i in range(bars):
        root = (0, 3, 4, 0)[i % 4]
        for b in range(beats):
            at = i * bar + b * beat
            tune = 72 + key + MAJOR[rng.integers(7)]
            if b == 0:
                rows += [(at, 36 + key + MAJOR[root], bar), (at, tune, bar), (at, 48 + key + MAJOR[root], bar)]
            else:
                rows += [(at, 48 + key + MAJOR[(root + third) % 7], beat // 2) for third in (2, 4)]
            if beat == 36 and rng.random() < 0.6:
                rows.append((at + 24, tune, 12))
            elif rng.random() < 0.4:
                rows.append((at + 12, tune, 12))
    return notes(rows)


# --- metre and tempo


@pytest.mark.parametrize(
    ("beats", "beat", "name"), [(3, 24, "3/4"), (4, 24, "4/4"), (2, 24, "4/4"), (2, 36, "6/8"), (4, 36, "6/8")]
)
def test_the_metre_is_heard(beats, beat, name):
    played = dance(beats, beat, 48)
    assert metre(played) == name
    assert all(metre_agreement(played, 0, 48 * beats * beat, name))


def test_a_waltz_that_becomes_a_march_agrees_with_neither():
    waltz, march = dance(3, 24, 32), dance(4, 24, 32)
    march[:, 0] += 32 * 72
    both = np.concatenate([waltz, march])
    assert metre_agreement(both, 0, 32 * 72 + 24 * 96, "3/4") == [True, True, False, False]
    assert analyse(both, 0, 32 * 72 + 24 * 96, 120, WALTZ)["metre"] == 0.5


def test_of_few_notes_nothing_is_said():
    few = notes([(24 * i, 60, 24) for i in range(7)])
    assert metre(few) is None
    assert metre_agreement(few, 0, 2 * 16 * 96, "4/4") == []
    assert isnan(tempo(few, 120))
    assert all(isnan(value) for value in analyse(few, 0, 960, 120, COMMON).values())


@pytest.mark.parametrize(("gap", "bpm", "felt"), [(24, 120, 120), (24, 100, 100), (12, 60, 120), (48, 240, 120)])
def test_the_tempo_is_that_of_what_is_struck(gap, bpm, felt):
    clicks = notes([(gap * i, 60, gap) for i in range(64)])
    assert tempo(clicks, bpm) == pytest.approx(felt)


# --- key


@pytest.mark.parametrize("root", range(12))
def test_keys_are_found_on_every_root(root):
    scale = np.zeros(12)
    scale[[(root + step) % 12 for step in MAJOR]] = 1
    scale[[root, (root + 7) % 12]] += 1
    assert key_fits(scale).argmax() == root
    minor = np.zeros(12)
    minor[[(root + step) % 12 for step in (0, 2, 3, 5, 7, 8, 11)]] = 1
    minor[[root, (root + 3) % 12, (root + 7) % 12]] += 1
    best = int(key_fits(minor).argmax())
    assert best == 12 + root
    assert signature(best) == (root + 3) % 12


def test_no_key_fits_what_is_all_alike():
    assert not key_fits(np.ones(12)).any()


def test_a_change_of_key_is_seen():
    before, after = dance(4, 24, 24), dance(4, 24, 8, key=6)
    after[:, 0] += 24 * 96
    both = np.concatenate([before, after])
    assert [signature(key) for key, _ in keys(both, 0, 32 * 96, 8 * 96)] == [0, 0, 0, 6]
    assert analyse(both, 0, 32 * 96, 120, COMMON)["key kept"] == 0.75
    assert analyse(before, 0, 24 * 96, 120, COMMON)["key kept"] == 1.0


def test_drums_have_no_key_and_no_pitch():
    drums = notes([(24 * i, 36 + i % 5, 6) for i in range(128)], part=Part.DRUMS)
    found = analyse(drums, 0, 32 * 96, 120, COMMON)
    assert isnan(found["key kept"])
    assert isnan(found["pitch"])
    assert found["metre"] is not None
    assert found["velocity"] == 80


# --- range and loudness


def test_range_and_drift():
    rows = [(24 * i, (60 if i < 50 else 72), 24) for i in range(100)]
    found = analyse(notes(rows), 0, 2400, 120, COMMON)
    assert found["range"] == 12
    assert found["pitch"] == 66
    assert found["pitch drift"] == 12


def test_a_level_three_times_as_loud_in_velocity_is_nine_times():
    quiet = notes([(24 * i, 60, 24) for i in range(50)], velocity=40)
    loud = notes([(24 * i, 60, 24) for i in range(50, 100)], velocity=120)
    found = analyse(np.concatenate([quiet, loud]), 0, 2400, 120, COMMON)
    assert found["level"] == pytest.approx(9)
    assert found["velocity"] == 80
    silent = analyse(np.concatenate([quiet, loud]), 0, 2400, 120, COMMON, dynamic=False)
    assert isnan(silent["level"])
    assert isnan(silent["velocity"])


def test_twice_the_notes_are_twice_as_loud():
    sparse = [(24 * i, 60, 24) for i in range(50)]
    dense = [(12 * i, 60, 12) for i in range(100, 200)]
    assert analyse(notes(sparse + dense), 0, 2400, 120, COMMON)["level"] == pytest.approx(2)


def test_figures_are_named():
    assert set(analyse(dance(4, 24, 16), 0, 16 * 96, 120, COMMON)) == set(analysis.FIGURES)


# --- form


def bars(pitches: list[list[int]], bar: int = 96) -> np.ndarray:
    """Quarter notes: the pitches of each bar."""
    return notes([(bar * i + 24 * j, p, 24) for i, own in enumerate(pitches) for j, p in enumerate(own)])


def test_an_exact_repetition_after_eight_bars():
    phrase = [[40 + 4 * i + j for j in range(4)] for i in range(8)]
    found = self_similarity(bars(phrase * 4), 0, 32 * 96, COMMON)
    assert found == {1: 0, 2: 0, 4: 0, 8: 1, 16: 1}


def test_half_the_notes_alike_is_a_third():
    """Two of the six notes that either bar has are in both."""
    phrase = [[60, 62, 50 + i, 30 + i] for i in range(20)]
    found = self_similarity(bars(phrase), 0, 20 * 96, COMMON)
    assert found[1] == pytest.approx(1 / 3)
    assert isnan(found[16])  # four pairs are too few to say


def test_form_is_deaf_to_touch_and_microtiming():
    played = bars([[60, 64, 67, 72]] * 32)
    rng = np.random.default_rng(1)
    played[:, 0] = np.maximum(played[:, 0] + rng.integers(-2, 3, len(played)), 0)
    played[:, 3], played[:, 4] = rng.integers(1, 48, len(played)), rng.integers(1, 128, len(played))
    assert self_similarity(played, 0, 32 * 96, COMMON) == dict.fromkeys(LAGS, 1.0)


def test_empty_bars_are_like_nothing_and_pairs_of_them_say_nothing():
    played = bars([[60, 62, 64, 65] if i % 2 == 0 else [] for i in range(32)])
    found = self_similarity(played, 0, 32 * 96, COMMON)
    assert found == {1: 0, 2: 1, 4: 1, 8: 1, 16: 1}
    assert all(isnan(v) for v in self_similarity(played[:0], 0, 32 * 96, COMMON).values())


def test_form_counts_bars_of_the_metre():
    waltz = bars([[60, 62, 64], [65, 67, 69]] * 16, bar=72)
    assert self_similarity(waltz, 0, 32 * 72, WALTZ) == {1: 0, 2: 1, 4: 1, 8: 1, 16: 1}
    later = waltz + np.array([500, 0, 0, 0, 0, 0], np.int32)
    assert self_similarity(later, 500, 500 + 32 * 72, WALTZ)[2] == 1
