"""The task of the mel GAN, in two phases.

First the coder is computed from the training music, which takes seconds. In the first phase the prior learns which
codes follow which, in each genre; some windows change genre on the way, so that a turned knob takes effect at once.
In the second the generator learns to turn codes into mels, those of music and those that the prior generated, so that a
critic takes them for music.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from instrument.errors import HocketError
from instrument.models.sound.spectral import MelFormat
from training.core import ranks
from training.core.ranges import AtLeastTwo, Count, NotNegative, Positive, Share
from training.core.recipe import Recipe
from training.data.sound.corpus import Clip, Corpus
from training.data.sound.mels import Mels
from training.families import task as tasks
from training.families.cmelgan.critic import Critic, critic_loss, generator_losses
from training.families.losses import kl_from_standard_normal

BITS = math.log(2)  # nats
PRIOR, CRITIC = range(2)
STEPS = ((0.0, 1.0), (0.6, 0.3), (0.85, 0.1))  # of a phase, the learning rate's share from there on
PATCHES = 24000  # latent frames that the coder is found from
LEAST = 4  # clips of a genre
QUIET = -0.6  # the loudest mel of a latent frame that counts as silent: some 35 dB below music
RESTS = 0.04  # of a window may be silent


@dataclass(frozen=True, slots=True)
class Train(tasks.Train):
    """Settings of `cmelgan`, in addition to those of every family.

    prior_share: share of the run in which the prior is trained; critic_learning_rate: of generator and critic in the
    rest, the critic's down a cosine; mel_weight: of the distance of mels; feature_matching_weight: of the distance of
    the critic's features; free_bits: bits of a style without cost (Kingma et al., 2016); balance: 0 = genres evenly,
    1 = by their number of clips; genre_minutes: training sound of each genre, at most; valid_clips: for validation.
    """

    prior_share: Share = 0.55
    critic_learning_rate: Positive = 3e-4
    mel_weight: NotNegative = 4.0
    feature_matching_weight: NotNegative = 2.0
    free_bits: NotNegative = 16.0
    balance: Share = 0.3
    genre_minutes: Positive = 60.0
    valid_clips: Count = 48

    def phase(self, progress: float) -> tuple[int, float]:
        """Which phase `progress` (0..1 of the run) is in, and how far into it."""
        if progress < self.prior_share:
            return PRIOR, progress / self.prior_share
        return CRITIC, min(1.0, (progress - self.prior_share) / max(1 - self.prior_share, 1e-9))

    def phases(self) -> tuple[tuple[float, float], ...]:
        """The prior's, and the critic's."""
        return (0.0, self.prior_share), (self.prior_share, 1 - self.prior_share)

    def rate_at(self, batch: int, progress: float) -> float:
        """A step schedule that starts again in each phase."""
        phase, within = self.phase(progress)
        rate = (
            self.critic_learning_rate
            if phase == CRITIC
            else self.learning_rate * min(1.0, (batch + 1) / self.warmup_batches)
        )
        return rate * [share for start, share in STEPS if within >= start][-1]


@dataclass(frozen=True, slots=True)
class Sampling:
    """sequence_length: latent frames of a window for the prior; splice: share of windows that change to another on the
    way; code_noise: share of the previous codes that are replaced at random (the prior will make mistakes itself);
    primer_length: latent frames given to the prior, and generated_length: those that it adds, for the critic."""

    sequence_length: Count = 128
    splice: Share = 0.3
    code_noise: Share = 0.05
    primer_length: Count = 8
    generated_length: AtLeastTwo = 16


@dataclass(frozen=True, slots=True)
class Score(tasks.FieldScore):
    """On held-out music. near: mean difference of a mel after coding and generation; bits: of a code under the prior;
    style: bits of a style; distance: between generated windows and real ones (`distance`); phase: phase of the run."""

    near: float
    bits: float
    style: float
    distance: float
    phase: int

    @property
    def total(self) -> float:
        """The distance; the later phase counts first, as the generator is trained in it."""
        return self.distance + 100.0 * (CRITIC - self.phase)

    def line(self) -> str:
        """One line for a log."""
        return "  ".join(f"{name} {value:.3f}" for name, value in self.mean_by_field().items())


class StreamTask:
    """A `Task`: mels in, codes and mels out. Owns the critic."""

    Train = Train
    Sampling = Sampling
    rate = MelFormat().rate
    unit = "frames"
    continued = False

    def __init__(self, recipe: Recipe, device: str = "cpu") -> None:
        """HocketError if the recipe's data is not there, or holds nothing to learn from."""
        self.train, self.sampling, self.device = recipe.train, recipe.sampling, device
        self.config = recipe.model
        corpus = Corpus.open(recipe.data.folder)
        self.data_hash = corpus.data_hash
        self.size = self.train.batch_size * self.sampling.sequence_length
        clips = learnt(corpus, recipe)
        self.genres = tuple(sorted({clip.genre for clip in clips}))
        there = Counter(c.genre for c in long_enough(corpus.select("train", ship_only=recipe.data.ship_only), recipe))
        if len(self.genres) < 2:
            found = ", ".join(f"{count} of {genre}" for genre, count in sorted(there.items()))
            seconds = recipe.sampling.sequence_length * self.config.stride * MelFormat().hop / self.rate
            raise HocketError(
                f"{corpus.folder} has too little to learn from: two genres are needed with {LEAST} clips each of "
                f"{seconds:.1f} s or longer, besides those held out, and there are {found or 'none'}: prepare more"
            )
        if few := sorted(set(there) - set(self.genres)):
            print(f"left out, with fewer than {LEAST} clips to learn from: {', '.join(few)}", flush=True)
        self.mels = Mels(corpus, clips, MelFormat(mels=self.config.mels), self.config.stride)
        self.starts = sounding(self.mels, self.genres, self.sampling.sequence_length)
        for genre, starts in zip(self.genres, self.starts, strict=True):
            if not len(starts):
                raise HocketError(f"{corpus.folder}: all clips of {genre!r} have long rests: exclude them")
        shares = np.array([float(len(starts)) for starts in self.starts]) ** self.train.balance
        self.shares = shares / shares.sum()
        self.valid = Mels(corpus, held_out(corpus, recipe, self.genres), self.mels.format, self.config.stride)
        self.valid_genre = np.array([self.genres.index(clip.genre) for clip in self.valid.clips])
        self.phase = PRIOR
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.critic = Critic(self.config.mels, len(self.genres)).to(device)
        self.optimiser = torch.optim.Adam(self.critic.parameters(), self.train.critic_learning_rate, betas=(0.5, 0.9))
        self.judged = 0
        self._codes: Tensor | None = None

    # --- batches

    def losses(self, network: nn.Module, rng: np.random.Generator, progress: float) -> dict[str, Tensor]:
        """Of the phase that `progress` is in."""
        if not network.coder.found:
            network.find(self._patches().to(self.device))
        if self._codes is None:
            self._codes = encoded(network, self.mels)
        self.phase, within = self.train.phase(progress)
        return (self._prior_losses, self._critic_losses)[self.phase](network, rng, within)

    def _placed(self, rng: np.random.Generator, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Genres of so many windows, and their first latent frames."""
        genres = rng.choice(len(self.genres), count, p=self.shares)
        return genres, np.array([rng.choice(self.starts[g]) for g in genres])

    def _patches(self) -> Tensor:
        """Two latent frames' worth of mels each (count, 2 * stride, mels), by the shares of the genres."""
        rng, stride = np.random.default_rng(0), self.config.stride
        _, first = self._placed(rng, PATCHES)
        first += rng.integers(self.sampling.sequence_length - 1, size=PATCHES)
        return torch.from_numpy(self.mels.at(first * stride, 2 * stride))

    def _drawn(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, NDArray[np.int64]]:
        """Codes (batch, sequence, groups) of windows, their genres (batch, genres), and their first mel frames."""
        length, stride = self.sampling.sequence_length, self.config.stride
        genres, first = (x[ranks.share(len(x))] for x in self._placed(rng, self.train.batch_size))
        assert self._codes is not None
        codes = torch.stack([self._codes[at : at + length] for at in first]).long()
        genre = F.one_hot(torch.from_numpy(genres), len(self.genres)).float()
        return codes.to(self.device), genre.to(self.device), first * stride

    def _prior_losses(self, network: nn.Module, rng: np.random.Generator, _: float) -> dict[str, Tensor]:
        codes, genre, _ = self._drawn(rng)
        length = codes.shape[1]
        mean, deviation = network.styles(codes)
        style = mean + deviation.exp() * torch.randn_like(mean)
        style, genre = (x[:, None].expand(-1, length, -1) for x in (style, genre))
        whole = self.train.batch_size
        at = rng.integers(length // 8, length - length // 8, whole)
        at[rng.random(whole) >= self.sampling.splice] = length
        at = at[ranks.share(whole)]
        other = (torch.arange(length)[None] >= torch.from_numpy(at)[:, None])[..., None].to(self.device)
        codes, style, genre = (torch.where(other, x.roll(1, 0), x) for x in (codes, style, genre))
        wrong = torch.rand(codes.shape, device=codes.device) < self.sampling.code_noise
        noisy = torch.where(wrong, torch.randint_like(codes, self.config.codebook_size), codes)
        nats = F.cross_entropy(network.logits(codes, noisy[:, :-1], style, genre).flatten(0, 2), codes.flatten())
        bits = ranks.over_batch(kl_from_standard_normal(mean, deviation).mean()) / BITS
        cost = BITS * F.relu(bits - self.train.free_bits) / (length * self.config.codebooks)
        return {"total": nats + cost, "bits": nats / BITS, "style": bits}

    def _critic_losses(self, network: nn.Module, rng: np.random.Generator, within: float) -> dict[str, Tensor]:
        codes, genre, starts = self._drawn(rng)
        primed, generated, stride = self.sampling.primer_length, self.sampling.generated_length, self.config.stride
        with torch.no_grad():
            style, _ = network.styles(codes)
            generate = network.generate(codes[:, :primed], style, genre, generated)
        real = torch.from_numpy(self.mels.at(starts, (primed + generated) * stride)).to(self.device)
        both = torch.cat([codes[:, : primed + generated], torch.cat([codes[:, :primed], generate], 1)])
        drawn, _ = network.draw(both, genre.repeat(2, 1)[:, None].expand(-1, primed + generated, -1))
        near = F.l1_loss(drawn[: len(real)], real)
        real, drawn = real[:, primed * stride :], drawn[:, primed * stride :]
        for group in self.optimiser.param_groups:
            group["lr"] = self.train.critic_learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * within)))
        judged = critic_loss(self.critic, real, drawn.detach(), genre)
        self.optimiser.zero_grad(set_to_none=True)
        judged.backward()
        ranks.average_gradients(self.critic.parameters())
        self.optimiser.step()
        self.judged += 1
        self.critic.requires_grad_(False)
        fooled, matching = generator_losses(self.critic, real, drawn, genre)
        self.critic.requires_grad_(True)
        total = self.train.mel_weight * near + fooled + self.train.feature_matching_weight * matching
        return {
            "total": total,
            "mel": near,
            "critic": judged.detach(),
            "adversarial": fooled,
            "feature_matching": matching,
        }

    # --- judging

    @torch.no_grad()
    def validate(self, network: nn.Module) -> Score:
        """On held-out clips; generated windows have the styles of these."""
        length, stride = self.sampling.sequence_length, self.config.stride
        mels = torch.from_numpy(self.valid.at(self.valid.starts[:-1], length * stride)).to(self.device)
        genre = F.one_hot(torch.from_numpy(self.valid_genre), len(self.genres)).float().to(self.device)
        moving = genre[:, None].expand(-1, length, -1)
        codes = network.coder.codes(mels)
        near = F.l1_loss(network.draw(codes, moving)[0], mels)
        mean, deviation = network.styles(codes)
        logits = network.logits(codes, codes[:, :-1], mean[:, None].expand(-1, length, -1), moving)
        bits = F.cross_entropy(logits.flatten(0, 2), codes.flatten()) / BITS
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            generate = network.generate(codes[:, :0], mean, genre, length)
        skipped = length // 4 * stride  # it starts without context; the continuation is compared
        apart = distance(network.draw(generate, moving)[0][:, skipped:], mels[:, skipped:], self.valid_genre)
        style = kl_from_standard_normal(mean, deviation).mean() / BITS
        return Score(float(near), float(bits), float(style), apart, CRITIC if self.continued else self.phase)

    # --- keeping

    @property
    def place(self) -> Any:
        """Batches that the critic was trained on, and the phase."""
        return {"judged": self.judged, "act": self.phase}

    @property
    def memory(self) -> tuple[Tensor, ...]:
        """The critic's parameters, and the state of its optimiser once it has one."""
        parameters = list(self.critic.parameters())
        states = [t for p in parameters for _, t in sorted(self.optimiser.state[p].items())] if self.judged else []
        return (*parameters, *states)

    def restore(self, place: Any, memory: tuple[Tensor, ...]) -> None:
        """Take up the critic where it was."""
        self.judged, self.phase = place["judged"], place["act"]
        parameters = list(self.critic.parameters())
        with torch.no_grad():
            for parameter, kept in zip(parameters, memory, strict=False):
                parameter.copy_(kept)
        names = ("exp_avg", "exp_avg_sq", "step")
        states = memory[len(parameters) :]
        self.optimiser.state.clear()
        for i, parameter in enumerate(parameters if states else []):
            kept = states[len(names) * i : len(names) * (i + 1)]
            state = {n: t.clone() for n, t in zip(names, kept, strict=True)}
            self.optimiser.state[parameter] = {n: t if n == "step" else t.to(self.device) for n, t in state.items()}


