"""Figures of form on bars made to recall, repeat and return."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.support.bands import B, D, block, excerpt, note
from training.evaluation.bands.excerpt import melody_line
from training.evaluation.bands.form import (
    bar_features,
    boundaries,
    exact_repeats,
    form_figures,
    novelty,
    phrase_similarity,
    recalled,
    recalled_in_order,
    returns,
    units,
)
from training.measures.bars import self_similarity


def bars(text: str) -> list[frozenset[int]]:
    """Bars of four onsets each, all different where the letters are; lower case shares three of four with upper case;
    - is empty."""
    found = []
    for letter in text:
        first = 10 * ord(letter.upper())
        last = first + 9 if letter.islower() else first + 3
        found.append(frozenset() if letter == "-" else frozenset((first, first + 1, first + 2, last)))
    return found


def test_self_similarity_is_the_mean_likeness_of_pairs() -> None:
    assert self_similarity(bars("AaAaAaAaA"), 1) == pytest.approx(3 / 5)
    assert self_similarity(bars("AaAaAaAaAa"), 2) == 1
    assert self_similarity(bars("ABABABABA"), 1) == 0
    assert self_similarity(bars("AAAAAAAAA-"), 1) == pytest.approx(8 / 9)
    assert math.isnan(self_similarity(bars("AAAAAAAA"), 1)), "seven pairs are too few"


def test_recalled_bars_are_like_one_sixteen_bars_ago_or_earlier() -> None:
    new = "BCDEFGHIJKLMNOP"
    assert recalled(bars("A" + new + "aaaaQRST")) == pytest.approx(4 / 8)
    assert recalled(bars("A" + new[:14] + "aaaaaQRST")) == pytest.approx(4 / 8), "the first is 15 bars away"
    assert recalled(bars("A" + new + "----aaaaQRST")) == pytest.approx(4 / 8)
    assert math.isnan(recalled(bars("A" + new + "aaaaQRS")))


def test_phrases_of_four_bars_are_like_those_before() -> None:
    assert phrase_similarity(bars("ABCD" * 5)) == 1
    assert phrase_similarity(bars("A" * 20)) == 0
    # Lags 4 and 8 are a's likeness .6; 3, 5, 7 and 9 nothing.
    assert phrase_similarity(bars("ABCD" + "abcd" + "ABCD" + "abcd" + "ABCD")) == pytest.approx((0.6 + 1) / 2)
    assert math.isnan(phrase_similarity(bars("ABCD" * 4))), "seven pairs nine bars apart"


def test_bars_are_recalled_in_order_or_not() -> None:
    assert recalled_in_order(bars("ABCDEFGHIabcdefghi")) == 1
    assert recalled_in_order(bars("ABCDEFGHIJKLlkjihgfedcba")) == 0
    # Eight bars are recalled; X is followed by A at first and H by Y in the end.
    assert recalled_in_order(bars("ABCDEFGHXABCDEFGHY")) == pytest.approx(7 / 8)
    assert math.isnan(recalled_in_order(bars("ABCDEFGHABCDEFGH"))), "the last has none after it: seven"


def test_exact_repeats_look_back_thirty_two_bars() -> None:
    assert exact_repeats(bars("ABABCaDEB")) == pytest.approx(3 / 8)
    far = [frozenset({i}) for i in range(32)]
    assert exact_repeats([*far, far[0]]) == pytest.approx(1 / 32)
    assert exact_repeats([*far, frozenset({99}), far[0]]) == 0


def test_returns_need_something_else_between() -> None:
    # Units from the fifth on, four each time.
    assert returns(bars("ABCDABCD")) == 1
    assert returns(bars("AAAAAAAA")) == 0, "nothing was left"
    assert returns(bars("aBCDAEFG")) == pytest.approx(1 / 4), "three of five is likeness .6"
    assert returns(bars("ABCDEFGH")) == 0
    assert returns(bars("ABCDDDDD")) == 0, "a unit three earlier must be left in between"
    assert returns(bars("AAABBAAB")) == pytest.approx(3 / 4)
    assert returns(bars("A---AAAA")) == 0, "silence is no leaving"
    assert math.isnan(returns(bars("ABCDABC")))


def test_the_units_are_two_bars_of_melody() -> None:
    piece = excerpt([*(note(i, 60 + i % 8) for i in range(16)), note(0, 40, 1, B)], 4)
    first, second = units(melody_line(piece), piece)
    assert first == second
    assert len(first) == 8


def sections(*pitches: int) -> list:
    """Eight bars of each, a chord a beat."""
    return [
        each
        for section, pitch in enumerate(pitches)
        for beat in range(32)
        for each in block(32 * section + beat, (pitch, pitch + 4, pitch + 7), 1)
    ]


def test_features_of_a_bar() -> None:
    found = bar_features(excerpt([*block(0, (60, 64), 2), note(2, 62, 4), note(0, 36, 1, D)], 2))
    profile = np.zeros(12)
    profile[[0, 4, 2]] = 0.25, 0.25, 0.5
    assert found[0, :12].tolist() == profile.tolist()
    assert found[0, 12:17] == pytest.approx(np.log1p([1, 2, 0, 1, 0]) / 3)
    assert found[0, 17] == pytest.approx(62 / 48)
    assert not found[1, :17].any()
    assert found[1, 17] == pytest.approx(62 / 48)


def test_boundaries_lie_between_sections() -> None:
    piece = excerpt(sections(48, 66, 48, 66), 32)
    assert np.argsort(novelty(bar_features(piece)))[-3:].tolist() == [8, 16, 24]
    assert boundaries(piece) == 3
    assert boundaries(excerpt(sections(48, 48, 48, 48), 32)) == 0
    assert boundaries(excerpt(sections(48, 66, 66), 24)) == pytest.approx(32 / 24)
    assert math.isnan(boundaries(excerpt(sections(48, 66), 16)))


def test_novelty_is_the_distance_across_less_that_within() -> None:
    steps = np.repeat([[0.0], [1.0]], 8, 0)
    found = novelty(steps)
    assert found[8] == 1
    assert not found[:8].any()
    assert not found[9:].any()


def test_recalled_leaves_drums_out_and_exact_repeats_do_not() -> None:
    melody = [note(4 * bar + i, 60 + (bar % 16), 1) for bar in range(32) for i in range(4)]
    drums = [note(4 * bar, 36 + bar, 1, D) for bar in range(32)]
    found = form_figures(excerpt(melody + drums, 32))
    assert found["recalled"] == 1
    assert found["exact repeats"] == 0
    assert found["like 16 before"] == pytest.approx(4 / 6)
