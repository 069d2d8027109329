"""Two seeded examples of a bundle that anyone can reproduce: the commands and their output."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

from instrument.errors import HocketError
from instrument.models.catalog import list_models
from instrument.models.manifest import Manifest

BARS = 16
SEEDS = (1, 2)
TIMEOUT_S = 180.0
HOCKET = "from instrument.cli import main; main()"


def commands(manifest: Manifest, folder: Path) -> list[list[str]]:
    """The arguments of `hocket` for each example, each in another of the genres offered, into `folder`."""
    genres = manifest.genres or ("none",)
    found = []
    for i, seed in enumerate(SEEDS):
        genre = genres[i * len(genres) // len(SEEDS)]
        out = folder / f"{genre}-{seed}.mid"
        settings = ["--set", f"genre={genre}"] if manifest.genres else []
        found.append(
            [
                "render",
                "--model",
                manifest.slug,
                "--bars",
                str(BARS),
                "--seed",
                str(seed),
                *settings,
                "--out",
                out.as_posix(),
            ]
        )
    return found


def write_examples(manifest: Manifest, bundle: Path, folder: Path) -> dict[str, str]:
    """Render the examples; file name -> command. None of a bundle that `hocket` does not find by its slug.
    HocketError if one cannot be rendered."""
    if not any(entry.path.resolve() == bundle.resolve() for entry in list_models()):
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for arguments in commands(manifest, folder):
        try:
            subprocess.run(
                [sys.executable, "-c", HOCKET, *arguments],
                check=True,
                timeout=TIMEOUT_S,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
        except subprocess.TimeoutExpired as error:
            raise HocketError(f"an example of {manifest.slug} took more than {TIMEOUT_S:g} s to render") from error
        except subprocess.CalledProcessError as error:
            raise HocketError(f"an example of {manifest.slug} cannot be rendered: {error.stderr.strip()}") from error
        written[Path(arguments[-1]).name] = shlex.join(["hocket", *arguments])
    return written
