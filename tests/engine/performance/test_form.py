"""Acting on the form: what comes after each button, and that it is rendered as it was heard."""

import random

import pytest

from instrument.engine.offline.render import differences
from instrument.engine.performance.harmony.form import ACTIONS
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.performance import Performance
from instrument.errors import HocketError
from instrument.music.notes import Part
from tests.support.live import play_on
from tests.support.players import open_scale

BAR = 96
KNOBS = {"plan": "four-chords", "seed": 5, "vary": 0.5}  # A A B A of eight bars each
DUO = (PlayerPatch("scale", {"density": 4}), PlayerPatch("scale-2", {"density": 4}, parts=("drums",)))


def performance(players=DUO, **knobs):
    return Performance(Patch(knobs=KNOBS | knobs, players=players), open_scale)


def play(playing, bars):
    """Play on for some bars. Returns the notes."""
    return [note for _ in range(bars) for _, note in play_on(playing, BAR)]


def after(action, bars, **knobs):
    """The performance, and the number of the first bar after an action in the bar before."""
    playing = performance(**knobs)
    play(playing, bars)
    playing.act(action)
    return playing, -(-playing.floor // BAR)


def test_again_plays_what_was_heard_of_the_section_once_more_and_then_goes_on():
    playing, bar = after("again", 3)
    plan = playing.plan
    assert [each.recall for each in plan.bars[bar : 2 * bar]] == [(number, 1.0) for number in range(bar)]
    assert plan.bars[bar].begins
    plain = performance().plan
    assert [each.chords for each in plan.bars[2 * bar : 2 * bar + 4]] == [
        each.chords for each in plain.bars[bar : bar + 4]
    ]


def test_previous_plays_the_section_before():
    playing, bar = after("previous", 17)  # in the third section
    plan = playing.plan
    assert [each.recall.bar for each in plan.bars[bar : bar + 8]] == list(range(8, 16))
    assert {each.section for each in plan.bars[bar : bar + 8]} == {"A"}
    assert plan.bars[bar + 8].section == "B", "then the one that was left goes on"


def test_a_pinned_motif_begins_every_section():
    playing, bar = after("pin", 5)
    starts = [number for number, each in enumerate(playing.plan.bars) if each.begins and number >= bar]
    assert starts
    assert {playing.plan.bars[number].recall.bar for number in starts} == {bar - 2}


def test_a_new_section_begins_at_once():
    playing, bar = after("new", 3)
    plan = playing.plan
    assert plan.bars[bar].begins
    assert (plan.bars[bar - 1].section, plan.bars[bar].section) == ("A", "B")


def test_a_new_section_of_the_plan_model_begins_at_once():
    playing, bar = after("new", 3, plan="model pop")
    assert playing.plan.bars[bar].begins
    assert len(playing.plan) > bar + 8


def test_the_ending_is_a_cadence_and_then_the_music_ends():
    playing, bar = after("ending", 3, key="D")
    plan = playing.plan
    assert [each.section for each in plan.bars[bar : bar + 4]] == ["ending"] * 4
    assert [each.chords[0].chord.root for each in plan.bars[bar : bar + 4]] == [7, 9, 2, 2]
    assert playing.ends == (bar + 4) * BAR
    notes = play(playing, bar + 6)
    assert max(note.tick for note in notes) < playing.ends
    playing.act("new")
    assert playing.ends is None, "another wish takes it back"


@pytest.mark.parametrize(("action", "rests", "bars"), [
    ("break", {Part.CHORDS, Part.BASS, Part.DRUMS}, 1),
    ("intro", {Part.MELODY, Part.DRUMS}, 4),
])  # fmt: skip
def test_parts_rest_in_a_break_and_in_an_intro(action, rests, bars):
    playing, bar = after(action, 3)
    notes = play(playing, 8)
    inside = {note.part for note in notes if bar * BAR <= note.tick < (bar + bars) * BAR}
    assert inside
    assert not inside & rests
    assert rests & {note.part for note in notes if note.tick >= (bar + bars) * BAR}, "then they play again"


def test_a_fill_takes_the_second_half_of_its_bar():
    playing, bar = after("fill", 3)
    notes = [note for note in play(playing, 4) if note.part == Part.DRUMS]
    half = [note for note in notes if bar * BAR + 48 <= note.tick < (bar + 1) * BAR]
    assert len(half) >= 6
    assert {note.pitch for note in half} <= {36, 38, 43, 47, 50}
    assert {note.pitch for note in notes} - {36, 38, 43, 47, 50}


def test_fills_come_before_sections_where_they_are_wanted():
    plan = performance(fills=1).plan
    full = [number for number, bar in enumerate(plan.bars) if bar.fullness[Part.DRUMS] == 1]
    assert full
    assert all(plan.bars[number + 1].begins for number in full)
    assert not any(bar.fullness[Part.DRUMS] for bar in performance().plan.bars)


def test_bars_are_looped_until_the_knob_is_turned_back():
    playing = performance()
    play(playing, 5)
    playing.set("loop", 2)
    bar = -(-playing.floor // BAR)
    plan = playing.plan
    for number in range(6):
        recall = plan.bars[bar + number].recall
        assert recall.closeness == 1.0
        assert plan.bars[recall.bar].chords == plan.bars[bar - 2 + number % 2].chords
    play(playing, 4)
    playing.set("loop", 0)
    on = -(-playing.floor // BAR)
    plain = performance().plan
    assert [each.chords for each in playing.plan.bars[on : on + 4]] == [
        each.chords for each in plain.bars[bar : bar + 4]
    ]


def test_free_players_have_a_form_once_one_acts_on_it():
    playing = performance(plan="free")
    play(playing, 3)
    assert playing.plan is None
    playing.act("again")
    assert any(bar.recall for bar in playing.plan.bars)
    assert all(not bar.chords for bar in playing.plan.bars)


@pytest.mark.parametrize("plan", ["free", "four-chords", "model pop"])
def test_every_action_is_possible_before_the_first_bar(plan):
    playing = performance(plan=plan)
    for action in ACTIONS:
        playing.act(action)
        assert (playing.ends is not None) == (action == "ending")
    assert play(playing, 6)


def test_every_start_has_another_seed_where_that_is_wanted():
    assert performance().next_patch().knobs["seed"] == 5
    seeds = {performance(new_seed=1).next_patch().knobs["seed"] for _ in range(3)}
    assert len(seeds) > 1
    assert all(0 <= seed < 1_000_000 for seed in seeds)


def test_other_actions_are_refused():
    with pytest.raises(HocketError, match="again, previous"):
        performance().act("faster")


@pytest.mark.parametrize("plan", ["four-chords", "free", "model rock"])
def test_what_is_done_to_the_form_is_rendered_as_it_was_heard(plan):
    chance = random.Random(plan)
    playing = performance(plan=plan, fills=1)
    for _ in range(40):
        horizon = playing.floor + chance.uniform(5, 150)
        for _ in range(chance.randrange(40)):
            playing.extend(horizon + 150)
        playing.advance(horizon, horizon - 2)
        if chance.random() < 0.6:
            playing.act(chance.choice(ACTIONS))
        else:
            knob = chance.choice(("loop", "key", "metre", "vary", "drums"))
            values = {"loop": (0, 1, 4), "key": ("C", "A"), "metre": ("4/4", "3/4"), "drums": ("off", "on")}
            playing.set(knob, chance.choice(values.get(knob, (0.0, 0.7))))
    playing.stop(playing.floor)
    assert playing.take.heard_count > 40
    assert differences(playing.take, open_scale) == []
