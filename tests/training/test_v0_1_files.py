"""What version 0.1 wrote while training opens, and training goes on from it: recipes, prepared data, checkpoints and
bundles. The files are described in tests/fixtures/v0_1/README.md."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from training.core import checkpoint
from training.data.notes.shards import Shards
from training.fit import Run, load_network
from training.recipe import read_recipe, recipe_from, tuned
from training.weights import starting_weights

SAVED = Path(__file__).parents[1] / "fixtures" / "v0_1"
TUNED_RUN, TUNED_BUNDLE = SAVED / "runs" / "small-tuned", SAVED / "models" / "small-tuned"


@pytest.mark.parametrize(
    ("name", "slug", "family", "batches", "batch_size", "learning_rate"),
    [
        ("cmelgan", "genre-stream", "cmelgan", 100_000, 16, 2e-3),
        ("ddsp", "ddsp-voices", "ddsp", 6000, 96, 2e-3),
        ("gansynth", "gansynth-voices", "gansynth", 60_000, 64, 3e-3),
        ("gansynth-adversarial", "gansynth-voices", "gansynth", 2000, 32, 3e-4),
        ("lstm", "lstm-band", "lstm", 8000, 32, 1.5e-3),
        ("lstm-smoke", "lstm-smoke", "lstm", 60, 4, 2e-3),
        ("musicvae-drums2", "musicvae-drums2", "musicvae", 40_000, 32, 2e-3),
        ("musicvae-melody16", "musicvae-melody16", "musicvae", 60_000, 16, 2e-3),
        ("musicvae-melody16-flat", "musicvae-melody16-flat", "musicvae", 60_000, 16, 2e-3),
        ("musicvae-melody2", "musicvae-melody2", "musicvae", 60_000, 32, 2e-3),
        ("transformer", "transformer-band", "transformer", 8000, 4, 1.5e-3),
        ("transformer-smoke", "transformer-smoke", "transformer", 60, 4, 4e-3),
        ("vocoder", "vocoder-44k", "vocoder", 30_000, 6, 1.5e-3),
    ],
)
def test_a_recipe(name, slug, family, batches, batch_size, learning_rate):
    recipe = read_recipe(SAVED / "recipes" / f"{name}.toml")
    train = recipe.train
    assert (recipe.slug, recipe.family) == (slug, family)
    assert (train.batches, train.batch_size, train.learning_rate) == (batches, batch_size, learning_rate)
    shipped = not name.endswith("-smoke")  # all but these say so themselves; others train on one's own music
    assert recipe.data.ship_only is shipped


def test_settings_of_recipes():
    recipes = {path.stem: read_recipe(path) for path in (SAVED / "recipes").glob("*.toml")}
    lstm, transformer, phrases = (recipes[name] for name in ("lstm", "transformer", "musicvae-melody16"))
    assert (lstm.model.units, lstm.sampling.max_notes, lstm.train.sequence_length) == (448, 2048, 128)
    assert (transformer.model.width, transformer.train.muon_factor) == (256, 2.0)
    assert transformer.train.teacher == "lstm-band"
    assert (phrases.model.latent, phrases.train.free_bits) == (384, 400.0)
    assert (recipes["vocoder"].model.tonal_bins, recipes["vocoder"].train.notes_folder) == (256, "data/notes-full")
    assert (recipes["cmelgan"].train.prior_share, recipes["cmelgan"].train.betas) == (0.65, (0.8, 0.98))
    assert recipes["gansynth-adversarial"].train.adversarial_weight == 0.05
    assert recipes["ddsp"].sampling.full_rate_folder == "data/notes-full"


def test_prepared_data():
    mine = Shards.open(SAVED / "data" / "mine")
    pieces = mine.select()
    assert {piece.genre for piece in pieces} == {"folk", "song"}
    assert (len(pieces), sum(len(mine.notes(piece)) for piece in pieces)) == (4, 431)


@pytest.mark.parametrize(
    ("run", "batch", "genres", "weights"),
    [("small-tuned", 84, ["folk", "song"], 12489.27), ("small-musicvae", 150, ["march", "waltz"], 4618.304)],
)
def test_the_network_of_a_checkpoint(run, batch, genres, weights):
    network, recipe, facts = load_network(SAVED / "runs" / run / "best.safetensors")
    assert (recipe.slug, facts["batch"], facts["genres"]) == (run, batch, genres)
    total = sum(float(parameter.detach().abs().sum()) for parameter in network.parameters())
    assert total == pytest.approx(weights, rel=1e-4)


def test_a_checkpoint_keeps_the_recipe_that_made_it():
    _, kept, _ = load_network(SAVED / "runs" / "small-musicvae" / "best.safetensors")
    assert kept == read_recipe(SAVED / "small_recipes" / "small-musicvae.toml")


def test_a_run_goes_on_where_it_was(tmp_path):
    shutil.copytree(TUNED_RUN, tmp_path / "run")
    kept, facts = checkpoint.load(TUNED_RUN / "last.safetensors")
    recipe = recipe_from(facts["recipe"])
    data = replace(recipe.data, folder=str(SAVED / "data" / "mine"))
    run = Run(replace(recipe, data=data), tmp_path / "run")
    assert (run.batch, run.standing.best) == (84, pytest.approx(17.1169))
    assert run.ancestry[0]["recipe"]["slug"] == "small-lstm"
    for name, parameter in run.network.named_parameters():
        assert (parameter == kept[f"weights.{name}"]).all(), name
        assert run.optimiser.state[parameter]["step"] == 84
    assert run.task.place == facts["stream"]
    run.step(0.5)
    assert run.batch == 85
    changed = [
        name for name, parameter in run.network.named_parameters() if (parameter != kept[f"weights.{name}"]).any()
    ]
    assert changed


def test_training_goes_on_from_a_bundle(tmp_path):
    weights, facts = starting_weights(str(TUNED_BUNDLE))
    assert (facts["genres"], facts["recipe"]["slug"]) == (("folk", "song"), "small-tuned")
    recipe = tuned(facts["recipe"], "again")
    assert (recipe.name, recipe.train.learning_rate, recipe.model.units) == ("Again", 2e-4, 24)
    data = replace(recipe.data, folder=str(SAVED / "data" / "mine"))
    run = Run(replace(recipe, data=data), tmp_path / "run", start=str(TUNED_BUNDLE))
    assert [one["recipe"]["slug"] for one in run.ancestry] == ["small-lstm", "small-tuned"]
    assert all((parameter == weights[name]).all() for name, parameter in run.network.named_parameters())
