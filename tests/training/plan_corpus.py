"""Small collections of plans, as plans.jsonl.gz and forms.jsonl.gz hold them."""

from __future__ import annotations

import dataclasses
import gzip
import json
from pathlib import Path
from typing import Any

from training.core.recipe import Recipe
from training.recipe import read_recipe

RECIPE = Path(__file__).parents[2] / "training" / "recipes" / "plan.toml"
SMALL = {"units": 24, "mix": 16, "echo": 6, "run": 2, "form": 12}

LOOPS = (
    ("0 maj", "5 maj", "7 7", "0 maj"),
    ("9 min", "5 maj", "0 maj", "7 maj"),
    ("2 min7", "7 7", "0 maj7", "0 maj7"),
)


def bar(*chords: tuple[float, int, str], metre: tuple[int, int] = (4, 4), **more: Any) -> dict[str, Any]:
    """A bar with chords (offset, root, quality), "N" without a root."""
    rows = [[at, *((None, "N", None) if quality == "N" else (root, quality, root))] for at, root, quality in chords]
    return {"metre": list(metre), "section": None, "chords": rows} | more


def piece(number: int, genre: str = "pop", split: str = "train", tonic: int = 0, **more: Any) -> dict[str, Any]:
    """A song of sections A A B A, four bars each, over two loops of chords in a key."""
    loops = [LOOPS[(number + i) % len(LOOPS)] for i in range(2)]
    bars = []
    for label in "AABA":
        for at, name in enumerate(loops[label == "B"]):
            degree, quality = name.split()
            start = {"start": 1} if at == 0 else {}
            bars.append(bar((0, (int(degree) + tonic) % 12, quality), section=label, **start))
    row = {"id": f"{genre}-{split}-{number}", "source": "songs", "licence": "CC0", "genre": genre, "split": split}
    return row | {"title": f"Song {number}", "key": [tonic, "major"], "bars": bars} | more


def form(number: int, split: str = "train") -> dict[str, Any]:
    """A song's sections alone."""
    sections = [["intro", 4], ["verse", 8], ["chorus", 8], ["verse", 8], ["chorus", 8], ["outro", 4]]
    row = {"id": f"form-{number}", "source": "forms", "licence": "MIT", "genre": "rock", "split": split}
    return row | {"title": f"Form {number}", "metre": [4, 4], "bpm": 120, "sections": sections}


def write_plans(folder: Path, pieces: list[dict[str, Any]], forms: list[dict[str, Any]] | None = None) -> Path:
    """A folder with these pieces."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("plans", pieces), ("forms", forms)):
        if rows is not None:
            with gzip.open(folder / f"{name}.jsonl.gz", "wt") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)
    return folder


def songs() -> list[dict[str, Any]]:
    """A dozen songs in two genres and keys, with all splits."""
    splits = ("train",) * 4 + ("valid", "test")
    return [
        piece(number, genre, split, tonic=number % 12)
        for genre in ("pop", "jazz")
        for number, split in enumerate(splits)
    ]


def small_recipe(data: Path, **train: Any) -> Recipe:
    """The shipped recipe, made small for a few batches of a small collection."""
    recipe = read_recipe(RECIPE)
    settings = {
        "batches": 12,
        "batch_size": 4,
        "steps": 8,
        "warmup_batches": 2,
        "ema_decay": 0.8,
        "save_seconds": 0.0,
        "forms": 3,
    }
    return dataclasses.replace(
        recipe,
        data=dataclasses.replace(recipe.data, folder=str(data)),
        model=dataclasses.replace(recipe.model, **SMALL),
        train=dataclasses.replace(recipe.train, **settings | train),
    )
