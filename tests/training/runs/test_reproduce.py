"""Every model that ships has a recipe, and `reproduce` makes one from raw data to its card, here in a few batches."""

from __future__ import annotations

import csv
import itertools
import re
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import soundfile

from instrument.models.catalog import find_model, list_models
from instrument.models.manifest import read_manifest
from instrument.music.midifile import write_midi
from instrument.music.notes import Part, Piece, tidy
from instrument.music.timebase import Metre
from tests.support.corpus import tune
from tests.support.sound.corpus import GENRES, INSTRUMENTS, RNG, SPLITS, level, note
from tests.training.plan_corpus import form, songs, write_plans
from training import reproduce as reproducing
from training.cli import app
from training.evaluation.notes import (
    evaluate,
    key_lock,
    long_run,
    obedience,
    reconstruction,
    survey,
)
from training.evaluation.sound import classifiers, streams, vocoders
from training.families.cmelgan import task as cmelgan
from training.families.table import FAMILIES
from training.recipe import read_recipe, recipe_text, with_settings
from training.reproduce import chain, recipes

SMALL = {  # by family: networks and batches of seconds
    "plan": "model.units=32 model.mix=24 train.batch_size=4 train.steps=16",
    "lstm": "model.units=32 model.inputs=24 model.head=16 train.batch_size=2 train.sequence_length=32 "
    "train.valid_batches=100",
    "transformer": "model.layers=2 model.width=32 model.query_heads=4 model.feedforward=48 model.context=32 "
    "model.head=16 train.batch_size=2 train.sequence_length=32",
    "musicvae": "model.encoder=16 model.decoder=24 model.conductor=24 train.batch_size=8 train.valid_batches=100",
    "gansynth": "model.width=24 model.layers=1 model.encoder=16 train.batch_size=8",
    "ddsp": "model.note_width=32 model.frame_width=24 train.batch_size=8",
    "cmelgan": "model.widths=[16,12,10,8] model.units=16 model.components=12 model.codebook_size=16 train.batch_size=2 "
    "train.valid_clips=4 train.prior_share=0.4 sampling.sequence_length=24 sampling.generated_length=4",
    "vocoder": "model.width=16 model.layers=1 model.hidden=24 train.batch_size=2 train.frames=24 train.context=4 "
    "train.valid_seconds=0.5 train.valid_clips=1 train.valid_batches=100",
}
LITTLE: dict[ModuleType, dict[str, Any]] = {  # by module: how much it measures
    cmelgan: {"PATCHES": 400},
    evaluate: {"NATS_PIECES": 2, "SWITCHES": 1},
    key_lock: {"BEATS": 16},
    long_run: {"MINUTES": (0.25, 0.5)},
    obedience: {"BARS": 1},
    reconstruction: {"PATHS": 2, "MOVED": 4},
    survey: {"MINUTES": (0.25, 0.5), "FORM_MINUTES": 0.5, "METRE_WINDOWS": 1},
    classifiers: {"STEPS": 60, "STEPS_IN_FOLDS": 20},
    streams: {"LEAD_S": 0.1, "SWEEPS": 1, "SWEPT": 1, "MINUTES": 0.2},
    vocoders: {"SECONDS": 1.0, "ITERATIONS": 2, "PASSES": 1, "NOTES": 4, "CHUNKS": (3, 16)},
}
SHIPPED = sorted(entry.slug for entry in list_models() if entry.shipped)
NOTES = {"clarinet": "organ", "oboe": "reed"}  # of the sound font, and how they sound as recorded here
ANY_LICENCE = "CC0-1.0"

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.timeout(600)]


