"""Players of notes in a process of their own: the same notes as here, and nothing left behind."""

from __future__ import annotations

import gc
import os
import signal

import numpy as np
import pytest

from instrument.engine.ipc.messages import LoadModel, Play, Record
from instrument.engine.note_worker.client import ENDED, STARTS, NotesProcess, ProcessEnded, RemotePlayer
from instrument.engine.offline.render import differences
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.takes import load_take
from instrument.errors import HocketError
from instrument.models.notes.player import Ask, LatentPlayer
from instrument.music.notes import Note, Part
from instrument.music.timebase import MetreMap
from tests.support.engine import children, command_line, start_engine
from tests.support.live import perform, random_actions
from tests.support.phrases import open_vae
from tests.support.players import open_scale

__all__ = ["start_engine"]  # the fixture

BAR = 96


@pytest.fixture(scope="module")
def process():
    opened = NotesProcess("tests.support.phrases:open_vae")
    yield opened
    opened.close()


@pytest.mark.parametrize("seed", range(4))
def test_a_performance_is_the_same_there_and_here(process, seed):
    patch = Patch(knobs={"seed": float(seed)}, players=(PlayerPatch("scale"), PlayerPatch("scale", {"density": 4.0})))
    actions = random_actions(seed, 150, turns=0.2, live=0.1)
    heard = []
    for open_player in (process.open, open_scale):
        playing = Performance(patch, open_player)
        perform(playing, actions)
        heard.append(list(playing.take.heard(0)))
    assert len(heard[0]) > 20
    assert heard[0] == heard[1]


def test_a_bar_is_made_anew_there_as_here(process):
    patch, found = Patch(knobs={"seed": 3.0}, players=(PlayerPatch("scale"),)), []
    for open_player in (process.open, open_scale):
        playing = Performance(patch, open_player)
        playing.remaking.begin(0, 1)
        while playing.remaking.step():
            pass
        found.append((playing.remaking.last.candidates, playing.planned(3 * BAR)))
    assert len(found[0][0]) == 4
    assert found[0] == found[1]


def test_a_latent_player_is_one_there_too(process):
    _, there_ = process.open("vae")
    _, here = open_vae("vae")
    assert isinstance(there_, LatentPlayer)
    assert there_.shape == here.shape
    assert there_.part == here.part
    tune = [Note(12 * i, 0, 60 + 7 * i % 12, 10, 90, Part.MELODY) for i in range(16)]
    points = [here.encode(tune, MetreMap()), here.space.anchor()]
    np.testing.assert_array_equal(there_.encode(tune, MetreMap()), points[0])
    for a, b in (points, points[::-1]):
        for there_told, here_told in zip(there_.pace(a, b), here.pace(a, b), strict=True):
            np.testing.assert_array_equal(there_told, here_told)
    with pytest.raises(HocketError, match="no pitches in it"):
        there_.encode([Note(0, 0, 36, 6, 80, Part.DRUMS)], MetreMap())


def test_what_cannot_be_is_told_as_it_would_be_here(process):
    with pytest.raises(HocketError, match="unknown model 'nobody'"):
        process.open("nobody")
    _, player = process.open("scale")
    player.reset(1, 0, MetreMap())
    with pytest.raises(HocketError, match="no pitch may sound"):
        player.propose(Ask(low=61, high=60, parts=frozenset({Part.MELODY})))
    note = player.propose(Ask())
    player.feed(note)
    assert player.propose(Ask()).order > note.order, "it goes on"
    with pytest.raises(ValueError, match="cannot rewind to 2 of 1"):
        player.rewind(2)


def test_a_failure_in_what_it_was_told_comes_with_the_next_note_until_it_is_reset():
    process = NotesProcess("tests.support.soloists:open_soloist")
    try:
        _, player = process.open("unteachable")
        player.reset(1, 0, MetreMap())
        player.feed(Note(0, 0, 60, 6, 80, Part.MELODY))
        for _ in range(2):
            with pytest.raises(HocketError, match="cannot take that"):
                player.propose(Ask())
        player.reset(1, 0, MetreMap())
        assert player.propose(Ask()).duration > 0
    finally:
        process.close()


def test_players_that_nobody_has_any_more_are_let_go(process):
    kept, gone = process.open("scale")[1], process.open("scale")[1]
    assert isinstance(gone, RemotePlayer)
    number = gone._number
    for player in (kept, gone):
        player.reset(1, 0, MetreMap())
        player.propose(Ask())
    del gone, player
    gc.collect()
    kept.propose(Ask())
    with pytest.raises(HocketError, match="KeyError"):
        process.worker().propose(number, (), Ask(), 0, None)
    assert kept.propose(Ask()).duration > 0, "a failure there is told, and ends nothing"


def test_they_are_let_go_as_well_when_another_is_opened_and_nothing_plays(process):
    gone = process.open("scale")[1]
    number = gone._number
    del gone
    gc.collect()
    process.open("scale")
    with pytest.raises(HocketError, match="KeyError"):
        process.worker().propose(number, (), Ask(), 0, None)


def test_when_it_has_ended_its_players_say_so_and_the_next_model_starts_another():
    process = NotesProcess("tests.support.players:open_scale")
    try:
        _, player = process.open("scale")
        player.reset(1, 0, MetreMap())
        os.kill(process.worker().process.pid, signal.SIGKILL)
        with pytest.raises(ProcessEnded, match=ENDED):
            player.propose(Ask())
        _, again = process.open("scale")
        again.reset(1, 0, MetreMap())
        assert again.propose(Ask()).duration > 0
        for _ in range(STARTS - 1):
            worker = process.worker()
            worker.process.kill()
            worker.process.wait(10)
        with pytest.raises(HocketError, match="ended 6 times within a minute"):
            process.open("scale")
    finally:
        process.close()


def notes_process(engine):
    """Its number, 0 while there is none."""
    found = [pid for pid in children(engine.client.process.pid) if "note_worker" in command_line(pid)]
    return found[0] if found else 0


def test_an_engine_gets_another_notes_process_and_plays_on(start_engine, tmp_path):
    """What is heard around it is in the take, and renders to the same notes. A model that ends it twice is left out."""
    engine = start_engine()
    take = tmp_path / "a.take.json"
    engine.client.ask(Record(str(take)))
    engine.client.ask(Play())
    engine.hear(2)
    first = notes_process(engine)
    os.kill(first, signal.SIGKILL)
    engine.until(lambda: notes_process(engine) not in (0, first), 20, "another process")
    ticks = max(note.tick for note in engine.committed)
    engine.until(lambda: engine.committed[-1].tick > ticks + 600, 30, "notes of another process")
    engine.client.ask(Record(""))
    assert differences(load_take(take), open_scale) == []
    os.kill(notes_process(engine), signal.SIGKILL)
    engine.until(lambda: any("ended twice while scale was used" in b for b in engine.telemetry.banners), 30)
    assert engine.telemetry.playing
    engine.client.ask(LoadModel("scale"), 30)
    engine.until(lambda: not any("ended twice" in b for b in engine.telemetry.banners), 20)
    engine.hear(2)


def test_a_model_is_loaded_while_another_plays(start_engine):
    engine = start_engine()
    engine.client.ask(Play())
    engine.hear(2)
    engine.client.ask(LoadModel("scale"))
    engine.hear(2)
