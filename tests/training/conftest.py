"""A small collection, a short run on it, and its bundle: made once, for all tests of training."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from tests.support.corpus import write_corpus
from training.core.recipe import Recipe
from training.data.notes.prepare import prepare
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
    return dataclasses.replace(chosen, data=dataclasses.replace(chosen.data, folder=str(data)))


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
