"""A bar that is made anew while its neighbours stay."""

import random

import pytest

from instrument.engine.offline.render import Options, differences, render
from instrument.engine.performance.acts.asking import BUTTON_ACTIONS
from instrument.engine.performance.acts.remaking import CANDIDATES
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.takes import Input, TakeRecorder, load_take
from instrument.errors import HocketError
from instrument.models.catalog import open_note_player, open_player
from instrument.models.notes.player import Ask, Scoring
from tests.support.live import play_on
from tests.support.players import open_scale

BAR = 96
DUO = (PlayerPatch("scale", {"density": 4}), PlayerPatch("scale-2", {"density": 4}))


def performance(**knobs):
    return Performance(Patch(knobs={"seed": 5} | knobs, players=DUO), open_scale)


def remake(playing, player, bar):
    playing.remaking.begin(player, bar)
    while playing.remaking.step():
        pass
    assert not playing.remaking.problem
    return playing.remaking.last


def planned(playing, player, bar):
    return [
        note
        for number, note in playing.planned(1 << 30)
        if number == player and BAR * bar <= note.tick < BAR * (bar + 1)
    ]


def press(playing, name):
    BUTTON_ACTIONS[f"remake/{name}"](playing)


def test_a_bar_is_made_anew_and_its_neighbours_stay():
    playing = performance()
    play_on(playing, BAR)
    while playing.extend(4 * BAR):
        pass
    others = [(0, bar) for bar in (1, 3)] + [(1, bar) for bar in (1, 2, 3)]
    before = [planned(playing, *each) for each in others]
    original = planned(playing, 0, 2)
    made = remake(playing, 0, 2)
    assert planned(playing, 0, 2) == list(made.candidates[0][1]) != original
    assert [planned(playing, *each) for each in others] == before
    assert len(made.candidates) == CANDIDATES
    assert [likelihood for likelihood, _ in made.candidates] == sorted(
        (likelihood for likelihood, _ in made.candidates), reverse=True
    )
    for chosen in (1, 2, 3, 0):
        press(playing, "other")
        assert planned(playing, 0, 2) == list(made.candidates[chosen][1])
    press(playing, "undo")
    assert planned(playing, 0, 2) == original
    press(playing, "other")
    playing.set("density", 7, 0)
    press(playing, "keep")
    press(playing, "other")  # there is none any more
    heard = [note for player, note in play_on(playing, 3 * BAR) if player == 0 and 2 * BAR <= note.tick < 3 * BAR]
    assert [note.pitch for note in heard] == [note.pitch for note in made.candidates[0][1]], (
        "it stays though knobs turn"
    )
    playing.stop(playing.floor)
    assert not differences(playing.take, open_scale)


def test_a_bar_that_is_not_planned_yet_is_made_when_it_comes(tmp_path):
    playing = performance()
    play_on(playing, 50)
    made = remake(playing, 1, 9)
    heard = [note for player, note in play_on(playing, 11 * BAR) if player == 1 and 9 * BAR <= note.tick < 10 * BAR]
    assert [note.pitch for note in heard] == [note.pitch for note in made.candidates[0][1]]
    playing.stop(playing.floor)
    TakeRecorder(tmp_path / "a.take.json", playing.take).close()
    assert not differences(load_take(tmp_path / "a.take.json"), open_scale)


def test_what_cannot_be_made_anew_is_refused():
    playing = performance()
    play_on(playing, 2 * BAR)
    for player, bar, says in (
        (0, 1, "bar 2 has begun: choose one that is still planned, or loop it"),
        (2, 3, "there is no player 2"),
        (0, 40, "bar 41 is too far ahead: choose one up to 19"),
    ):
        with pytest.raises(HocketError, match=says):
            playing.remaking.begin(player, bar)
    press(playing, "bar")
    assert playing.remaking.last.bar == 3
    play_on(playing, 2 * BAR)
    while playing.remaking.step():
        pass
    assert "bar 4 has begun" in playing.remaking.problem


def test_a_bar_of_a_loop_is_made_anew_in_its_next_round_and_stays_in_the_loop():
    knobs = {"seed": 3, "plan": "four-chords", "feel": 0}  # feel moves notes as they are committed, not as planned
    patch = Patch(knobs=knobs, players=(PlayerPatch("lstm-band", {"genre": "pop"}),))
    playing = Performance(patch, open_player)

    def tune(bar):
        return [(note.tick % BAR, note.pitch) for _, note in playing.take.heard() if note.tick // BAR == bar]

    play_on(playing, 3 * BAR)
    playing.set("loop", 2)
    play_on(playing, 2 * BAR)
    made = remake(playing, 0, 2)
    assert made.bar == 6
    play_on(playing, 6 * BAR)
    assert tune(4) == tune(2) != tune(6)
    assert tune(8) == tune(6) == [(note.tick % BAR, note.pitch) for note in made.candidates[0][1]]
    assert tune(5) == tune(7)
    press(playing, "undo")
    play_on(playing, 5 * BAR)
    assert tune(12) == tune(14) == tune(4)
    playing.stop(playing.floor)
    assert not differences(playing.take, open_player)


def test_random_bars_are_rendered_as_they_were_heard():
    chance, playing = random.Random(5), performance(plan="four-chords")
    for _ in range(30):
        play_on(playing, chance.randrange(3, 70))
        playing.remaking.begin(chance.randrange(2), playing.metres.locate(playing.floor).bar + chance.randrange(1, 4))
        for _ in range(chance.randrange(400)):
            playing.remaking.step()
        if chance.random() < 0.3:
            playing.set("density", chance.randrange(9), chance.randrange(2))
    playing.stop(playing.floor)
    assert sum(isinstance(entry, Input) and entry.laid is not None for entry in playing.take.entries) > 5
    assert not differences(playing.take, open_scale)


@pytest.mark.parametrize("slug", ["lstm-band", "musicvae-melody2"])
def test_a_model_is_tried_out_without_a_trace_and_judges_notes(slug):
    _, player = open_note_player(slug)
    assert isinstance(player, Scoring)
    ask = Ask({"temperature": 0.3})
    for _ in range(24):
        player.feed(player.propose(ask))
    other = player.fork()
    note = player.propose(ask)
    assert other.propose(ask) == note
    strange = note._replace(pitch=note.pitch + 6, duration=1)
    assert other.log_likelihood(note, ask) >= other.log_likelihood(strange, ask)
    if slug == "lstm-band":
        assert other.log_likelihood(note, ask) > other.log_likelihood(strange, ask) + 1
    other.reseed(9)
    other.feed(strange)
    other.rewind(10)
    assert player.propose(ask) == note


def test_bars_are_made_anew_by_the_command_line():
    options = Options(patch="First light", bars=6, ats=("4:remake=0/4", "8:remake/other"))
    found = render(options, open_player)
    assert [entry.laid.start for entry in found.take.entries if isinstance(entry, Input)] == [3 * BAR, 3 * BAR]
    with pytest.raises(HocketError, match="'0' names no bar: write PLAYER/BAR"):
        render(Options(patch="First light", bars=6, ats=("4:remake=0",)), open_player)