def write_table(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def drummed(piece: Piece, seed: int) -> Piece:
    """The piece with other drums in every bar, some of them left out."""
    rng, notes = np.random.default_rng(seed), piece.notes.copy()
    drums = notes[:, 5] == Part.DRUMS
    notes[drums, 2] = rng.choice([36, 38, 42, 46], drums.sum())
    return replace(piece, notes=tidy(notes[~drums | (rng.random(len(notes)) < 0.8)]))


def write_raw(folder: Path, pieces: int) -> Path:
    """Raw data as the recipes name it: midi, plans, audio/notes, audio/music."""
    rows: list[dict[str, object]] = []
    (folder / "midi").mkdir(parents=True)
    for number in range(pieces):
        genre, path = ("march", "hymn")[number % 2], f"{number:02}.mid"
        write_midi(drummed(tune(number, Metre(0, 4, 4), bars=16 + 4 * (number % 2)), number), folder / "midi" / path)
        dataset = "made-up" if number else "wjazzd"  # which recipes leave out by its name
        rows.append({"path": path, "dataset": dataset, "genre": genre, "licence": ANY_LICENCE})
    write_table(folder / "midi" / "manifest.csv", rows)
    write_plans(folder / "plans", songs(), [form(i, split) for i, split in enumerate(SPLITS)])
    rows = []
    (folder / "audio" / "notes").mkdir(parents=True)
    for instrument, like in NOTES.items():
        for i, pitch in enumerate(range(60, 70)):
            path = f"{instrument} {pitch}.wav"
            sound = note(INSTRUMENTS[like], pitch, 90, 8000, 12000, 16000)
            soundfile.write(folder / "audio" / "notes" / path, sound, 16000)
            split = ("valid", "test")[i] if i < 2 else "train"
            rows.append({"file": path, "instrument": instrument, "pitch": pitch, "velocity": 90, "split": split})
    write_table(folder / "audio" / "notes" / "notes.csv", rows)
    rows, times = [], np.arange(22050 * 10) / 22050
    (folder / "audio" / "music").mkdir()
    for number, (genre, play) in enumerate(list(GENRES.items())[:2]):
        for i, split in enumerate(("train",) * 4 + ("valid", "valid", "test")):
            path = f"{genre} {i}.wav"
            soundfile.write(folder / "audio" / "music" / path, level(play(RNG([number, i]), times)), 22050)
            rows.append({"path": path, "genre": genre, "licence": ANY_LICENCE, "split": split})
    write_table(folder / "audio" / "music" / "clips.csv", rows)
    return folder


@pytest.mark.parametrize("slug", SHIPPED)
def test_every_model_that_ships_has_a_recipe_with_its_chain(slug):
    known, manifest = recipes(), read_manifest(find_model(slug).path)
    recipe = known[slug]
    assert (recipe.family, recipe.name, recipe.version) == (manifest.family, manifest.name, manifest.version)
    assert recipe.prepare
    assert recipe.data.ship_only
    assert chain(slug, known)[-1] == recipe


@pytest.mark.parametrize("slug", SHIPPED)
def test_a_recipe_begins_with_its_commands_hardware_minutes_and_score(slug):
    heads = {}
    for path in (Path(reproducing.__file__).parent / "recipes").glob("*.toml"):
        lines = itertools.takewhile(lambda line: line.startswith("#"), path.read_text(encoding="utf-8").splitlines())
        heads[read_recipe(path).slug] = (path.name, " ".join(line.removeprefix("#").strip() for line in lines))
    for ancestor in chain(slug, recipes()):
        name, head = heads[ancestor.slug]
        for command in (f"reproduce {ancestor.slug} --raw RAW", f"fit --recipe training/recipes/{name}"):
            assert f"python -m training {command}" in head, ancestor.slug
        assert re.search(r"Hardware: .*\d minutes", head), ancestor.slug
        assert re.search(r"Score.*: .*\d\.\d+", head), ancestor.slug
    own, manifest = heads[slug][1], read_manifest(find_model(slug).path)
    assert f"python -m training export --checkpoint runs/{slug}/best.safetensors" in own
    assert f"python -m training evaluate --bundle {slug} --data " in own
    assert (f"python -m training prime --bundle {slug} --data " in own) == FAMILIES[manifest.family].makes_notes
    scores = [float(number) for number in re.findall(r"\d+\.\d+", own.partition("Score")[2])]
    assert any(abs(score - float(manifest.provenance.metrics["valid_best"])) < 6e-4 for score in scores)


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> dict[bool, Path]:
    """For models of sound, or not: there, pieces are rendered, and of notes, there are enough to tell genres apart."""
    return {sound: write_raw(tmp_path_factory.mktemp("raw"), 4 if sound else 44) for sound in (True, False)}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[bool, Path]:
    return {sound: tmp_path_factory.mktemp("made") for sound in (True, False)}


@pytest.fixture(scope="module")
def small_recipes(tmp_path_factory) -> Path:
    """All recipes with small networks and batches, of so many batches as their scale makes them."""
    folder = tmp_path_factory.mktemp("recipes")
    for recipe in (replace(each, minutes=0.0) for each in recipes().values()):
        (folder / f"{recipe.slug}.toml").write_text(recipe_text(with_settings(recipe, SMALL[recipe.family].split())))
    return folder


@pytest.fixture
def short_evaluation(monkeypatch, tmp_path_factory, one_thread):
    """Little of everything that is measured, in the places of the program that say how much."""
    for module, amounts in LITTLE.items():
        for name, value in amounts.items():
            assert hasattr(module, name)
            monkeypatch.setattr(module, name, value)


@pytest.mark.parametrize("slug", SHIPPED)
def test_a_model_is_made_from_raw_data_to_its_card(slug, raw, made, small_recipes, short_evaluation, monkeypatch):
    monkeypatch.setattr(reproducing, "RECIPES", small_recipes)
    sound = FAMILIES[recipes()[slug].family].kind in ("stream", "voice", "vocoder")
    command = ["reproduce", slug, "--raw", raw[sound], "--out", made[sound], "--scale", "1e-6"]
    app([*map(str, command)], standalone_mode=False)
    bundle = made[sound] / "models" / slug
    manifest = read_manifest(bundle)
    assert (manifest.slug, manifest.licence) == (slug, "CC BY-SA 4.0")
    assert manifest.provenance.data_hash
    versions = {name.removesuffix("-gpu") for name in manifest.provenance.versions}
    assert {"torch", "onnxruntime"} <= versions
    card = (bundle / "CARD.md").read_text()
    assert card.count("\n## ") >= 3
    assert (made[sound] / "docs" / slug / "figures.json").is_file()
