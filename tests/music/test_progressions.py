"""Typed and named progressions."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instrument.errors import HocketError
from instrument.music.chords.names import chord_name
from instrument.music.plan import Plan, Recall
from instrument.music.progressions import (
    RETURN_CLOSENESS,
    named_progression,
    parse_progression,
    progressions,
    read_metre,
    read_progressions,
)
from instrument.paths import assets_dir


def spelt(plan: Plan) -> str:
    return " | ".join(" ".join(chord_name(c.chord) for c in bar.chords) or "?" for bar in plan.bars)


def offsets(text: str, **how) -> list[int]:
    return [planned.offset for planned in parse_progression(text, **how).bars[0].chords]


def test_a_typed_progression_is_bars_of_chords():
    plan = parse_progression("Dm9 | G13 | % | Am7 D7")
    assert spelt(plan) == "Dm9 | G13 | G13 | Am7 D7"
    assert plan.starts == (0, 96, 192, 288, 384)
    assert [bar.begins for bar in plan.bars] == [True, False, False, False]
    assert all(bar.recall is None for bar in plan.bars)


@pytest.mark.parametrize("text", ["C | F", "| C | F |", "C || F ||", "C\nF\n", "  C  |\n\n| F", "C|F"])
def test_bar_lines_and_lines_part_bars(text):
    assert spelt(parse_progression(text)) == "C | F"


@pytest.mark.parametrize(
    ("text", "metre", "expected"),
    [
        ("C F", (4, 4), [0, 48]),
        ("C F G", (4, 4), [0, 48, 72]),
        ("C F G Am", (4, 4), [0, 24, 48, 72]),
        ("C / / F", (4, 4), [0, 72]),
        ("C . F .", (4, 4), [0, 48]),
        ("C F G Am Dm", (4, 4), [0, 24, 48, 72, 84]),
        ("C F", (3, 4), [0, 48]),
        ("C F G", (3, 4), [0, 24, 48]),
        ("C F", (6, 8), [0, 36]),
        ("C F G", (6, 8), [0, 24, 48]),
        ("C F G", (9, 8), [0, 36, 72]),
        ("C F", (7, 8), [0, 48]),
        ("C F", (5, 4), [0, 72]),
        ("C F", (2, 2), [0, 48]),
    ],
)
def test_chords_are_spread_over_the_beats_of_a_bar(text, metre, expected):
    assert offsets(text, metre=metre) == expected


def test_harmony_can_be_free_or_silent():
    plan = parse_progression("C | ? | N.C.")
    assert spelt(plan) == "C | ? | N.C."
    assert plan.bars[1].chords == ()


def test_sections_return_in_the_order_of_the_form():
    text = "A: Dm7 | G7\nB: C | F | %\nform: A A B A"
    plan = parse_progression(text)
    assert spelt(plan) == "Dm7 | G7 | Dm7 | G7 | C | F | F | Dm7 | G7"
    assert "".join(bar.section for bar in plan.bars) == "AAAABBBAA"
    assert [i for i, bar in enumerate(plan.bars) if bar.begins] == [0, 2, 4, 7]
    again = [None, None, 0, 1, None, None, None, 0, 1]
    assert [bar.recall for bar in plan.bars] == [
        None if bar is None else Recall(bar, RETURN_CLOSENESS) for bar in again
    ]


@pytest.mark.parametrize("form", ["AAB", "A A B", "A, A, B", "A-A-B"])
def test_forms_are_letters_or_labels(form):
    plan = parse_progression("A: C\nB: F", form=form)
    assert [bar.section for bar in plan.bars] == ["A", "A", "B"]


def test_sections_have_names_and_may_share_a_line():
    plan = parse_progression("verse: Am | F chorus: C | G\nform: verse chorus verse")
    assert [bar.section for bar in plan.bars] == ["verse", "verse", "chorus", "chorus", "verse", "verse"]
    assert parse_progression("A: C B: F").bars[1].section == "B"
    assert spelt(parse_progression("C:maj7 | A:min")) == "Cmaj7 | Am"  # these are chords


def test_numbers_and_numerals_need_a_key():
    assert spelt(parse_progression("2m7 | 5 | 1 | b7", key=(2, "major"))) == "Em7 | A | D | C"
    assert spelt(parse_progression("i | VI | iv | V7", key=(9, "minor"))) == "Am | F | Dm | E7"
    with pytest.raises(HocketError, match="'2m7' is a number of a chord: choose a key"):
        parse_progression("2m7 | 5")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "has no chords"),
        (" | | ", "has no chords"),
        ("A:", "has no chords"),
        ("Dm9 | Hm", "'Hm' is no chord"),
        ("% | C", "% has no bar before it"),
        ("C % | F", "% repeats a whole bar"),
        ("/ C", "begins with /"),
        ("C C C C C C C C C", "a bar of 4/4 has 9 chords: write at most 8"),
        ("A: C\nA: F", "the section 'A' is there twice"),
        ("A: C\nform: A B", "a section 'B' without bars: there are A"),
        ("form: A A\nC | F", "chords follow the form"),
        ("C |" * 10_000, "a progression of 30000 letters is too long"),
    ],
)
def test_what_cannot_be_read_is_named(text, reason):
    with pytest.raises(HocketError, match=re.escape(reason)):
        parse_progression(text)


WORDS = st.sampled_from(
    ["A:", "B:", "form:", "A B A", "C", "Dm7", "b7", "V7/V", "N.C.", "%", "/", "?", "|", "\n", "x", ":"]
)


@given(st.lists(WORDS, max_size=12), st.sampled_from([(4, 4), (6, 8), (1, 16)]), st.booleans())
def test_any_words_are_a_plan_or_an_error(words, metre, keyed):
    try:
        plan = parse_progression(" ".join(words), metre=metre, key=(0, "minor") if keyed else None)
    except HocketError:
        return
    assert len(plan) > 0


def test_a_long_form_is_refused():
    with pytest.raises(HocketError, match="longer than 2000 bars"):
        parse_progression("A: " + "C | " * 100, form="A" * 21)


@pytest.mark.parametrize("text", ["4", "4/5", "0/4", "x", "4/4/4", ""])
def test_metres_are_checked(text):
    with pytest.raises(HocketError, match="is no metre"):
        read_metre(text)


@pytest.mark.parametrize("slug", progressions())
def test_every_progression_that_ships_returns(slug):
    progression = named_progression(slug)
    plan = progression.plan(9)
    assert plan.key == (9, progression.mode)
    assert all(bar.chords and bar.metre == progression.metre for bar in plan.bars)
    assert any(bar.recall for bar in plan.bars)
    assert 8 <= len(plan) <= 64
    assert len(progression.about) <= 90
    assert progression.plan(0).transposed(9) == plan


def test_progressions_that_ship_are_many_and_of_every_kind():
    table = progressions()
    assert len(table) >= 40
    assert {each.genre for each in table.values()} == {
        *("pop", "rock", "jazz", "folk", "funk", "electronic", "latin", "game", "classical", "chorale"),
        "ragtime_blues",
    }
    named = [each.name for each in table.values()]
    assert len(set(named)) == len(named)


def test_the_blues_is_the_blues():
    assert spelt(named_progression("twelve-bar").plan(7)).startswith(
        "G7 | C7 | G7 | G7 | C7 | C7 | G7 | G7 | D7 | C7 | G7 | D7"
    )


def test_an_unknown_name_and_a_bad_table_are_named(tmp_path):
    with pytest.raises(HocketError, match="unknown progression 'xyz': choose one of four-chords"):
        named_progression("xyz")
    with pytest.raises(HocketError, match="cannot read the progressions"):
        read_progressions(tmp_path / "none.toml")
    bad = tmp_path / "bad.toml"
    bad.write_text("[a]\nname = 'A'\n")
    with pytest.raises(HocketError, match="the progression 'a' lacks 'genre'"):
        read_progressions(bad)
    bad.write_text("[[")
    with pytest.raises(HocketError, match="is no table of progressions"):
        read_progressions(bad)
    assert read_progressions(assets_dir() / "progressions.toml") == progressions()
