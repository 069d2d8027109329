"""A small voice of partials and noise, trained for a second or two on made-up notes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tests.support.sound_corpus import make_note_corpus
from training.core.recipe import Recipe
from training.export import export
from training.fit import Run
from training.recipe import read_recipe

RECIPE = Path(__file__).parents[2] / "training" / "recipes" / "ddsp.toml"
SMALL = {"latent": 4, "embedding": 8, "note": 48, "frame": 48}


def small_recipe(data: Path, full: str = "", **train: object) -> Recipe:
    """The recipe that ships, with a network and a run of a hundredth of the size."""
    recipe = read_recipe(RECIPE)
    settings = {"batches": 150, "lanes": 16, "rate": 8e-3, "warmup": 10, "average": 0.9, "save_seconds": 600.0}
    return dataclasses.replace(
        recipe,
        data=dataclasses.replace(recipe.data, folder=str(data)),
        sampling=dataclasses.replace(recipe.sampling, full=full),
        model=dataclasses.replace(recipe.model, **SMALL),
        train=dataclasses.replace(recipe.train, **settings | train),
    )


def small_voice(folder: Path) -> Path:
    """The folder of its bundle; beneath `folder` lie its data and its run too."""
    make_note_corpus(folder / "notes")
    Run(small_recipe(folder / "notes"), folder / "run").fit()
    return export(folder / "run" / "best.safetensors", folder)
