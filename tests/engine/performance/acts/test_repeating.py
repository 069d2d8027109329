"""Bars that a player repeats, and notes that are drawn again: what is heard, and that a take renders alike."""

from instrument.engine.offline.render import differences
from instrument.engine.performance.acts.asking import BUTTON_ACTIONS
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.performance import Performance
from tests.support.live import play_on
from tests.support.players import open_scale

BAR = 96
DUO = (PlayerPatch("scale", {"density": 4}), PlayerPatch("scale-2", {"density": 4}))


def performance(**knobs):
    return Performance(Patch(knobs={"seed": 5} | knobs, players=DUO), open_scale)


def planned(playing, player, bar):
    notes = (note for number, note in playing.planned(1 << 30) if number == player)
    return [note for note in notes if note.tick // BAR == bar]


def test_bars_are_repeated_note_for_note_and_then_it_goes_on():
    playing = performance()
    play_on(playing, 2 * BAR + 30)
    playing.set("freeze", 1, 0)
    play_on(playing, 3 * BAR)
    playing.set("freeze", 0, 0)
    play_on(playing, 4 * BAR)
    playing.stop(playing.floor)

    def bar(number, player=0):
        notes = (note for each, note in playing.take.heard() if each == player and note.tick // BAR == number)
        return [note._replace(tick=note.tick % BAR) for note in notes]

    assert bar(2) == bar(3) == bar(4) != bar(1)
    assert bar(7) not in (bar(2), [])
    assert bar(3, 1) != bar(2, 1), "the other player goes on"
    assert not differences(playing.take, open_scale)


def test_a_patch_may_begin_with_bars_that_are_repeated():
    patch = Patch(knobs={"seed": 5}, players=(PlayerPatch("scale", {"freeze": 2}),))
    playing = Performance(patch, open_scale)
    heard = [note for _, note in play_on(playing, 8 * BAR)]
    rows = [[(note.tick % (2 * BAR), note.pitch) for note in heard if note.tick // (2 * BAR) == k] for k in range(4)]
    assert rows[0] == rows[1] == rows[2] == rows[3] != []


def test_notes_are_drawn_again_from_the_next_bar_on_and_the_plan_stays():
    playing = performance(plan="model pop")
    play_on(playing, 2 * BAR + 30)
    while playing.extend(5 * BAR):
        pass
    chords = playing.plan.bars[:16]
    before = {bar: planned(playing, 0, bar) for bar in (2, 3, 4)}
    BUTTON_ACTIONS["idea/reroll"](playing)
    while playing.extend(5 * BAR):
        pass
    assert planned(playing, 0, 2) == before[2], "what is planned up to the bar line stays"
    assert planned(playing, 0, 3) != before[3]
    assert planned(playing, 0, 4) != before[4]
    play_on(playing, 8 * BAR)
    assert playing.plan.bars[:16] == chords
    playing.stop(playing.floor)
    assert not differences(playing.take, open_scale)
