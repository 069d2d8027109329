"""Learning the endless stream of a genre: the task of the mel GAN, in two acts.

First the coder is found from the music at hand, which takes seconds. *Going on*: the prior learns which codes follow
which, in each genre; some windows change genre on the way, so that a turned knob is obeyed at once. *The critic*: the
generator learns to draw codes, those of music and those that the prior dreamt, so that a critic takes them for music.
By a critic alone, thousands of batches are spent on getting from noise to tones.
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
from instrument.models.sound.spectral import MelFormat
from training.core.recipe import Recipe
from training.data.sound.corpus import Clip, Corpus
from training.data.sound.mels import Mels
from training.families import task as tasks
from training.families.cmelgan.critic import Critic, critic_loss, likeness
from training.families.losses import kl_from_standard_normal

BITS = math.log(2)  # nats
GOING_ON, CRITIC = range(2)
STEPS = ((0.0, 1.0), (0.6, 0.3), (0.85, 0.1))  # of an act, the rate's share from there on
PATCHES = 24000  # latent frames that the coder is found from
LEAST = 4  # clips of a genre
QUIET = -0.6  # the loudest mel of a latent frame that counts as silent: some 35 dB below music
RESTS = 0.04  # of a window may be silent


@dataclass(frozen=True, slots=True)
class Train(tasks.Train):
    """going_on: share of the run of the first act; critic_rate: of both in the second, the critic's down a cosine;
    near, alike: weights of the distance of mels and of the critic's features beside its judgement; free: bits of a
    style that cost nothing; balance: 0 = genres evenly, 1 = by their number of clips; minutes: of sound of each genre
    that are learnt from, at most; valid_clips: for validation."""

    going_on: float = 0.55
    critic_rate: float = 3e-4
    near: float = 4.0
    alike: float = 2.0
    free: float = 16.0
    balance: float = 0.3
    minutes: float = 60.0
    valid_clips: int = 48

    def act(self, progress: float) -> tuple[int, float]:
        """Which act `progress` (0..1 of the run) is in, and how far into it."""
        if progress < self.going_on:
            return GOING_ON, progress / self.going_on
        return CRITIC, min(1.0, (progress - self.going_on) / max(1 - self.going_on, 1e-9))

    def rate_at(self, batch: int, progress: float) -> float:
        """Stepped, anew in each act."""
        act, within = self.act(progress)
        rate = self.critic_rate if act == CRITIC else self.rate * min(1.0, (batch + 1) / self.warmup)
        return rate * [share for start, share in STEPS if within >= start][-1]


@dataclass(frozen=True, slots=True)
class Sampling:
    """sequence: latent frames of a window to go on in; splice: share of these that change to another on the way; wrong:
    share of codes that the prior is told wrongly, as it will err itself; primed, dreamt: latent frames that the
    prior is told and goes on for, for the critic."""

    sequence: int = 128
    splice: float = 0.3
    wrong: float = 0.05
    primed: int = 8
    dreamt: int = 16


@dataclass(frozen=True, slots=True)
class Score:
    """On held-out music. near: mean difference of a mel after coding and drawing; bits: a code costs the prior;
    style: bits that a style tells; distance: between windows dreamt and real ones (`distance`); act: of the run."""

    near: float
    bits: float
    style: float
    distance: float
    act: int

    @property
    def total(self) -> float:
        """The distance; the later act counts first."""
        return self.distance + 100.0 * (CRITIC - self.act)

    def mean_by_field(self) -> dict[str, float]:
        """All figures."""
        return {name: round(getattr(self, name), 4) for name in self.__slots__}

    def line(self) -> str:
        """One line for a log."""
        return "  ".join(f"{name} {value:.3f}" for name, value in self.mean_by_field().items())


class StreamTask:
    """A `Task`: mels in, codes and mels out. Owns the critic."""

    Train = Train
    Sampling = Sampling
    unit = "frames"

    def __init__(self, recipe: Recipe, device: str = "cpu") -> None:
        """HocketError if the recipe's data is not there, or holds nothing to learn from."""
        self.train, self.sampling, self.device = recipe.train, recipe.sampling, device
        self.config = recipe.model
        corpus = Corpus.open(recipe.data.folder)
        self.data_hash = corpus.data_hash
        self.size = self.train.lanes * self.sampling.sequence
        clips = learnt(corpus, recipe)
        self.genres = tuple(sorted({clip.genre for clip in clips}))
        if len(self.genres) < 2:
            raise HocketError(f"{corpus.folder} has clips of {len(self.genres)} genres to learn from: prepare more")
        self.mels = Mels(corpus, clips, MelFormat(mels=self.config.mels), self.config.stride)
        self.starts = sounding(self.mels, self.genres, self.sampling.sequence)
        for genre, starts in zip(self.genres, self.starts, strict=True):
            if not len(starts):
                raise HocketError(f"{corpus.folder}: all clips of {genre!r} have long rests: exclude them")
        shares = np.array([float(len(starts)) for starts in self.starts]) ** self.train.balance
        self.shares = shares / shares.sum()
        self.valid = Mels(corpus, held_out(corpus, recipe, self.genres), self.mels.format, self.config.stride)
        self.valid_genre = np.array([self.genres.index(clip.genre) for clip in self.valid.clips])
        self.act = GOING_ON
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.critic = Critic(self.config.mels, len(self.genres)).to(device)
        self.optimiser = torch.optim.Adam(self.critic.parameters(), self.train.critic_rate, betas=(0.5, 0.9))
        self.judged = 0
        self._codes: Tensor | None = None

    # --- batches

    def losses(self, network: nn.Module, rng: np.random.Generator, progress: float) -> dict[str, Tensor]:
        """Of the act that `progress` is in."""
        if not network.coder.found:
            network.find(self._patches().to(self.device))
        if self._codes is None:
            self._codes = encoded(network, self.mels)
        self.act, within = self.train.act(progress)
        return (self._going_on, self._criticised)[self.act](network, rng, within)

    def _placed(self, rng: np.random.Generator, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Genres of so many windows, and their first latent frames."""
        genres = rng.choice(len(self.genres), count, p=self.shares)
        return genres, np.array([rng.choice(self.starts[g]) for g in genres])

    def _patches(self) -> Tensor:
        """Two latent frames' worth of mels each (count, 2 * stride, mels), by the shares of the genres."""
        rng, stride = np.random.default_rng(0), self.config.stride
        _, first = self._placed(rng, PATCHES)
        first += rng.integers(self.sampling.sequence - 1, size=PATCHES)
        return torch.from_numpy(self.mels.at(first * stride, 2 * stride))

    def _drawn(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, NDArray[np.int64]]:
        """Codes (lanes, sequence, groups) of windows, their genres (lanes, genres), and their first mel frames."""
        length, stride = self.sampling.sequence, self.config.stride
        genres, first = self._placed(rng, self.train.lanes)
        assert self._codes is not None
        codes = torch.stack([self._codes[at : at + length] for at in first]).long()
        genre = F.one_hot(torch.from_numpy(genres), len(self.genres)).float()
        return codes.to(self.device), genre.to(self.device), first * stride

    def _going_on(self, network: nn.Module, rng: np.random.Generator, _: float) -> dict[str, Tensor]:
        codes, genre, _ = self._drawn(rng)
        lanes, length, _ = codes.shape
        mean, deviation = network.styles(codes)
        style = mean + deviation.exp() * torch.randn_like(mean)
        style, genre = (x[:, None].expand(-1, length, -1) for x in (style, genre))
        at = rng.integers(length // 8, length - length // 8, lanes)
        at[rng.random(lanes) >= self.sampling.splice] = length
        other = (torch.arange(length)[None] >= torch.from_numpy(at)[:, None])[..., None].to(self.device)
        codes, style, genre = (torch.where(other, x.roll(1, 0), x) for x in (codes, style, genre))
        wrong = torch.rand(codes.shape, device=codes.device) < self.sampling.wrong
        told = torch.where(wrong, torch.randint_like(codes, self.config.codes), codes)
        nats = F.cross_entropy(network.logits(codes, told[:, :-1], style, genre).flatten(0, 2), codes.flatten())
        bits = kl_from_standard_normal(mean, deviation).mean() / BITS
        cost = BITS * F.relu(bits - self.train.free) / (length * self.config.groups)
        return {"total": nats + cost, "bits": nats / BITS, "style": bits}

    def _criticised(self, network: nn.Module, rng: np.random.Generator, within: float) -> dict[str, Tensor]:
        codes, genre, starts = self._drawn(rng)
        primed, dreamt, stride = self.sampling.primed, self.sampling.dreamt, self.config.stride
        with torch.no_grad():
            style, _ = network.styles(codes)
            dream = network.dream(codes[:, :primed], style, genre, dreamt)
        real = torch.from_numpy(self.mels.at(starts, (primed + dreamt) * stride)).to(self.device)
        both = torch.cat([codes[:, : primed + dreamt], torch.cat([codes[:, :primed], dream], 1)])
        drawn, _ = network.draw(both, genre.repeat(2, 1)[:, None].expand(-1, primed + dreamt, -1))
        near = F.l1_loss(drawn[: len(real)], real)
        real, drawn = real[:, primed * stride :], drawn[:, primed * stride :]
        for group in self.optimiser.param_groups:
            group["lr"] = self.train.critic_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * within)))
        judged = critic_loss(self.critic, real, drawn.detach(), genre)
        self.optimiser.zero_grad(set_to_none=True)
        judged.backward()
        self.optimiser.step()
        self.judged += 1
        self.critic.requires_grad_(False)
        fooled, alike = likeness(self.critic, real, drawn, genre)
        self.critic.requires_grad_(True)
        total = self.train.near * near + fooled + self.train.alike * alike
        return {"total": total, "near": near, "critic": judged.detach(), "fooled": fooled, "alike": alike}

    # --- judging

    @torch.no_grad()
    def validate(self, network: nn.Module) -> Score:
        """On held-out clips; dreams set out from the styles of these."""
        length, stride = self.sampling.sequence, self.config.stride
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
            dream = network.dream(codes[:, :0], mean, genre, length)
        skipped = length // 4 * stride  # it begins anew; what counts is how it goes on
        apart = distance(network.draw(dream, moving)[0][:, skipped:], mels[:, skipped:], self.valid_genre)
        style = kl_from_standard_normal(mean, deviation).mean() / BITS
        return Score(float(near), float(bits), float(style), apart, self.act)

    # --- keeping

    @property
    def place(self) -> Any:
        """Batches that the critic has judged, and the act."""
        return {"judged": self.judged, "act": self.act}

    @property
    def memory(self) -> tuple[Tensor, ...]:
        """The critic's parameters, and the state of its optimiser once it has one."""
        parameters = list(self.critic.parameters())
        states = [t for p in parameters for _, t in sorted(self.optimiser.state[p].items())] if self.judged else []
        return (*parameters, *states)

    def restore(self, place: Any, memory: tuple[Tensor, ...]) -> None:
        """Take up the critic where it was."""
        self.judged, self.act = place["judged"], place["act"]
        parameters = list(self.critic.parameters())
        with torch.no_grad():
            for parameter, kept in zip(parameters, memory, strict=False):
                parameter.copy_(kept)
        names = ("exp_avg", "exp_avg_sq", "step")
        states = memory[len(parameters) :]
        for i, parameter in enumerate(parameters if states else []):
            kept = states[len(names) * i : len(names) * (i + 1)]
            self.optimiser.state[parameter] = {n: t.clone() for n, t in zip(names, kept, strict=True)}


