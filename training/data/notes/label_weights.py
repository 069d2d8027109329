"""`python -m training.data.notes.label_weights FOLDER`: fit the weights of `instrument.music.parts.labels`.

Examples are tracks with clear names from training pieces whose licence allows shipping. Datasets and parts are weighted
to have similar influence. It prints the table, and how often it agrees with the names in each split.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.music.parts.features import FEATURES, features
from instrument.music.parts.labels import FEWEST, LABELS, named_parts
from training.data import sources
from training.data.licences import licence_allows_shipping
from training.data.notes import midi

PIECES = 300  # of a data set, at most
DECAY = 3e-4
ROUNDS = 40  # of Newton's method, which needs a dozen


class Examples(NamedTuple):
    """n tracks. features: (n, FEATURES); labels: (n,) indices into `LABELS`; splits, datasets: (n,) names."""

    features: NDArray[np.float64]
    labels: NDArray[np.int64]
    splits: NDArray[np.str_]
    datasets: NDArray[np.str_]


def examples(folder: Path, pieces: int = PIECES) -> Examples:
    """The clearly named tracks of a collection with a manifest. Raises HocketError if there are none."""
    rows = list(_rows(folder, pieces))
    if not rows:
        raise HocketError(f"{folder} has no tracks whose names give a part: choose a folder that has some")
    inputs, labels, splits, datasets = zip(*rows, strict=True)
    return Examples(np.array(inputs), np.array(labels), np.array(splits), np.array(datasets))


def _rows(folder: Path, pieces: int) -> Iterator[tuple[NDArray[np.float64], int, str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    with sources.reader(folder) as contents:
        for source in sources.find(folder):
            place = source.dataset, source.split
            if source.drums_only or not licence_allows_shipping(source.licence) or counts[place] >= pieces:
                continue
            counts[place] += 1
            try:
                raw = midi.parse(contents(source))
            except (HocketError, OSError, KeyError, zipfile.BadZipFile):
                continue
            tracks = [track for track in raw.sounding if not track.is_drum]
            named = named_parts(tracks)
            if len(tracks) > 1 and any(part in LABELS for part in named):
                for track, part, row in zip(tracks, named, features(tracks, raw.resolution), strict=True):
                    if part in LABELS and len(track.starts) >= FEWEST:
                        yield row, LABELS.index(part), source.split, source.dataset


def weigh(found: Examples) -> NDArray[np.float64]:
    """The weight of each example: equal for each part, and within a part by the root of a dataset's track count."""
    groups = list(zip(found.datasets.tolist(), found.labels.tolist(), strict=True))
    counts = Counter(groups)
    weights = np.array([counts[group] ** -0.5 for group in groups])
    for label in range(len(LABELS)):
        weights[found.labels == label] /= max(weights[found.labels == label].sum(), 1e-9)
    return weights / weights.sum()


def fit(found: Examples) -> NDArray[np.float64]:
    """Multinomial logistic regression by Newton's method: the weights (FEATURES, LABELS)."""
    mean, spread = found.features.mean(0), found.features.std(0) + 1e-9
    mean[0], spread[0] = 0, 1  # the constant
    scaled = (found.features - mean) / spread
    wanted = np.eye(len(LABELS))[found.labels]
    weights = weigh(found)
    count = len(FEATURES)
    table = np.zeros((count, len(LABELS)))
    for _ in range(ROUNDS):
        odds = np.exp(scaled @ table)
        odds /= odds.sum(1, keepdims=True)
        slope = scaled.T @ (weights[:, None] * (odds - wanted)) + DECAY * table
        bend = np.eye(count * len(LABELS)) * DECAY
        for a in range(len(LABELS)):
            for b in range(len(LABELS)):
                each = weights * odds[:, a] * ((a == b) - odds[:, b])
                bend[a * count : (a + 1) * count, b * count : (b + 1) * count] += scaled.T @ (each[:, None] * scaled)
        table -= np.linalg.solve(bend, slope.T.ravel()).reshape(len(LABELS), count).T
    plain = table / spread[:, None]
    plain[0] -= mean @ plain
    return plain


def main(
    folder: Annotated[Path, typer.Argument(help="a folder with manifest.csv")],
    pieces: Annotated[int, typer.Option(help="of a data set and split, at most")] = PIECES,
) -> None:
    """Fit the weights by which parts are predicted from notes, and print them."""
    found = examples(folder, pieces)
    train = found.splits == "train"
    table = fit(Examples(*(column[train] for column in found))).round(2)
    for name, row in zip(FEATURES, table.tolist(), strict=True):
        print(f'    "{name}": ({", ".join(map(str, row))}),')
    right = (found.features @ table).argmax(1) == found.labels
    for label, part in enumerate(LABELS):
        for split in sources.SPLITS:
            chosen = right[(found.splits == split) & (found.labels == label)]
            if len(chosen):
                print(f"{part.name.lower()}, {split}: {chosen.mean():.3f} of {len(chosen)} agree")


if __name__ == "__main__":
    typer.run(main)
