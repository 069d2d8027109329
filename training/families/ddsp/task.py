"""The task of `ddsp`: regression of the frames of single notes, with a latent for what their labels do not determine.

Losses are absolute differences in decibels, divided by ten. What is loud in a note has full weight, what is far below
it less; predictions below the floor cost nothing where the note is below it too. A share of the notes gets z = 0 and
not its own, so that the origin of the latent space is typical of the labels; a share of the others gets no
instrument. Labels nearly determine a note: without that, z would carry no information.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from instrument.errors import HocketError
from instrument.models.sound.additive import FLOOR, FRAME_RATE, LEVELS, PARTIALS
from instrument.models.sound.tone_features import age_features, note_features
from training.core import ranks
from training.core.ranges import AtLeastTwo, Count, NotNegative, Positive, Share
from training.core.recipe import Recipe
from training.data.licences import licence_allows_shipping
from training.data.sound.corpus import INDEX_NAME, Corpus
from training.data.sound.tones import SPAN, Tones, open_tones
from training.families import task as tasks
from training.families.losses import kl_from_standard_normal

ENCODER_FRAMES = np.array([1, 3, 6, 12, 24, 48, 96, 180])  # frames that the encoder sees
SUMMARY = len(ENCODER_FRAMES) * LEVELS
EARLY = 30  # frames of which half of those drawn are
NEPERS = float(np.log(10) / 10)  # of power, a decibel
FLAT = 15.0  # decibels: the encoder's input is scaled by it


@dataclass(frozen=True, slots=True)
class Train(tasks.Train):
    """Settings of `ddsp`, in addition to those of every family.

    batch_size: notes in a batch; frames: drawn of each; beta: weight of the KL divergence; latent_dropout: share of
    notes with z = 0; instrument_dropout: share of the others without their instrument; quiet_weight: weight of levels
    that lie `quiet_db` decibels or more below a note's loudest partial; loudness_weight: weight of the error of all
    partials together; pitch_jitter: standard deviation, in semitones, of the error of the pitch given to the network,
    so that pitches without a recording sound like their neighbours.
    """

    batch_size: Count = 96
    frames: AtLeastTwo = 16
    beta: NotNegative = 0.002
    latent_dropout: Share = 0.5
    instrument_dropout: Share = 0.4
    quiet_weight: Share = 0.15
    quiet_db: Positive = 65.0
    loudness_weight: NotNegative = 0.3
    pitch_jitter: NotNegative = 0.5


@dataclass(frozen=True, slots=True)
class Sampling:
    """full_rate_folder: a corpus with the same notes at a higher rate, "" for none."""

    full_rate_folder: str = ""


@dataclass(frozen=True, slots=True)
class Score(tasks.FieldScore):
    """Mean errors on held-out notes with z = 0: levels, weighted and not, and loudness in decibels; cents; tuning in
    cents; loss and release in decibels a second."""

    weighted: float
    loudness: float
    levels: float
    cents: float
    tuning: float
    loss: float
    release: float

    @property
    def total(self) -> float:
        """What decides."""
        return self.weighted

    def line(self) -> str:
        """One line for a log."""
        return "errors: " + "  ".join(f"{name} {v:.2f}" for name, v in self.mean_by_field().items())


class ToneTask:
    """A `Task`: notes' labels in, their frames out. Batches depend on their number only."""

    Train = Train
    Sampling = Sampling
    rate = 44100  # a lower one has no highest bands
    unit = "notes"
    place: Any = None
    memory: tuple[Tensor, ...] = ()

    def __init__(self, recipe: Recipe, device: str = "cpu") -> None:
        """HocketError if the recipe's data is not there, or holds no notes."""
        self.train, self.device = recipe.train, device
        self.size, self.latent = self.train.batch_size, recipe.model.latent
        self.tones, self.genres, self.data_hash = tones_of(recipe)
        self.rows = {split: self._rows(split, recipe) for split in ("train", "valid")}
        self.instrument, self.release = note_facts(self.tones, self.genres)
        self.pitch, self.velocity = (
            np.array([getattr(c, name) for c in self.tones.clips], float) for name in ("pitch", "velocity")
        )
        self.peak = np.array([_peak(self.tones, row) for row in range(len(self.tones))], np.float32)
        self.ages = age_features(np.arange(SPAN) / FRAME_RATE)
        counts = np.bincount(self.instrument[self.rows["train"]], minlength=len(self.genres))
        each = 1 / np.sqrt(counts[self.instrument[self.rows["train"]]])  # rare instruments a little more
        self.shares = each / each.sum()

    def _rows(self, split: str, recipe: Recipe) -> NDArray[np.int64]:
        kept = [
            i
            for i, clip in enumerate(self.tones.clips)
            if clip.split == split and (not recipe.data.ship_only or licence_allows_shipping(clip.licence))
        ]
        return np.array(kept, np.int64)

    def losses(self, network: nn.Module, rng: np.random.Generator, progress: float) -> dict[str, Tensor]:
        """Errors on a scale of ten decibels; the divergence in nats."""
        train = self.train
        rows = rng.choice(self.rows["train"], train.batch_size, p=self.shares)
        half = train.frames // 2
        frames = np.concatenate(
            [rng.integers(0, EARLY, (len(rows), half)), rng.integers(0, SPAN, (len(rows), train.frames - half))], 1
        )
        jitter, mine = train.pitch_jitter * rng.standard_normal(len(rows)), ranks.share(len(rows))
        rows, frames, jitter = rows[mine], frames[mine], jitter[mine]
        instrument, _ = self.labels(rows)
        pitch = self.pitch[rows] + jitter
        note = torch.from_numpy(note_features(pitch, self.velocity[rows])).to(self.device)
        mean, deviation = network.encode(self.summaries(rows), note)
        z = mean + deviation.exp() * torch.randn_like(mean)
        typical = torch.rand(len(rows), 1, device=self.device) < train.latent_dropout
        unnamed = (torch.rand(len(rows), 1, device=self.device) < train.instrument_dropout) & ~typical
        parts = self.errors(network, rows, frames, (instrument * ~unnamed, note, z * ~typical))
        nats = kl_from_standard_normal(mean, deviation).mean()
        total = parts["weighted"] + train.loudness_weight * parts["loudness"]
        total = total + 0.1 * (parts["cents"] + parts["tuning"] + parts["loss"] + parts["release"])
        return {"total": total + train.beta * nats, **{n: v for n, v in parts.items() if n != "levels"}, "nats": nats}

    def labels(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Labels of notes: instrument (n, instruments), 1 for one of them, and features (n, NOTE)."""
        instrument = nn.functional.one_hot(torch.from_numpy(self.instrument[rows]), len(self.genres)).float()
        note = note_features(self.pitch[rows], self.velocity[rows])
        return instrument.to(self.device), torch.from_numpy(note).to(self.device)

    def summaries(self, rows: NDArray[np.int64]) -> Tensor:
        """What the encoder sees of notes: (n, SUMMARY)."""
        levels = np.asarray(self.tones.levels[rows][:, ENCODER_FRAMES], np.float32)
        seen = (np.maximum(levels, FLOOR) - (FLOOR + 45)) / FLAT * self.tones.known[rows][:, None]
        return torch.from_numpy(seen.reshape(len(rows), -1).astype(np.float32)).to(self.device)

    def errors(
        self, network: nn.Module, rows: NDArray[np.int64], frames: NDArray[np.int64], labels: tuple[Tensor, ...]
    ) -> dict[str, Tensor]:
        """Errors of some frames (n, m) of notes, given instrument, features and z, on the scales of the loss."""
        tones, train, there = self.tones, self.train, self.device
        state, tuning, loss, release = network.note(*labels)
        count = frames.shape[1]
        ages = torch.from_numpy(self.ages[frames.reshape(-1)]).to(there)
        levels, cents = network.frame(state.repeat_interleave(count, 0), ages)
        levels, cents = levels.view(*frames.shape, LEVELS), cents.view(*frames.shape)
        wanted = np.asarray(tones.levels[rows[:, None], frames], np.float32)
        known = tones.known[rows][:, None] & (frames < tones.usable[rows][:, None] + 40)[..., None]
        weight = np.clip(1 + (wanted - self.peak[rows][:, None]) / train.quiet_db, train.quiet_weight, 1) * known
        wanted, weight, known = (torch.from_numpy(a.astype(np.float32)).to(there) for a in (wanted, weight, known))
        off = levels - wanted
        off = torch.where(wanted <= torch.from_numpy(FLOOR).to(there) + 0.5, off.clamp(min=0), off.abs()) / 10
        loud = np.clip(1 + (tones.levels[rows, 12].astype(np.float32) - self.peak[rows]) / 70, 0.02, 1)
        loud = torch.from_numpy(loud.astype(np.float32) * tones.known[rows]).to(there)
        drift = torch.from_numpy(tones.cents[rows[:, None], frames].astype(np.float32)).to(there)
        tuned, lost, gone = (torch.from_numpy(a[rows]).to(there) for a in (tones.tuning, tones.loss, self.release))
        part = loud[:, :PARTIALS]
        return {
            "weighted": ranks.weighted_mean(off, weight),
            "loudness": (_loudness(levels) - _loudness(wanted)).clamp(-30, 30).abs().mean() / 10,
            "levels": ranks.weighted_mean(off, known),
            "cents": (cents - drift).abs().mean() / 10,
            "tuning": ranks.weighted_mean((tuning - tuned).abs(), part) / 10,
            "loss": ranks.weighted_mean((loss - lost).abs(), loud) / 10,
            "release": (release[:, 0] - gone).abs().mean() / 50,
        }

    @torch.no_grad()
    def validate(self, network: nn.Module) -> Score:
        """Errors on held-out notes with z = 0."""
        rows = self.rows["valid"] if len(self.rows["valid"]) else self.rows["train"][:16]
        frames = np.tile(np.r_[0:EARLY:2, EARLY:SPAN:7], (len(rows), 1))
        labels = self.labels(rows)
        z = torch.zeros(len(rows), self.latent, device=self.device)
        found = {n: float(v) for n, v in self.errors(network, rows, frames, (*labels, z)).items()}
        scale = {"release": 50.0}
        return Score(**{n: v * scale.get(n, 10.0) for n, v in found.items()})

    def restore(self, place: Any, memory: tuple[Tensor, ...]) -> None:
        """There is no state."""


def tones_of(recipe: Recipe) -> tuple[Tones, tuple[str, ...], str]:
    """The notes that a recipe is about, their instruments, and the hash of the data. HocketError if there are none to
    train on."""
    corpus = Corpus.open(recipe.data.folder)
    full = None
    if folder := recipe.sampling.full_rate_folder:
        if (Path(folder) / INDEX_NAME).exists():
            full = Corpus.open(folder)
        else:
            print(f"without {folder}, which is not there: the rate of {corpus.folder} limits the bands", flush=True)
    train = corpus.select("train", ship_only=recipe.data.ship_only)
    instruments = tuple(sorted({c.instrument for c in train if c.instrument and c.pitch >= 0}))
    if not instruments:
        raise HocketError(f"{corpus.folder} holds no notes to learn: run `python -m training prepare-audio` on some")
    tones = open_tones(corpus, full)
    kept = np.array([i for i, c in enumerate(tones.clips) if c.instrument in instruments], np.int64)
    data_hash = corpus.data_hash + (f"+{full.data_hash}" if full else "")
    return tones.chosen(kept), instruments, data_hash


def note_facts(tones: Tones, instruments: tuple[str, ...]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Of each note its instrument's number and its release. One that was never recorded is that of the instruments that
    sustain in the same way: driven ones, or those that ring."""
    instrument = np.array([instruments.index(c.instrument) for c in tones.clips], np.int64)
    release = np.array(tones.release, np.float32)
    rings = tones.loss[:, 0] > 0
    for kind in (False, True):
        mine = rings == kind
        known_release = release[mine & ~np.isnan(release)]
        release[mine & np.isnan(release)] = np.median(known_release) if len(known_release) else 150.0
    return instrument, release


def _loudness(levels: Tensor) -> Tensor:
    """Decibels of all partials together, of levels (..., LEVELS)."""
    return torch.logsumexp(levels[..., :PARTIALS] * NEPERS, -1) / NEPERS


def _peak(tones: Tones, row: int) -> NDArray[np.float32]:
    """The loudest level (LEVELS,) of a note: of its partials, and of its bands."""
    levels = np.asarray(tones.levels[row], np.float32)
    partials, bands = levels[:, :PARTIALS].max(), levels[:, PARTIALS:].max()
    # noise counts as much as partials do where it is as loud over a band of some hundred hertz
    bands = max(bands, partials - 25)
    return np.r_[np.full(PARTIALS, partials), np.full(LEVELS - PARTIALS, bands)].astype(np.float32)
