"""A bad model never ends the engine, keeps it from starting, or loses the patch; it silences its own player alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from instrument.engine.ipc.messages import LoadModel, Play, Quit
from instrument.engine.offline.render import differences
from instrument.engine.performance.patches import Patch, PlayerPatch, autosave, autosaved
from instrument.engine.performance.performance import Performance
from instrument.engine.pool.in_use import FILE, InUse
from instrument.engine.pool.model_pool import ModelPool
from instrument.engine.voices.neural import FailedTones, NeuralVoice
from instrument.errors import HocketError
from instrument.models.notes.player import Ask
from instrument.music.notes import Note
from instrument.paths import models_dirs, state_dir
from tests.support.engine import end, start_engine
from tests.support.players import ScaleBundle, ScalePlayer, open_scale

__all__ = ["start_engine"]  # the fixture

MODELS = Path(__file__).parents[2] / "models_onnx"
BAR = 96


class Impossible(ScalePlayer):
    """Its eleventh note has the part -1, as of a network without numbers."""

    def propose(self, ask: Ask) -> Note:
        note = super().propose(ask)
        return note._replace(part=-1) if self.count == 10 else note


class Raising(ScalePlayer):
    """Its network raises what nobody expects."""

    def propose(self, ask: Ask) -> Note:
        if self.count == 10:
            raise MemoryError
        return super().propose(ask)


def opener(slug):
    kinds = {"impossible": Impossible, "raising": Raising}
    return (ScaleBundle(slug, "bad" * 20), kinds[slug]()) if slug in kinds else open_scale(slug)


@pytest.mark.parametrize(("slug", "says"), [("impossible", "impossible note"), ("raising", "failed: MemoryError")])
def test_a_player_whose_model_fails_is_silent_alone_and_the_take_renders_as_heard(slug, says):
    playing = Performance(Patch(players=(PlayerPatch(slug), PlayerPatch("scale"))), opener)
    heard = []
    for tick in range(0, 8 * BAR, 12):
        while True:
            try:
                if playing.extend(tick + 2 * BAR) is None:
                    break
            except HocketError:
                continue
        heard += playing.advance(tick)
    assert says in playing.players[0].problem
    assert not playing.players[1].problem
    counts = [sum(player == number for player, _ in heard) for number in (0, 1)]
    assert 0 < counts[0] <= 10 < counts[1]
    assert [note.tick for _, note in heard] == sorted(note.tick for _, note in heard)
    playing.load("scale")
    while playing.extend(10 * BAR):
        pass
    assert not playing.players[0].problem
    playing.advance(10 * BAR)
    assert differences(playing.take, opener) == []


def test_a_voice_that_raises_is_silent_and_says_why():
    told = []
    voice = NeuralVoice(FailedTones(ValueError("no good")), 48_000, "player 2", told.append)
    voice.note_on(0, 60, 90)
    assert not voice.render(256).any()
    assert told == ["player 2 is silent: its model failed: ValueError: no good"]


def test_a_model_that_is_left_out_keeps_its_settings_in_the_patch():
    pool = ModelPool(open_scale)
    pool.leave_out("scale", "it is no good")
    seat = PlayerPatch("scale", {"density": 4.0, "unknown": 1.0})
    playing = Performance(Patch(players=(seat, PlayerPatch("scale-2"))), pool.give)
    assert playing.current_patch().players[0] == seat
    with pytest.raises(HocketError, match="it is no good"):
        playing.extend(BAR)
    assert playing.extend(BAR) is not None
    pool.load("scale")
    again = Performance(playing.current_patch(), pool.give)
    assert again.values["0/density"] == 4.0


def test_after_a_crash_the_sound_models_of_strangers_are_left_out(hocket_home):
    state = state_dir()
    first = InUse(state)
    assert not first.suspects
    first.add("ddsp-voices")
    first.add("stranger")
    second = InUse(state)  # without a close of the first: it crashed
    assert second.suspects == {"stranger"}, "what ships was checked before, and may go on"
    second.add("ddsp-voices")
    third = InUse(state)
    assert third.suspects == {"ddsp-voices"}, "but not after two quick crashes in a row"
    third.close()
    assert not InUse(state).suspects
    (state / FILE).write_text("[]")
    assert not InUse(state).suspects


def test_a_bad_bundle_is_refused_while_playing_and_the_next_start_keeps_the_patch(start_engine):
    folder = models_dirs()[-1] / "stranger"
    shutil.copytree(MODELS / "lstm-band", folder)
    table = json.loads((folder / "manifest.json").read_text())
    table["slug"], table["states"][0]["shape"] = "stranger", [3]
    (folder / "manifest.json").write_text(json.dumps(table))
    engine = start_engine(players="", patch="", model="lstm-band")
    engine.client.ask(Play())
    engine.hear(2, 30)
    with pytest.raises(HocketError, match="no graph has the state 'hidden_0'"):
        engine.client.ask(LoadModel("stranger"), 60)
    engine.hear(2)
    engine.client.ask(Quit())
    assert end(engine.client.process) == 0
    # what an engine of before had saved, which could not be started any more
    patch = Patch(name="mine", players=(PlayerPatch("stranger", {"density": 3.0}), PlayerPatch("lstm-band")))
    autosave(patch)
    engine = start_engine(players="", patch="")
    engine.client.ask(Play())
    engine.until(lambda: any("(stranger) is silent: " in b for b in engine.telemetry.banners), 30)
    engine.hear(2, 30)
    assert engine.description.players == ("stranger", "lstm-band")
    engine.client.ask(Quit())
    assert end(engine.client.process) == 0
    assert autosaved().players[0] == patch.players[0]


def test_a_newer_autosave_is_kept_beside_and_said(start_engine):
    newer = json.dumps({"version": 99, "name": "of tomorrow"})
    (state_dir() / "autosave.json").write_text(newer)
    engine = start_engine(patch="", model="scale")
    engine.until(lambda: any("has version 99" in b for b in engine.telemetry.banners))
    (said,) = [b for b in engine.telemetry.banners if "the saved state is kept as " in b]
    engine.client.ask(Quit())
    assert end(engine.client.process) == 0
    kept = Path(said.rpartition(" is kept as ")[2])
    assert kept.parent == state_dir()
    assert kept.read_text() == newer
    assert autosaved().players[0].model == "scale"
