"""Recipes: TOML files read into dataclasses, with one clear line for what does not fit."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from instrument.errors import HocketError
from training.core.recipe import Data, Recipe
from training.families.table import find_family

T = TypeVar("T")
SLUG = "[a-z0-9][a-z0-9-]{0,63}"  # as manifests have it
GENTLY = {"batches": 1000, "rate": 2e-4, "warmup": 50, "average": 0.99, "valid_minutes": 1.0}


def _fill(cls: type[T], table: dict[str, Any], where: str) -> T:
    known = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key, value in table.items():
        if key not in known:
            raise HocketError(f"{where}: unknown setting {key!r}; there are {', '.join(known)}")
        if isinstance(value, list):
            table = {**table, key: tuple(value)}
    try:
        return cls(**table)
    except TypeError as error:
        raise HocketError(f"{where}: {error}") from error


def read_recipe(path: Path) -> Recipe:
    """The recipe in a TOML file. Raises HocketError on anything that does not fit."""
    try:
        table = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise HocketError(f"recipe {path} cannot be read: {error}") from error
    return recipe_from(table, str(path))


def recipe_from(table: dict[str, Any], where: str = "recipe") -> Recipe:
    """The recipe in a table as TOML gives it."""
    table = dict(table)
    family = find_family(table.get("family", ""), where)
    task = family.task
    parts = {"data": Data, "sampling": task.Sampling, "model": family.network.Config, "train": task.Train}
    for key, cls in parts.items():
        table[key] = _fill(cls, dict(table.get(key, {})), f"{where} [{key}]")
    return _fill(Recipe, table, where)


def tuned(parent: dict[str, Any], slug: str) -> Recipe:
    """The recipe for going on with a model on music of one's own: that of its parent, taught gently."""
    if not re.fullmatch(SLUG, slug):
        raise HocketError(f"a model cannot be called {slug!r}: give small letters, digits and dashes")
    train = {**parent["train"], **GENTLY}
    if "teacher" in train:  # it knows other genres
        train["teacher"] = ""
    data = {**parent["data"], "ship_only": False, "exclude": ()}
    name = slug.replace("-", " ").capitalize()
    return recipe_from({**parent, "slug": slug, "name": name, "data": data, "train": train}, f"the recipe of {slug}")


def recipe_table(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain tables, to be kept beside a checkpoint."""
    return dataclasses.asdict(recipe)
