"""Learning whole notes: the task of `gansynth`.

The network's maps are compared with those of the note (`notespectra.analyse`): absolute differences of log magnitudes,
with a low floor (every bin counts) and a high one (what is heard counts), of partials as far as they stand out of the
noise, and of the frequencies of partials, as far as they can be told. A partial counts as many bins as its lobe has,
noise as many as are left between. Half of the lanes are told no latent: what the instrument, pitch and velocity tell,
it need not. Held-out notes are judged by what the maps are laid out as, beside the note's own spectrogram.

With `critic` above 0 there is an adversary besides (`families.gansynth.critic`): non-saturating losses, R1 every few
batches, and it names the pitch. Its learning rate goes down a cosine, the generator's down steps.
"""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from instrument.errors import HocketError
from instrument.models.sound import note_spectra as ns
from training.core.recipe import Recipe
from training.data.sound.corpus import Clip, Corpus
from training.families import task as tasks
from training.families.gansynth.critic import Critic, image, made_spectra, real_spectra
from training.families.losses import kl_from_standard_normal

FINE, COARSE = 3e-5, 2e-3  # floors of magnitudes
BINS = ns.FFT // 2 + 1
WIDTH = ns.RATE / ns.FFT
PARTS = 8  # of time, of a note's summary
SEEN_PARTIALS = 40  # of a note's summary
SUMMARY = PARTS * (SEEN_PARTIALS + ns.BANDS)
MEDIAN = 0.5 * math.log(math.log(2))  # of the logarithm of noise's magnitude over its root mean square
LOUD = 3.0  # weight of what is heard, over what is there
RELEASED = ns.FFT // 2  # samples before the release at which a frame still sees none of it
VERSION = 2  # of what is kept of notes
ARRAYS = ("logs", "level", "noise", "deviation", "sure", "usual", "summary", "valid")
LOBE = 4.0  # bins that a partial takes
LEAST = 0.05  # share of the bins that noise counts, where partials lie side by side
FEWEST = 8  # notes of an instrument that is learnt


@dataclass(frozen=True, slots=True)
class Sampling:
    """balance: 0 = instruments evenly, 1 = by their number of notes; frames: of a note, in a batch."""

    balance: float = 0.3
    frames: int = 12


@dataclass(frozen=True, slots=True)
class Train(tasks.Train):
    """tuning: weight of frequencies; divergence: of the nats that the latent tells; astray: semitones by which the
    pitch that is told is off, so that those never heard are as their neighbours; critic: weight of the adversary, 0 for
    none; critic_rate, critic_channels: its learning rate and size; critic_lanes, critic_frames: notes a batch,
    and their frames, that it sees; naming: weight of the pitch that it names; penalty: of its gradient, every
    `penalty_every` batches; alone: batches in which it learns alone first; steps: how often the generator's rate is
    halved, 0 for a cosine."""

    tuning: float = 0.3
    divergence: float = 0.004
    astray: float = 0.0
    critic: float = 0.0
    critic_rate: float = 4e-4
    critic_channels: int = 16
    critic_lanes: int = 6
    critic_frames: int = 32
    naming: float = 1.0
    penalty: float = 2.0
    penalty_every: int = 8
    alone: int = 100
    steps: int = 0

    def rate_at(self, batch: int, progress: float) -> float:
        """Halved `steps` times on the way, or down a cosine."""
        if not self.steps:
            return super(Train, self).rate_at(batch, progress)
        return self.rate * min(1.0, (batch + 1) / self.warmup) * 0.5 ** int(min(progress, 0.999) * (self.steps + 1))


@dataclass(frozen=True, slots=True)
class Score:
    """Mean differences of held-out notes, with no latent told: of log magnitudes over both floors (nats), and of
    frequencies (percent)."""

    fine: float
    coarse: float
    tuning: float

    @property
    def total(self) -> float:
        """What is learnt to be less."""
        return self.fine + LOUD * self.coarse + 0.3 * self.tuning

    def mean_by_field(self) -> dict[str, float]:
        """All figures."""
        return {name: round(getattr(self, name), 4) for name in self.__slots__}

    def line(self) -> str:
        """One line for a log."""
        return "  ".join(f"{name} {v:.3f}" for name, v in self.mean_by_field().items())


