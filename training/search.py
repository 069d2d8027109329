"""Searching a recipe's settings: short runs on a share of the data, compared in a table.

It ranks short runs: on a GPU minutes are enough, on two processor cores they show little.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from instrument.errors import HocketError
from training.core import renames
from training.core.recipe import Recipe
from training.fit import Run
from training.recipe import Choice, recipe_from, recipe_table

INDEX = "index.json"  # of MIDI and of sound


def varied(recipe: Recipe, choices: Sequence[Choice]) -> Iterator[tuple[str, Recipe]]:
    """Every combination of the choices: how it is called, and the recipe. HocketError for settings there are not."""
    for values in product(*(values for _, _, values in choices)):
        table = recipe_table(recipe)
        settings = []
        for (section, setting, _), value in zip(choices, values, strict=True):
            if not isinstance(table.get(section), dict):
                raise HocketError(f"there is no section {section!r}: choose one of data, sampling, model, train")
            table[section] = {**table[section], renames.setting(recipe.family, section, setting): value}
            settings.append(f"{setting}={value}")
        yield " ".join(settings), recipe_from(table, f"the recipe with {' '.join(settings)}")


def thinned(folder: Path, share: float, out: Path) -> Path:
    """A prepared folder with about a share of its training pieces or clips; its validation data is complete. The
    large files are links."""
    try:
        index = json.loads((folder / INDEX).read_bytes())
        name = next(name for name in ("pieces", "clips") if name in index)
    except (OSError, ValueError, StopIteration) as error:
        raise HocketError(f"{folder} is no prepared data: run `prepare` or `prepare-audio`") from error

    def stays(one: dict[str, Any]) -> bool:
        key = one.get("group") or one["path"]  # clips of one track are kept or dropped together
        return one["split"] != "train" or hashlib.sha256(key.encode()).digest()[0] < 256 * share

    out.mkdir(parents=True, exist_ok=True)
    index[name] = [one for one in index[name] if stays(one)]
    for file in folder.iterdir():
        if file.name != INDEX and not (out / file.name).exists():
            (out / file.name).symlink_to(file.resolve())
    (out / INDEX).write_text(json.dumps(index))
    return out


def search(
    recipe: Recipe, choices: Sequence[Choice], share: float, minutes: float, folder: Path, device: str = "cpu"
) -> list[dict[str, Any]]:
    """Train every variant for `minutes`, and list them, the best first: settings, best validation (lower is
    better), batches, parameters. If it is stopped, the same call resumes."""
    variants = list(varied(recipe, choices))
    data = str(thinned(Path(recipe.data.folder), share, folder / "data") if share < 1 else recipe.data.folder)
    rows = []
    for settings, variant in variants:
        variant = dataclasses.replace(variant, data=dataclasses.replace(variant.data, folder=data))
        name = hashlib.sha256(json.dumps(recipe_table(variant), sort_keys=True).encode()).hexdigest()[:12]
        run = Run(variant, folder / name, device)
        print(f"{settings}: {folder / name}", flush=True)
        if not run.fit(minutes):
            break  # it was interrupted
        rows.append(
            {
                "settings": settings,
                "best": round(run.standing.best, 4),
                "batches": run.batch,
                "parameters": sum(p.numel() for p in run.network.parameters()),
            }
        )
    return sorted(rows, key=lambda row: row["best"])
