"""What the instrument plays without a performer, as `hocket render` renders it, and its figures."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from instrument import __version__
from instrument.errors import HocketError
from instrument.music.reading import to_piece
from instrument.paths import assets_dir
from training.data.notes import midi
from training.evaluation.bands.bounds import BANDS
from training.evaluation.bands.excerpt import cut
from training.evaluation.bands.figures import figures

VERSION = 1
GENRES = ("pop", "rock", "jazz", "electronic", "game", "folk", "classical", "chorale")
HOCKET = "from instrument.cli import main; main()"
TIMEOUT_S = 900.0


class Job(NamedTuple):
    """What to render. name: the genre, or a patch's; arguments: of `hocket render`, less seed, length and file."""

    name: str
    genre: str
    arguments: tuple[str, ...]


class Render(msgspec.Struct, frozen=True):
    """The figures of one render."""

    name: str
    genre: str
    seed: int
    figures: dict[str, float]


class Results(msgspec.Struct, frozen=True):
    """The figures of all renders. hocket: its version; model: of the genres; judged, judged_before: how often a network
    tells its renders and earlier ones from real pieces, see `discriminator`."""

    version: int
    hocket: str
    model: str
    seconds: float
    renders: list[Render]
    judged: dict[str, dict[str, float]] = {}
    judged_before: dict[str, dict[str, float]] = {}


def jobs(model: str) -> list[Job]:
    """Every genre with the model, and every factory patch that has a genre."""
    genres = [Job(genre, genre, ("--model", model, "--set", f"genre={genre}")) for genre in GENRES]
    return genres + [
        Job(path.stem, genre, ("--patch", str(path)))
        for path in sorted((assets_dir() / "patches").glob("*.json"))
        if (genre := patch_genre(path))
    ]


def patch_genre(path: Path) -> str:
    """The genre of the first player of a patch that has one with bounds, or ""."""
    players = json.loads(path.read_text(encoding="utf-8")).get("players", [])
    genres = [player.get("knobs", {}).get("genre") for player in players]
    return next((genre for genre in genres if genre in BANDS), "")


def measure(model: str, seconds: float, seeds: Sequence[int], folder: Path, log: Callable[[str], None]) -> Results:
    """Render all jobs with all seeds into the folder, where they are not there yet, and measure them.
    HocketError if one cannot be rendered or measured."""
    return Results(VERSION, __version__, model, seconds, list(_renders(jobs(model), seconds, seeds, folder, log)))


def measure_file(path: Path, seconds: float) -> dict[str, float]:
    """The figures of a .mid file that the instrument wrote: its bars are used unchanged."""
    try:
        found = figures(cut(to_piece(midi.parse(path.read_bytes())), seconds))
    except HocketError as error:
        raise HocketError(f"{path} cannot be measured: {error}") from error
    return {name: round(value, 4) for name, value in found.items()}


def read_results(path: Path) -> Results:
    """Results of an earlier run. HocketError if the file holds none."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Results)
    except (OSError, msgspec.DecodeError) as error:
        raise HocketError(f"{path} holds no figures of bands ({error}): give a file that --out wrote") from error
    if found.version != VERSION:
        raise HocketError(f"{path} has version {found.version}: only version {VERSION} is read")
    return found


def write_results(results: Results, path: Path) -> None:
    """Write them, a render a line."""
    head = msgspec.to_builtins(results)
    head |= {"renders": head.pop("renders") and []}  # at the end
    lines = ",\n".join(msgspec.json.encode(render).decode() for render in results.renders)
    opening = msgspec.json.encode(head).decode().removesuffix("]}")
    path.write_text(f"{opening}\n{lines}\n]}}\n", encoding="utf-8")


def _renders(
    wanted: Sequence[Job], seconds: float, seeds: Sequence[int], folder: Path, log: Callable[[str], None]
) -> Iterator[Render]:
    folder.mkdir(parents=True, exist_ok=True)
    for job in wanted:
        for seed in seeds:
            path = folder / f"{job.name}-{seed}.mid"
            if not path.is_file():
                log(f"rendering {path.name}")
                _render(job, seconds, seed, path)
            yield Render(job.name, job.genre, seed, measure_file(path, seconds))


def _render(job: Job, seconds: float, seed: int, path: Path) -> None:
    length = ("--seconds", f"{seconds:g}", "--seed", str(seed), "--out", str(path))
    command = [sys.executable, "-c", HOCKET, "render", *job.arguments, *length]
    try:
        subprocess.run(command, check=True, timeout=TIMEOUT_S, capture_output=True, text=True)
    except subprocess.TimeoutExpired as error:
        raise HocketError(f"{path.name} took more than {TIMEOUT_S:g} s to render: try fewer --seconds") from error
    except subprocess.CalledProcessError as error:
        raise HocketError(f"{path.name} cannot be rendered: {error.stderr.strip()}") from error