class Notes:
    """Notes as what is learnt from them, n of them: log magnitudes (n, frames, BINS), levels of partials (n, frames,
    PARTIALS) and of noise (n, frames, BANDS), frequencies with how sure they are (n, frames, PARTIALS), and the usual
    ones (n, PARTIALS), summary (n, SUMMARY), valid frames (n,)."""

    def __init__(self, corpus: Corpus, clips: list[Clip], instruments: tuple[str, ...], frames: int) -> None:
        self.clips, n = clips, len(clips)
        self.pitch = np.array([c.pitch for c in clips], np.float32)
        self.velocity = np.array([c.velocity / 127 for c in clips], np.float32)
        self.instrument = np.array([instruments.index(c.instrument) for c in clips], np.int64)
        split = clips[0].split
        key = f"{VERSION} {corpus.data_hash} {split} {frames} {n} {' '.join(instruments)}"
        kept = corpus.folder / f"spectra-{split}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.npz"
        if kept.exists():  # minutes of a busy processor
            with np.load(kept) as arrays:
                for name in ARRAYS:
                    setattr(self, name, arrays[name])
            return
        self.logs = np.empty((n, frames, BINS), np.float16)
        self.level = np.zeros((n, frames, ns.PARTIALS), np.float16)
        self.noise = np.zeros((n, frames, ns.BANDS), np.float16)
        self.deviation = np.zeros((n, frames, ns.PARTIALS), np.float16)
        self.sure = np.zeros((n, frames, ns.PARTIALS), np.float16)
        self.usual = np.zeros((n, ns.PARTIALS), np.float32)
        self.summary = np.zeros((n, SUMMARY), np.float32)
        self.valid = np.zeros(n, np.int64)
        for i, clip in enumerate(clips):
            sound = corpus.read(clip, 0, frames * ns.HOP + ns.FFT)
            released = 0 < clip.held < clip.frames  # else it rang out, and silence follows
            last = clip.held if released else max(clip.frames, 2 * ns.RATE)
            self.valid[i] = np.clip((last - RELEASED) // ns.HOP + 1, 8, frames)
            self.logs[i] = np.log(np.abs(ns.amplitudes(sound))[:frames] + 1e-6)
            maps = ns.analyse(sound, clip.pitch)
            self.level[i], self.noise[i] = maps.level[:frames], maps.noise[:frames]
            deviation, sure = ns.frequencies(sound, clip.pitch, frames)
            self.deviation[i], self.sure[i] = deviation, sure
            self.usual[i] = (deviation * sure).sum(0) / (sure.sum(0) + 0.1)
            self.summary[i] = summary(self.logs[i, : self.valid[i]], clip.pitch)
        temporary = kept.with_suffix(f".{os.getpid()}.npz")
        np.savez(temporary, **{name: getattr(self, name) for name in ARRAYS})  # type: ignore[arg-type]
        temporary.replace(kept)


def summary(logs: NDArray[np.floating], pitch: float) -> NDArray[np.float32]:
    """What an encoder is shown (SUMMARY,) of log magnitudes (frames, bins)."""
    logs = np.maximum(np.asarray(logs, np.float32), -11)
    at = np.rint(ns.comb(pitch)[:SEEN_PARTIALS] / WIDTH).astype(np.int64)
    partials = np.where(at < BINS - 1, logs[:, np.minimum(at, BINS - 1)], -11)
    weights = ns.bands(WIDTH, BINS).T
    noise = logs @ (weights / (weights.sum(0) + 1e-6))
    both = (np.concatenate([partials, noise], 1) + 7) / 3
    return np.concatenate([part.mean(0) for part in np.array_split(both, PARTS)]).astype(np.float32)


def learnable(corpus: Corpus, ship_only: bool) -> tuple[dict[str, list[Clip]], tuple[str, ...]]:
    """Clips of notes by split, and their instruments. HocketError if there are none at `notespectra.RATE`."""
    if corpus.rate != ns.RATE:
        raise HocketError(f"{corpus.folder} holds sound at {corpus.rate} Hz, notes are learnt at {ns.RATE}")
    whole = [c for c in corpus.select(ship_only=ship_only) if c.instrument and 0 < c.pitch < 128 and c.velocity > 0]
    count: dict[str, int] = {}
    for clip in whole:
        if clip.split == "train":
            count[clip.instrument] = count.get(clip.instrument, 0) + 1
    instruments = tuple(sorted(name for name, notes in count.items() if notes >= FEWEST))
    if not instruments:
        raise HocketError(f"{corpus.folder} has no instrument with {FEWEST} notes to learn from: prepare more")
    splits = {s: [c for c in whole if c.split == s and c.instrument in instruments] for s in ("train", "valid", "test")}
    return splits, instruments


class NoteSpectraTask:
    """A `Task`: notes by instrument, pitch and velocity. Batches are drawn by their number alone."""

    Train = Train
    Sampling = Sampling
    unit = "frames"
    place: Any = None

    def __init__(self, recipe: Recipe, device: str = "cpu") -> None:
        """HocketError if the recipe's data is not there, or holds nothing to learn from."""
        corpus = Corpus.open(recipe.data.folder)
        splits, self.genres = learnable(corpus, recipe.data.ship_only)
        self.data_hash, self.train, self.sampling = corpus.data_hash, recipe.train, recipe.sampling
        self.size = self.train.lanes * self.sampling.frames
        self.corpus = corpus
        self.notes = Notes(corpus, splits["train"], self.genres, recipe.model.frames)
        self.valid = Notes(corpus, splits["valid"] or splits["train"][:64], self.genres, recipe.model.frames)
        counts = np.bincount(self.notes.instrument, minlength=len(self.genres)).astype(float)
        each = np.maximum(counts, 1) ** (self.sampling.balance - 1)
        self.shares = each[self.notes.instrument] / each[self.notes.instrument].sum()
        self.critic: Critic | None = None
        if self.train.critic:
            torch.manual_seed(recipe.seed)
            self.critic = Critic(len(self.genres), self.train.critic_channels)
            self.optimiser = torch.optim.Adam(self.critic.parameters(), self.train.critic_rate, betas=(0.0, 0.99))
            self.batch = 0

    # --- a batch

    def losses(self, network: nn.Module, rng: np.random.Generator, progress: float) -> dict[str, Tensor]:
        """total; fine and coarse: nats a bin; tuning: percent; nats: that the latent tells; with a critic, of both."""
        train, notes = self.train, self.notes
        rows = rng.choice(len(notes.clips), train.lanes, p=self.shares)
        frames = (rng.random((train.lanes, self.sampling.frames)) ** 1.5 * notes.valid[rows, None]).astype(np.int64)
        hot = F.one_hot(torch.from_numpy(notes.instrument[rows]), len(self.genres)).float()
        mean, deviation = network.encode(torch.from_numpy(notes.summary[rows]), hot)
        told = torch.rand(train.lanes, 1) < 0.5
        z = torch.where(told, mean + deviation.exp() * torch.randn_like(mean), 0.0)
        said = Said.of(network, notes, rows, frames, z, train.astray * torch.randn(train.lanes))
        fine, coarse = apart(said, notes, rows, frames)
        tuning = said.tuning
        nats = kl_from_standard_normal(mean, deviation).mean()
        total = fine + LOUD * coarse + train.tuning * tuning + train.divergence * nats
        found = {"total": total, "fine": fine, "coarse": coarse, "tuning": tuning, "nats": nats}
        if self.critic is not None:
            found |= self._adversary(network, rng, progress)
            found["total"] = total + train.critic * found["fooled"] + train.naming * train.critic * found["named"]
        return found

    def _adversary(self, network: nn.Module, rng: np.random.Generator, progress: float) -> dict[str, Tensor]:
        """Teach the critic, and tell what it makes of the generator's notes."""
        train, notes, critic = self.train, self.notes, self.critic
        assert critic is not None
        count = train.critic_frames + 1
        rows = rng.choice(len(notes.clips), train.critic_lanes, p=self.shares)
        late = np.maximum(notes.valid[rows] - count, 0)
        first = (rng.random(len(rows)) ** 2 * (late + 1)).astype(np.int64)
        kind = torch.from_numpy(notes.instrument[rows])
        pitch, start = torch.from_numpy(notes.pitch[rows]), torch.from_numpy(first)
        hot = F.one_hot(kind, len(self.genres)).float()
        summary = torch.from_numpy(notes.summary[rows])
        with torch.no_grad():
            mean, deviation = network.encode(summary, hot)
            z = mean + deviation.exp() * torch.randn_like(mean)
        frames = torch.from_numpy(np.minimum(first[:, None] + np.arange(count), network.config.frames - 1))
        level, off, noise = network(hot, z, pitch, torch.from_numpy(notes.velocity[rows]), frames)
        power = torch.exp(2 * noise @ torch.from_numpy(ns.bands(WIDTH, BINS)))
        made = image(made_spectra(level, off, power, lobes(pitch, off.mean(1), np.arange(BINS)), pitch, start), pitch)
        length = (network.config.frames + 4) * ns.HOP
        sound = torch.from_numpy(np.stack([self.corpus.read(notes.clips[i], 0, length) for i in rows]))
        real = image(real_spectra(sound, start, count), pitch)
        for group in self.optimiser.param_groups:
            group["lr"] = train.critic_rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))
        punished = self.batch % train.penalty_every == 0
        real.requires_grad_(punished)
        right, name = critic(real, kind)
        wrong, _ = critic(made.detach(), kind)
        loss = F.softplus(-right).mean() + F.softplus(wrong).mean()
        loss = loss + train.naming * F.cross_entropy(name, pitch.long())
        if punished:
            (slope,) = torch.autograd.grad(right.sum(), real, create_graph=True)
            loss = loss + train.penalty_every * train.penalty / 2 * (slope**2).sum((1, 2, 3)).mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        for parameter in critic.parameters():
            parameter.requires_grad_(False)
        fooled, name = critic(made, kind)
        for parameter in critic.parameters():
            parameter.requires_grad_(True)
        self.batch += 1
        share = float(self.batch > train.alone)
        return {
            "fooled": share * F.softplus(-fooled).mean(),
            "named": share * F.cross_entropy(name, pitch.long()),
            "gap": (right.mean() - wrong.mean()).detach(),
        }

    @torch.no_grad()
    def validate(self, network: nn.Module) -> Score:
        """Differences on held-out notes, with no latent told."""
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
            parameter.data = memory[i].clone()
            average, square = (memory[len(parameters) + 2 * i + j].clone() for j in (0, 1))
            self.optimiser.state[parameter] = {
                "step": torch.tensor(float(self.batch)),
                "exp_avg": average,
                "exp_avg_sq": square,
            }


