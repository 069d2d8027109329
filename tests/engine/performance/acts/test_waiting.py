"""Changes that wait for the beat or the bar, and a new idea: when they are heard, and that a take renders alike."""

import random

import pytest

from instrument.engine.offline.render import Options, differences, render
from instrument.engine.performance.acts.asking import BUTTON_ACTIONS, ask_for
from instrument.engine.performance.knobs import INSTRUMENT, SEEDS, next_seed
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.takes import Input
from instrument.models.catalog import open_player
from instrument.music.notes import Part
from tests.support.live import play_on
from tests.support.players import open_scale

BAR = 96
DUO = (PlayerPatch("scale", {"density": 4}), PlayerPatch("scale-2", {"density": 4}))


def performance(**knobs):
    return Performance(Patch(knobs={"seed": 5} | knobs, players=DUO), open_scale)


def ask(playing, name, value):
    return ask_for(playing, playing.table.find(name), value)


def inputs(playing):
    return [entry for entry in playing.take.entries if isinstance(entry, Input)]


@pytest.mark.parametrize(("when", "tick"), [("now", None), ("beat", 120), ("bar", 192)])
def test_a_genre_waits_for_its_place(when, tick):
    playing, plain = performance(changes=when), performance(changes=when)
    before = play_on(playing, BAR + 5)
    assert before == play_on(plain, BAR + 5)
    floor = playing.floor
    ask(playing, "0/genre", "waltz")
    assert playing.values["0/genre"] == "waltz", "it counts as turned"
    assert playing.current_patch().players[0].knobs["genre"] == "waltz"
    heard, as_before = play_on(playing, 2 * BAR), play_on(plain, 2 * BAR)
    (turned,) = inputs(playing)
    assert turned.floor == (tick or floor)
    assert turned.knobs == {"genre": "waltz"}
    assert [each for each in heard if each[1].tick < turned.floor] == [
        each for each in as_before if each[1].tick < turned.floor
    ]
    assert heard != as_before
    playing.stop(playing.floor)
    assert not differences(playing.take, open_scale)


def test_a_change_that_is_taken_back_in_time_leaves_no_trace():
    playing = performance()
    play_on(playing, 10)
    ask(playing, "0/genre", "waltz")
    ask(playing, "0/genre", "none")
    play_on(playing, 2 * BAR)
    assert not inputs(playing)


def test_parts_fall_silent_at_their_place():
    playing = performance(mutes="bar")
    play_on(playing, 10)
    ask(playing, "drums", "off")
    drums = [note.tick for _, note in play_on(playing, 4 * BAR) if note.part == Part.DRUMS]
    assert drums
    assert max(drums) < BAR
    ask(playing, "mutes", "now")
    ask(playing, "melody", "off")
    assert playing.waiting.tick is None


def test_a_model_waits_for_the_bar_and_a_stop_brings_it_at_once():
    playing = performance()
    play_on(playing, 10)
    playing.load("scale-2", 0, waits=True)
    assert [bundle.slug for bundle in playing.bundles] == ["scale", "scale-2"]
    assert [player.model for player in playing.current_patch().players] == ["scale-2", "scale-2"]
    play_on(playing, 2 * BAR)
    assert [bundle.slug for bundle in playing.bundles] == ["scale-2", "scale-2"]
    assert [entry.floor for entry in inputs(playing)] == [BAR]
    playing.load("scale", 1, waits=True)
    playing.stop(playing.floor)
    assert playing.bundles[1].slug == "scale"
    assert not differences(playing.take, open_scale)


def test_a_new_idea_has_another_seed_and_keeps_the_plan():
    playing, plain = (performance(plan="model pop") for _ in range(2))
    assert play_on(playing, 4 * BAR) == play_on(plain, 4 * BAR)
    BUTTON_ACTIONS["idea/new"](playing)
    assert playing.seed == next_seed(5)
    heard, as_before = play_on(playing, 8 * BAR), play_on(plain, 8 * BAR)
    assert heard != as_before
    bars = min(len(playing.plan), len(plain.plan))
    assert playing.plan.bars[:bars] == plain.plan.bars[:bars]
    playing.stop(playing.floor)
    assert not differences(playing.take, open_scale)


def test_seeds_follow_one_another_without_a_short_circle():
    seed, seen = 0, set()
    while seed not in seen:
        seen.add(seed)
        seed = next_seed(seed)
    assert len(seen) == SEEDS


def test_random_changes_are_rendered_as_they_were_heard():
    chance = random.Random(7)
    playing = performance(plan="four-chords")
    for _ in range(40):
        play_on(playing, chance.randrange(3, 70))
        match chance.randrange(6):
            case 0:
                ask(playing, f"{chance.randrange(2)}/genre", chance.choice(["none", "waltz", "march"]))
            case 1:
                ask(playing, chance.choice(["melody", "chords", "bass", "drums"]), chance.choice(["off", "auto"]))
            case 2:
                playing.load(chance.choice(["scale", "scale-2"]), chance.randrange(2), waits=True)
            case 3:
                BUTTON_ACTIONS["idea/new"](playing)
            case 4:
                playing.set(chance.choice(["changes", "mutes"]), chance.choice(["now", "beat", "bar"]), INSTRUMENT)
            case _:
                playing.set("density", chance.randrange(9), 0)
    playing.stop(playing.floor)
    assert not differences(playing.take, open_scale)


def test_changes_are_rendered_on_their_bar():
    options = Options(patch="First light", bars=6, ats=("5:genre=jazz", "9:idea/new", "9.5:drums=off"))
    found = render(options, open_player)
    floors = {(*entry.knobs,): entry.floor for entry in found.take.entries if isinstance(entry, Input)}
    assert floors == {("genre",): 2 * BAR, ("seed",): 9 * 24, ("drums",): 9 * 24 + 12}
