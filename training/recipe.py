"""Recipes: TOML files read into dataclasses, with one clear line for what does not fit."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from instrument.errors import HocketError
from training.data.events import Sampling
from training.families import lstm

FAMILIES = {"lstm": lstm}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Data:
    """folder: what `prepare` made; ship_only: leave out what may not train a bundle that ships;
    exclude: data sets left out."""

    folder: str = "data/midi"
    ship_only: bool = True
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Train:
    """batches: length of the run; lanes x steps: notes a batch; rate: peak learning rate, warmed up over
    `warmup` batches, then down a cosine to a fiftieth; decay: of weights; clip: gradient norm; average: decay
    of the moving average of the weights, which is what is validated and exported; told_*: how often genre,
    density, register, parts are told rather than "none"; fresh: how often a lane's state is forgotten;
    valid_pieces, valid_notes: of each genre, for validation; valid_minutes: between validations;
    save_seconds: between checkpoints."""

    batches: int = 6000
    lanes: int = 32
    steps: int = 128
    rate: float = 2e-3
    warmup: int = 150
    decay: float = 0.01
    clip: float = 1.0
    average: float = 0.998
    told_genre: float = 0.9
    told_density: float = 0.5
    told_register: float = 0.5
    told_parts: float = 0.7
    fresh: float = 0.03
    valid_pieces: int = 8
    valid_notes: int = 384
    valid_minutes: float = 4.0
    save_seconds: float = 120.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides a training run."""

    slug: str
    name: str
    family: str
    seed: int = 1
    data: Data = field(default_factory=Data)
    sampling: Sampling = field(default_factory=Sampling)
    model: Any = None
    train: Train = field(default_factory=Train)


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
    family = table.get("family")
    if family not in FAMILIES:
        raise HocketError(f"{where}: unknown family {family!r}; choose one of {', '.join(FAMILIES)}")
    parts = {"data": Data, "sampling": Sampling, "model": FAMILIES[family].Config, "train": Train}
    for key, cls in parts.items():
        table[key] = _fill(cls, dict(table.get(key, {})), f"{where} [{key}]")
    return _fill(Recipe, table, where)


def recipe_table(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain tables, to be kept beside a checkpoint."""
    return dataclasses.asdict(recipe)