# --- maps against notes


@torch.no_grad()
def lobes(pitch: Tensor, off: Tensor, bins: NDArray[np.int64]) -> Tensor:
    """The main lobes (lanes, PARTIALS, bins), at these bins, of partials of MIDI pitches (lanes,), off by (lanes,
    PARTIALS)."""
    at = comb_bins(pitch, off)
    d = (torch.from_numpy(bins) - at[..., None]).clamp(-ns.REACH - 1, ns.REACH + 1)
    d = torch.where((d * (1 - d * d)).abs() < 1e-3, d + 2e-3, d)
    height = torch.sin(np.pi * d) / (np.pi * d * (1 - d * d))
    there = (d.abs() <= ns.REACH + 0.5) & (at < ns.EDGE * ns.FFT / 2)[..., None]
    return height * there


def comb_bins(pitch: Tensor, off: Tensor) -> Tensor:
    """Bins (lanes, PARTIALS) where partials of MIDI pitches (lanes,) lie, off by (lanes, PARTIALS)."""
    base = 440 * 2 ** ((pitch - 69) / 12)
    return base[:, None] * torch.arange(1, ns.PARTIALS + 1) * (1 + off) / WIDTH


class Said(NamedTuple):
    """What a network says of frames (lanes, n) of notes: level (lanes, n, PARTIALS) and noise (lanes, n, BANDS); how
    far its frequencies are off, in percent; and the notes' pitch (lanes,)."""

    level: Tensor
    noise: Tensor
    tuning: Tensor
    pitch: Tensor

    @classmethod
    def of(
        cls,
        network: Any,
        notes: Notes,
        rows: NDArray[np.int64],
        frames: NDArray[np.int64],
        z: Tensor,
        astray: Tensor | None = None,
    ) -> Said:
        """Told a pitch that is so many semitones astray (lanes,)."""
        hot = F.one_hot(torch.from_numpy(notes.instrument[rows]), network.instruments).float()
        pitch, velocity = torch.from_numpy(notes.pitch[rows]), torch.from_numpy(notes.velocity[rows])
        told, times = pitch, torch.from_numpy(frames)
        if astray is not None:  # it is played faster or slower, too: its places in periods are as they were
            told, times = pitch + astray, times * torch.exp2(-astray / 12)[:, None]
        level, off, noise = network(hot, z, told, velocity, times)
        wanted = torch.from_numpy(notes.deviation[rows[:, None], frames].astype(np.float32))
        sure = torch.from_numpy(notes.sure[rows[:, None], frames].astype(np.float32))
        apart = F.huber_loss(100 * off, 100 * wanted, reduction="none", delta=1.0)
        return cls(level, noise, (sure * apart).sum() / (sure.sum() + 1), pitch)


