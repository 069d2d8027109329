"""Chords on slots: classes, and the features of a slot."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instrument.models.plan.slots import (
    CLASSES,
    COLUMNS,
    ECHOES,
    GENRES,
    NO_CHORD_CLASS,
    NONE,
    RUNS,
    SIZES,
    WIDTH,
    Section,
    chord_of,
    class_of,
    features,
    slots_in_bar,
    without_sections,
)
from instrument.music.chords.names import KIND, NO_CHORD, QUALITIES, chord


def echo(rows, name):
    return rows[:, len(COLUMNS) + ECHOES.index(name)]


def run(rows, name):
    return rows[:, len(COLUMNS) + len(ECHOES) + ECHOES.index(name)]


def column(rows, name):
    return rows[:, COLUMNS.index(name)]


@pytest.mark.parametrize(
    ("metre", "genre", "slots"),
    [
        ((4, 4), "pop", 2),
        ((4, 4), "chorale", 4),
        ((4, 4), "classical", 4),
        ((2, 2), "classical", 2),
        ((4, 8), "chorale", 2),
        ((3, 4), "jazz", 3),
        ((9, 8), "folk", 3),
        ((6, 8), "folk", 2),
        ((12, 8), "pop", 2),
        ((5, 4), "jazz", 5),
        ((7, 8), "rock", 7),
        ((1, 4), "pop", 1),
    ],
)
def test_bars_are_divided_as_the_yardstick_says(metre, genre, slots):
    assert slots_in_bar(metre, genre) == slots


def test_there_are_97_classes_and_every_quality_has_one():
    assert CLASSES == 97
    assert class_of(NO_CHORD, 5) == NO_CHORD_CLASS == 96
    assert {class_of(chord(root, quality), 3) for root in range(12) for quality in QUALITIES} == set(range(97))
    assert class_of(chord(0), 0) == class_of(chord(7, "6"), 7) == class_of(chord(2, "5"), 2) == 0
    assert class_of(chord(9, "min6"), 9) == 12


@pytest.mark.parametrize("genre", GENRES)
def test_a_class_is_played_as_a_chord_of_its_own(genre):
    for number in range(CLASSES):
        played = chord_of(number, 4, genre)
        assert class_of(played, 4) == number
    assert KIND[chord_of(5 * 12, 0, "jazz").quality] == "dim"
    assert chord_of(5 * 12, 0, "jazz").quality == "hdim7"


def test_echoes_are_the_chords_of_so_many_bars_ago():
    chords = np.arange(40) % 90  # two slots a bar, all different
    rows = features("pop", False, [(4, 4)] * 20, [Section(-1, 20)], chords)
    assert rows.shape == (40, WIDTH)
    for bars, name in ((2, "lag2"), (4, "lag4"), (8, "lag8"), (16, "lag16")):
        assert (echo(rows, name)[: 2 * bars] == NONE).all()
        assert (echo(rows, name)[2 * bars :] == chords[: -2 * bars]).all()
        assert (run(rows, name)[: 2 * bars] == 0).all()
        assert (run(rows, name)[2 * bars :] == 1).all()  # it would not have been right before
    assert (column(rows, "previous")[1:] == chords[:-1]).all()
    assert column(rows, "previous")[0] == NONE
    assert (column(rows, "position") == np.arange(40) % 2).all()


def test_the_match_is_found_wherever_it_is_and_its_run_grows():
    loop = [1, 2, 3, 4, 5, 6]  # three bars, which no lag finds
    chords = loop * 4
    rows = features("pop", False, [(4, 4)] * 12, [Section(-1, 12)], chords)
    assert (echo(rows, "match")[7:] == chords[7:]).all()
    assert (np.diff(run(rows, "match")[7:]) >= 0).all()
    assert run(rows, "match")[-1] == 1 + 5  # 17 slots were alike


def test_the_other_match_says_otherwise():
    chords = [1, 2, 1, 2, 1, 3, 1, 2, 1, 0]
    rows = features("pop", False, [(4, 4)] * 5, [Section(-1, 5)], chords)
    assert echo(rows, "match")[-1] == 3  # 1 2 1 led to 2 and, later, to 3
    assert echo(rows, "other")[-1] == 2


def test_a_returning_section_echoes_its_earlier_appearances():
    first, second, middle = [1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 4, 5, 6, 9, 10], [20, 21, 22, 23]
    chords = [*first, *middle, *second, *middle, *first[:4]]
    sections = [Section(0, 4), Section(1, 2), Section(0, 4), Section(1, 2), Section(0, 2)]
    rows = features("pop", False, [(4, 4)] * 14, sections, chords)
    assert (echo(rows, "last")[:12] == NONE).all()
    assert echo(rows, "last")[12:20].tolist() == first
    assert echo(rows, "last")[20:24].tolist() == middle
    assert echo(rows, "last")[24:].tolist() == second[:4]
    assert echo(rows, "first")[24:].tolist() == first[:4]
    assert echo(rows, "ending")[24:].tolist() == second[4:]  # two bars long: as the earlier one ended
    assert column(rows, "since")[::2].tolist() == [1, 2, 3, 4, 1, 2, 1, 2, 3, 4, 1, 2, 1, 2]
    assert column(rows, "left")[::2].tolist() == [4, 3, 2, 1, 2, 1, 4, 3, 2, 1, 2, 1, 2, 1]
    assert column(rows, "section")[::2].tolist() == [1] * 4 + [2] * 2 + [1] * 4 + [2] * 2 + [1] * 2


def test_bars_of_another_metre_echo_nothing():
    metres = [(4, 4), (4, 4), (3, 4), (3, 4)]
    rows = features("pop", False, metres, [Section(-1, 4)], [1, 2, 3, 4, *range(5, 11)])
    assert (echo(rows, "lag2")[4:] == NONE).all()
    assert (echo(rows, "match")[4:7] == NONE).all()


def test_hidden_sections_leave_no_trace_in_the_features():
    chords = np.arange(32) % 7
    sections = [Section(0, 4), Section(1, 4), Section(0, 8)]
    metres = [(4, 4)] * 16
    known = features("rock", True, metres, sections, chords)
    unknown = features("rock", True, metres, [Section(-1, 16)], chords)
    assert (known != unknown).any()
    assert (without_sections(known) == unknown).all()


plans = st.lists(
    st.tuples(st.sampled_from([(4, 4), (3, 4), (6, 8), (5, 4)]), st.integers(0, 3), st.booleans()),
    min_size=2,
    max_size=24,
)


@given(plans, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_features_depend_on_the_past_alone_and_are_in_range(bars, random):
    metres = [metre for metre, _, _ in bars]
    sections: list[Section] = []
    for _, id, begins in bars:
        if not sections or begins:
            sections.append(Section(id, 0))
        sections[-1] = sections[-1]._replace(bars=sections[-1].bars + 1)
    slots = sum(slots_in_bar(metre, "jazz") for metre in metres)
    chords = [random.randrange(5) for _ in range(slots)]
    rows = features("jazz", False, metres, sections, chords)
    cut = random.randrange(slots)
    other = features("jazz", False, metres, sections, [*chords[:cut], *[90] * (slots - cut)])
    assert (rows[: cut + 1] == other[: cut + 1]).all()
    sizes = [*SIZES.values(), *[CLASSES + 1] * len(ECHOES), *[RUNS] * len(ECHOES)]
    assert (rows >= 0).all()
    assert (rows < np.array(sizes)).all()