def long_enough(clips: list[Clip], recipe: Recipe) -> list[Clip]:
    """Those of them in which a window fits."""
    least = recipe.sampling.sequence * recipe.model.stride * MelFormat().hop
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
            count = min(len(clips), max(LEAST, int(len(clips) * 60 * recipe.train.minutes / seconds)))
            chosen += [clips[i] for i in np.linspace(0, len(clips) - 1, count).astype(int)]
    return chosen


def held_out(corpus: Corpus, recipe: Recipe, genres: tuple[str, ...]) -> list[Clip]:
    """Validation clips of these genres, spread over them. HocketError if there are none."""
    clips = long_enough(corpus.select("valid", genres=genres), recipe)
    if not clips:
        raise HocketError(f"{corpus.folder} has no clips to validate on: prepare more")
    each = max(1, recipe.train.valid_clips // len(genres))
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
    """How far windows of mels (lanes, frames, mels) lie apart, lanes of the same genre together: the Frechet distance
    between Gaussians with diagonal covariance of level, spread and motion in 24 bands, in squared deviations of real
    windows, the mean over bands and genres."""

    def traits(x: Tensor) -> Tensor:
        bands = F.adaptive_avg_pool1d(x, 24)
        return torch.cat([bands.mean(1), bands.std(1), bands.diff(dim=1).std(1)], -1)

    a, b = traits(drawn), traits(real)
    scale = b.std(0) + 1e-3
    found = []
    for g in np.unique(genre):
        rows = torch.from_numpy(genre == g)
        if rows.sum() > 1:
            mine, theirs = a[rows] / scale, b[rows] / scale
            found.append(((mine.mean(0) - theirs.mean(0)) ** 2 + (mine.std(0) - theirs.std(0)) ** 2).mean())
    return float(torch.stack(found).mean()) if found else math.inf
