"""Every model that ships has a recipe, and `reproduce` makes one from raw data to its card, here in a few batches."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from instrument.models.catalog import list_models
from instrument.models.manifest import read_manifest
from instrument.music.midifile import write_midi
from instrument.music.timebase import Metre
from tests.support.corpus import tune
from tests.support.sound.corpus import GENRES, INSTRUMENTS, RNG, SPLITS, level, note
from tests.training.plan_corpus import form, songs, write_plans
from training.cli import app
from training.evaluation.notes import long_run, survey
from training.families.table import FAMILIES
from training.reproduce import chain, recipes

SMALL = {  # by slug; others take more than seconds also at this scale
    "plan-band": "model.units=32 model.mix=24 train.batch_size=4 train.steps=16",
    "gansynth-voices": "model.width=24 model.layers=1 model.encoder=16 train.batch_size=8",
    "ddsp-voices": "model.note_width=32 model.frame_width=24 train.batch_size=8",
    "musicvae-melody2": "model.encoder=16 model.decoder=24 model.conductor=24 train.batch_size=8",
}
NOTES = {"clarinet": "organ", "oboe": "reed"}  # of the sound font, and how they sound as recorded here
ANY_LICENCE = "CC0-1.0"

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.timeout(600)]


def write_table(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def write_raw(folder: Path, pieces: int) -> Path:
    """Raw data as the recipes name it: midi, plans, audio/notes, audio/music."""
    rows: list[dict[str, object]] = []
    (folder / "midi").mkdir(parents=True)
    for number in range(pieces):
        genre, path = ("march", "hymn")[number % 2], f"{number:02}.mid"
        write_midi(tune(number, Metre(0, 4, 4), bars=16 + 4 * (number % 2)), folder / "midi" / path)
        rows.append({"path": path, "dataset": "made-up", "genre": genre, "licence": ANY_LICENCE})
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


def test_every_model_that_ships_has_a_recipe_with_its_chain():
    known = recipes()
    for entry in list_models():
        if entry.shipped:
            recipe, manifest = known[entry.slug], read_manifest(entry.path)
            assert (recipe.family, recipe.name) == (manifest.family, manifest.name)
            assert recipe.prepare
            assert recipe.data.ship_only
            assert chain(entry.slug, known)[-1] == recipe


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> dict[bool, Path]:
    """For models of sound, or not: there, pieces are rendered, and of notes, there are enough to tell genres apart."""
    return {sound: write_raw(tmp_path_factory.mktemp("raw"), 4 if sound else 44) for sound in (True, False)}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[bool, Path]:
    return {sound: tmp_path_factory.mktemp("made") for sound in (True, False)}


@pytest.mark.parametrize("slug", SMALL)
def test_a_model_is_made_from_raw_data_to_its_card(slug, raw, made, monkeypatch, tmp_path):
    monkeypatch.setattr(long_run, "MINUTES", (0.25, 0.5))
    monkeypatch.setattr(survey, "MINUTES", (0.25, 0.5))
    monkeypatch.setattr(survey, "FORM_MINUTES", 0.5)
    monkeypatch.setattr(survey, "METRE_WINDOWS", 1)
    sound = FAMILIES[recipes()[slug].family].kind in ("stream", "voice", "vocoder")
    settings = [part for change in SMALL[slug].split() for part in ("--set", change)]
    command = ["reproduce", slug, "--raw", raw[sound], "--out", made[sound], "--scale", "1e-6", *settings]
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
