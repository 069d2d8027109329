"""Making a model anew as its recipe says: data from raw files, all training runs, the bundle, its evaluation.

Recipes that it needs (`start`, `teacher`) come first. All files lie in one folder: `data`, `runs`, `recipes` (as they
were run, with all settings) and `models`. Every command is printed, so that it can be given by hand.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from instrument.errors import HocketError
from instrument.paths import assets_dir
from training.core.recipe import Recipe
from training.families.table import FAMILIES
from training.recipe import read_recipe, recipe_text, with_settings

RECIPES = Path(__file__).parent / "recipes"
FONT = assets_dir() / "soundfont" / "hocket.sf3"
SCALED = ("batches", "warmup_batches", "valid_pieces", "valid_notes", "valid_phrases", "valid_clips")
FEWEST = {"batches": 2, "warmup_batches": 1, "valid_notes": 64, "valid_clips": 8}  # 2 of the others
PIECES = 2  # that a scaled-down run is evaluated on, of each genre

Command = Callable[[list[str]], None]


def recipes() -> dict[str, Recipe]:
    """All recipes of training/recipes by slug."""
    return {recipe.slug: recipe for recipe in map(read_recipe, sorted(RECIPES.glob("*.toml")))}


def chain(slug: str, known: dict[str, Recipe]) -> list[Recipe]:
    """The recipe of that slug, after those that it needs. HocketError if there is none, or they need each other."""
    found: list[Recipe] = []

    def add(name: str, path: tuple[str, ...]) -> None:
        if name not in known:
            raise HocketError(f"there is no recipe of {name!r}: choose one of {', '.join(known)}")
        if name in path:
            raise HocketError(f"the recipes {' -> '.join((*path, name))} need each other: change a start or a teacher")
        for needed in (known[name].start, getattr(known[name].train, "teacher", "")):
            if needed:
                add(needed, (*path, name))
        if known[name] not in found:
            found.append(known[name])

    add(slug, ())
    return found


def scaled(recipe: Recipe, scale: float) -> Recipe:
    """The recipe with its runs, and the data that they validate on, at a share of their length."""

    def smaller(table: dict[str, Any]) -> dict[str, Any]:
        sizes = {name: value for name, value in table.items() if name in SCALED}
        return {name: min(value, max(FEWEST.get(name, 2), round(value * scale))) for name, value in sizes.items()}

    train = dataclasses.asdict(recipe.train)
    return dataclasses.replace(
        recipe,
        minutes=recipe.minutes * scale,
        train=dataclasses.replace(recipe.train, **smaller(train)),
        stages=tuple(
            stage | {"train": stage["train"] | smaller(stage["train"])} if "train" in stage else stage
            for stage in recipe.stages
        ),
    )


def reproduce(
    slug: str,
    raw: Path,
    folder: Path,
    run: Command,
    scale: float = 1.0,
    settings: Sequence[str] = (),
    known: dict[str, Recipe] | None = None,
    font: Path = FONT,
) -> Path:
    """Make the model of a recipe in `folder`, and return the folder of its bundle.

    raw: folder of raw data, with `midi`, `plans`, `audio` as the recipes name them; run: runs a command of `python -m
    training`, given its arguments; scale: share of the length of all runs; settings: changes of the recipe as
    "section.setting=value"; known: recipes by slug, instead of those of training/recipes; font: the sound font that
    renders music. Raises HocketError if there is no such recipe, or a command fails.
    """
    raw, folder, prepared = raw.absolute(), folder.absolute(), set[str]()
    if not raw.is_dir():
        raise HocketError(f"{raw} is no folder: give the folder of raw data as --raw")
    if not font.is_file():
        raise HocketError(f"{font} is no file: give a sound font as --font")
    places = {"{raw}": str(raw), "{font}": str(font.absolute())}
    for recipe in chain(slug, known or recipes()):
        recipe = scaled(recipe, scale) if scale < 1 else recipe
        if settings and recipe.slug == slug:
            recipe = with_settings(recipe, settings)
        for name in (recipe.start, getattr(recipe.train, "teacher", "")):
            if name and not (folder / "runs" / name / "best.safetensors").is_file():
                raise HocketError(
                    f"{folder / 'runs' / name} has no result for {recipe.slug}: start anew in another --out"
                )
        with _inside(folder):
            for command in recipe.prepare:
                if command not in prepared:
                    prepared.add(command)
                    _say_and_run(run, [_placed(part, places) for part in shlex.split(command)])
            _train(recipe, run)
            if recipe.slug == slug:
                _measure(recipe, run, small=scale < 1)
    return folder / "models" / slug


def _placed(part: str, places: dict[str, str]) -> str:
    for name, place in places.items():
        part = part.replace(name, place)
    return part


def _train(recipe: Recipe, run: Command) -> None:
    """In the present folder."""
    teacher = getattr(recipe.train, "teacher", "")
    written = recipe
    if teacher:
        written = with_settings(recipe, [f'train.teacher="runs/{teacher}/best.safetensors"'])
    path = Path("recipes", f"{recipe.slug}.toml")
    path.parent.mkdir(exist_ok=True)
    path.write_text(recipe_text(written), encoding="utf-8")
    _say_and_run(run, ["fit", "--recipe", str(path)])


def _measure(recipe: Recipe, run: Command, small: bool) -> None:
    """Export, prime and evaluate, in the present folder."""
    bundle, data = f"models/{recipe.slug}", recipe.data.folder
    shutil.rmtree(bundle, ignore_errors=True)  # of an earlier call
    _say_and_run(run, ["export", "--checkpoint", f"runs/{recipe.slug}/best.safetensors", "--out", "models"])
    few = ["--pieces", str(2 * PIECES)] if small else []
    if FAMILIES[recipe.family].makes_notes:
        _say_and_run(run, ["prime", "--bundle", bundle, "--data", data, *few])
    few = ["--pieces", str(PIECES)] if small else []
    _say_and_run(run, ["evaluate", "--bundle", bundle, "--data", data, "--card", "--out", f"docs/{recipe.slug}", *few])


def _say_and_run(run: Command, command: list[str]) -> None:
    print("$ python -m training", shlex.join(command), flush=True)
    run(command)


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HocketError(f"{folder} cannot be written: {error}") from error
    with contextlib.chdir(folder):
        yield
