"""`python -m training evaluate --bands`: render, measure, and write the page."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from instrument.errors import HocketError
from instrument.models.bundle import Bundle
from training.evaluation.bands.bounds import read_bounds
from training.evaluation.bands.discriminator import discriminate
from training.evaluation.bands.renders import GENRES, Results, measure, read_results, write_results
from training.evaluation.bands.report import page
from training.families.table import find_family

RESULTS, PAGE = "bands.json", "bands.md"


def evaluate_bands(
    bundle: Bundle,
    seconds: float,
    seeds: Sequence[int],
    renders: Path | None,
    baseline: Path | None,
    real: Path | None = None,
    earlier_renders: Path | None = None,
) -> tuple[Results, str]:
    """The figures of all renders and their page, as Markdown.

    bundle: an installed note model that plays the genres; renders: folder for the renders, those in it are measured
    again (None: a temporary one); baseline: results of an earlier run, shown in brackets; real: a collection of MIDI
    files from whose pieces a network tells the renders, and those of an earlier version in `earlier_renders`.
    HocketError if the bundle is no note model, or something cannot be rendered or read.
    """
    slug = bundle.manifest.slug
    if not find_family(bundle.manifest.family).makes_notes:
        raise HocketError(f"{slug} makes no notes: choose a note model for --bands, such as lstm-band")
    bounds, earlier = read_bounds(), read_results(baseline) if baseline else None
    with tempfile.TemporaryDirectory(prefix="hocket-") as temporary:
        folder = renders or Path(temporary)
        results = measure(slug, seconds, seeds, folder, _log)
        if real:
            judged = [
                discriminate(real, each, GENRES, seconds, _log) if each else {} for each in (folder, earlier_renders)
            ]
            results = msgspec.structs.replace(results, judged=judged[0], judged_before=judged[1])
    return results, page(results, bounds, earlier)


def write(results: Results, text: str, folder: Path, docs: Path | None = None) -> list[Path]:
    """Write figures and page into the folder, and the page into `docs`, if it is given; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    write_results(results, folder / RESULTS)
    pages = [each / PAGE for each in (folder, docs) if each is not None]
    for path in pages:
        path.write_text(text, encoding="utf-8")
    return [folder / RESULTS, *pages]


def _log(text: str) -> None:
    print(text, file=sys.stderr)
