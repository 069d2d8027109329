"""What is trained on one's own data is one's own: its licence, its name, and what is never replaced."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest

from instrument.errors import HocketError
from instrument.models.manifest import read_manifest
from training.core import checkpoint
from training.core.recipe import Data
from training.data.licences import left_out
from training.data.notes.shards import INDEX_NAME, Index
from training.export import _commit, export
from training.families.table import FAMILIES
from training.recipe import owned, read_recipe

RECIPES = Path(__file__).parents[2] / "training" / "recipes"

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.timeout(300)]


def with_recipe(run: Path, folder: Path, **data) -> Path:
    """The best checkpoint of a run, with other settings of its recipe's data."""
    kept, facts = checkpoint.load(run / "best.safetensors")
    slug = data.pop("slug", facts["recipe"]["slug"])
    table = facts["recipe"] | {"slug": slug, "data": facts["recipe"]["data"] | data}
    checkpoint.save(folder / "best.safetensors", kept, facts | {"recipe": table})
    return folder / "best.safetensors"


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_any_recipe_can_be_made_one_s_own(path):
    own = owned(read_recipe(path), "my-own")
    assert (own.slug, own.name) == ("my-own", "My own")
    assert not own.data.ship_only
    assert getattr(own.train, "notes_folder", "") == getattr(own.sampling, "full_rate_folder", "") == ""
    assert own.model == read_recipe(path).model
    with pytest.raises(HocketError, match="'My own'"):
        owned(read_recipe(path), "My own")


def test_every_family_of_sound_names_its_rate():
    rates = {name: getattr(row.task, "rate", 0) for name, row in FAMILIES.items()}
    assert {name for name, rate in rates.items() if rate} == {"cmelgan", "vocoder", "gansynth", "ddsp"}
    assert rates["gansynth"] == 16000


def test_the_licence_of_one_s_own_is_not_stated(bundle_folder):
    assert read_manifest(bundle_folder).licence == "yours, not stated"
    assert "yours, not stated" in (bundle_folder / "CARD.md").read_text()


def test_what_the_licence_leaves_out_is_said_with_its_number(data, tmp_path):
    index = msgspec.json.decode((data / INDEX_NAME).read_bytes(), type=Index)
    learnt = [p for p in index.pieces if p.split == "train"]
    gpl = {p.path for p in learnt[:3]}
    pieces = [msgspec.structs.replace(p, licence="GPL-2.0" if p.path in gpl else "CC0-1.0") for p in index.pieces]
    (tmp_path / INDEX_NAME).write_bytes(msgspec.json.encode(msgspec.structs.replace(index, pieces=pieces)))
    line = left_out(Data(str(tmp_path), ship_only=True))
    assert line.startswith(f"3 of {len(learnt)} in {tmp_path} are left out")
    assert line.endswith("3 under GPL-2.0")
    assert left_out(Data(str(tmp_path))) == ""
    assert left_out(Data(str(data), ship_only=True)) == ""
    assert left_out(Data(str(tmp_path / "none"), ship_only=True)) == ""
    assert json.loads((tmp_path / INDEX_NAME).read_text())["version"]


def test_export_replaces_no_bundle_and_never_the_name_of_one_that_ships(run, bundle_folder, tmp_path):
    best = run / "best.safetensors"
    before = {path: path.read_bytes() for path in bundle_folder.iterdir()}
    with pytest.raises(HocketError, match=r"lstm-smoke is there already: .*--force"):
        export(best, bundle_folder.parent)
    assert {path: path.read_bytes() for path in bundle_folder.iterdir()} == before
    with pytest.raises(HocketError, match="lstm-band is a model that ships with Hocket"):
        export(best, tmp_path, "lstm-band", force=True)
    with pytest.raises(HocketError, match="'No Slug'"):
        export(best, tmp_path, "No Slug")
    assert not list(tmp_path.iterdir())


def test_one_s_own_goes_to_one_s_own_folder_without_git(run, tmp_path, monkeypatch):
    monkeypatch.setenv("HOCKET_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", os.devnull)
    assert _commit() == ""
    folder = export(run / "best.safetensors", slug="my-songs")
    assert folder.parent.name == "models"
    assert tmp_path in folder.parents
    manifest = read_manifest(folder)
    assert (manifest.slug, manifest.name, manifest.provenance.commit) == ("my-songs", "My songs", "")
    again = export(run / "best.safetensors", slug="my-songs", force=True)
    assert read_manifest(again).slug == "my-songs"


def test_only_a_recipe_that_ships_is_under_the_licence_of_what_ships(run, tmp_path):
    checkpoint_that_ships = with_recipe(run, tmp_path, ship_only=True)
    assert read_manifest(export(checkpoint_that_ships, tmp_path)).licence == "CC BY-SA 4.0"
