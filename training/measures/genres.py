"""A small classifier of the genre of two bars of notes, trained on real music.

Its features are pitches and rhythms alone, all pitched parts as one, without what merely identifies a data set:
velocities, parts and instruments, drums (whole genres have none in this data), the key (pitch classes are relative to
the tonic), and microtiming (onsets are moved to sixteenths, durations to classes a factor of two wide). All bars have
four beats, so that a metre that is typical of a genre does not give it away; and every data set weighs the same within
a genre, so that the notation of a set (such as block chords under a melody in lead sheets of four
genres) counts less than the music. For a model of drums the features are which kind is struck on which sixteenth.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.music.notes import Part, Piece
from instrument.music.phrases import DRUM_KEYS, KIND_OF
from instrument.music.timebase import TICKS_PER_BEAT, Metre
from training.data.notes.shards import Shards
from training.measures.analysis import key_fits
from training.measures.bars import jaccard

BAR = 4 * TICKS_PER_BEAT
BARS = 2
GRID = TICKS_PER_BEAT // 4
FEWEST = 4  # pitched notes in two bars, with fewer of which a genre is not classified
LEAST_PIECES = 8  # of a genre, without which it cannot be learnt
LEAST_HELD = 4  # of a genre, to try it on
TRAINED, HELD = 3000, 800  # windows of a genre, about, that are learnt from, and tried
PER_PIECE = 24
HIDDEN, EPOCHS, BATCH, DROPOUT, DECAY, RATE = 96, 15, 256, 0.3, 1e-3, 3e-3
CACHE = Path("artifacts/classifiers")  # folder of trained classifiers
VERSION = 2  # of the features; increase it when they or the training change
INTERVALS = np.array([-13, -12, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 13])
GAPS = np.array([1, 2, 3, 4, 6, 8, 16])
OCTAVES = np.arange(24, 108, 6)

Extract = Callable[[NDArray[np.int32], int], NDArray[np.float32] | None]


def pitched_features(notes: NDArray[np.int32], start: int) -> NDArray[np.float32] | None:
    """Features of two bars of four beats from tick `start` on; None with fewer than
    `FEWEST` pitched notes in them."""
    notes = notes[(notes[:, 0] >= start) & (notes[:, 0] < start + BARS * BAR) & (notes[:, 5] != Part.DRUMS)]
    if len(notes) < FEWEST:
        return None
    onset = np.minimum((notes[:, 0] - start + GRID // 2) // GRID, BARS * 16 - 1)
    pitch = notes[:, 2].astype(np.int64)
    order = np.lexsort((pitch, onset))
    onset, pitch, length = onset[order], pitch[order], notes[order, 3]
    times, first, count = np.unique(onset, return_index=True, return_counts=True)
    top, bottom = np.maximum.reduceat(pitch, first), np.minimum.reduceat(pitch, first)
    lengths = np.clip(np.rint(np.log2(length / GRID)), -1, 4).astype(int) + 1
    classes = np.bincount(pitch % 12, np.minimum(length, BAR), 12)
    best = int(np.argmax(key_fits(classes)))
    together = [(pitch[i + 1 : i + n] - pitch[i]) % 12 for i, n in zip(first, count, strict=True) if n > 1]
    bars = [set(zip(onset[onset // 16 == b] % 16, pitch[onset // 16 == b], strict=True)) for b in range(BARS)]
    struck = [{time for time, _ in bar} for bar in bars]
    return np.concatenate(
        [
            [
                np.log(len(notes)),
                np.log(len(times)),
                count.mean(),
                count.std(),
                pitch.mean() / 12,
                pitch.std() / 6,
                np.ptp(pitch) / 12,
                top.mean() / 12,
                bottom.mean() / 12,
                np.ptp(top) / 12,
                np.ptp(bottom) / 12,
                len(np.unique(pitch)) / len(pitch),
                len(np.unique(pitch % 12)) / 12,
                length.sum() / (BARS * BAR),
                jaccard(*bars),
                jaccard(*struck),
                best >= 12,
            ],
            _shares(np.bincount(times % 16, minlength=16)),
            _shares(np.bincount(np.minimum(count, 6), minlength=7)),
            _shares(np.bincount(lengths, minlength=6)),
            _shares(np.bincount(np.searchsorted(GAPS, np.diff(times)), minlength=len(GAPS) + 1)),
            _steps(top),
            _steps(bottom),
            _shares(np.roll(classes, -(best % 12))),
            _shares(np.bincount(np.concatenate([*together, np.zeros(0, int)]).astype(int), minlength=12)),
            _shares(np.bincount(np.searchsorted(OCTAVES, pitch), minlength=len(OCTAVES) + 1)),
        ]
    ).astype(np.float32)


def drum_features(notes: NDArray[np.int32], start: int) -> NDArray[np.float32] | None:
    """The same of drums; None with fewer than `FEWEST` struck."""
    notes = notes[(notes[:, 0] >= start) & (notes[:, 0] < start + BARS * BAR) & (notes[:, 5] == Part.DRUMS)]
    notes = notes[KIND_OF[notes[:, 2]] >= 0]
    if len(notes) < FEWEST:
        return None
    onset = np.minimum((notes[:, 0] - start + GRID // 2) // GRID, BARS * 16 - 1)
    struck = np.zeros((len(DRUM_KEYS), BARS, 16))
    struck[KIND_OF[notes[:, 2]], onset // 16, onset % 16] = 1
    together = struck.sum(0).ravel().astype(int)
    bars = [set(zip(*np.nonzero(struck[:, b]), strict=True)) for b in range(BARS)]
    return np.concatenate(
        [
            [np.log(struck.sum()), jaccard(*bars)],
            struck.mean(1).ravel(),
            _shares(struck.sum((1, 2))),
            _shares(np.bincount(together, minlength=len(DRUM_KEYS) + 1)),
        ]
    ).astype(np.float32)


def _steps(line: NDArray[np.int64]) -> NDArray[np.float64]:
    steps = np.clip(np.diff(line), INTERVALS[0], INTERVALS[-1])
    return _shares(np.bincount(np.searchsorted(INTERVALS, steps), minlength=len(INTERVALS)))


def _shares(counts: NDArray) -> NDArray[np.float64]:
    return counts / max(counts.sum(), 1e-9)


def windows(piece: Piece, most: int) -> Iterator[int]:
    """Starts of up to `most` windows of two whole bars of four beats, spread evenly over a piece; none where it
    has no such bars or no beat grid."""
    if not len(piece):
        return
    starts: list[int] = []
    ends = [*(m.tick for m in piece.metres[1:]), int(piece.notes[-1, 0]) + BAR]
    for metre, end in zip(piece.metres, ends, strict=False):
        if _common(metre):
            first = metre.tick + max(0, int(piece.notes[0, 0]) - metre.tick) // BAR * BAR
            starts += range(first, end - BARS * BAR + 1, BAR)
    count = min(most, len(starts))
    yield from (starts[i * len(starts) // count] for i in range(count))


def _common(metre: Metre) -> bool:
    return metre.bar_ticks == BAR and metre.denominator in (2, 4)


@dataclass(frozen=True, slots=True)
class GenreClassifier:
    """The trained classifier. weights: mean and deviation of the features, then two layers; recall: for each
    genre the share of the windows of held-out real pieces that are classified correctly (mean of the pieces), among
    all of `genres`; pieces: how many held-out pieces that was measured on; drums: whether it is for drums alone."""

    genres: tuple[str, ...]
    weights: tuple[NDArray[np.float32], ...]
    recall: dict[str, float]
    pieces: dict[str, int]
    drums: bool = False

    def features(self, notes: NDArray[np.int32], start: int) -> NDArray[np.float32] | None:
        """Features of the two bars from tick `start` on; None if there are too few notes."""
        return (drum_features if self.drums else pitched_features)(notes, start)

    def classify(self, notes: NDArray[np.int32], start: int) -> str | None:
        """The genre of the two bars from tick `start` on; None if there are too few notes."""
        features = self.features(notes, start)
        return None if features is None else self.genres[int(self._scores(features[None])[0].argmax())]

    def likelihood(self, notes: NDArray[np.int32], start: int, genre: str) -> float:
        """How likely the two bars from tick `start` on are of a genre, 0..1; 0 if there are too few notes."""
        features = self.features(notes, start)
        if features is None:
            return 0.0
        scores = self._scores(features[None])[0]
        likely = np.exp(scores - scores.max())
        return float(likely[self.genres.index(genre)] / likely.sum())

    def _scores(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        mean, deviation, first, bias, second, last = self.weights
        hidden = np.maximum((features - mean) / deviation @ first + bias, 0)
        scores: NDArray[np.float32] = hidden @ second + last
        return scores


def genre_classifier(
    shards: Shards, genres: Sequence[str], folder: Path | None = None, drums: bool = False
) -> GenreClassifier:
    """The classifier of these genres, trained on the train split and tried on all else, without drum-only and
    machine-made pieces; genres with too few pieces are left out. folder: where it is kept for the next time; drums:
    whether it gets these alone. HocketError if fewer than two genres are left."""
    identity = f"{VERSION} {shards.data_hash} {','.join(genres)}{' by drums' if drums else ''}"
    key = hashlib.sha256(identity.encode()).hexdigest()[:16]
    path = folder / f"genres-{key}.npz" if folder else None
    if path and path.is_file():
        return _load(path, drums)
    empty = GenreClassifier((), (), {}, {}, drums)
    collected = {split: _collect(shards, genres, split == "train", empty.features) for split in ("train", "held")}
    least = {"train": LEAST_PIECES, "held": LEAST_HELD}
    known = tuple(g for g in genres if all(len(collected[s][g]) >= least[s] for s in collected))
    if len(known) < 2:
        there = ", ".join(f"{g} has {len(collected['train'][g])} and {len(collected['held'][g])}" for g in genres)
        raise HocketError(
            f"{shards.folder} has too few pieces in four beats to tell genres apart: two genres need {LEAST_PIECES} to "
            f"learn from and {LEAST_HELD} held out each ({there}); twenty pieces a genre are enough"
        )
    classifier = GenreClassifier(known, _train([collected["train"][g] for g in known]), {}, {}, drums)
    for number, genre in enumerate(known):
        right = [
            (classifier._scores(own.rows).argmax(1) == number).sum() / own.windows for own in collected["held"][genre]
        ]
        classifier.recall[genre], classifier.pieces[genre] = round(float(np.mean(right)), 4), len(right)
    if path:
        _save(path, classifier)
    return classifier


class _PieceFeatures(NamedTuple):
    """Features of a piece's windows; how many there were, with those that have too few notes."""

    rows: NDArray[np.float32]
    windows: int
    dataset: str


