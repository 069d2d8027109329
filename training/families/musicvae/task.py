"""The task of MusicVAE.

Loss a step: the nats of its token, and `beta` times the KL divergence beyond `free_bits`. A decoder that gets every
previous token ignores z, and free-running it goes wrong from its first wrong note on; so a share of previous tokens,
`token_dropout`, is hidden from it (Bowman et al., 2016). It has to read z, which free-running accuracy depends on.
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
from training.core import ranks
from training.core.ranges import Count, NotNegative, Share
from training.core.recipe import Recipe
from training.data.notes import phrases
from training.data.notes.shards import Shards, training_pieces
from training.families import task as tasks
from training.families.losses import kl_from_standard_normal

BITS = math.log(2)  # nats


@dataclass(frozen=True, slots=True)
class Train(tasks.Train):
    """Settings of MusicVAE, in addition to those of every family.

    beta: weight of the KL divergence, reached after the share `beta_warmup` of the run; free_bits: bits of it without
    cost (Kingma et al., 2016); token_dropout: share of the previous tokens that are hidden from the decoder; balance:
    0 = genres evenly, 1 = by their number of phrases; valid_phrases: for validation.
    """

    beta: NotNegative = 0.1
    beta_warmup: Share = 0.3
    free_bits: NotNegative = 48.0
    token_dropout: Share = 0.4
    balance: Share = 0.8
    valid_phrases: Count = 512


@dataclass(frozen=True, slots=True)
class Score(tasks.FieldScore):
    """Accuracy a step on held-out phrases, with the true tokens before (teacher forcing) and free-running at
    temperature 1; the same of the steps with an onset alone; bits: of the KL divergence."""

    teacher_forced: float
    free_running: float
    teacher_forced_onsets: float
    free_running_onsets: float
    bits: float

    @property
    def total(self) -> float:
        """The error rate, free-running."""
        return 1 - self.free_running

    def line(self) -> str:
        """One line for a log."""
        return "accuracy a step: " + "  ".join(f"{name} {v:.3f}" for name, v in self.mean_by_field().items())


class PhraseTask:
    """A `Task`: phrases in, phrases out. Batches depend on their number only, so no state is carried over."""

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
        self.size = self.train.batch_size
        self.phrases = phrases.collect(shards, pieces, genres, self.shape, self.sampling)
        if not len(self.phrases):
            raise HocketError(f"no phrases of {self.shape.bars} bars of {self.shape.kind} in 4/4: prepare more data")
        self.valid = validation_phrases(shards, self.phrases, genres, recipe)
        counts = np.bincount(self.phrases.genre, minlength=len(genres)).astype(float)
        each = np.maximum(counts, 1) ** (self.train.balance - 1)
        self.shares = each[self.phrases.genre] / each[self.phrases.genre].sum()

    def losses(self, network: nn.Module, rng: np.random.Generator, progress: float) -> dict[str, Tensor]:
        """Nats a step: total, of the tokens, and all those of the divergence, in bits."""
        train = self.train
        drawn = rng.choice(len(self.phrases), train.batch_size, p=self.shares)
        rows = phrases.varied(self.phrases.tokens[drawn], self.shape, self.sampling, rng)[ranks.share(len(drawn))]
        tokens = torch.from_numpy(rows.astype(np.int64)).to(self.device)
        mean, deviation = network.encode(tokens)
        z = mean + deviation.exp() * torch.randn_like(mean)
        inputs = network.before(tokens)
        inputs = torch.where(torch.rand_like(inputs, dtype=torch.float) < train.token_dropout, network.unknown, inputs)
        logits = network(z, inputs)
        nats = F.cross_entropy(logits.flatten(0, 1).float(), tokens.flatten())
        divergence = ranks.over_batch(kl_from_standard_normal(mean, deviation).mean())
        beta = train.beta * min(1.0, progress / train.beta_warmup) if train.beta_warmup else train.beta
        total = nats + beta * F.relu(divergence - train.free_bits * BITS) / self.shape.steps
        return {"total": total, "nats": nats, "bits": divergence / BITS}

    def validate(self, network: nn.Module) -> Score:
        """Accuracy a step on held-out phrases."""
        return score(network, self.valid.tokens, self.device)

    def restore(self, place: Any, memory: tuple[Tensor, ...]) -> None:
        """There is no state."""


def held_out(
    shards: Shards, split: str | None, seen: phrases.Phrases, genres: tuple[str, ...], recipe: Recipe
) -> phrases.Phrases:
    """Phrases of a split (None: of all) that are not in `seen`, spread over all of them, `valid_phrases` at most."""
    shape = recipe.model.shape
    found = phrases.collect(shards, shards.select(split=split), genres, shape, recipe.sampling)
    found = phrases.without(found, seen, shape)
    most = min(len(found), recipe.train.valid_phrases)
    return found.chosen(np.linspace(0, len(found) - 1, most).astype(int)) if most else found


def validation_phrases(
    shards: Shards, seen: phrases.Phrases, genres: tuple[str, ...], recipe: Recipe
) -> phrases.Phrases:
    """Held-out phrases; of a corpus too small to have any, some of those `seen`."""
    held = held_out(shards, "valid", seen, genres, recipe)
    most = min(len(seen), recipe.train.valid_phrases)
    return held if len(held) else seen.chosen(np.linspace(0, len(seen) - 1, most).astype(int))


@torch.no_grad()
def teacher_forced_accuracy(model: Any, rows: NDArray[np.int16]) -> float:
    """Share of the steps of phrases (n, steps) whose likeliest token is right, teacher-forced."""
    tokens = torch.from_numpy(rows.astype(np.int64))
    mean, _ = model.encode(tokens)
    return float((model(mean, model.before(tokens)).argmax(-1) == tokens).float().mean())


@torch.no_grad()
def score(network: Any, rows: NDArray[np.int16], device: str = "cpu") -> Score:
    """Reconstruction of phrases (n, steps) from the means of their posteriors."""
    tokens = torch.from_numpy(rows.astype(np.int64)).to(device)
    mean, deviation = network.encode(tokens)
    shares = network(mean, network.before(tokens)).softmax(-1)
    generator = torch.Generator().manual_seed(0)
    guess = torch.multinomial(shares.flatten(0, 1).cpu(), 1, generator=generator).view(tokens.shape).to(device)
    free = network.sample(mean, generator)
    onset = torch.from_numpy(network.shape.onsets(rows)).to(device)
    right = [(found == tokens).float() for found in (guess, free)]
    return Score(
        *(float(r.mean()) for r in right),
        *(float(r[onset].mean()) for r in right),
        float(kl_from_standard_normal(mean, deviation).mean()) / BITS,
    )
