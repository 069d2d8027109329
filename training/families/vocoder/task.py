"""The task of the vocoder.

Losses, all on what is synthesised from the mels of an excerpt:

- distance: of magnitudes in three resolutions (Yamamoto et al., 2020): spectral convergence and the difference of
  logarithms, between the excerpt and two renderings with different noise, less `energy_distance_weight` of that
  between the two: a spectral energy distance (Gritsenko et al., 2020). Without the last term noise would only cost, and
  noisy sounds would buzz.
- log_magnitude: of the head's own magnitudes, from those of the excerpt's spectra.
- phase: how far phases advance from frame to frame, from those of the excerpt, louder bins counting more.

Phases run from frame to frame without a gradient: within a frame it is taken, since all overlapping frames but
this one stand fast.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from instrument.errors import HocketError
from instrument.models.sound.peaks import Peaks
from instrument.models.sound.spectral import (
    SILENCE,
    MelFormat,
    Sound,
    griffin_lim,
    hann,
    log_mel,
    mel_of_spectra,
)
from instrument.models.sound.vocoder import MIN_STRENGTH, PRIMING_FRAMES, Synthesis
from training.core import ranks
from training.core.ranges import Count, NotNegative, Positive, Share
from training.core.recipe import Recipe
from training.data.sound.corpus import INDEX_NAME, Clip, Corpus
from training.families import task as tasks
from training.families.vocoder.tone_synth import mixture
from training.measures.distances import multi_resolution

RESOLUTIONS = (512, 1024, 2048)
LOW = 16.0  # bins: 340 Hz
FLOOR = 1e-4  # of magnitudes, as in `multi_resolution`
# notes below this MIDI pitch are drawn this many times as often: bands resolve their partials badly
LOW_NOTES, LOW_NOTE_WEIGHT = 48, 6.0


@dataclass(frozen=True, slots=True)
class Train(tasks.Train):
    """Settings of the vocoder, in addition to those of every family.

    frames: of an excerpt in the loss, after `context` frames without loss; energy_distance_weight: of the
    distance between two renderings, see the module; log_magnitude_weight, phase_weight: of the other losses;
    synthetic_share: share of the excerpts that are synthetic tones; notes_share: share from `notes_folder`, "" for
    none; loudness_db: range of levels (RMS) that excerpts are brought to; valid_clips, valid_seconds: for validation.
    """

    frames: Count = 64
    context: Count = 20
    energy_distance_weight: NotNegative = 0.7
    log_magnitude_weight: NotNegative = 0.3
    phase_weight: NotNegative = 1.0
    synthetic_share: Share = 0.2
    notes_share: Share = 0.2
    notes_folder: str = ""
    loudness_db: tuple[float, float] = (-32.0, -14.0)
    valid_clips: Count = 8
    valid_seconds: Positive = 2.5


@dataclass(frozen=True, slots=True)
class Sampling:
    """The vocoder has no settings of sampling."""


@dataclass(frozen=True, slots=True)
class Score(tasks.FieldScore):
    """Multi-resolution STFT distances from held-out music: of the vocoder, and of Griffin and Lim."""

    vocoder: float
    griffin_lim: float

    @property
    def total(self) -> float:
        """Their ratio."""
        return self.vocoder / self.griffin_lim

    def line(self) -> str:
        """One line for a log."""
        return f"STFT distance {self.vocoder:.3f}, {self.total:.3f} of Griffin-Lim's {self.griffin_lim:.3f}"


class VocodingTask:
    """A `Task`: excerpts of sound from their mels. Batches are drawn by their number alone."""

    Train = Train
    Sampling = Sampling
    rate = MelFormat().rate
    unit = "frames"
    place: Any = None
    memory: tuple[Tensor, ...] = ()
    genres: tuple[str, ...] = ()

    def __init__(self, recipe: Recipe, device: str = "cpu") -> None:
        """HocketError if the recipe's data is not there, or of another rate."""
        self.train, self.device, self.format = recipe.train, device, MelFormat()
        self.size = self.train.batch_size * self.train.frames
        self.music = sounds(recipe.data.folder, self.format)
        self.notes = notes_of(recipe, self.format)
        self.data_hash = self.music.data_hash
        ship, folder = recipe.data.ship_only, recipe.data.folder
        self.pieces = self.music.select("train", ship)
        self.tones = self.notes.select("train", ship) if self.notes else []
        often = np.array([LOW_NOTE_WEIGHT if c.pitch < LOW_NOTES else 1.0 for c in self.tones])
        self.tone_shares = often / max(often.sum(), 1.0)
        if not self.pieces or not self.music.select("valid"):
            raise HocketError(f"{folder} has no clips to train on and to validate: prepare more audio")
        lengths = np.array([c.frames for c in self.pieces], float)
        self.shares = lengths / lengths.sum()
        self.held = held_out(self.music, "valid", self.train.valid_clips, self.train.valid_seconds)

    def excerpts(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """This process's sounds (batch, samples) of a batch; their frames lie all inside."""
        train, format = self.train, self.format
        samples = (train.context + train.frames - 1) * format.hop + format.fft
        rngs = rng.spawn(train.batch_size)[ranks.share(train.batch_size)]  # of each, whoever draws the others
        out = np.zeros((len(rngs), samples), np.float32)
        for row, rng in zip(out, rngs, strict=True):
            kind = rng.random()
            if kind < train.synthetic_share:
                row[:] = mixture(rng, samples, format.rate)
            elif kind < train.synthetic_share + train.notes_share and self.tones and self.notes:
                clip = self.tones[rng.choice(len(self.tones), p=self.tone_shares)]
                lead = int(rng.integers(samples // 2))  # of silence, so that there are onsets
                row[lead:] = self.notes.read(clip, int(rng.integers(max(1, clip.frames // 2))), samples - lead)
            else:
                clip = self.pieces[rng.choice(len(self.pieces), p=self.shares)]
                row[:] = self.music.read(clip, int(rng.integers(max(1, clip.frames - samples))), samples)
            row *= gain(row, rng.uniform(*train.loudness_db))
        return out

    def losses(self, network: nn.Module, rng: np.random.Generator, progress: float) -> dict[str, Tensor]:
        """Those of the module."""
        train, format, config = self.train, self.format, network.config
        sound = self.excerpts(rng)
        windows = np.lib.stride_tricks.sliding_window_view(sound, format.fft, 1)[:, :: format.hop]
        spectra = np.fft.rfft(windows * hann(format.fft)) * middle(format.bins)
        magnitudes = np.abs(spectra)
        log_mels = mel_of_spectra(magnitudes, format)
        found = Peaks(format, config.tonal_bins).find(log_mels)
        mels, places, offsets, lobes = (torch.from_numpy(a).to(self.device) for a in (log_mels, *found))
        spectra = torch.from_numpy(spectra[:, train.context - 1 :]).to(self.device)
        log_true = torch.from_numpy(magnitudes[:, train.context :]).to(self.device).clamp(min=FLOOR).log()
        noise = noise_spectra(rng, train.batch_size, train.frames, format)[:, ranks.share(train.batch_size)]
        noise = torch.from_numpy(noise).to(self.device)

        x, _ = network.trunk(mels, places, network.initial(len(sound)))
        x, mels, offsets, lobes = (a[:, train.context :] for a in (x, mels, offsets, lobes))
        log, hiss, *run = network.parts(x, mels, lobes)
        running, sources = torch.complex(*run) * advance(offsets, format), nearest(offsets)
        turn = turn_loss(running, spectra[..., : config.tonal_bins], sources)
        phases = run_phases(spectra[:, 0, : config.tonal_bins], running.detach(), sources)
        tonal = F.pad(running * phases, (0, format.bins - config.tonal_bins))
        made = overlapped(torch.stack([unit(tonal + hiss * n) * log.exp() for n in noise]), format)

        skip = format.fft - format.hop  # where not all windows overlap yet
        start = train.context * format.hop + skip
        true = torch.from_numpy(sound[:, start : start + made.shape[-1] - 2 * skip]).to(self.device)
        fft = int(rng.choice(RESOLUTIONS))  # one a batch: the mean is the same, at a third of the cost
        distance = energy_distance(true, made[..., skip : made.shape[-1] - skip], train.energy_distance_weight, fft)
        log_loss = (log - log_true).abs().mean()
        total = distance + train.log_magnitude_weight * log_loss + train.phase_weight * turn
        return {"total": total, "distance": distance, "log_magnitude": log_loss, "phase": turn}

    def validate(self, network: nn.Module) -> Score:
        """Distances of held-out music, streamed as the instrument does."""
        mels = [log_mel(x, self.format) for x in self.held]
        made = [rendered(network, m) for m in mels]
        found = [multi_resolution(x, y) for x, y in zip(self.held, made, strict=True)]
        return Score(float(np.mean(found)), self.baseline)

    @functools.cached_property
    def baseline(self) -> float:
        """Griffin and Lim's distance from the held-out music."""
        made = [griffin_lim(log_mel(x, self.format), self.format) for x in self.held]
        return float(np.mean([multi_resolution(x, y) for x, y in zip(self.held, made, strict=True)]))

    def restore(self, place: Any, memory: tuple[Tensor, ...]) -> None:
        """Nothing is carried on."""


def sounds(folder: str, format: MelFormat) -> Corpus:
    """The corpus of a folder; HocketError if its rate is another."""
    corpus = Corpus.open(folder)
    if corpus.rate != format.rate:
        raise HocketError(f"{folder} has {corpus.rate} Hz, the vocoder {format.rate}: prepare the audio at that rate")
    return corpus


def notes_of(recipe: Recipe, format: MelFormat) -> Corpus | None:
    """The corpus of single notes of a recipe, if there is one. HocketError if it is of another rate."""
    train = recipe.train
    if not train.notes_share or not train.notes_folder:
        return None
    if not (Path(train.notes_folder) / INDEX_NAME).exists():
        print(f"without {train.notes_folder}, which is not there: no single notes are learnt from", flush=True)
        return None
    return sounds(train.notes_folder, format)


def held_out(corpus: Corpus, split: str, most: int, seconds: float) -> list[Sound]:
    """Excerpts from the middles of clips of a split, spread over all of them, of one loudness."""
    clips: list[Clip] = [c for c in corpus.select(split) if c.frames >= corpus.rate]
    chosen = [clips[i] for i in np.unique(np.linspace(0, len(clips) - 1, most).astype(int))]
    frames = [min(c.frames, round(seconds * corpus.rate)) for c in chosen]
    found = [corpus.read(c, (c.frames - n) // 2, n) for c, n in zip(chosen, frames, strict=True)]
    return [x * gain(x, -20.0) for x in found]


def gain(x: NDArray[np.float32], decibels: float) -> np.float32:
    """Brings a sound to that level, short of clipping; silence stays."""
    rms, peak = float(np.sqrt(np.mean(x**2))), float(np.abs(x).max())
    return np.float32(min(10 ** (decibels / 20) / rms, 0.99 / peak) if rms > 1e-4 else 1.0)


@torch.no_grad()
def rendered(network: Any, log_mels: NDArray[np.float32]) -> Sound:
    """What `instrument.models.sound.vocoder.Vocoder.render` makes of normalised log mels (frames, mels)."""
    format = MelFormat()
    synthesis = Synthesis(format, network.config.tonal_bins)
    samples, after = len(log_mels) * format.hop, -(-synthesis.latency // format.hop)
    log_mels = np.pad(log_mels, ((PRIMING_FRAMES, after), (0, 0)), constant_values=np.float32(SILENCE))
    places, offsets, lobes = Peaks(format, network.config.tonal_bins).find(log_mels)
    state = network.initial(1)
    inputs = (torch.from_numpy(a)[None].to(state[0].device) for a in (log_mels, places, lobes))
    parts, _ = network(*inputs, state)
    return synthesis.push(parts[0].cpu().numpy()[PRIMING_FRAMES:], offsets[PRIMING_FRAMES:])[synthesis.latency :][
        :samples
    ]


# --- the synthesis of `instrument.models.sound.vocoder`, for gradients


@functools.cache
def middle(bins: int) -> NDArray[np.float32]:
    """Turns phases from the window's start to its middle, or back."""
    return np.where(np.arange(bins) % 2, -1, 1).astype(np.float32)


def advance(offsets: Tensor, format: MelFormat) -> Tensor:
    """How far partials `offsets` bins above their bins (..., tonal) advance in a hop, as complex numbers."""
    angle = 2 * np.pi * format.hop / format.fft * (offsets + torch.arange(offsets.shape[-1], device=offsets.device))
    return torch.complex(angle.cos(), angle.sin())


def nearest(offsets: Tensor) -> Tensor:
    """The bins nearest to partials `offsets` bins above their bins (..., tonal)."""
    bins = offsets.shape[-1]
    return (offsets + torch.arange(bins, device=offsets.device)).round().clamp(0, bins - 1).long()


def unit(spectrum: Tensor) -> Tensor:
    """Its phases, as complex numbers of size one."""
    return spectrum / spectrum.abs().clamp(min=MIN_STRENGTH)


def run_phases(first: Tensor, running: Tensor, sources: Tensor) -> Tensor:
    """The phases (batch, frames, tonal) that run into each frame. first (batch, tonal): the spectrum before;
    running, sources (batch, frames, tonal): how far they turn, and where they run on from."""
    phase, phases = unit(first), []
    for turn, source in zip(running.unbind(1), sources.unbind(1), strict=True):
        phases.append(phase.gather(-1, source))
        phase = unit(phases[-1] * turn)
    return torch.stack(phases, 1)


def turn_loss(turned: Tensor, spectra: Tensor, sources: Tensor) -> Tensor:
    """How far predicted advances (batch, frames, tonal) are from those of spectra (batch, frames + 1, tonal): the mean
    chord on the unit circle, the louder bins the more, and the lowest, where bands resolve tones badly."""
    true = spectra[:, 1:] * unit(spectra[:, :-1]).gather(-1, sources).conj()
    size = true.abs()
    bins = torch.arange(size.shape[-1], device=size.device)
    weight = size**0.75 * (1 + 8 * torch.exp(-bins / LOW))
    weight = weight / weight.mean((1, 2), keepdim=True).clamp(min=1e-3)
    gap = unit(turned) - true / size.clamp(min=1e-9)
    return (torch.sqrt(gap.real**2 + gap.imag**2 + 1e-6) * weight).mean()


def overlapped(spectra: Tensor, format: MelFormat) -> Tensor:
    """Samples (..., (frames - 1) * hop + fft) of spectra (..., frames, bins) with phases from the middle."""
    window = torch.from_numpy(hann(format.fft).copy()).to(spectra.device)
    parts = format.fft // format.hop
    square = (window**2).reshape(parts, -1).sum(0).repeat(parts)
    frames = torch.fft.irfft(spectra * torch.from_numpy(middle(format.bins)).to(spectra.device)) * (window / square)
    shape, count = frames.shape[:-2], frames.shape[-2]
    frames = frames.reshape(-1, count, parts, format.hop)
    total = frames.new_zeros(len(frames), count + parts - 1, format.hop)
    for i in range(parts):
        total[:, i : i + count] += frames[:, :, i]
    return total.reshape(*shape, -1)


def noise_spectra(rng: np.random.Generator, batch_size: int, frames: int, format: MelFormat) -> NDArray[np.complex64]:
    """Spectra (2, batch, frames, bins) of white noise, of power one in every bin."""
    x = rng.standard_normal((2, batch_size, (frames - 1) * format.hop + format.fft), np.float32)
    window = hann(format.fft) / np.sqrt(np.sum(hann(format.fft) ** 2))
    windows = np.lib.stride_tricks.sliding_window_view(x, format.fft, 2)[:, :, :: format.hop]
    return (np.fft.rfft(windows * window) * middle(format.bins)).astype(np.complex64)


# --- distances


def energy_distance(true: Tensor, made: Tensor, apart: float, fft: int) -> Tensor:
    """Of sounds (batch, samples) and two renderings of them (2, batch, samples), in one resolution."""
    real, one, other = (magnitudes(x, fft) for x in (true, *made))
    far = (distances(one, real, real) + distances(other, real, real)) / 2
    return far - apart / 2 * distances(one, other, real)


def magnitudes(x: Tensor, fft: int) -> Tensor:
    """(batch, frames, bins) of sounds (batch, samples), hop a quarter."""
    window = torch.from_numpy(hann(fft).copy()).to(x.device)
    spectra = torch.fft.rfft(x.unfold(-1, fft, fft // 4) * window)
    return torch.sqrt(spectra.real**2 + spectra.imag**2 + FLOOR**2)


def distances(a: Tensor, b: Tensor, scale: Tensor) -> Tensor:
    """Spectral convergence, relative to `scale`, and the difference of logarithms, a mean over the batch."""
    gap = torch.linalg.vector_norm(a - b, dim=(1, 2)) / torch.linalg.vector_norm(scale, dim=(1, 2)).clamp(min=1e-2)
    return gap.mean() + (a.log() - b.log()).abs().mean()
