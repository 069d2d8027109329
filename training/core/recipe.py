"""The contents of a recipe. `training.recipe` reads one from a file; a family's task defines its sections."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from training.core.ranges import Seed


@dataclass(frozen=True, slots=True)
class Data:
    """folder: made by `prepare`; ship_only: leave out pieces that may not train a bundle that ships, which is then
    under CC BY-SA 4.0; else the bundle is the user's own; exclude: data sets to leave out."""

    folder: str = "data/midi"
    ship_only: bool = False
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """All settings of a training run. sampling, train: `Sampling` and `Train` of the family's task;
    model: its `Config`."""

    slug: str
    name: str
    family: str
    seed: Seed = 1
    data: Data = field(default_factory=Data)
    sampling: Any = None
    model: Any = None
    train: Any = None
