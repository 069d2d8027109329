"""The contents of a recipe. `training.recipe` reads one from a file; a family's task defines its sections."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from training.core.ranges import NotNegative, Seed


@dataclass(frozen=True, slots=True)
class Data:
    """folder: made by `prepare`; ship_only: leave out pieces that may not train a bundle that ships, which is then
    under CC BY-SA 4.0; else the bundle is the user's own; exclude: data sets to leave out."""

    folder: str = "data/midi"
    ship_only: bool = False
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is made from raw data. sampling, train: `Sampling` and `Train` of the family's task; model: its
    `Config`.

    prepare: commands of `python -m training` that make its data, {raw} being the folder of raw data; start: slug of the
    recipe whose result it begins with, "" for none; minutes: of a run, from which its batches are planned at the start,
    0 for `train.batches`; remark: a sentence for the bundle's card; version: of the bundle; stages: runs one after
    another, each from the best checkpoint of the one before, with the settings that differ in it: a table for each
    section, `seed`, `minutes`; none: one run.
    """

    slug: str
    name: str
    family: str
    seed: Seed = 1
    data: Data = field(default_factory=Data)
    sampling: Any = None
    model: Any = None
    train: Any = None
    prepare: tuple[str, ...] = ()
    start: str = ""
    minutes: NotNegative = 0.0
    remark: str = ""
    version: str = "1.0.0"
    stages: tuple[dict[str, Any], ...] = ()
