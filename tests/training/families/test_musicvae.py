"""Phrases, learning them, and a bundle made of what was learnt."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from instrument.errors import HocketError
from instrument.models.bundle import Bundle, open_bundle
from instrument.models.catalog import open_note_bundle
from instrument.models.latent import NO_GENRE
from instrument.models.notes.player import Ask
from instrument.music.notes import Part, tidy
from instrument.music.phrases import DRUM_TOKENS, HOLD, OFF, STEP_TICKS, Shape, notes_of, tokens
from instrument.music.timebase import Metre, MetreMap
from tests.support.phrases import SMALL, small_network
from training.cli import app
from training.core import checkpoint
from training.core.recipe import Recipe
from training.data.notes.phrases import (
    PartShards,
    Phrases,
    Sampling,
    attributes,
    collect,
    cut,
    keyless,
    transposed,
    without,
)
from training.data.notes.shards import Shards
from training.evaluation.notes import long_run as longrun
from training.evaluation.notes.reconstruction import reconstruction
from training.export import PARITY, export
from training.families.musicvae.bundle import PhraseBundling
from training.families.musicvae.bundle_phrases import BundlePhrases
from training.families.musicvae.landmarks import in_common_key, landmarks
from training.families.musicvae.task import score
from training.fit import Run, load_network
from training.recipe import read_recipe

RECIPES = Path(__file__).parents[3] / "training" / "recipes"
MELODY, DRUMS = Shape(), Shape("drums")

pytestmark = pytest.mark.usefixtures("one_thread")


def smaller(name: str, data: Path, **train) -> Recipe:
    recipe = read_recipe(RECIPES / f"{name}.toml")
    settings = {
        "batches": 12,
        "batch_size": 4,
        "warmup_batches": 2,
        "ema_decay": 0.8,
        "save_seconds": 0.0,
        "valid_phrases": 8,
    }
    return dataclasses.replace(
        recipe,
        data=dataclasses.replace(recipe.data, folder=str(data)),
        model=dataclasses.replace(recipe.model, **SMALL | {"conductor": min(16, recipe.model.conductor)}),
        train=dataclasses.replace(recipe.train, **settings | train),
    )


@pytest.fixture(scope="module")
def phrase_run(data, tmp_path_factory, one_thread) -> Path:
    folder = tmp_path_factory.mktemp("phrases")
    Run(smaller("musicvae-melody2", data), folder).fit()
    return folder


@pytest.fixture(scope="module")
def bundle(phrase_run, tmp_path_factory) -> Bundle:
    return open_bundle(export(phrase_run / "best.safetensors", tmp_path_factory.mktemp("bundles")), trusted=True)


# --- phrases


@given(st.lists(st.integers(0, HOLD), min_size=32, max_size=32), st.integers(0, 500))
@settings(max_examples=60, deadline=None)
def test_a_melody_is_its_notes_and_back(row, begin):
    there = np.array(row, np.int16)
    for at in range(32):  # a note ends once, and before one begins nothing ends
        before = there[:at][there[:at] != HOLD]
        if there[at] == OFF and (not len(before) or before[-1] == OFF):
            there[at] = HOLD
    assert (tokens(notes_of(there, begin, False), begin, 32, False) == there).all()


@given(st.lists(st.integers(0, DRUM_TOKENS - 1), min_size=32, max_size=32))
@settings(max_examples=30, deadline=None)
def test_drums_are_their_notes_and_back(row):
    there = np.array(row, np.int16)
    assert (tokens(notes_of(there, 96, True), 96, 32, True) == there).all()


def test_of_a_chord_the_highest_counts_and_a_note_ends_where_the_next_starts():
    rows = [(0, 0, 60, 48, 80, 0), (0, 0, 64, 96, 80, 0), (25, -4, 67, 12, 80, 0), (49, 0, 62, 6, 80, 0)]
    found = tokens(tidy(np.array(rows, np.int32)), 0, 16, False)
    assert found.tolist() == [64, HOLD, HOLD, HOLD, 67, HOLD, OFF, HOLD, 62, OFF, *[HOLD] * 6]


def test_phrases_are_cut_from_bars_in_four():
    beat = np.arange(0, 16 * 96, 24)
    notes = np.stack([beat, 0 * beat, 60 + beat // 24 % 12, 0 * beat + 24, 0 * beat + 80, 0 * beat], 1).astype(np.int32)
    found = cut(notes, [(0, 4, 4)], MELODY, Sampling())
    assert found.shape == (15, 32)
    assert (found[:, ::4] < OFF).all()
    assert len(cut(notes, [(0, 4, 4)], MELODY, Sampling(hop=4))) == 4
    assert len(cut(notes, [(0, 3, 4)], MELODY, Sampling())) == len(cut(notes, [], MELODY, Sampling())) == 0
    assert len(cut(notes, [(0, 4, 4), (8 * 96, 3, 4)], MELODY, Sampling())) == 7
    assert len(cut(notes, [(0, 4, 4)], DRUMS, Sampling())) == 0
    swung = notes + np.array([[2, 0, 0, 0, 0, 0]] * len(notes), np.int32)
    assert len(cut(swung, [(0, 4, 4)], MELODY, Sampling())) == 0
    sparse = notes[::12]
    assert len(cut(sparse, [(0, 4, 4)], MELODY, Sampling())) == 0


def test_a_collection_as_a_model_of_phrases_could_play_it(data):
    whole = Shards.open(data)
    for shape, part in ((MELODY, Part.MELODY), (DRUMS, Part.DRUMS)):
        reduced = PartShards(whole, shape)
        assert 0 < len(reduced.pieces) <= len(whole.pieces)
        for info in reduced.pieces[:5]:
            notes = reduced.piece(info).notes
            assert set(notes[:, 5]) == {part}
            assert not (notes[:, 0] % STEP_TICKS).any()
            original = next(p for p in whole.pieces if p.path == info.path)
            one, other = (
                cut(shards.notes(info), original.metres, shape, Sampling(min_on_grid=0.0))
                for shards in (whole, reduced)
            )
            assert (one == other).mean() > 0.9
        assert reduced.data_hash != whole.data_hash
        assert not any(info.drums_only for info in reduced.pieces)


def test_melodies_are_moved_to_a_key_without_accidentals():
    row = np.full(32, HOLD, np.int16)
    row[::4] = np.array([62, 66, 69, 74, 73, 69, 66, 62])  # D major
    assert in_common_key(row)[::4].tolist() == [60, 64, 67, 72, 71, 67, 64, 60]
    assert (in_common_key(np.where(row < OFF, row - 58, row))[::4] >= 0).all()


def test_landmarks_are_phrases_of_their_genre(data):
    shards = Shards.open(data)
    genres = tuple(sorted({p.genre for p in shards.pieces}))
    for shape in (MELODY, DRUMS):
        found = collect(shards, shards.pieces, genres, shape, Sampling(min_on_grid=0.0))
        numbers = {genre: i for i, genre in enumerate(genres) if (found.genre == i).sum() > 4}
        network = small_network(segment=8, kind=shape.kind)
        told = landmarks(network, shards, found, numbers, shape, 8)
        assert told["landmarks"].shape == (len(told["landmark_genres"]), 8)
        assert set(told["landmark_genres"]) == set(range(len(numbers)) or [NO_GENRE])
        again = landmarks(network, shards, found, numbers, shape, 8)
        assert all(np.array_equal(told[name], again[name]) for name in told)
        of_none = landmarks(network, shards, found, {}, shape, 8)["landmark_genres"]
        assert len(of_none)
        assert set(of_none) == {NO_GENRE}


def test_what_training_has_in_any_key_is_no_held_out_phrase():
    rng = np.random.default_rng(0)
    rows = np.where(rng.random((20, 32)) < 0.4, rng.integers(50, 80, (20, 32)), HOLD).astype(np.int16)
    moved = transposed(rows, 6, rng)
    assert (moved != rows).any()
    assert (keyless(moved, MELODY) == keyless(rows, MELODY)).all()
    other = np.where(rows < OFF, 127 - rows, rows)
    seen, held = Phrases(rows, np.zeros(20, np.int16)), Phrases(np.concatenate([moved, other]), np.zeros(40, np.int16))
    left = without(held, seen, MELODY)
    assert {row.tobytes() for row in left.tokens} <= {row.tobytes() for row in other}
    high = np.full((1, 32), 127, np.int16)
    assert transposed(high, 6, rng).max() <= 127


def test_attributes_say_what_they_are_called():
    plain = np.full((3, 32), HOLD, np.int16)
    plain[0, ::4], plain[1, ::2], plain[2, 2::4] = 60, 72, 60
    plain[2, 3::4] = OFF
    found = attributes(plain, MELODY)
    assert found["density"].argmax() == 1
    assert found["register"].tolist() == [60, 72, 60]
    assert found["syncopation"].argmax() == 2
    assert found["length"].argmin() == 2
    assert set(attributes(np.ones((3, 32), np.int16), DRUMS)) == {"density", "syncopation"}


# --- learning


@pytest.mark.parametrize("name", ["musicvae-melody2", "musicvae-drums2", "musicvae-melody16", "musicvae-melody16-flat"])
def test_every_recipe_learns(name, data, tmp_path):
    run = Run(smaller(name, data), tmp_path)
    losses = [run.step(i / 12) for i in range(3)]
    assert all(set(found) == {"total", "nats", "bits"} and np.isfinite(list(found.values())).all() for found in losses)


def test_a_broken_off_run_goes_on_as_if_it_had_not_been(data, phrase_run, tmp_path):
    broken = Run(smaller("musicvae-melody2", data), tmp_path)
    for _ in range(5):
        broken.step(broken.batch / 12)
    broken.save()
    resumed = Run(smaller("musicvae-melody2", data), tmp_path)
    assert resumed.batch == 5
    resumed.fit()
    mine, theirs = (checkpoint.load(folder / "last.safetensors")[0] for folder in (tmp_path, phrase_run))
    assert mine.keys() == theirs.keys()
    assert [name for name in mine if not torch.equal(mine[name], theirs[name])] == []


def test_a_run_goes_on_from_a_bundle(data, phrase_run, bundle, tmp_path):
    recipe = smaller("musicvae-melody2", data)
    network, _, facts = load_network(phrase_run / "best.safetensors")
    begun = Run(recipe, tmp_path, start=str(bundle.folder))
    rows = begun.task.phrases.tokens[:20]
    tokens = torch.from_numpy(rows.astype(np.int64))
    with torch.no_grad():
        theirs, mine = (n.eval().encode(tokens)[0] for n in (network, begun.network))
        told, said = (n(theirs, n.before(tokens)) for n in (network, begun.network))
    assert (mine - theirs).abs().max() < 0.05 * theirs.std() + 0.02
    assert (told - said).abs().max() < 0.05 * told.std() + 0.02
    assert begun.ancestry[0]["data_hash"] == facts["data_hash"]


def test_it_learns_a_handful_of_phrases_by_heart(data, tmp_path):
    run = Run(
        smaller("musicvae-melody2", data, batches=250, batch_size=16, learning_rate=2e-2, token_dropout=0.2), tmp_path
    )
    run.task.phrases, run.task.shares = run.task.phrases.chosen(np.arange(8)), np.full(8, 1 / 8)
    rows = run.task.phrases.tokens
    before = score(run.network, rows).free_running_onsets
    run.task.sampling = dataclasses.replace(run.task.sampling, transpose=0)
    for i in range(250):
        run.step(i / 250)
    after = score(run.network.eval(), rows)
    assert before < 0.1
    assert after.free_running_onsets > 0.4
    assert after.bits > 3


def test_data_without_phrases_is_named(data, tmp_path):
    recipe = smaller("musicvae-melody2", data)
    recipe = dataclasses.replace(recipe, sampling=dataclasses.replace(recipe.sampling, min_onsets=17.0))
    with pytest.raises(HocketError, match="no phrases"):
        Run(recipe, tmp_path)


# --- the bundle


def test_the_bundle_matches_the_network(bundle, data):
    metrics = bundle.manifest.provenance.metrics
    assert metrics["parity"] <= PARITY
    assert metrics["errors_after"] - metrics["errors_before"] <= PhraseBundling.allowed
    golden = bundle.golden()
    model = BundlePhrases(bundle)
    for i, row in enumerate(golden["tokens"]):
        mean, _ = model.encode(torch.from_numpy(row[None].astype(np.int64)))
        np.testing.assert_allclose(mean[0], golden["mean"][i], atol=bundle.manifest.golden.tolerance)
        contexts, hidden, cell = model.conduct(mean)
        first = torch.tensor([int(row[0])]), torch.tensor([0])
        logits, *_ = model.step(*first, contexts[:, 0], hidden[:, 0], cell[:, 0])
        np.testing.assert_allclose(logits[0], golden["logits"][i], atol=bundle.manifest.golden.tolerance)


def test_the_bundle_plays(bundle):
    manifest, player = open_note_bundle(bundle)
    assert manifest.parts == (Part.MELODY,)
    assert manifest.genres == ()  # too few pieces to offer one
    player.reset(1, 0, MetreMap((Metre(0, 4, 4),)))
    ask = Ask(knobs={k.id: k.default for k in manifest.knobs} | {"density": 1.0})
    notes = []
    for _ in range(30):
        notes.append(player.propose(ask))
        player.feed(notes[-1])
    assert len({note.tick for note in notes}) == 30


def test_the_bundle_is_measured(bundle, data):
    found = reconstruction(bundle, Shards.open(data), flat=bundle)
    rows = found["accuracy"]
    assert rows["flat"] == rows["model"]
    assert 0 < rows["commonest token"]["free_running"] < 1
    assert rows["commonest token"]["free_running_onsets"] == 0
    assert set(found["directions"]) == {"density", "register", "syncopation", "length"}
    for way in ("by angle", "as the pad"):
        crossed = found["smoothness"][way]
        assert crossed["between neighbours"] <= crossed["between ends"]
    with pytest.raises(HocketError, match="no phrases"):
        reconstruction(bundle, Shards.open(data), "nowhere")


@pytest.mark.timeout(300)
def test_evaluate_tells_all_that_it_tells_of_other_models(bundle, corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(longrun, "MINUTES", (0.25, 0.5))
    folder = bundle.folder
    command = ["evaluate", "--bundle", folder, "--midi", corpus, "--pieces", 4, "--card", "--out", tmp_path, "--json"]
    done = CliRunner().invoke(app, list(map(str, command)), catch_exceptions=False)
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert found["accuracy"]["model"]["teacher_forced"] > 0
    assert all(row["obeyed"] for row in found["key_lock"])
    assert set(found["obedience"]) == {"density", "register"}
    assert found["obedience"]["density"]["positions"]["-1"]["asked"] is None
    assert [row["genre"] for row in found["long_runs"]] == ["none"]
    assert found["cost"]["phrase_p50"] > 0
    card = (folder / "CARD.md").read_text()
    for title in ("Reconstruction", "Interpolation", "Key lock", "Long runs", "Cost"):
        assert f"## {title}" in card
    for title in ("Similarity", "Form"):
        assert f"## {title}" not in card, "four pieces are too few for it"
    assert {p.name for p in tmp_path.iterdir()} >= {"figures.json"}


def test_a_bundle_answers_as_its_network(bundle, phrase_run):
    shards = Shards.open(bundle.manifest.provenance.recipe["data"]["folder"])
    rows = collect(shards, shards.pieces, (), MELODY, Sampling()).tokens[:4]
    network = small_network(segment=8)
    kept, _ = checkpoint.load(phrase_run / "best.safetensors")
    network.load_state_dict(checkpoint.prefixed(kept, "weights"))
    z, seen = torch.zeros(4, 8), torch.from_numpy(rows.astype(np.int64))
    with torch.no_grad():
        mine = network(z, network.before(seen))
    np.testing.assert_allclose(BundlePhrases(bundle)(z, network.before(seen)), mine, atol=0.15)
