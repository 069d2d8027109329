"""Takes whose bundles are not here: the recorded notes play, a line says so, and a comparison insists."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
import soundfile

from instrument.engine.ipc.messages import Anchor
from instrument.engine.offline.bounce import bounce
from instrument.engine.offline.render import Options, Rendering, differences, play_again, render
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.roster import planner_problem
from instrument.engine.performance.sound_seats import SoundModels
from instrument.engine.performance.takes import BundleRef, Take, TakeRecorder, load_take
from instrument.errors import HocketError
from instrument.models.latent import to_text
from tests.support.live import perform, random_actions
from tests.support.phrases import open_vae
from tests.support.players import ScaleBundle, open_scale
from tests.support.sound.players import open_any

DUO = Patch(
    knobs={"seed": 3, "tempo": 100, "key": "G", "scale": "minor"},
    players=(PlayerPatch("scale", {"genre": "waltz"}), PlayerPatch("scale-2", {"density": 5})),
)


def lacking(*slugs: str, opener=open_scale):
    """`opener`, without the bundles of some names."""

    def open_player(slug):
        if slug in slugs:
            raise HocketError(f"unknown model {slug!r}: choose another")
        return opener(slug)

    return open_player


def played(seed: int = 1) -> Take:
    performance = Performance(DUO, open_scale)
    perform(performance, random_actions(seed, 400, turns=0.1, live=0.2), ("scale", "scale-2"))
    performance.stop(performance.floor)
    return performance.take


def rendered(take: Take, tmp_path, open_player) -> Rendering:
    path = tmp_path / "it.take.json"
    TakeRecorder(path, take).close()
    return render(Options(take=str(path)), open_player)


@pytest.mark.parametrize("missing", [("scale",), ("scale-2",), ("scale", "scale-2")])
def test_without_its_bundles_a_take_plays_the_same_notes_and_says_so(tmp_path, missing):
    take = played()
    assert take.heard_count > 100
    with_all = rendered(take, tmp_path, open_scale)
    assert with_all.notices == ()
    without = rendered(take, tmp_path, lacking(*missing))
    assert without.played == with_all.played
    assert list(without.take.heard()) == list(with_all.take.heard())
    assert without.take.entries == with_all.take.entries
    assert (without.end, without.metres.metres, without.tempo) == (with_all.end, with_all.metres.metres, with_all.tempo)
    for format in ("mid", "wav"):
        bounce(with_all, tmp_path / f"a.{format}")
        bounce(without, tmp_path / f"b.{format}")
        assert (tmp_path / f"a.{format}").read_bytes() == (tmp_path / f"b.{format}").read_bytes()
    says = (
        "player {} plays the notes that were recorded: the take was played by {} {}; unknown model '{}': choose another"
    )
    expected = [says.format(i, p.model, "5ca1e5ca1e5c" if p.model == "scale" else "5ca1f5ca1f5c", p.model)
                for i, p in enumerate(DUO.players) if p.model in missing]  # fmt: skip
    assert list(without.notices[: len(expected)]) == expected


def test_a_bundle_that_is_another_now_does_not_play_the_take(tmp_path):
    def other(slug):
        bundle, player = open_scale(slug)
        return (ScaleBundle(slug, "0dd" * 20) if slug == "scale" else bundle), player

    take = played()
    found = rendered(take, tmp_path, other)
    assert found.played == rendered(take, tmp_path, open_scale).played
    assert found.notices[0].endswith("played by scale 5ca1e5ca1e5c; the installed bundle is 0dd0dd0dd0dd")


def test_a_take_whose_plan_another_model_wrote_plays_the_notes_that_were_recorded(tmp_path):
    performance = Performance(Patch(players=DUO.players, knobs={"plan": "model pop"}), open_scale)
    perform(performance, random_actions(4, 200, turns=0.0))
    performance.stop(performance.floor)
    take = performance.take
    assert take.header.planner is not None
    assert take.header.planner.slug == "plan-band"
    assert differences(take, open_scale) == []
    other = Take(msgspec.structs.replace(take.header, planner=BundleRef("plan-band", "0dd" * 20)))
    other.entries = take.entries
    for player, note in take.heard():
        other.add_note(player, note)
    with pytest.raises(HocketError, match="its plan was written by plan-band 0dd0dd0dd0dd, but the installed one is"):
        differences(other, open_scale)
    found = rendered(other, tmp_path, open_scale)
    assert sorted(found.take.heard()) == sorted(take.heard())
    assert len(found.notices) == len(DUO.players)
    free = Take(msgspec.structs.replace(other.header, patch=msgspec.structs.replace(other.header.patch, knobs={})))
    assert planner_problem(free) == "", "its plan was no model's"


def test_a_take_of_version_0_1_knows_its_bundle_by_the_hash_of_then(tmp_path):
    def renewed(slug):
        bundle, player = open_scale(slug)
        return ScaleBundle(slug, "ea5e" * 15, legacy_hash=bundle.bundle_hash), player

    take = played()
    assert differences(take, renewed) == []
    assert rendered(take, tmp_path, renewed).notices == ()


def test_a_comparison_insists_on_the_bundles():
    with pytest.raises(HocketError, match="unknown model 'scale-2'"):
        differences(played(), lacking("scale-2"))


def test_a_recording_that_broke_off_plays_what_there_is(tmp_path):
    take = played()
    path = tmp_path / "broken.take.json"
    TakeRecorder(path, take).close()
    data = path.read_bytes()
    for share in (0.2, 0.5, 0.9):
        path.write_bytes(data[: int(len(data) * share)])
        broken = load_take(path)
        performance, notices = play_again(broken, lacking("scale", "scale-2"))
        assert sorted(performance.take.heard()) == sorted(broken.heard())
        assert notices


def test_a_missing_pad_moves_nothing(tmp_path):
    performance = Performance(Patch(players=(PlayerPatch("vae", {"wander": 0.0}),)), open_vae)
    point = performance.pad().model.space.anchor()
    performance.anchor((Anchor("a", -0.5, 0.0, to_text(point)), Anchor("b", 0.5, 0.0, to_text(-point))))
    for knob, value in (("x", -0.5), ("x", 0.25), ("y", 0.5)):
        perform(performance, random_actions(2, 150, turns=0.0))
        performance.set(knob, value)
    perform(performance, random_actions(3, 150, turns=0.0))
    take = performance.take
    assert take.heard_count > 10
    found, notices = play_again(take, lacking("vae", opener=open_vae))
    assert list(found.take.heard()) == list(take.heard())
    assert len(notices) == 1


def test_a_sound_player_that_is_missing_is_silent(tmp_path):
    performance = Performance(
        Patch(players=(PlayerPatch("scale"), PlayerPatch("sines", {"pitch": 60.0, "level": -6.0}))), open_any
    )
    for action in ("noise", "pitch", "leave"):
        while performance.extend(performance.floor + 50):
            pass
        performance.advance(performance.floor + 50)
        match action:
            case "noise":
                performance.load("noise", 2)
            case "pitch":
                performance.set("pitch", 70.0, 1)
                performance.set("level", -3.0, 1)
                performance.set("duck", 0.5, 2)
            case "leave":
                performance.leave(2)
    performance.stop(performance.floor)
    missing = lacking("sines", "noise", opener=open_any)
    found = rendered(performance.take, tmp_path, missing)
    assert found.played == rendered(performance.take, tmp_path, open_any).played
    assert [notice.partition(":")[0] for notice in found.notices] == ["player 1 is silent", "player 2 is silent"]
    bounce(found, tmp_path / "silent.wav")
    alone = replace(found, sound_models=SoundModels({}, []), take=Take(found.take.header))
    bounce(alone, tmp_path / "alone.wav")
    silent, without = (soundfile.read(tmp_path / f"{name}.wav")[0] for name in ("silent", "alone"))
    np.testing.assert_array_equal(silent, without)
    assert np.abs(silent).max() > 0.01
