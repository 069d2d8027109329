"""The task of `gansynth`: regression of the maps of whole notes.

The network's maps are compared with those of the note (`note_spectra.analyse`): absolute differences of log magnitudes,
with a low floor (every bin counts) and a high one (what is audible counts), of partials as far as they stand out of the
noise, and of the frequencies of partials, weighted by how certain they are. A partial counts as many bins as its lobe
has, noise as many as are left between. Half of the batch has z = 0, so that the latent carries only what instrument,
pitch and velocity do not determine. Held-out notes are validated by the spectrogram that the maps give.

With `adversarial_weight` above 0 there is a critic too (`families.gansynth.critic`): non-saturating losses, R1 every
few batches, and it classifies the pitch. Its learning rate goes down a cosine, the generator's down steps.
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

from instrument.models.sound import note_spectra as ns
from training.core import ranks
from training.core.ranges import Count, NotNegative, Positive, Share, Whole
from training.core.recipe import Recipe
from training.data.sound.corpus import Corpus
from training.families import task as tasks
from training.families.gansynth.critic import Critic, image, made_spectra, real_spectra
from training.families.gansynth.differences import Prediction, judge, lobes, map_differences
from training.families.gansynth.notes import BINS, WIDTH, Notes, learnable
from training.families.losses import kl_from_standard_normal

LOUD = 3.0  # weight of what is audible


@dataclass(frozen=True, slots=True)
class Sampling:
    """balance: 0 = instruments evenly, 1 = by their number of notes; frames: of a note, in a batch."""

    balance: Share = 0.3
    frames: Count = 12


@dataclass(frozen=True, slots=True)
class Train(tasks.Train):
    """Settings of `gansynth`, in addition to those of every family.

    frequency_weight: of the error of frequencies; kl_weight: of the KL divergence of the latent; pitch_jitter: standard
    deviation, in semitones, of the error of the pitch given to the network, so that pitches without a recording sound
    like their neighbours; adversarial_weight: of the critic's judgement, 0 for no critic; critic_learning_rate,
    critic_channels; critic_batch_size, critic_frames: notes in a batch, and their frames, that the critic sees;
    pitch_weight: of the pitch that the critic classifies; r1_weight: of the gradient penalty (R1, Mescheder et al.,
    2018), every `r1_every` batches; critic_warmup_batches: batches before the generator learns from the critic;
    learning_rate_halvings: how often the generator's learning rate is halved, 0 for a cosine.
    """

    frequency_weight: NotNegative = 0.3
    kl_weight: NotNegative = 0.004
    pitch_jitter: NotNegative = 0.0
    adversarial_weight: NotNegative = 0.0
    critic_learning_rate: Positive = 4e-4
    critic_channels: Count = 16
    critic_batch_size: Count = 6
    critic_frames: Count = 32
    pitch_weight: NotNegative = 1.0
    r1_weight: NotNegative = 2.0
    r1_every: Count = 8
    critic_warmup_batches: Whole = 100
    learning_rate_halvings: Whole = 0

    def rate_at(self, batch: int, progress: float) -> float:
        """Halved `learning_rate_halvings` times on the way, or down a cosine."""
        if not self.learning_rate_halvings:
            return super(Train, self).rate_at(batch, progress)
        return (
            self.learning_rate
            * min(1.0, (batch + 1) / self.warmup_batches)
            * 0.5 ** int(min(progress, 0.999) * (self.learning_rate_halvings + 1))
        )


@dataclass(frozen=True, slots=True)
class Score(tasks.FieldScore):
    """Mean differences of held-out notes with z = 0: of log magnitudes over both floors (nats), and of
    frequencies (percent)."""

    fine: float
    coarse: float
    tuning: float

    @property
    def total(self) -> float:
        """The weighted sum, as in the loss."""
        return self.fine + LOUD * self.coarse + 0.3 * self.tuning

    def line(self) -> str:
        """One line for a log."""
        return "  ".join(f"{name} {v:.3f}" for name, v in self.mean_by_field().items())


class NoteSpectraTask:
    """A `Task`: notes by instrument, pitch and velocity. Batches are drawn by their number alone."""

    Train = Train
    Sampling = Sampling
    rate = ns.RATE
    unit = "frames"
    place: Any = None

    def __init__(self, recipe: Recipe, device: str = "cpu") -> None:
        """HocketError if the recipe's data is not there, or holds nothing to learn from."""
        corpus = Corpus.open(recipe.data.folder)
        splits, self.genres = learnable(corpus, recipe.data.ship_only)
        self.data_hash, self.train, self.sampling = corpus.data_hash, recipe.train, recipe.sampling
        self.device = device
        self.size = self.train.batch_size * self.sampling.frames
        self.corpus = corpus
        self.notes = Notes(corpus, splits["train"], self.genres, recipe.model.frames)
        self.valid = Notes(corpus, splits["valid"] or splits["train"][:64], self.genres, recipe.model.frames)
        counts = np.bincount(self.notes.instrument, minlength=len(self.genres)).astype(float)
        each = np.maximum(counts, 1) ** (self.sampling.balance - 1)
        self.shares = each[self.notes.instrument] / each[self.notes.instrument].sum()
        self.critic: Critic | None = None
        if self.train.adversarial_weight:
            torch.manual_seed(recipe.seed)
            self.critic = Critic(len(self.genres), self.train.critic_channels).to(device)
            self.optimiser = torch.optim.Adam(
                self.critic.parameters(), self.train.critic_learning_rate, betas=(0.0, 0.99)
            )
            self.batch = 0

    # --- a batch

    def losses(self, network: nn.Module, rng: np.random.Generator, progress: float) -> dict[str, Tensor]:
        """total; fine and coarse: nats a bin; tuning: percent; nats: of the KL divergence; with a critic, of both."""
        train, notes = self.train, self.notes
        rows = rng.choice(len(notes.clips), train.batch_size, p=self.shares)
        frames = (rng.random((train.batch_size, self.sampling.frames)) ** 1.5 * notes.valid[rows, None]).astype(
            np.int64
        )
        mine = ranks.share(train.batch_size)
        rows, frames = rows[mine], frames[mine]
        hot = F.one_hot(self._tensor(notes.instrument[rows]), len(self.genres)).float()
        mean, deviation = network.encode(self._tensor(notes.summary[rows]), hot)
        with_latent = torch.rand(len(rows), 1, device=self.device) < 0.5
        z = torch.where(with_latent, mean + deviation.exp() * torch.randn_like(mean), 0.0)
        jitter = train.pitch_jitter * torch.randn(len(rows), device=self.device)
        predicted = Prediction.of(network, notes, rows, frames, z, jitter)
        fine, coarse = map_differences(predicted, notes, rows, frames)
        tuning = predicted.tuning
        nats = kl_from_standard_normal(mean, deviation).mean()
        total = fine + LOUD * coarse + train.frequency_weight * tuning + train.kl_weight * nats
        found = {"total": total, "fine": fine, "coarse": coarse, "tuning": tuning, "nats": nats}
        if self.critic is not None:
            found |= self._adversary(network, rng, progress)
            found["total"] = (
                total
                + train.adversarial_weight * found["adversarial"]
                + train.pitch_weight * train.adversarial_weight * found["pitch"]
            )
        return found

    def _adversary(self, network: nn.Module, rng: np.random.Generator, progress: float) -> dict[str, Tensor]:
        """Train the critic for a step; returns its losses for the generator."""
        train, notes, critic = self.train, self.notes, self.critic
        assert critic is not None
        count = train.critic_frames + 1
        rows = rng.choice(len(notes.clips), train.critic_batch_size, p=self.shares)
        rows = rows[ranks.share(len(rows))]
        late = np.maximum(notes.valid[rows] - count, 0)
        first = (rng.random(train.critic_batch_size)[ranks.share(train.critic_batch_size)] ** 2 * (late + 1)).astype(
            np.int64
        )
        kind, pitch, start = self._tensor(notes.instrument[rows]), self._tensor(notes.pitch[rows]), self._tensor(first)
        hot = F.one_hot(kind, len(self.genres)).float()
        summary = self._tensor(notes.summary[rows])
        with torch.no_grad():
            mean, deviation = network.encode(summary, hot)
            z = mean + deviation.exp() * torch.randn_like(mean)
        frames = self._tensor(np.minimum(first[:, None] + np.arange(count), network.config.frames - 1))
        level, off, noise = network(hot, z, pitch, self._tensor(notes.velocity[rows]), frames)
        power = torch.exp(2 * noise @ self._tensor(ns.bands(WIDTH, BINS)))
        made = image(made_spectra(level, off, power, lobes(pitch, off.mean(1), np.arange(BINS)), pitch, start), pitch)
        length = (network.config.frames + 4) * ns.HOP
        sound = self._tensor(np.stack([self.corpus.read(notes.clips[i], 0, length) for i in rows]))
        real = image(real_spectra(sound, start, count), pitch)
        for group in self.optimiser.param_groups:
            group["lr"] = train.critic_learning_rate * (
                0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
            )
        punished = self.batch % train.r1_every == 0
        real.requires_grad_(punished)
        right, name = critic(real, kind)
        wrong, _ = critic(made.detach(), kind)
        loss = F.softplus(-right).mean() + F.softplus(wrong).mean()
        loss = loss + train.pitch_weight * F.cross_entropy(name, pitch.long())
        if punished:
            (slope,) = torch.autograd.grad(right.sum(), real, create_graph=True)
            loss = loss + train.r1_every * train.r1_weight / 2 * (slope**2).sum((1, 2, 3)).mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        ranks.average_gradients(critic.parameters())
        self.optimiser.step()
        for parameter in critic.parameters():
            parameter.requires_grad_(False)
        fooled, name = critic(made, kind)
        for parameter in critic.parameters():
            parameter.requires_grad_(True)
        self.batch += 1
        share = float(self.batch > train.critic_warmup_batches)
        return {
            "adversarial": share * F.softplus(-fooled).mean(),
            "pitch": share * F.cross_entropy(name, pitch.long()),
            "critic_gap": (right.mean() - wrong.mean()).detach(),
        }

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self.device)

    @torch.no_grad()
    def validate(self, network: nn.Module) -> Score:
        """Differences on held-out notes with z = 0."""
        return Score(*judge(network, self.valid))

    # --- keeping

    @property
    def memory(self) -> tuple[Tensor, ...]:
        """The critic and its optimiser's moments."""
        if self.critic is None:
            return ()
        kept = [p.detach() for p in self.critic.parameters()]
        for parameter in self.critic.parameters():
            state = self.optimiser.state.get(parameter, {})
            kept += [state.get(n, torch.zeros_like(parameter)) for n in ("exp_avg", "exp_avg_sq")]
        return (*kept, torch.tensor([self.batch]))

    def restore(self, place: Any, memory: tuple[Tensor, ...]) -> None:
        """Take up the critic where it was."""
        if self.critic is None or not memory:
            return
        parameters = list(self.critic.parameters())
        self.batch = int(memory[-1])
        for i, parameter in enumerate(parameters):
            parameter.data = memory[i].clone().to(self.device)
            average, square = (memory[len(parameters) + 2 * i + j].clone().to(self.device) for j in (0, 1))
            self.optimiser.state[parameter] = {
                "step": torch.tensor(float(self.batch)),
                "exp_avg": average,
                "exp_avg_sq": square,
            }
