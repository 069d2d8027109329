"""What was made before settings had their present names goes on loading: recipes, checkpoints, bundles and logs."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from instrument.errors import HocketError
from instrument.models.catalog import list_models
from training.core import checkpoint, renames
from training.evaluation.plots import loss_curve
from training.families.table import FAMILIES
from training.fit import Run, load_network
from training.recipe import read_recipe, recipe_from, tuned
from training.search import varied
from training.weights import starting_weights

FORMER = sorted((Path(__file__).parents[1] / "fixtures" / "v0_1" / "recipes").glob("*.toml"))
RECIPES = Path(__file__).parents[2] / "training" / "recipes"

pytestmark = pytest.mark.usefixtures("one_thread")


def formerly(recipe: dict) -> dict:
    """A recipe's table with all settings under their former names."""
    out = dict(recipe)
    for section in ("sampling", "model", "train"):
        names = renames.EVERY.get(section, {}) | renames.SETTINGS.get(recipe["family"], {}).get(section, {})
        former = {now: name for name, now in names.items()}
        out[section] = {former.get(name, name): value for name, value in recipe[section].items()}
    return out


@pytest.mark.parametrize("path", FORMER, ids=lambda p: p.stem)
def test_former_recipes_say_the_same(path):
    """All settings: the chain of runs, and slugs of their own for the critic's and for models without a plan, one of
    which teaches the other, came later."""
    now, then = read_recipe(RECIPES / path.name), read_recipe(path)
    later = {name: getattr(now, name) for name in ("slug", "name", "prepare", "start", "minutes", "remark", "stages")}
    if path.stem == "transformer":
        assert (then.train.teacher, now.train.teacher) == ("lstm-band", "lstm-free")
        later["train"] = dataclasses.replace(then.train, teacher="lstm-free")
    assert dataclasses.replace(then, **later) == now


@pytest.mark.parametrize("family", FAMILIES)
def test_every_present_name_is_a_setting_and_no_former_one_is(family):
    parts = {
        "sampling": FAMILIES[family].task.Sampling,
        "model": FAMILIES[family].network.Config,
        "train": FAMILIES[family].task.Train,
    }
    for section, cls in parts.items():
        there = {field.name for field in dataclasses.fields(cls)}
        names = renames.EVERY.get(section, {}) | renames.SETTINGS.get(family, {}).get(section, {})
        assert set(names.values()) <= there, section
        assert not set(names) & there, section


def test_a_setting_under_both_names_is_refused():
    with pytest.raises(HocketError, match=r"\[train\] gives 'learning_rate' twice"):
        recipe_from({"family": "lstm", "train": {"rate": 1e-3, "learning_rate": 2e-3}})


def test_a_checkpoint_with_former_names_goes_on_and_is_read(recipe, run, tmp_path):
    for name in ("last", "best"):
        kept, facts = checkpoint.load(run / f"{name}.safetensors")
        checkpoint.save(tmp_path / f"{name}.safetensors", kept, facts | {"recipe": formerly(facts["recipe"])})
    assert "lanes" in checkpoint.load(tmp_path / "last.safetensors")[1]["recipe"]["train"]
    assert Run(recipe, tmp_path).batch == recipe.train.batches
    assert load_network(tmp_path / "best.safetensors")[1] == recipe


def test_a_bundle_with_former_names_can_be_fine_tuned(bundle_folder, recipe, tmp_path):
    folder = tmp_path / "bundle"
    shutil.copytree(bundle_folder, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["provenance"]["recipe"] = formerly(manifest["provenance"]["recipe"])
    (folder / "manifest.json").write_text(json.dumps(manifest))
    parent = starting_weights(str(folder))[1]["recipe"]
    assert "lanes" in parent["train"]
    own = tuned(parent, "mine")
    assert own.train.batch_size == recipe.train.batch_size
    assert own.train.learning_rate < recipe.train.learning_rate


@pytest.mark.parametrize("entry", [e for e in list_models() if e.shipped], ids=lambda e: e.slug)
def test_the_recipe_in_every_shipped_bundle_is_read(entry):
    assert recipe_from(dict(entry.manifest.provenance.recipe)).slug == entry.slug


def test_a_search_takes_former_names(recipe):
    ((_, found),) = varied(recipe, [("train", "rate", [0.25])])
    assert found.train.learning_rate == 0.25


def test_a_former_log_is_drawn(tmp_path):
    line = {"batch": 1, "minutes": 0.1, "valid": {"told": 0.5, "free": 0.4, "told_onsets": 0.3, "free_onsets": 0.2}}
    (tmp_path / "log.jsonl").write_text(json.dumps(line | {"valid": line["valid"] | {"bits": 9.0}}) + "\n")
    loss_curve(tmp_path / "loss.png", tmp_path)
    assert (tmp_path / "loss.png").stat().st_size > 1000
    assert set(renames.fields(line["valid"])) == set(renames.FIELDS.values())
