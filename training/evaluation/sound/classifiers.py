"""Small classifiers trained on real sound: of the genre of ten seconds, and of the instrument of a note.

Their accuracy is measured too: `folds`, in cross-validation by track or piece on the training data; `held_out`, on the
valid and test splits. Their last hidden layer is the embedding of the Frechet distance.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from instrument.errors import HocketError
from training.data.sound.corpus import Clip, Corpus
from training.evaluation.sound.features import CLIP_SECONDS, Features, clip_features, note_features

CACHE = Path("artifacts/classifiers")
VERSION = 2  # of the features and the training
HIDDEN, EMBEDDING, DROPOUT, DECAY, RATE = 128, 16, 0.4, 3e-2, 2e-3
NOISE = 0.4  # added to the features while training, in their deviations
BATCH, STEPS, STEPS_IN_FOLDS = 64, 900, 500
FOLDS = 4
PER_LABEL = 240  # windows of a genre that are learnt from at most
FEWEST_GROUPS = 3  # tracks of a genre, without which it cannot be learnt


@dataclass(frozen=True, slots=True)
class Examples:
    """Features: rows (n, d), and of each its label, its track or piece, and its split."""

    rows: NDArray[np.float32]
    labels: NDArray[np.str_]
    groups: NDArray[np.str_]
    splits: NDArray[np.str_]

    def where(self, chosen: NDArray[np.bool_]) -> Examples:
        """Those chosen."""
        return Examples(self.rows[chosen], self.labels[chosen], self.groups[chosen], self.splits[chosen])

    @property
    def held_out(self) -> Examples:
        """Those of the valid and test splits."""
        return self.where(self.splits != "train")

    @property
    def train(self) -> Examples:
        """Those of the train split."""
        return self.where(self.splits == "train")


@dataclass(frozen=True, slots=True)
class Classifier:
    """A trained classifier. weights: mean and deviation of the features, then matrix and bias of three layers.
    figures: "folds" and "held_out" (accuracy, the mean of the labels), "by_label" (held out; folds where none is),
    "heard" (how many sounds it was tried on)."""

    labels: tuple[str, ...]
    weights: tuple[NDArray[np.float32], ...]
    figures: dict[str, Any] = field(default_factory=dict)

    def embed(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """The last hidden layer, (n, EMBEDDING), of features (n, d)."""
        mean, deviation, first, bias, second, second_bias = self.weights[:6]
        hidden = np.maximum((rows - mean) / deviation @ first + bias, 0)
        out: NDArray[np.float32] = hidden @ second + second_bias
        return out

    def probabilities(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, labels) of features (n, d)."""
        scores = np.maximum(self.embed(rows), 0) @ self.weights[6] + self.weights[7]
        e = np.exp(scores - scores.max(1, keepdims=True))
        out: NDArray[np.float32] = e / e.sum(1, keepdims=True)
        return out

    def classify(self, rows: NDArray[np.float32]) -> list[str]:
        """The likeliest label of each row."""
        return [self.labels[i] for i in self.probabilities(rows).argmax(1)]

    def recognised(self, examples: Examples) -> dict[str, float]:
        """Label -> the share of its examples that is classified correctly."""
        right = np.array(self.classify(examples.rows)) == examples.labels
        return {label: float(right[own].mean()) for label in self.labels if (own := examples.labels == label).any()}


def genre_classifier(corpus: Corpus, genres: Sequence[str], folder: Path | None = CACHE) -> tuple[Classifier, Examples]:
    """The classifier of these genres by ten seconds of sound, and the features of the corpus."""
    examples = _kept(f"clips {corpus.data_hash}", folder, lambda: _all_clips(corpus))
    known = [str(g) for g in genres if len(set(examples.train.groups[examples.train.labels == g])) >= FEWEST_GROUPS]
    if len(known) < 2:
        raise HocketError(
            f"{corpus.folder} has too few tracks for a genre classifier: at least two genres need {FEWEST_GROUPS} each"
        )
    examples = examples.where(np.isin(examples.labels, known))
    return _classifier(examples, known, folder), examples


def instrument_classifier(corpus: Corpus, folder: Path | None = CACHE) -> tuple[Classifier, Examples]:
    """The classifier of the instruments of a corpus of notes, and their features."""
    examples = _kept(f"notes {corpus.data_hash}", folder, lambda: _all_notes(corpus))
    known = sorted(map(str, set(examples.train.labels)))
    if len(known) < 2:
        raise HocketError(f"{corpus.folder} has too few instruments for a classifier: at least two are needed")
    return _classifier(examples, known, folder), examples


# --- examples of a corpus


def windows(clips: Sequence[Clip], rate: int, seconds: float = CLIP_SECONDS) -> list[tuple[Clip, int]]:
    """Windows of ten seconds, side by side, of clips that are as long: (clip, first frame)."""
    frames = int(seconds * rate)
    return [(clip, start) for clip in clips for start in range(0, clip.frames - frames + 1, frames)]


