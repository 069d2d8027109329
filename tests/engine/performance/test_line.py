from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instrument.engine.performance.line import CONTEXT, REWOUND, Line
from instrument.engine.performance.overload import THINNING
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.takes import Input
from instrument.errors import HocketError
from instrument.models.notes.player import Ask
from instrument.music.harmony import scale_mask
from instrument.music.notes import Note, Part
from instrument.music.timebase import MetreMap
from tests.support.live import actions, perform
from tests.support.players import ScalePlayer, open_scale

DUET = Patch(players=(PlayerPatch("scale"), PlayerPatch("scale", {"density": 4})))
SOLO = Patch(players=(PlayerPatch("scale"),))


def line() -> Line:
    return Line(ScalePlayer(), 1, 0, MetreMap(), Ask())


def plan(performance: Performance, until: float) -> None:
    while performance.extend(until):
        pass


def test_notes_are_planned_in_order_and_committed_by_whole_onset_ticks():
    ahead = line()
    planned = [ahead.extend() for _ in range(200)]
    assert [note.order for note in planned] == sorted({note.order for note in planned})
    assert any(a.tick == b.tick for a, b in pairwise(planned)), "chords are played"

    committed = []
    for tick in range(0, planned[-1].tick + 50, 7):
        part = ahead.commit(tick)
        assert all(note.tick < tick for note in part)
        assert all(note.tick >= tick or note.tick == ahead.known for note in ahead.plan)
        committed += part
    assert committed == [note for note in planned if note.tick < planned[-1].tick]
    assert ahead.count == len(committed)
    assert ahead.commit(10**6, whole=True) == [note for note in planned if note.tick == planned[-1].tick]


def test_a_change_drops_the_plan_and_plans_on_from_the_floor():
    ahead = line()
    first = [ahead.extend() for _ in range(60)]
    kept = ahead.commit(100)
    ahead.change(Ask(scale="major", floor=101))
    assert not ahead.plan
    after = [ahead.extend() for _ in range(60)]
    assert after != first[len(kept) :][:60]
    assert min(note.tick for note in after) >= 101
    pitched = [note.pitch % 12 for note in after if note.part != Part.DRUMS]
    assert scale_mask(0, "major")[pitched].all()


def test_moved_back_before_it_is_committed_a_knob_restores_the_ghosts():
    ahead = line()
    for _ in range(80):
        ahead.extend()
    ahead.commit(150)
    ghosts = list(ahead.plan)
    floor = min(150, ghosts[0].tick)
    ahead.change(Ask({"temperature": 1.7}, floor=floor))
    for _ in range(10):
        ahead.extend()
    ahead.change(Ask(floor=floor))
    assert [ahead.extend() for _ in ghosts] == ghosts


def test_spacing_thins_out_whatever_the_model_says():
    ahead = line()
    freely = [ahead.extend().tick for _ in range(30)]
    assert min(b - a for a, b in pairwise(freely)) == 0, "chords"
    assert sum(b - a < 24 for a, b in pairwise(freely)) > 15, "and runs"
    for spacing in (1, 6, 24):
        ahead.change(Ask(floor=ahead.known), spacing)
        ticks = [ahead.extend().tick for _ in range(30)]
        assert all(b - a >= spacing for a, b in pairwise(ticks))
        ahead.commit(10**6)
    assert ahead.plan == type(ahead.plan)(), "with spacing, an onset tick is complete at once"


def test_a_line_restarts_with_the_notes_it_remembers():
    ahead = line()
    notes = ahead.take(CONTEXT + 30)
    ahead.extend()
    other = ScalePlayer()
    ahead.restart(other, 9, MetreMap())
    assert other.count == CONTEXT
    assert ahead.count == len(notes)
    assert ahead.extend().order > notes[-1].order


