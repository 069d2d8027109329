"""Learning phrases: the task of MusicVAE.

Loss a step: the nats of its token, and `beta` times the nats by which the posterior tells more than `free`. An
LSTM that is told every token before hardly listens to z, and free-running it errs from the first wrong note on; so
a share of the tokens before, `hidden`, is not told to the decoder. It has to ask z, which is what free-running
accuracy is made of.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from instrument.errors import HocketError
from training.core.recipe import Recipe
from training.data.notes import phrases
from training.data.notes.shards import Shards, training_pieces
from training.families import task as tasks
from training.families.losses import kl_from_standard_normal

BITS = math.log(2)  # nats


@dataclass(frozen=True, slots=True)
class Train(tasks.Train):
    """beta: weight of the divergence, reached after the first `beta_rise` of the run; free: bits of it that cost
    nothing; hidden: share of the tokens before that the decoder is not told; balance: 0 = genres evenly, 1 = by
    their number of phrases; valid_phrases: for validation."""

    beta: float = 0.1
    beta_rise: float = 0.3
    free: float = 48.0
    hidden: float = 0.4
    balance: float = 0.8
    valid_phrases: int = 512


@dataclass(frozen=True, slots=True)
class Score:
    """Accuracies a step on held-out phrases: told the tokens before, and free-running at temperature 1; of the
    steps where something starts, likewise; bits: of the divergence."""

    told: float
    free: float
    told_onsets: float
    free_onsets: float
    bits: float

    @property
    def total(self) -> float:
        """The share of steps that go wrong free-running."""
        return 1 - self.free

    def mean_by_field(self) -> dict[str, float]:
        """All figures."""
        return {name: round(getattr(self, name), 4) for name in self.__slots__}

    def line(self) -> str:
        """One line for a log."""
        return "accuracy a step: " + "  ".join(f"{name} {v:.3f}" for name, v in self.mean_by_field().items())


class PhraseTask:
    """A `Task`: phrases in, phrases out. Batches are drawn by their number alone, so nothing is carried on."""

    Train = Train
    Sampling = phrases.Sampling
    unit = "phrases"
    place: Any = None
    memory: tuple[Tensor, ...] = ()

    def __init__(self, recipe: Recipe, device: str = "cpu") -> None:
        """HocketError if the recipe's data is not there, or holds nothing to learn from."""
        shards, pieces, genres = training_pieces(recipe.data)
        self.genres, self.data_hash = genres, shards.data_hash
        self.train, self.sampling, self.device = recipe.train, recipe.sampling, device
        self.shape = recipe.model.shape
        self.size = self.train.lanes
        self.phrases = phrases.collect(shards, pieces, genres, self.shape, self.sampling)
        if not len(self.phrases):
            raise HocketError(f"no phrases of {self.shape.bars} bars of {self.shape.kind} in 4/4: prepare more data")
        self.valid = to_judge_by(shards, self.phrases, genres, recipe)
        counts = np.bincount(self.phrases.genre, minlength=len(genres)).astype(float)
        each = np.maximum(counts, 1) ** (self.train.balance - 1)
        self.shares = each[self.phrases.genre] / each[self.phrases.genre].sum()

    def losses(self, network: nn.Module, rng: np.random.Generator, progress: float) -> dict[str, Tensor]:
        """Nats a step: total, of the tokens, and all those of the divergence, in bits."""
        train = self.train
        drawn = rng.choice(len(self.phrases), train.lanes, p=self.shares)
        rows = phrases.varied(self.phrases.tokens[drawn], self.shape, self.sampling, rng)
        tokens = torch.from_numpy(rows.astype(np.int64)).to(self.device)
        mean, deviation = network.encode(tokens)
        z = mean + deviation.exp() * torch.randn_like(mean)
        inputs = network.before(tokens)
        inputs = torch.where(torch.rand_like(inputs, dtype=torch.float) < train.hidden, network.unknown, inputs)
        logits = network(z, inputs)
        nats = F.cross_entropy(logits.flatten(0, 1).float(), tokens.flatten())
        told = kl_from_standard_normal(mean, deviation).mean()
        beta = train.beta * min(1.0, progress / train.beta_rise) if train.beta_rise else train.beta
        total = nats + beta * F.relu(told - train.free * BITS) / self.shape.steps
        return {"total": total, "nats": nats, "bits": told / BITS}

    def validate(self, network: nn.Module) -> Score:
        """Accuracy a step on held-out phrases."""
        return score(network, self.valid.tokens, self.device)

    def restore(self, place: Any, memory: tuple[Tensor, ...]) -> None:
        """Nothing is carried on."""


def held_out(
    shards: Shards, split: str | None, seen: phrases.Phrases, genres: tuple[str, ...], recipe: Recipe
) -> phrases.Phrases:
    """Phrases of a split (None: of all) that are not in `seen`, spread over all of them, `valid_phrases` at most."""
    shape = recipe.model.shape
    found = phrases.collect(shards, shards.select(split=split), genres, shape, recipe.sampling)
    found = phrases.without(found, seen, shape)
    most = min(len(found), recipe.train.valid_phrases)
    return found.chosen(np.linspace(0, len(found) - 1, most).astype(int)) if most else found


def to_judge_by(shards: Shards, seen: phrases.Phrases, genres: tuple[str, ...], recipe: Recipe) -> phrases.Phrases:
    """Phrases kept back; of a corpus so small that none are, some of those `seen`."""
    held = held_out(shards, "valid", seen, genres, recipe)
    most = min(len(seen), recipe.train.valid_phrases)
    return held if len(held) else seen.chosen(np.linspace(0, len(seen) - 1, most).astype(int))


@torch.no_grad()
def told_accuracy(model: Any, rows: NDArray[np.int16]) -> float:
    """Share of the steps of phrases (n, steps) whose likeliest token is right, told those before."""
    tokens = torch.from_numpy(rows.astype(np.int64))
    mean, _ = model.encode(tokens)
    return float((model(mean, model.before(tokens)).argmax(-1) == tokens).float().mean())


@torch.no_grad()
def score(network: Any, rows: NDArray[np.int16], device: str = "cpu") -> Score:
    """Reconstruction of phrases (n, steps) from the means of their posteriors."""
    tokens = torch.from_numpy(rows.astype(np.int64)).to(device)
    mean, deviation = network.encode(tokens)
    told = network(mean, network.before(tokens)).softmax(-1)
    generator = torch.Generator().manual_seed(0)
    guess = torch.multinomial(told.flatten(0, 1).cpu(), 1, generator=generator).view(tokens.shape).to(device)
    free = network.sample(mean, generator)
    onset = torch.from_numpy(network.shape.onsets(rows)).to(device)
    right = [(found == tokens).float() for found in (guess, free)]
    return Score(
        *(float(r.mean()) for r in right),
        *(float(r[onset].mean()) for r in right),
        float(kl_from_standard_normal(mean, deviation).mean()) / BITS,
    )
