"""`python -m training.chord_model fit | evaluate`: fit the tables of the chord analyser, and measure its accuracy."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from instrument.errors import HocketError
from instrument.music.chords.analysis import TABLE

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
Folder = Annotated[Path, typer.Argument(help="a folder with manifest.csv")]


@app.command()
def fit(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="file to write")] = Path("assets") / TABLE,
) -> None:
    """Learn the tables of the chord analyser from pieces whose chords are written. It takes some minutes."""
    import torch

    from training.chord_model.learning import learn

    torch.set_num_threads(1)
    pieces = learn(folder, out)
    print(f"{out}: {out.stat().st_size / 1024:.0f} KiB, from {pieces} pieces")


@app.command()
def evaluate(
    folder: Folder,
    split: Annotated[str, typer.Option(help="train, valid or test")] = "test",
    model: Annotated[Path | None, typer.Option(help="other tables than those that ship")] = None,
) -> None:
    """Print how often the analyser, and templates, agree with the chords that are written in pieces."""
    from instrument.music.chords.analysis import load_model, recognise
    from instrument.music.chords.templates import template_chords
    from training.chord_model.evaluation import measure, report

    tables = load_model(model)
    analysers = {"templates": template_chords, "learned": lambda piece: recognise(piece, tables)}
    print(report(measure(folder, split, analysers)))


if __name__ == "__main__":
    try:
        app()
    except HocketError as error:
        print(f"training: {error}", file=sys.stderr)
        sys.exit(1)
