"""The plan of a performance: a progression over and over, changed from bar lines on."""

import pytest

from instrument.engine.performance.harmony.plan_in_force import AHEAD, MODELLED, SOURCES, PlanInForce
from instrument.engine.performance.knobs import INSTRUMENT_KNOBS
from instrument.engine.performance.transport import changed_metres, metre_map
from instrument.errors import HocketError
from instrument.music.chords.names import chord_name
from instrument.music.progressions import progressions

FOUR = metre_map("4/4")
BAR = 96


def knobs(**given):
    return {info.id: info.default for info in INSTRUMENT_KNOBS} | given


def names(plan, bars):
    return [chord_name(plan.bars[bar].chords[0].chord) if plan.bars[bar].chords else "" for bar in bars]


def test_without_a_plan_the_players_are_free():
    assert PlanInForce(knobs(), "Dm7 | G7", FOUR).until(1000) is None
    assert PlanInForce(knobs(plan="typed"), " ", FOUR).until(1000) is None


def test_a_typed_progression_returns_and_recalls_its_first_time():
    plan = PlanInForce(knobs(plan="typed", vary=0.25), "Dm7 | G7 | C", FOUR).until(10 * BAR)
    assert names(plan, range(7)) == ["Dm7", "G7", "C", "Dm7", "G7", "C", "Dm7"]
    assert plan.end >= 10 * BAR + AHEAD
    assert plan.bars[2].recall is None
    assert (plan.bars[7].recall.bar, plan.bars[7].recall.closeness) == (1, 0.75)
    assert [bar.begins for bar in plan.bars[:4]] == [True, False, False, True]


def test_nothing_is_recalled_where_everything_varies():
    plan = PlanInForce(knobs(plan="typed", vary=1.0), "C | F", FOUR).until(10 * BAR)
    assert all(bar.recall is None for bar in plan.bars)


def test_how_far_it_was_written_changes_nothing():
    once = PlanInForce(knobs(plan="rhythm-changes"), "", FOUR).until(200 * BAR)
    by_steps = PlanInForce(knobs(plan="rhythm-changes"), "", FOUR)
    for tick in range(0, 200 * BAR, 700):
        by_steps.until(tick)
    assert by_steps.until(200 * BAR).bars[:200] == once.bars[:200]


def test_another_form_begins_at_the_next_bar_line_and_what_was_stays():
    plans = PlanInForce(knobs(plan="typed"), "C | F", FOUR)
    plans.change(knobs(plan="typed"), "Am | Em | G", FOUR, floor=2 * BAR + 1)
    assert names(plans.until(0), range(8)) == ["C", "F", "C", "Am", "Em", "G", "Am", "Em"]
    assert plans.until(0).bars[6].recall.bar == 3
    plans.change(knobs(), None, FOUR, floor=5 * BAR)
    assert plans.until(0) is None


def test_a_plan_that_begins_late_leaves_the_bars_before_free():
    plans = PlanInForce(knobs(), "", FOUR)
    plans.change(knobs(plan="typed"), "C | F", FOUR, floor=3 * BAR)
    assert names(plans.until(0), range(6)) == ["", "", "", "C", "F", "C"]


def test_another_key_goes_on_with_the_same_form():
    plans = PlanInForce(knobs(plan="twelve-bar", key="C"), "", FOUR)
    before = names(plans.until(20 * BAR), range(12))
    plans.change(knobs(plan="twelve-bar", key="D"), None, FOUR, floor=4 * BAR)
    after = names(plans.until(20 * BAR), range(12))
    assert after[:4] == before[:4]
    other = names(PlanInForce(knobs(plan="twelve-bar", key="D"), "", FOUR).until(20 * BAR), range(12))
    assert after[4:] == other[4:]


def test_chords_keep_their_share_of_a_bar_of_another_metre():
    plan = PlanInForce(knobs(plan="typed", metre="3/4"), "C F | G", metre_map("3/4")).until(0)
    assert plan.bars[0].metre == (3, 4)
    assert [at for at, _ in plan.bars[0].chords] == [0, 36]
    plans = PlanInForce(knobs(plan="typed"), "C | F | G", FOUR)
    plans.change(knobs(plan="typed", metre="3/4"), None, changed_metres(FOUR, "3/4", BAR), floor=BAR)
    assert [bar.metre for bar in plans.until(0).bars[:3]] == [(4, 4), (3, 4), (3, 4)]
    assert names(plans.until(0), range(3)) == ["C", "F", "G"]


def test_every_progression_that_ships_makes_a_plan():
    assert len(SOURCES) == 2 + len(MODELLED) + len(progressions())
    assert len(progressions()) >= 40
    for source in progressions():
        plan = PlanInForce(knobs(plan=source), "", FOUR).until(0)
        assert any(bar.recall for bar in plan.bars), f"{source} never returns"
        assert all(bar.chords for bar in plan.bars)


def test_a_text_that_cannot_be_read_is_named():
    with pytest.raises(HocketError, match="Hm7"):
        PlanInForce(knobs(plan="typed"), "Hm7 | C", FOUR)


def test_the_plan_model_writes_the_same_plan_however_it_is_asked():
    given = knobs(plan="model jazz", key="F", seed=3.0)
    once = PlanInForce(given, "", FOUR).until(80 * BAR)
    by_steps = PlanInForce(given, "", FOUR)
    for tick in range(0, 80 * BAR, 900):
        by_steps.until(tick)
    assert by_steps.until(80 * BAR).bars[:80] == once.bars[:80]
    assert any(bar.recall for bar in once.bars), "sections return"
    assert len({bar.chords for bar in once.bars[:32]}) > 6, "the harmony moves"
    other = PlanInForce(given | {"seed": 4.0}, "", FOUR).until(0)
    assert other.bars[:8] != once.bars[:8]


@pytest.mark.parametrize("source", ["free", "four-chords"])
def test_answers_take_up_their_question_until_they_end_however_far_the_plan_is_written(source):
    plan = PlanInForce(knobs(plan=source, vary=1.0), "", FOUR)
    plan.until(5 * BAR)
    plan.answer(2, FOUR, 6 * BAR + 10)
    plan.until(8 * BAR)
    plan.until(40 * BAR)
    plan.answer(0, FOUR, 30 * BAR)
    found = plan.until(90 * BAR).bars
    assert [bar.recall and number - bar.recall.bar for number, bar in enumerate(found[:32])] == [
        *[None] * 6,
        *[2] * 24,
        None,
        None,
    ]
