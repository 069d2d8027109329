"""How loud and how wide the factory patches are: `python -m training levels`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import soundfile

from instrument.errors import HocketError
from instrument.paths import assets_dir
from instrument.saved import write_whole
from training.measures.loudness import loudness, width

TARGET, TOLERANCE = -16.0, 1.0  # LUFS
LEAST_WIDTH = -20.0  # decibels, of a factory patch
SECONDS = 45.0
HOCKET = "from instrument.cli import main; main()"
TIMEOUT_S = 600.0


class Level(NamedTuple):
    """A patch's loudness in LUFS, and its width in decibels (see `measures.loudness.width`)."""

    name: str
    loudness: float
    width: float


def factory_patches() -> list[str]:
    """The names of the patches that ship."""
    return sorted(path.stem for path in _folder().glob("*.json"))


def measure_patch(name: str, seconds: float = SECONDS) -> Level:
    """The level of a factory patch as `hocket render` plays it. HocketError if it cannot be rendered."""
    with tempfile.TemporaryDirectory(prefix="hocket-") as folder:
        out = Path(folder, "patch.wav")
        arguments = ("render", "--patch", str(_path(name)), "--seconds", f"{seconds:g}", "--out", str(out))
        try:
            subprocess.run(
                [sys.executable, "-c", HOCKET, *arguments],
                check=True,
                timeout=TIMEOUT_S,
                capture_output=True,
                text=True,
            )
        except subprocess.CalledProcessError as error:
            raise HocketError(f"{name} cannot be rendered: {error.stderr.strip()}") from error
        sound, rate = soundfile.read(out, dtype="float64")
    return Level(name, loudness(sound, rate), width(sound))


def levels(seconds: float = SECONDS, adjust: bool = False) -> Iterator[Level]:
    """The levels of all factory patches. adjust: set the knob "level" of those that miss `TARGET` by more than half of
    the tolerance, and measure them again."""
    for name in factory_patches():
        level = measure_patch(name, seconds)
        if adjust and abs(level.loudness - TARGET) > TOLERANCE / 2:
            _turn(name, TARGET - level.loudness)
            level = measure_patch(name, seconds)
        yield level


def _turn(name: str, decibels: float) -> None:
    fields = json.loads(_path(name).read_text(encoding="utf-8"))
    fields["knobs"]["level"] = round(min(6.0, fields["knobs"].get("level", 0.0) + decibels), 1)
    write_whole(_path(name), json.dumps(fields, indent=2).encode() + b"\n", "the patch")


def _folder() -> Path:
    return assets_dir() / "patches"


def _path(name: str) -> Path:
    return _folder() / f"{name}.json"
