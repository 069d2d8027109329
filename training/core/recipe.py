"""What a recipe holds. `training.recipe` reads one from a file; a family's task says what its sections may hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Data:
    """folder: what `prepare` made; ship_only: leave out what may not train a bundle that ships;
    exclude: data sets left out."""

    folder: str = "data/midi"
    ship_only: bool = True
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides a training run. sampling, train: `Sampling` and `Train` of the family's task;
    model: its `Config`."""

    slug: str
    name: str
    family: str
    seed: int = 1
    data: Data = field(default_factory=Data)
    sampling: Any = None
    model: Any = None
    train: Any = None