def _collect(shards: Shards, genres: Sequence[str], train: bool, extract: Extract) -> dict[str, list[_PieceFeatures]]:
    """For each genre the features of some pieces: to train on, of as many of every data set as there are; else as they
    come."""
    rng = np.random.default_rng(1)
    found: dict[str, list[_PieceFeatures]] = {}
    for genre in genres:
        infos = [
            p
            for p in shards.select(genres=[genre], drums_only=False, realised=False)
            if (p.split == "train") == train and any(_common(Metre(*m)) for m in p.metres)
        ]
        found[genre] = []
        most = TRAINED if train else HELD
        infos = [infos[i] for i in rng.permutation(len(infos))]
        if train:
            seen = Counter[str]()
            turns = [seen.update([info.dataset]) or seen[info.dataset] for info in infos]
            infos = [infos[i] for i in np.argsort(turns, kind="stable")]
        each = min(PER_PIECE, max(4, -(-most // max(1, len(infos)))))
        for info in infos[: most // each]:
            piece = shards.piece(info)
            notes = np.array(piece.notes)
            starts = list(windows(piece, each))
            rows = [row for start in starts if (row := extract(notes, start)) is not None]
            if rows:
                found[genre].append(_PieceFeatures(np.stack(rows), len(starts), info.dataset))
    return found


def _draws(pieces: list[_PieceFeatures]) -> NDArray[np.float32]:
    """How often each window of a genre is drawn: every data set with `LEAST_PIECES` pieces as often as any other,
    smaller ones in proportion."""
    counts = Counter(piece.dataset for piece in pieces)
    windows = Counter[str]()
    for piece in pieces:
        windows[piece.dataset] += len(piece.rows)
    weights = [min(1.0, counts[p.dataset] / LEAST_PIECES) / windows[p.dataset] for p in pieces]
    each = np.repeat(weights, [len(p.rows) for p in pieces])
    return (each / each.sum()).astype(np.float32)


def _train(groups: list[list[_PieceFeatures]]) -> tuple[NDArray[np.float32], ...]:
    """Two layers, trained on every group as often."""
    stacked = np.concatenate([piece.rows for group in groups for piece in group])
    mean, deviation = stacked.mean(0), stacked.std(0) + 1e-2
    x = torch.from_numpy((stacked - mean) / deviation)
    y = torch.from_numpy(np.repeat(np.arange(len(groups)), [sum(len(p.rows) for p in group) for group in groups]))
    draws = torch.from_numpy(np.concatenate([_draws(group) for group in groups]))
    generator = torch.Generator().manual_seed(1)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = torch.nn.Sequential(
            torch.nn.Linear(x.shape[1], HIDDEN),
            torch.nn.ReLU(),
            torch.nn.Dropout(DROPOUT),
            torch.nn.Linear(HIDDEN, len(groups)),
        )
        steps = EPOCHS * max(1, len(x) // BATCH)
        optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
        for _ in range(steps):
            rows = torch.multinomial(draws, BATCH, replacement=True, generator=generator)
            loss = torch.nn.functional.cross_entropy(net(x[rows]), y[rows], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    first, second = net[0], net[3]
    layers = [first.weight.T, first.bias, second.weight.T, second.bias]
    return mean, deviation, *(np.ascontiguousarray(layer.detach().numpy()) for layer in layers)


def _save(path: Path, classifier: GenreClassifier) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.npz")
    np.savez(
        part,
        *classifier.weights,
        genres=list(classifier.genres),
        recall=list(classifier.recall.values()),
        pieces=list(classifier.pieces.values()),
    )
    part.replace(path)


def _load(path: Path, drums: bool) -> GenreClassifier:
    with np.load(path, allow_pickle=False) as kept:
        genres = tuple(str(g) for g in kept["genres"])
        return GenreClassifier(
            genres,
            tuple(kept[f"arr_{i}"] for i in range(6)),
            dict(zip(genres, kept["recall"].tolist(), strict=True)),
            dict(zip(genres, kept["pieces"].tolist(), strict=True)),
            drums,
        )
