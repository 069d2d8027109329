"""`python -m training prepare | fit | export | evaluate`: from files to a measured bundle."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from instrument.errors import HocketError

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def training() -> None:
    """Hocket's training package."""


@app.command()
def fit(
    recipe: Annotated[Path, typer.Option(help="a file of training/recipes, or your own")],
    run: Annotated[Path | None, typer.Option(help="folder of the run [runs/SLUG]")] = None,
    data: Annotated[Path | None, typer.Option(help="what `prepare` made, instead of the recipe's")] = None,
    minutes: Annotated[float | None, typer.Option(min=0, help="stop after so much training in all")] = None,
    threads: Annotated[int, typer.Option(min=1, help="processor threads")] = os.cpu_count() or 1,
    device: Annotated[str, typer.Option(help="cpu, or cuda for mixed precision on a GPU")] = "cpu",
) -> None:
    """Train a model. Killed at any moment, the same command goes on where it was."""
    import dataclasses

    import torch

    from training.fit import Run
    from training.recipe import read_recipe

    torch.set_num_threads(threads)
    if device not in ("cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        raise HocketError(f"device {device!r} is not there: use cpu, or cuda on a machine with a GPU")
    chosen = read_recipe(recipe)
    if data is not None:
        chosen = dataclasses.replace(chosen, data=dataclasses.replace(chosen.data, folder=str(data)))
    Run(chosen, run or Path("runs") / chosen.slug, device).fit(minutes)


@app.command()
def export(
    checkpoint: Annotated[Path, typer.Option(help="best.safetensors of a run")] = Path(
        "runs/lstm-band/best.safetensors"
    ),
    out: Annotated[Path, typer.Option(help="folder that the bundle's folder goes into")] = Path("models_onnx"),
) -> None:
    """Turn a checkpoint into a bundle that the instrument plays."""
    from training.export import export as export_bundle

    folder = export_bundle(checkpoint, out)
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"{folder}: {size / 2**20:.2f} MiB")


def main() -> None:
    """Run the command line; a named error is one line and status 1."""
    try:
        app()
    except HocketError as error:
        print(f"training: {error}", file=sys.stderr)
        sys.exit(1)