def test_a_live_note_is_heard_at_its_place_and_changes_what_comes():
    def on_stage() -> Line:
        made = line()
        while made.known < 200:
            made.extend()
        made.commit(100)
        made.change(Ask(floor=100))
        return made

    alone, listening = on_stage(), on_stage()
    count = listening.count
    live = [Note(listening._recent[-2].tick, 0, 61, 12, 90, Part.MELODY), Note(99, 0, 61, 12, 90, Part.MELODY)]
    listening.insert(live)
    assert listening.count == count + 2
    assert set(live) <= set(listening._player._notes)
    assert [each.order for each in listening._recent] == sorted(each.order for each in listening._recent)
    again = on_stage()
    again.extend()  # more was planned when it came: that changes nothing
    again.insert(live)
    given = [[each.take(20) for _ in range(3)] for each in (alone, listening, again)]
    assert given[1] == given[2]
    assert given[0] != given[1]


def test_a_live_note_that_was_played_already_or_is_long_past_is_not_heard_twice():
    playing = line()
    committed = playing.take(REWOUND + 20)
    for note in (committed[-3], committed[1]._replace(tick=0, pitch=127)):
        before = (playing._player.count, list(playing._recent), playing.count)
        playing.insert([note])
        assert (playing._player.count, list(playing._recent), playing.count - 1) == before
    playing.take(5)
    playing.change(Ask(floor=playing.known))
    playing.take(5)


def test_neither_planning_nor_committing_costs_more_as_a_performance_grows():
    player = ScalePlayer()
    ahead = Line(player, 1, 0, MetreMap(), Ask())
    for _ in range(30):
        for _ in range(100):
            ahead.extend()
        ahead.commit(ahead.known)
        assert len(ahead.plan) < 10
        assert len(player._notes) < 120, "what is committed is let go"
    assert player.proposed == 3000


@settings(max_examples=60, deadline=None)
@given(actions)
def test_nothing_starts_before_its_floor_and_onset_ticks_come_whole(what):
    performance = Performance(DUET, open_scale)
    take = performance.take
    add_note = take.add_note
    last = [-1, -1]

    def heard(player, note):
        inputs = [entry for entry in take.entries if isinstance(entry, Input) and entry.player == player]
        if not any(note in entry.live for entry in inputs):  # a person plays when they please
            assert note.tick >= max((entry.floor for entry in inputs), default=0)
        add_note(player, note)

    take.add_note = heard
    for batch in perform(performance, what, ("scale", "scale-2")):
        for player in (0, 1):
            ticks = [note.tick for number, note in batch if number == player]
            if ticks:
                assert min(ticks) > last[player], "an onset tick was given before and is not added to"
                last[player] = max(ticks)
                assert last[player] < performance.floor + THINNING[-1][1]


def test_all_that_is_due_is_given_by_onset():
    performance = Performance(DUET, open_scale)
    plan(performance, 400)
    first = performance.advance(100)
    assert {player for player, _ in first} == {0, 1}
    assert [note.order for _, note in first] == sorted(note.order for _, note in first)
    assert max(note.tick for _, note in first) <= 100
    assert all(note.tick > 100 for _, note in performance.planned(10**9))
    assert performance.planned(110) == [p for p in performance.planned(10**9) if p[1].tick < 110]
    assert performance.advance(100) == []


def test_an_unfinished_chord_waits_for_its_model_until_it_is_overdue():
    performance = Performance(SOLO, open_scale)
    while not performance.planned(10**9) or performance.planned(10**9)[-1][1].tick < 30:
        performance.extend(10**9)
    last = performance.planned(10**9)[-1][1].tick
    given = performance.advance(last + 2, overdue=last - 1)
    assert all(note.tick < last for _, note in given)
    assert not performance.take.entries
    assert performance.advance(last + 2)[0][1].tick == last


