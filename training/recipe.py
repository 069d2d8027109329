"""Recipes: TOML files read into dataclasses; an invalid setting is one clear error."""

from __future__ import annotations

import copy
import dataclasses
import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from instrument.errors import HocketError
from training.core import renames
from training.core.ranges import checked
from training.core.recipe import Data, Recipe
from training.families.table import find_family

T = TypeVar("T")
Choice = tuple[str, str, list[Any]]  # section, setting, values

RECIPES = Path(__file__).parent / "recipes"
SECTIONS = ("data", "sampling", "model", "train")
STAGED = (*SECTIONS, "seed", "minutes")  # what can differ in a stage
SLUG = "[a-z0-9][a-z0-9-]{0,63}"  # as manifests have it
OTHER_DATA = (("train", "notes_folder"), ("sampling", "full_rate_folder"))  # corpora besides the one given
FINE_TUNING = {
    "batches": 1000,
    "learning_rate": 2e-4,
    "warmup_batches": 50,
    "ema_decay": 0.99,
    "valid_minutes": 1.0,
    "valid_batches": 0,
    "patience": 8,
}


def _fill(cls: type[T], table: dict[str, Any], where: str) -> T:
    kinds = get_type_hints(cls, include_extras=True)
    values = {}
    for key, value in table.items():
        if key not in kinds:
            raise HocketError(f"{where}: unknown setting {key!r}; choose one of {', '.join(kinds)}")
        try:
            values[key] = value if kinds[key] is Any or dataclasses.is_dataclass(value) else checked(value, kinds[key])
        except ValueError as error:
            raise HocketError(f"{where}: {key} = {error}") from error
    try:
        return cls(**values)
    except (TypeError, ValueError) as error:
        raise HocketError(f"{where}: {error}") from error


def read_recipe(path: Path) -> Recipe:
    """The recipe in a TOML file, or of a name of those that come with the package. Raises HocketError on anything that
    does not fit."""
    if not path.suffix and not path.exists():
        if not (found := RECIPES / f"{path}.toml").is_file():
            there = ", ".join(sorted(each.stem for each in RECIPES.glob("*.toml")))
            raise HocketError(f"there is no recipe {str(path)!r}: choose one of {there}, or give a file")
        path = found
    try:
        table = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise HocketError(f"recipe {path} cannot be read: {error}") from error
    return recipe_from(table, str(path))


def recipe_from(table: dict[str, Any], where: str = "recipe") -> Recipe:
    """The recipe in a table as TOML gives it; settings may have their former names."""
    table = renames.settings(table)
    family = find_family(table.get("family", ""), where)
    task = family.task
    parts = {"data": Data, "sampling": task.Sampling, "model": family.network.Config, "train": task.Train}
    for key, cls in parts.items():
        if not isinstance(section := table.get(key, {}), dict):
            raise HocketError(f"{where}: {key} = {section!r} is not allowed: write a section [{key}]")
        table[key] = _fill(cls, section, f"{where} [{key}]")
    recipe = _fill(Recipe, table, where)
    stages(recipe)
    return recipe


def stages(recipe: Recipe) -> list[Recipe]:
    """The recipes of its runs, one after another. HocketError if a stage has settings there are not."""
    if not recipe.stages:
        return [recipe]
    base, found = recipe_table(dataclasses.replace(recipe, stages=())), []
    for number, changes in enumerate(recipe.stages, 1):
        table = copy.deepcopy(base)
        for key, value in changes.items():
            if isinstance(value, dict) != (key in SECTIONS) or key not in STAGED:
                known = ", ".join(STAGED)
                raise HocketError(f"{recipe.slug}, stage {number}: {key!r} cannot be changed; choose one of {known}")
            table[key] = {**table[key], **value} if key in SECTIONS else value
        found.append(recipe_from(table, f"{recipe.slug}, stage {number}"))
    return found


def with_settings(recipe: Recipe, settings: Sequence[str]) -> Recipe:
    """The recipe with settings given as "train.learning_rate=1e-3". HocketError for others."""
    table = recipe_table(recipe)
    for text in settings:
        section, setting, (value, *more) = parse_choice(text)
        if more:
            raise HocketError(f"{text!r} gives several values: give one")
        if section not in SECTIONS:
            raise HocketError(f"there is no section {section!r}: choose one of {', '.join(SECTIONS)}")
        table[section] = {**table[section], renames.setting(recipe.family, section, setting): value}
    return recipe_from(table, f"the recipe with {' '.join(settings)}")


def parse_choice(text: str) -> Choice:
    """'train.learning_rate=1e-3,2e-3' -> ("train", "learning_rate", [1e-3, 2e-3]). HocketError for any other text."""
    name, given, values = text.partition("=")
    section, _, setting = name.strip().partition(".")
    try:
        found = tomllib.loads(f"values = [{values}]")["values"]
    except tomllib.TOMLDecodeError:
        found = []
    if not given or not setting or not found:
        raise HocketError(
            f"{text!r} is no choice of settings: give one as train.learning_rate=1e-3,2e-3, strings in quotes"
        )
    return section, setting, found


def owned(recipe: Recipe, slug: str) -> Recipe:
    """A recipe for the user's own data under a slug of their own: nothing of the data is left out for its licence, and
    no corpus is used besides. HocketError for a slug that manifests do not allow."""
    table = recipe_table(renamed(recipe, slug))
    for section, name in OTHER_DATA:
        if name in table[section]:
            table[section] = {**table[section], name: ""}
    data = {**table["data"], "ship_only": False, "exclude": ()}
    return recipe_from({**table, "data": data}, f"the recipe of {slug}")


def renamed(recipe: Recipe, slug: str) -> Recipe:
    """The recipe with another slug, and a name after it. HocketError for a slug that manifests do not allow."""
    if not re.fullmatch(SLUG, slug):
        raise HocketError(f"a slug cannot be {slug!r}: give small letters, digits and dashes")
    return dataclasses.replace(recipe, slug=slug, name=slug.replace("-", " ").capitalize())


def tuned(parent: dict[str, Any], slug: str) -> Recipe:
    """The recipe for fine-tuning a model on one's own music: its parent's, with a shorter and slower schedule."""
    parent = renames.settings(parent)
    train = {**parent["train"], **FINE_TUNING}
    if "teacher" in train:  # the parent is one already
        train["teacher"] = ""
    return owned(recipe_from({**parent, "train": train}, f"the recipe of {slug}"), slug)


def recipe_table(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain tables, to be kept in a checkpoint."""
    return dataclasses.asdict(recipe)


def recipe_text(recipe: Recipe) -> str:
    """The recipe as TOML, with all its settings: what `read_recipe` reads."""
    table = recipe_table(recipe)
    lines = [f"{key} = {_toml(value)}" for key, value in table.items() if key not in SECTIONS]
    for section in SECTIONS:
        lines += ["", f"[{section}]", *(f"{key} = {_toml(value)}" for key, value in table[section].items())]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)  # strings, numbers and booleans are written alike