def long_enough(clips: list[Clip], recipe: Recipe) -> list[Clip]:
    """Those of them in which a window fits."""
    least = recipe.sampling.sequence_length * recipe.model.stride * MelFormat().hop
    return [c for c in clips if c.frames >= least and c.dataset not in recipe.data.exclude]


def learnt(corpus: Corpus, recipe: Recipe) -> list[Clip]:
    """The clips that a recipe trains on: of genres with enough of them, spread over all tracks."""
    found: dict[str, list[Clip]] = {}
    for clip in long_enough(corpus.select("train", ship_only=recipe.data.ship_only), recipe):
        found.setdefault(clip.genre, []).append(clip)
    chosen: list[Clip] = []
    for _, clips in sorted(found.items()):
        if len(clips) >= LEAST:
            seconds = sum(c.frames for c in clips) / corpus.rate
            count = min(len(clips), max(LEAST, int(len(clips) * 60 * recipe.train.genre_minutes / seconds)))
            chosen += [clips[i] for i in np.linspace(0, len(clips) - 1, count).astype(int)]
    return chosen


def held_out(corpus: Corpus, recipe: Recipe, genres: tuple[str, ...]) -> list[Clip]:
    """Validation clips of these genres, spread over them. HocketError if none has two, which are compared."""
    clips = long_enough(corpus.select("valid", genres=genres), recipe)
    if max(Counter(clip.genre for clip in clips).values(), default=0) < 2:
        raise HocketError(f"{corpus.folder} has no genre with two clips to validate on: prepare more")
    each = max(2, recipe.train.valid_clips // len(genres))  # one alone has nothing to be compared with
    chosen: list[Clip] = []
    for genre in genres:
        own = [c for c in clips if c.genre == genre]
        chosen += [own[i] for i in np.linspace(0, len(own) - 1, min(len(own), each)).astype(int)]
    return chosen


def sounding(mels: Mels, genres: tuple[str, ...], length: int) -> list[NDArray[np.int64]]:
    """By genre: latent frames at which windows of so many of them may begin, hardly silent anywhere. A model that has
    seen rests last for seconds falls silent for minutes."""
    found: list[list[NDArray[np.int64]]] = [[] for _ in genres]
    for clip, start, end in zip(mels.clips, mels.starts, mels.starts[1:], strict=False):
        loudest = np.asarray(mels.frames[start:end]).reshape(-1, mels.stride * mels.format.mels).max(1)
        quiet = np.concatenate([[0], np.cumsum(loudest < QUIET)])
        rests = quiet[length:] - quiet[:-length]
        found[genres.index(clip.genre)].append(np.flatnonzero(rests <= RESTS * length) + start // mels.stride)
    return [np.concatenate(starts) for starts in found]


@torch.no_grad()
def encoded(network: Any, mels: Mels) -> Tensor:
    """Codes (latent frames, groups) of all clips, end to end, in 16 bits."""
    device = network.coder.basis.device
    parts = []
    for start, end in zip(mels.starts, mels.starts[1:], strict=False):
        clip = torch.from_numpy(mels.frames[start:end].astype(np.float32))[None].to(device)
        parts.append(network.coder.codes(clip)[0].to(torch.int16).cpu())
    return torch.cat(parts)


def distance(drawn: Tensor, real: Tensor, genre: NDArray[np.int64]) -> float:
    """Distance between windows of mels (batch, frames, mels), those of the same genre together: the Frechet distance
    between Gaussians with diagonal covariance of level, spread and motion in 24 bands, in squared deviations of real
    windows, the mean over bands and genres."""

    def traits(x: Tensor) -> Tensor:
        bands = F.adaptive_avg_pool1d(x, 24)
        return torch.cat([bands.mean(1), bands.std(1), bands.diff(dim=1).std(1)], -1)

    a, b = traits(drawn), traits(real)
    scale = b.std(0) + 1e-3
    found = []
    for g in np.unique(genre):
        rows = torch.from_numpy(genre == g).to(a.device)
        if rows.sum() > 1:
            mine, theirs = a[rows] / scale, b[rows] / scale
            found.append(((mine.mean(0) - theirs.mean(0)) ** 2 + (mine.std(0) - theirs.std(0)) ** 2).mean())
    return float(torch.stack(found).mean()) if found else math.inf
