"""From a collection of MIDI files to the bounds: which pieces are references, and how genres are pooled."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from instrument.errors import HocketError
from instrument.music.notes import Part
from instrument.music.reading import NOTATED_VELOCITIES, RULES_VERSION
from training.data import sources
from training.data.notes import midi
from training.evaluation.bands.bounds import BANDS, VERSION, Bound, Bounds, parts_of
from training.evaluation.bands.excerpt import SECONDS, Excerpt, cut
from training.evaluation.bands.figures import FIGURES, Figure, figures
from training.evaluation.bands.foils import foils

SPLIT = "test"
FEWEST = 20  # pieces; of fewer a genre is pooled with others
PERCENTILES = (10, 50, 90)
DRUMMERS = "groove"  # drum performances, references for drums alone
# No references: `wjazzd_band` has the pieces of `wjazzd`, with bar lines.
LEFT_OUT = ("improvisor", "wjazzd/")
# What a genre is pooled with, one after another until there are enough pieces.
RELATED: dict[str, tuple[str, ...]] = {
    "chorale": ("classical",),
    "classical": ("pop",),
    "electronic": ("game", "rock", "pop"),
    "folk": ("pop",),
    "funk": ("rock", "game", "electronic", "pop"),
    "game": ("rock", "electronic", "pop"),
    "jazz": ("ragtime_blues", "pop"),
    "latin": ("jazz", "pop"),
    "pop": ("rock", "game", "electronic"),
    "ragtime_blues": ("jazz", "pop"),
    "rock": ("game", "electronic", "pop"),
}
WITH_BANDS = ("rock", "game", "electronic")  # genres whose pieces have bass and drums, pooled as "bands"
# Most pieces were made in a sequencer, exactly straight, so drummers count for swing too. Jazz solos are written as
# straight eighths: their swing is that of jazz drummers alone, of all splits as few are in one.
SWING, SWUNG = "swing", "jazz"


class Reference(NamedTuple):
    """A real piece that was measured. played: its dynamics were performed."""

    dataset: str
    path: str
    hash: str
    genre: str
    split: str
    played: bool
    excerpt: Excerpt
    figures: dict[str, float]


def references(folder: Path) -> list[Reference]:
    """All reference pieces of a collection with a manifest: those of the test split, and all jazz drummers.
    HocketError if there are none."""
    chosen = [s for s in sources.find(folder) if _is_reference(s)]
    found = list(_measured(folder, chosen))
    if not found:
        raise HocketError(f"{folder} has no pieces of split {SPLIT}: give a folder with a manifest.csv that has some")
    return found


def make_bounds(found: Sequence[Reference]) -> Bounds:
    """Bounds and foils of all genres."""
    bounds = {genre: genre_bounds(found, genre) for genre in BANDS}
    excerpts = {
        genre: [each.excerpt for each in found if each.genre == genre and not _drummer(each)] for genre in BANDS
    }
    pieces = [(each.dataset, each.path, each.hash) for each in found]
    return Bounds(VERSION, SECONDS, RULES_VERSION, pieces, bounds, foils(excerpts, bounds))


def genre_bounds(found: Sequence[Reference], genre: str) -> dict[str, Bound]:
    """The bound of each figure for which there are enough pieces, of the genre or pooled."""
    bounds = {}
    for figure in FIGURES.values():
        values: list[float] = []
        names: list[str] = []
        for name, group in _groups(found, figure, genre):
            own = [each.figures[figure.name] for each in group if _counts(each, figure)]
            values += own
            names += [name] if own else []
            if len(values) >= FEWEST:
                low, median, high = (round(float(v), 4) for v in np.percentile(values, PERCENTILES))
                bounds[figure.name] = Bound(low, median, high, len(values), "" if names == [genre] else "+".join(names))
                break
    return bounds


def _groups(found: Sequence[Reference], figure: Figure, genre: str) -> Iterator[tuple[str, list[Reference]]]:
    """Groups of pieces to take one after another: the genre, then what it is pooled with."""
    if figure.name == SWING and genre == SWUNG:
        yield f"{DRUMMERS} {genre}", [each for each in found if _drummer(each) and each.genre == genre]
        return
    tested = [each for each in found if each.split == SPLIT]
    pitched = [each for each in tested if not _drummer(each)]
    own = [each for each in pitched if each.genre == genre]
    if figure.name == SWING:
        yield f"{genre}+{DRUMMERS}", own + [each for each in tested if _drummer(each) and each.genre != SWUNG]
    else:
        yield genre, own
    if figure.needs & {Part.BASS, Part.DRUMS}:
        bands = [each for each in pitched if each.genre in WITH_BANDS and each.genre != genre]
        if figure.needs == {Part.DRUMS} and figure.group != "parts":
            yield f"bands+{DRUMMERS}", bands + [each for each in tested if _drummer(each)]
        else:
            yield "bands", bands
        return
    for other in RELATED[genre]:
        yield other, [each for each in pitched if each.genre == other]


def _counts(each: Reference, figure: Figure) -> bool:
    return figure.name in each.figures and figure.needs <= parts_of(each.figures) and (each.played or not figure.played)


def _drummer(each: Reference) -> bool:
    return each.dataset == DRUMMERS


def _is_reference(source: sources.Source) -> bool:
    if source.realised or source.path.startswith(LEFT_OUT) or source.genre not in BANDS:
        return False
    return source.split == SPLIT or (source.dataset == DRUMMERS and source.genre == SWUNG)


def _measured(folder: Path, chosen: Sequence[sources.Source]) -> Iterator[Reference]:
    with sources.reader(folder) as read:
        for source in chosen:
            try:
                data = read(source)
                excerpt = cut(midi.read(data)[0])
            except (HocketError, OSError, zipfile.BadZipFile):
                continue  # without bars, too short, of several metres, or unreadable
            played = len(np.unique(excerpt.notes[:, 4])) > NOTATED_VELOCITIES
            yield Reference(
                source.dataset, source.path, hashlib.sha256(data).hexdigest()[:16], source.genre, source.split,
                played, excerpt, figures(excerpt),
            )  # fmt: skip
