"""Up to eight players: their level, mute and solo, and what they hear of those before them."""

import random

import numpy as np
import pytest

from instrument.engine.offline.render import Options, differences, render
from instrument.engine.performance.acts.asking import ask_for
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.takes import Input
from instrument.models.catalog import open_player
from tests.support.live import play_on
from tests.support.players import open_scale

BAR = 96


def performance(count=8, knobs=None, **seat):
    seats = tuple(PlayerPatch(("scale", "scale-2")[n % 2], {"density": n} | seat) for n in range(count))
    return Performance(Patch(knobs={"seed": 5} | (knobs or {}), players=seats), open_scale)


def heard_by_player(playing, ticks):
    heard = {}
    for player, note in play_on(playing, ticks):
        heard.setdefault(player, []).append(note)
    return heard


def test_eight_players_play_rest_and_are_solo():
    playing, plain = performance(), performance()
    assert set(heard_by_player(playing, BAR)) == set(range(8))
    play_on(plain, BAR)
    playing.set("mute", 1, 2)
    assert set(heard_by_player(playing, BAR)) == {0, 1, 3, 4, 5, 6, 7}
    playing.set("solo", 1, 2)
    playing.set("solo", 1, 6)
    assert set(heard_by_player(playing, BAR)) == {6}, "mute is stronger than solo"
    playing.set("mute", 0, 2)
    assert set(heard_by_player(playing, BAR)) == {2, 6}
    playing.set("solo", 0, 2)
    playing.set("solo", 0, 6)
    assert set(heard_by_player(playing, BAR)) == set(range(8))
    playing.stop(playing.floor)
    assert not differences(playing.take, open_scale)


def test_a_patch_begins_with_its_solo_and_a_mute_waits_for_its_place():
    seats = (PlayerPatch("scale"), PlayerPatch("scale-2", {"solo": 1}))
    playing = Performance(Patch(knobs={"mutes": "bar"}, players=seats), open_scale)
    assert set(heard_by_player(playing, BAR // 2)) == {1}
    ask_for(playing, playing.table.find("1/solo"), 0)
    first = min(note.tick for player, note in play_on(playing, 2 * BAR) if player == 0)
    assert first >= BAR
    playing.stop(playing.floor)
    assert not differences(playing.take, open_scale)


def test_the_level_of_a_player_is_how_hard_it_strikes_and_changes_no_note():
    playing, plain = performance(2), performance(2)
    playing.set("volume", -12, 1)
    soft, loud = heard_by_player(playing, 8 * BAR), heard_by_player(plain, 8 * BAR)
    assert soft[0] == loud[0]
    assert [note._replace(velocity=1) for note in soft[1]] == [note._replace(velocity=1) for note in loud[1]]
    ratio = np.mean([note.velocity for note in soft[1]]) / np.mean([note.velocity for note in loud[1]])
    assert ratio == pytest.approx(10 ** (-12 / 40), abs=0.02)
    assert playing.values["band/level"] == 0, "it is not that of the built-in voices"


def test_a_player_hears_those_before_it_and_not_those_behind():
    playing, deaf = (performance(3, {"tempo": 120}) for _ in range(2))
    playing.set("hear", 1, 0)
    playing.set("hear", 1, 1)
    heard, unheard = heard_by_player(playing, 4 * BAR), heard_by_player(deaf, 4 * BAR)
    assert heard[0] == unheard[0]
    assert heard[1] != unheard[1]
    told = [entry for entry in playing.take.entries if isinstance(entry, Input) and entry.overheard]
    assert {entry.player for entry in told} == {1}
    assert {note for entry in told for note in entry.overheard} <= set(heard[0])
    playing.stop(playing.floor)
    assert not differences(playing.take, open_scale)


def test_random_seats_of_eight_are_rendered_as_they_were_heard():
    chance, playing = random.Random(4), performance()
    for _ in range(60):
        play_on(playing, chance.randrange(3, 50))
        knob = chance.choice(("mute", "solo", "hear", "volume", "density"))
        playing.set(knob, chance.randrange(2), chance.randrange(8))
    playing.stop(playing.floor)
    assert not differences(playing.take, open_scale)


def test_a_lead_that_the_rhythm_section_hears_is_rendered_alike():
    """A MusicVAE leads over an LSTM that hears it."""
    patch = Patch(
        knobs={"seed": 3, "plan": "four-chords"},
        players=(
            PlayerPatch("musicvae-melody2"),
            PlayerPatch("lstm-band", {"genre": "pop", "hear": 1}, parts=("chords", "bass", "drums")),
        ),
    )
    playing = Performance(patch, open_player)
    assert set(heard_by_player(playing, 6 * BAR)) == {0, 1}
    playing.stop(playing.floor)
    assert any(isinstance(entry, Input) and entry.overheard for entry in playing.take.entries)
    assert not differences(playing.take, open_player)


def test_seats_are_turned_by_the_command_line():
    found = render(Options(patch="First light", bars=4, ats=("4:0/mute=1",)), open_player)
    assert max(note.tick for player, note in found.played if player == 0) < BAR
