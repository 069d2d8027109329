"""`python -m training.evaluation.bands measure | bounds`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from instrument.errors import HocketError
from training.evaluation.bands.bounds import BOUNDS_FILE, read_bounds, write_bounds
from training.evaluation.bands.excerpt import SECONDS
from training.evaluation.bands.references import make_bounds, references
from training.evaluation.bands.renders import measure as measure_renders
from training.evaluation.bands.renders import read_results, write_results
from training.evaluation.bands.report import page

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.command()
def measure(
    model: Annotated[str, typer.Option(help="slug of the model that plays the genres")] = "lstm-band",
    seconds: Annotated[float, typer.Option(min=30, max=SECONDS, help="length of a render")] = SECONDS,
    seeds: Annotated[int, typer.Option(min=1, max=64, help="renders of each genre and of each patch")] = 3,
    renders: Annotated[Path | None, typer.Option(help="folder to keep renders in; those there are measured")] = None,
    baseline: Annotated[Path | None, typer.Option(help="JSON of an earlier run, to stand beside")] = None,
    out: Annotated[Path | None, typer.Option(help="JSON file for the figures of every render")] = None,
    markdown: Annotated[Path | None, typer.Option(help="file for the page, as docs/bands.md")] = None,
) -> None:
    """Render all genres and factory patches, and print their figures beside bounds and foils."""
    bounds = read_bounds()
    earlier = read_results(baseline) if baseline else None
    with tempfile.TemporaryDirectory() as temporary:
        results = measure_renders(model, seconds, range(1, seeds + 1), renders or Path(temporary), _log)
    if out is not None:
        write_results(results, out)
    text = page(results, bounds, earlier)
    if markdown is not None:
        markdown.write_text(text, encoding="utf-8")
    print(text)


@app.command()
def bounds(
    data: Annotated[Path, typer.Option(help="folder with manifest.csv and the .mid files of the real pieces")],
    out: Annotated[Path, typer.Option(help="file to write")] = BOUNDS_FILE,
) -> None:
    """Make the bounds from real pieces. They are frozen: make them anew only where the figures are defined anew."""
    found = references(data)
    _log(f"{len(found)} pieces measured")
    write_bounds(make_bounds(found), out)
    print(out)


def _log(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    try:
        app()
    except HocketError as error:
        _log(f"bands: {error}")
        sys.exit(1)
