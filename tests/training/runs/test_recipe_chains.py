"""Recipes of several runs, changed settings, and what a run writes beside its checkpoints."""

from __future__ import annotations

import dataclasses
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from instrument.errors import HocketError
from training.cli import app
from training.compare import compare
from training.core import run_log
from training.core.run_log import duration, read_log
from training.fit import Run, load_network
from training.recipe import read_recipe, recipe_from, recipe_text, stages, with_settings
from training.reproduce import chain, recipes, scaled

RECIPES = Path(__file__).parents[3] / "training" / "recipes"
TWO_STAGES = {
    "slug": "two",
    "name": "Two",
    "family": "lstm",
    "stages": [{"train": {"batches": 3}}, {"seed": 9, "train": {"batches": 2, "learning_rate": 1e-4}}],
}

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.timeout(300)]


@pytest.mark.parametrize("slug", recipes())
def test_a_recipe_written_as_text_is_the_same(slug, tmp_path):
    recipe = recipes()[slug]
    (tmp_path / "recipe.toml").write_text(recipe_text(recipe))
    assert read_recipe(tmp_path / "recipe.toml") == recipe


def test_no_two_recipes_share_a_slug():
    slugs = [read_recipe(path).slug for path in RECIPES.glob("*.toml")]
    assert len(slugs) == len(set(slugs))


def test_stages_differ_as_they_say():
    first, second = stages(recipe_from(TWO_STAGES))
    assert (first.train.batches, second.train.batches, first.seed, second.seed) == (3, 2, 1, 9)
    assert second.train.learning_rate == 1e-4
    assert first.stages == second.stages == ()


@pytest.mark.parametrize(
    ("stage", "reason"),
    [
        ({"family": "plan"}, "stage 1: 'family' cannot be changed; choose one of data, sampling"),
        ({"train": 3}, "stage 1: 'train' cannot be changed"),
        ({"train": {"speed": 3}}, "stage 1 .*unknown setting 'speed'"),
    ],
)
def test_bad_stages_are_named(stage, reason):
    with pytest.raises(HocketError, match=reason):
        recipe_from(TWO_STAGES | {"stages": [stage]})


def test_a_recipe_comes_after_those_that_it_needs():
    known = recipes()
    assert [recipe.slug for recipe in chain("transformer-band", known)] == [
        "lstm-free",
        "transformer-free",
        "lstm-plan",
        "transformer-band",
    ]
    assert next(recipe.slug for recipe in chain("gansynth-adversarial", known)) == "gansynth-voices"
    with pytest.raises(HocketError, match="there is no recipe of 'nothing': choose one of"):
        chain("nothing", known)
    circle = {"a": dataclasses.replace(known["lstm-band"], slug="a", start="a")}
    with pytest.raises(HocketError, match="a -> a need each other"):
        chain("a", circle)


def test_a_recipe_is_scaled_with_its_stages():
    small = scaled(recipes()["ddsp-voices"], 0.01)
    assert [stage.train.batches for stage in stages(small)] == [49, 44, 9]
    assert scaled(recipes()["genre-stream"], 0.01).minutes == pytest.approx(0.28)


def test_settings_are_changed_on_the_command_line(recipe):
    changed = with_settings(recipe, ["train.learning_rate=1e-4", "model.units=32"])
    assert (changed.train.learning_rate, changed.model.units) == (1e-4, 32)
    for text, reason in (
        ("train.learning_rate", "no choice of settings"),
        ("train.speed=1", "unknown setting 'speed'"),
        ("tune.x=1", "no section 'tune'"),
        ("train.batches=1,2", "several values"),
    ):
        with pytest.raises(HocketError, match=reason):
            with_settings(recipe, [text])


def test_runs_of_two_stages_go_one_after_another_and_are_compared(data, recipe, tmp_path):
    staged = dataclasses.replace(recipe, stages=({"train": {"batches": 3}}, {"train": {"batches": 2}}))
    (tmp_path / "two.toml").write_text(recipe_text(staged))
    command = ["fit", "--recipe", tmp_path / "two.toml", "--run", tmp_path / "two", "--threads", 1]
    command += ["--set", "train.valid_batches=100", "--set", "train.learning_rate=0.002"]
    done = CliRunner().invoke(app, list(map(str, command)), catch_exceptions=False)
    assert done.exit_code == 0
    assert "0 s left" in done.output
    _, kept, facts = load_network(tmp_path / "two" / "best.safetensors")
    assert [run["batch"] for run in facts["ancestry"]] == [3]
    assert kept.train.learning_rate == 0.002
    settings = tomllib.loads((tmp_path / "two" / "recipe.toml").read_text())
    assert settings["train"]["batches"] == 2
    trained = [line for line in read_log(tmp_path / "two") if "train" in line]
    assert {"total", "learning_rate", "gradient_norm"} <= set(trained[-1]["train"])
    rows = compare([tmp_path / "two" / "stage-1", tmp_path / "two"])
    first, second = rows.values()
    assert (first["train.batches"], second["train.batches"]) == ("3", "2")
    assert second["best"] <= first["best"]  # the parent's counts
    with pytest.raises(HocketError, match=r"holds no recipe\.toml"):
        compare([tmp_path])


def test_tensorboard_is_optional(recipe, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    run = Run(dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, valid_batches=50)), tmp_path)
    run.fit(batches=1)
    assert not list(tmp_path.glob("events*"))
    assert read_log(tmp_path)
    assert run_log.LOG in {path.name for path in tmp_path.iterdir()}


def test_tensorboard_has_validations_by_genre_too(tmp_path):
    shown = {}
    log = run_log.RunLog(tmp_path)
    log._board = SimpleNamespace(add_scalar=lambda name, value, batch: shown.update({name: (value, batch)}))
    log.add(7, 60.0, "valid", {"pitch": 1.5}, total=2.0, by_genre={"march": 1.75})
    assert shown == {"valid/pitch": (1.5, 7), "valid_by_genre/march": (1.75, 7)}


@pytest.mark.parametrize(("seconds", "text"), [(4.2, "4 s"), (600, "10 min"), (9000, "2.5 h")])
def test_times_are_said_as_people_read_them(seconds, text):
    assert duration(seconds) == text