def spread(found: Sequence[Any], most: int) -> list[Any]:
    """At most `most`, evenly from the whole list."""
    count = min(most, len(found))
    return [found[i * len(found) // count] for i in range(count)]


def _all_clips(corpus: Corpus) -> Examples:
    frames = int(CLIP_SECONDS * corpus.rate)
    rows, facts = [], []
    for genre in sorted({clip.genre for clip in corpus.clips}):
        for split in ("train", "valid", "test"):
            found = windows(corpus.select(split=split, genres=[genre]), corpus.rate)
            for clip, start in spread(found, PER_LABEL if split == "train" else PER_LABEL // 4):
                rows.append(clip_features(corpus.read(clip, start, frames), corpus.rate))
                facts.append((genre, clip.group or clip.path, split))
    return _examples(rows, facts)


def _all_notes(corpus: Corpus) -> Examples:
    notes = [clip for clip in corpus.clips if clip.instrument and clip.pitch >= 0]
    rows = [note_features(corpus.read(clip), corpus.rate, clip.pitch) for clip in notes]
    # Velocities of a pitch share a recording, and so may a neighbour's: a fold takes them together.
    return _examples(rows, [(c.instrument, f"{c.instrument} {c.pitch // 2}", c.split) for c in notes])


def _examples(rows: list[Features], facts: list[tuple[str, str, str]]) -> Examples:
    if not rows:
        raise HocketError("the corpus has nothing to learn from: prepare more audio, or other genres")
    labels, groups, splits = (np.array(column) for column in zip(*facts, strict=True))
    return Examples(np.stack(rows), labels, groups, splits)


# --- learning


def _classifier(examples: Examples, labels: Sequence[str], folder: Path | None) -> Classifier:
    digest = hashlib.sha256(
        np.ascontiguousarray(examples.rows).tobytes() + ",".join(examples.labels).encode()
    ).hexdigest()
    path = folder / f"classifier-{VERSION}-{digest[:16]}.npz" if folder else None
    if path and path.is_file():
        with np.load(path, allow_pickle=False) as kept:
            weights = tuple(kept[f"arr_{i}"] for i in range(8))
            return Classifier(tuple(str(label) for label in kept["labels"]), weights, json.loads(str(kept["figures"])))
    train, held = examples.train, examples.held_out
    classifier = Classifier(tuple(labels), _learn(train, labels, STEPS))
    in_folds = _folds(train, labels)
    tried = classifier.recognised(held)
    classifier.figures.update(
        folds=float(np.mean(list(in_folds.values()))),
        held_out=float(np.mean(list(tried.values()))) if tried else None,
        by_label=in_folds | tried,
        heard={"train": len(train.rows), "held_out": len(held.rows)},
    )
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npz")
        np.savez(part, *classifier.weights, labels=list(classifier.labels), figures=json.dumps(classifier.figures))
        part.replace(path)
    return classifier


def _folds(examples: Examples, labels: Sequence[str]) -> dict[str, float]:
    """Label -> accuracy on tracks or pieces that were not trained on."""
    groups, of = np.unique(examples.groups, return_inverse=True)
    fold = np.random.default_rng(0).permutation(len(groups))[of] % FOLDS
    right = np.zeros(len(of), bool)
    for number in range(FOLDS):
        out = fold == number
        if out.any() and not out.all():
            labelled = Classifier(tuple(labels), _learn(examples.where(~out), labels, STEPS_IN_FOLDS)).classify(
                examples.rows[out]
            )
            right[out] = np.array(labelled) == examples.labels[out]
    return {label: float(right[examples.labels == label].mean()) for label in labels}


def _learn(examples: Examples, labels: Sequence[str], steps: int) -> tuple[NDArray[np.float32], ...]:
    """Three layers; every label is drawn as often, and every track of a label as often."""
    mean, deviation = examples.rows.mean(0), examples.rows.std(0) + 0.1
    x = torch.from_numpy((examples.rows - mean) / deviation)
    numbers = {label: number for number, label in enumerate(labels)}
    y = torch.tensor([numbers[str(label)] for label in examples.labels])
    draws = torch.from_numpy(_draws(examples))
    generator = torch.Generator().manual_seed(1)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = torch.nn.Sequential(
            torch.nn.Linear(x.shape[1], HIDDEN),
            torch.nn.ReLU(),
            torch.nn.Dropout(DROPOUT),
            torch.nn.Linear(HIDDEN, EMBEDDING),
            torch.nn.ReLU(),
            torch.nn.Linear(EMBEDDING, len(labels)),
        )
        optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
        for _ in range(steps):
            rows = torch.multinomial(draws, BATCH, replacement=True, generator=generator)
            seen = x[rows] + NOISE * torch.randn(BATCH, x.shape[1], generator=generator)
            loss = torch.nn.functional.cross_entropy(net(seen), y[rows], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    layers = [array for i in (0, 3, 5) for array in (net[i].weight.T, net[i].bias)]
    return mean, deviation, *(np.ascontiguousarray(layer.detach().numpy()) for layer in layers)


def _draws(examples: Examples) -> NDArray[np.float32]:
    """How often each example is drawn."""
    _, group, in_group = np.unique(examples.groups, return_inverse=True, return_counts=True)
    each = 1 / in_group[group]
    for label in np.unique(examples.labels):
        own = examples.labels == label
        each[own] /= each[own].sum()
    return (each / each.sum()).astype(np.float32)


# --- features are kept: they take longer than the training


def _kept(key: str, folder: Path | None, extract: Callable[[], Examples]) -> Examples:
    if folder is None:
        return extract()
    path = folder / f"examples-{hashlib.sha256(f'{VERSION} {key}'.encode()).hexdigest()[:16]}.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as kept:
            return Examples(kept["rows"], kept["labels"], kept["groups"], kept["splits"])
    examples = extract()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.npz")
    np.savez_compressed(
        part, rows=examples.rows, labels=examples.labels, groups=examples.groups, splits=examples.splits
    )
    part.replace(path)
    return examples
