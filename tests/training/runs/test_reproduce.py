"""Every recipe makes its model from raw data, in seconds."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile

from instrument.models.bundle import open_bundle
from tests.support.corpus import write_corpus
from tests.support.sound.corpus import GENRES, INSTRUMENTS, RNG, note
from tests.training.plan_corpus import form, songs, write_plans
from training.cli import app
from training.core.recipe import Recipe
from training.evaluation.notes import long_run
from training.families.table import FAMILIES
from training.recipe import stages
from training.reproduce import recipes, reproduce

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.timeout(300)]
SHIPPED = {recipe.slug: recipe for recipe in recipes().values() if not recipe.slug.endswith("-smoke")}
EVENTS = {"dropout": 0.0, "head": 16}
SPECTRA = {"frames": 24, "width": 24, "layers": 2, "embedding": 6, "latent": 4, "positions": 16, "encoder": 16}
SMALL_MODEL = {
    "lstm": EVENTS | {"units": 24, "inputs": 24},
    "transformer": EVENTS | {"layers": 2, "width": 32, "query_heads": 4, "feedforward": 48, "context": 24},
    "musicvae": {"encoder": 12, "decoder": 16, "context": 8},
    "plan": {"units": 24, "mix": 16, "echo": 6, "run": 2, "form": 12},
    "cmelgan": {"widths": (12, 10, 8, 8), "components": 12, "codebooks": 3, "codebook_size": 12, "units": 16},
    "vocoder": {"width": 16, "layers": 2, "hidden": 24},
    "ddsp": {"latent": 4, "embedding": 8, "note_width": 24, "frame_width": 16},
    "gansynth": SPECTRA,
}
SMALL_TRAIN = {
    "lstm": {"batch_size": 4, "sequence_length": 32},
    "transformer": {"batch_size": 2, "sequence_length": 32},
    "musicvae": {"batch_size": 4},
    "plan": {"batch_size": 4, "steps": 32},
    "cmelgan": {"batch_size": 4},
    "vocoder": {"batch_size": 2, "frames": 16, "context": 4, "valid_clips": 1, "valid_seconds": 0.5},
    "ddsp": {"batch_size": 8},
    "gansynth": {"batch_size": 4, "critic_batch_size": 2, "critic_frames": 8},
}


def small(recipe: Recipe) -> Recipe:
    """The recipe with a network and batches of a hundredth of the size."""
    sampling = {"sequence_length": 24, "primer_length": 2, "generated_length": 4} if recipe.family == "cmelgan" else {}
    return dataclasses.replace(
        recipe,
        model=dataclasses.replace(recipe.model, **SMALL_MODEL[recipe.family]),
        sampling=dataclasses.replace(recipe.sampling, **sampling),
        train=dataclasses.replace(recipe.train, **SMALL_TRAIN[recipe.family]),
    )


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    """A folder of raw data, as the recipes name it."""
    folder = tmp_path_factory.mktemp("raw")
    write_corpus(folder / "midi", 40)
    write_plans(folder / "plans", songs(), [form(i) for i in range(3)])
    for number, (genre, play) in enumerate(GENRES.items()):
        (folder / "audio" / "music" / genre).mkdir(parents=True)
        for i in range(10):
            sound = play(RNG([number, i]), np.arange(3 * 22050) / 22050)
            soundfile.write(folder / "audio" / "music" / genre / f"{i}.wav", 0.3 * sound / np.abs(sound).max(), 22050)
    rows = [("file", "instrument", "pitch", "velocity", "split")]
    (folder / "audio" / "notes").mkdir()
    for instrument, harmonics in INSTRUMENTS.items():
        for i, pitch in enumerate((48, 52, 55, 60, 64, 67, 72)):
            for velocity in (50, 100):
                name = f"{instrument}_{pitch}_{velocity}.wav"
                sound = note(harmonics, pitch, velocity, 12000, 16000, 16000)
                soundfile.write(folder / "audio" / "notes" / name, sound, 16000)
                rows.append((name, instrument, pitch, velocity, (*3 * ["train"], "valid", "test", *2 * ["train"])[i]))
    with (folder / "audio" / "notes" / "notes.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("made")


def test_every_family_has_a_recipe_that_is_made():
    assert {recipe.family for recipe in SHIPPED.values()} == set(FAMILIES)


@pytest.mark.parametrize("slug", SHIPPED)
def test_a_recipe_makes_its_model_from_raw_data(slug, raw, made, monkeypatch, capsys):
    monkeypatch.setattr("training.families.cmelgan.task.PATCHES", 400)
    monkeypatch.setattr(long_run, "MINUTES", (0.25, 0.5))
    known = {name: small(recipe) for name, recipe in SHIPPED.items()}
    bundle = reproduce(slug, raw, made, lambda command: app(command, standalone_mode=False), 1e-5, (), known)
    manifest = open_bundle(bundle).manifest
    assert manifest.slug == slug
    assert len(manifest.provenance.ancestry) == len(stages(known[slug])) - 1 + bool(known[slug].start)
    assert "## Trained on" in (bundle / "CARD.md").read_text()
    said = capsys.readouterr().out
    assert "$ python -m training fit --recipe" in said
    assert "$ python -m training evaluate --bundle" in said
