"""`python -m training.evaluation.bands bounds`: make the frozen bounds that `training evaluate --bands` reads."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from instrument.errors import HocketError
from training.evaluation.bands.bounds import BOUNDS_FILE, write_bounds
from training.evaluation.bands.references import make_bounds, references

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def bands() -> None:
    """Bounds of the figures of a band."""


@app.command()
def bounds(
    data: Annotated[Path, typer.Option(help="folder with manifest.csv and the .mid files of the real pieces")],
    out: Annotated[Path, typer.Option(help="file to write")] = BOUNDS_FILE,
) -> None:
    """Make the bounds from real pieces. They are frozen: make them again only if the figures change."""
    found = references(data)
    print(f"{len(found)} pieces measured", file=sys.stderr)
    write_bounds(make_bounds(found), out)
    print(out)


if __name__ == "__main__":
    try:
        app()
    except HocketError as error:
        print(f"bands: {error}", file=sys.stderr)
        sys.exit(1)
