"""The plan as data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instrument.errors import HocketError
from instrument.music.chords.names import NO_CHORD, QUALITIES, Chord, chord, parse_chord
from instrument.music.notes import Part
from instrument.music.plan import FREE, Change, Place, Plan, PlanBar, PlannedChord, Recall

CHORDS = st.builds(
    chord, st.integers(0, 11), st.sampled_from([q for q in QUALITIES if q != "N"]), st.integers(0, 11)
) | st.just(NO_CHORD)
METRES = st.sampled_from([(4, 4), (3, 4), (6, 8), (7, 8), (2, 2)])


def bar(*chords: tuple[int, str], **fields) -> PlanBar:
    return PlanBar(chords=tuple(PlannedChord(at, parse_chord(name)) for at, name in chords), **fields)


@st.composite
def plans(draw):
    bars = []
    for number in range(draw(st.integers(0, 6))):
        metre = draw(METRES)
        offsets = sorted({0, *draw(st.lists(st.integers(1, PlanBar(metre).ticks - 1), max_size=3))})
        bars.append(
            PlanBar(
                metre,
                draw(st.sampled_from(["", "A", "B", "chorus"])),
                draw(st.booleans()),
                tuple(PlannedChord(at, draw(CHORDS)) for at in offsets) if draw(st.booleans()) else (),
                Recall(draw(st.integers(0, number - 1)), draw(st.floats(0, 1)))
                if number and draw(st.booleans())
                else None,
                tuple(draw(st.none() | st.floats(0, 1)) for _ in Part),
            )
        )
    key = draw(st.none() | st.tuples(st.integers(0, 11), st.sampled_from(["major", "minor", "dorian"])))
    return Plan(tuple(bars), key)


SONG = Plan(
    (
        bar((0, "Dm7"), section="A", begins=True),
        bar((0, "G7"), (48, "Db7"), section="A"),
        bar((0, "Cmaj7"), section="A", begins=True),
        bar((0, "Cmaj7"), section="A"),
        bar(section="B", metre=(3, 4)),
        bar((0, "N.C."), section="B"),
    ),
    (0, "major"),
)


@pytest.mark.parametrize(
    ("tick", "expected"),
    [(0, "Dm7"), (95, "Dm7"), (96, "G7"), (143, "G7"), (144, "Db7"), (300, "Cmaj7"), (384 + 72, "N.C.")],
)
def test_the_chord_at_a_tick_is_the_last_that_began(tick, expected):
    assert SONG.chord_at(tick) == parse_chord(expected)


@pytest.mark.parametrize("tick", [-1, 384, 455, 384 + 72 + 96])
def test_where_the_harmony_is_free_or_no_plan_is_there_is_no_chord(tick):
    assert SONG.chord_at(tick) is None


@pytest.mark.parametrize(
    ("tick", "ticks", "expected"),
    [
        (0, 96, "G7"),
        (95, 1, "G7"),
        (96, 48, "Db7"),
        (150, 42, "Cmaj7"),
        (200, 184, None),  # the same chord in the next bar is no change; then the harmony is free
        (384, 72, "N.C."),
    ],
)
def test_the_next_change_is_the_next_other_chord(tick, ticks, expected):
    assert SONG.next_change(tick) == Change(ticks, expected and parse_chord(expected))


def test_after_the_last_change_there_is_none():
    assert SONG.next_change(SONG.end - 1) is None
    assert SONG.next_change(SONG.end) is None
    assert Plan().next_change(0) is None


def test_places_count_within_sections():
    assert SONG.place(100) == Place(1, 4, "A", 1, 0)
    assert SONG.place(192) == Place(2, 0, "A", 0, 1)  # another A begins
    assert SONG.place(384 + 71) == Place(4, 71, "B", 0, 1)
    assert SONG.place(SONG.end) is None


def test_bars_are_replaced_from_one_on_and_added_at_the_end():
    new = bar((0, "F"))
    assert SONG.replaced(2, [new]).bars == (*SONG.bars[:2], new)
    assert SONG.extended([new]).bars == (*SONG.bars, new)
    assert SONG.extended([new]).end == SONG.end + 96
    for wrong in (-1, 7):
        with pytest.raises(HocketError, match=f"no bar {wrong + 1}: choose one of 1 to 7"):
            SONG.replaced(wrong, [new])


def test_a_form_played_again_recalls_its_first_time():
    loop = Plan((bar((0, "C")), bar((0, "F"), recall=Recall(0, 0.5))))
    again = loop.repeated(5, 0.8)
    assert [b.recall for b in again.bars] == [
        None,
        Recall(0, 0.5),
        Recall(0, 0.8),
        Recall(1, 0.8),
        Recall(0, 0.8),
    ]
    assert [again.chord_at(96 * i) for i in range(5)] == [parse_chord(name) for name in "CFCFC"]
    with pytest.raises(HocketError, match="empty plan"):
        Plan().repeated(4)


def test_transposing_moves_chords_and_key():
    up = SONG.transposed(3)
    assert up.key == (3, "major")
    assert [up.chord_at(tick) for tick in (0, 96, 144, 384)] == [
        *(parse_chord(name) for name in ("Fm7", "Bb7", "E7")),
        None,
    ]


@given(plans(), st.integers(-24, 24))
def test_transposing_back_gives_the_plan_again(plan, semitones):
    assert plan.transposed(semitones).transposed(-semitones) == plan


@given(plans(), st.integers(0, 700))
def test_counting_to_the_next_change_arrives_there(plan, tick):
    change = plan.next_change(tick)
    if change is None:
        assert {plan.chord_at(later) for later in range(tick, plan.end)} <= {plan.chord_at(tick)}
    else:
        assert change.ticks > 0
        assert plan.chord_at(tick + change.ticks) == change.chord != plan.chord_at(tick)
        assert {plan.chord_at(tick + i) for i in range(change.ticks)} == {plan.chord_at(tick)}


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (bar(metre=(0, 4)), "bar 2 of the plan has the metre 0/4: give numbers of 1 to 64"),
        (bar((1, "C")), "bar 2 of the plan has a chord at tick 1: the first is at 0"),
        (bar((0, "C"), (96, "F")), "has a chord at tick 96: .* below 96"),
        (bar((0, "C"), (48, "F"), (48, "G")), "has a chord at tick 48"),
        (bar(recall=Recall(1, 1)), "recalls bar 2 to 1: give an earlier bar"),
        (bar(recall=Recall(0, 1.5)), "to 1.5: .* a closeness of 0 to 1"),
        (bar(recall=Recall(0, float("nan"))), "a closeness of 0 to 1"),
        (bar(fullness=(2.0, *FREE[1:])), "has the fullness"),
        (bar(fullness=(1.0,)), "give 5 values"),
        (bar(section="x" * 41), "section label of 41 letters"),
        (PlanBar(chords=(PlannedChord(0, Chord(0, "foo", 0)),)), "unknown chord"),
        (PlanBar(chords=(PlannedChord(0, Chord(12, "maj", 0)),)), "pitch classes, 0"),
        (PlanBar(chords=(PlannedChord(0, Chord(0, "N", 0)),)), "N alone"),
        (PlanBar(chords=(PlannedChord(0, Chord(None, "maj", None)),)), "N alone"),
        (PlanBar(chords=(PlannedChord(0, Chord(0, "maj", None)),)), "unknown chord|N alone"),
    ],
)
def test_what_is_impossible_is_named_with_its_bar(wrong, reason):
    with pytest.raises(HocketError, match=reason):
        Plan((bar((0, "C")), wrong))


def test_keys_are_checked():
    with pytest.raises(HocketError, match="tonic is 12"):
        Plan((), (12, "major"))
    with pytest.raises(HocketError, match="unknown mode 'blues'"):
        Plan((), (0, "blues"))