def test_a_model_that_falls_behind_is_thinned_out_rests_and_recovers():
    performance = Performance(SOLO, open_scale)
    horizon = 0.0
    for _ in range(40):
        performance.extend(10**9)
        performance.advance(horizon := horizon + 30)
    thinned = [entry.spacing for entry in performance.take.entries]
    assert max(thinned) >= 12, "a note in 30 ticks is all that this one can do"
    for _ in range(20):
        plan(performance, performance.floor + 200)
        performance.advance(horizon := horizon + 10)
    assert performance.take.entries[-1].spacing == 0, "and with time enough it plays in full again"
    assert performance.lines[0].spacing == 0


def test_muting_all_a_player_has_makes_it_rest_and_unmuting_brings_it_back():
    performance = Performance(SOLO, open_scale)
    for part in ("melody", "chords", "bass", "drums"):
        performance.set(part, 0)
    assert performance.extend(500) is None
    assert performance.advance(300) == []
    performance.set("bass", 1)
    plan(performance, 600)
    back = performance.advance(500)
    assert {note.part for _, note in back} == {Part.BASS}
    assert min(note.tick for _, note in back) >= 300


def test_metre_changes_at_the_next_bar_line():
    performance = Performance(SOLO, open_scale)
    plan(performance, 200)
    performance.advance(130)
    performance.set("metre", "3/4")
    assert [(metre.tick, metre.numerator) for metre in performance.metres.metres] == [(0, 4), (192, 3)]
    assert performance.metres.start_of(3) == 192 + 72


def test_another_seed_gives_other_notes_from_the_floor_on():
    one, two = (Performance(SOLO, open_scale) for _ in range(2))
    for performance in (one, two):
        plan(performance, 300)
        performance.advance(100)
    two.set("seed", 5)
    for performance in (one, two):
        plan(performance, 600)
    assert one.advance(500) != two.advance(500)
    assert list(one.take.heard())[:5] == list(two.take.heard())[:5]


def test_a_model_is_loaded_while_it_plays_and_keeps_its_knobs():
    performance = Performance(SOLO, open_scale)
    performance.set("temperature", 0.5)
    plan(performance, 300)
    performance.advance(200)
    performance.load("scale-2")
    assert performance.values["0/temperature"] == 0.5
    (seat,) = performance.current_patch().players
    assert (seat.model, seat.knobs["temperature"]) == ("scale-2", 0.5)
    plan(performance, 500)
    assert performance.advance(400)


@pytest.mark.parametrize(
    ("knob", "value", "player", "says"),
    [
        ("loudness", 1, 0, "unknown knob 'loudness'"),
        ("temperature", 9, 0, "0.1 to 2"),
        ("tempo", 10, 0, "20 to 400 bpm"),
        ("temperature", 1, 7, "unknown knob"),
    ],
)
def test_a_knob_that_cannot_be_turned_says_why_and_nothing_happens(knob, value, player, says):
    performance = Performance(SOLO, open_scale)
    before = dict(performance.values)
    with pytest.raises(HocketError, match=says):
        performance.set(knob, value, player)
    assert performance.values == before
    assert not performance.take.entries


@pytest.mark.parametrize("load", [("none-such", 0), ("scale", 4), ("scale", -1)])
def test_a_model_that_cannot_be_loaded_leaves_all_as_it_was(load):
    performance = Performance(SOLO, open_scale)
    with pytest.raises(HocketError):
        performance.load(*load)
    assert not performance.take.entries


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 999_999), st.floats(0.3, 1.9), st.integers(0, 200))
def test_a_knob_turned_and_turned_back_restores_the_plan(seed, temperature, horizon):
    performance = Performance(Patch(knobs={"seed": seed}, players=DUET.players), open_scale)
    plan(performance, horizon + 150)
    performance.advance(horizon)
    ghosts = performance.planned(performance.floor + 96)
    performance.set("temperature", temperature)
    plan(performance, performance.floor + 40)
    performance.set("temperature", 1.0)
    plan(performance, performance.floor + 120)
    assert performance.planned(performance.floor + 96) == ghosts