def apart(said: Said, notes: Notes, rows: NDArray[np.int64], frames: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Mean differences of what was said from the maps of frames (lanes, n) of notes, over both floors (nats a bin)."""
    level_true, noise_true = (
        torch.from_numpy(a[rows[:, None], frames].astype(np.float32)) for a in (notes.level, notes.noise)
    )
    at = comb_bins(said.pitch, torch.from_numpy(notes.usual[rows]))
    bands = torch.from_numpy(ns.bands(WIDTH, BINS))
    between = bands[:, at.clamp(max=BINS - 1).round().long()].movedim(0, 1)
    hidden = torch.exp(2 * (noise_true @ between))
    spacing = (at[:, :1]).clamp(min=1)
    of_partials = (at < ns.EDGE * ns.FFT / 2) * spacing.clamp(max=LOBE)
    of_noise = bands.sum(1) * (1 - LOBE / spacing).clamp(min=LEAST)
    total = (of_partials.sum(1) + of_noise.sum(1))[:, None]
    found = []
    for floor in (FINE, COARSE):
        partials = (_over(said.level, hidden + floor**2) - _over(level_true, hidden + floor**2)).abs()
        hiss = (_over(said.noise, floor**2) - _over(noise_true, floor**2)).abs()
        sums = (partials * of_partials[:, None]).sum(-1) + (hiss * of_noise[:, None]).sum(-1)
        found.append((sums / total).mean())
    return found[0], found[1]


def _over(log: Tensor, power: Tensor | float) -> Tensor:
    """Log magnitudes, with a power added to theirs."""
    return 0.5 * torch.log(torch.exp(2 * log) + power)


def differences(
    said: Said, notes: Notes, rows: NDArray[np.int64], frames: NDArray[np.int64], bins: NDArray[np.int64]
) -> tuple[Tensor, Tensor]:
    """Mean differences of what was said from the spectrograms of frames (lanes, n) of notes, over both floors, at bins
    (n,), in the mean over all phases."""
    power = torch.exp(2 * said.level) @ lobes(said.pitch, torch.from_numpy(notes.usual[rows]), bins) ** 2
    power = power + torch.exp(2 * (said.noise @ torch.from_numpy(ns.bands(WIDTH, BINS)[:, bins]) + MEDIAN))
    shares = np.concatenate([ns.begun(4), np.ones(1, np.float32)])[np.minimum(frames, 4)]
    made = (power + 1e-14).sqrt() * torch.from_numpy(shares)[..., None]
    there = torch.from_numpy(notes.logs[rows[:, None, None], frames[:, :, None], bins].astype(np.float32)).exp()
    fine, coarse = ((torch.log(made + floor) - torch.log(there + floor)).abs().mean() for floor in (FINE, COARSE))
    return fine, coarse


@torch.no_grad()
def judge(network: Any, notes: Notes, size: int = 32) -> NDArray[np.float64]:
    """`differences` of whole notes, and of their frequencies, at frames all over them, with no latent told."""
    found = []
    for rows in np.array_split(np.arange(len(notes.clips)), max(1, len(notes.clips) // size)):
        frames = (np.linspace(0, 0.999, 16) * notes.valid[rows, None]).astype(np.int64)
        z = torch.zeros(len(rows), network.config.latent)
        said = Said.of(network, notes, rows, frames, z)
        both = differences(said, notes, rows, frames, np.arange(0, BINS, 2))
        found.append([float(v) for v in (*both, said.tuning)])
    return np.asarray(np.mean(found, 0))
