"""A small collection, a short run on it, and its bundle: made once, for all tests of training."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from tests.support.corpus import write_corpus
from tests.training.plan_corpus import form, small_recipe, songs, write_plans
from training.core.recipe import Recipe
from training.data.notes.prepare import prepare
from training.data.plans import prepare_plans
from training.export import export
from training.fit import Run
from training.recipe import read_recipe

RECIPES = Path(__file__).parents[2] / "training" / "recipes"


@pytest.fixture(scope="session")
def one_thread():
    """Arithmetic in one thread, so that it is the same each time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def threads_as_before():
    """The command line sets the number of threads, on which sums depend: the next test shall not see it."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Path:
    """A folder of .mid files, a subfolder a genre."""
    return write_corpus(tmp_path_factory.mktemp("corpus") / "mid", 40)


@pytest.fixture(scope="session")
def data(corpus) -> Path:
    """The collection as `prepare` makes it."""
    prepare(corpus, corpus.parent / "shards", jobs=1)
    return corpus.parent / "shards"


@pytest.fixture(scope="session")
def recipe(data) -> Recipe:
    """The smoke recipe on this collection."""
    chosen = read_recipe(RECIPES / "lstm-smoke.toml")
    return dataclasses.replace(
        chosen,
        data=dataclasses.replace(chosen.data, folder=str(data)),
        train=dataclasses.replace(chosen.train, valid_batches=60),
    )


@pytest.fixture(scope="session")
def run(recipe, tmp_path_factory, one_thread) -> Path:
    """A run that nobody interrupted."""
    folder = tmp_path_factory.mktemp("run")
    Run(recipe, folder).fit()
    return folder


@pytest.fixture(scope="session")
def bundle_folder(run, tmp_path_factory, one_thread) -> Path:
    """The bundle of that run."""
    return export(run / "best.safetensors", tmp_path_factory.mktemp("bundles"))


@pytest.fixture(scope="session")
def plan_data(tmp_path_factory) -> Path:
    """A small collection of plans, as `prepare-plans` makes it."""
    folder = tmp_path_factory.mktemp("plans")
    prepare_plans(write_plans(folder / "source", songs(), [form(i) for i in range(3)]), folder / "data")
    return folder / "data"


@pytest.fixture(scope="session")
def plan_run(plan_data, tmp_path_factory, one_thread) -> Path:
    """A run of a small plan model."""
    folder = tmp_path_factory.mktemp("plan-run")
    Run(small_recipe(plan_data), folder).fit()
    return folder


@pytest.fixture(scope="session")
def plan_bundle(plan_run, tmp_path_factory, one_thread) -> Path:
    """The bundle of that run."""
    return export(plan_run / "best.safetensors", tmp_path_factory.mktemp("plan-bundles"))
