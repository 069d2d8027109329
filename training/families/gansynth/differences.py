"""Differences between what the network predicts and the maps or spectrograms of real notes."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from instrument.models.sound import note_spectra as ns
from instrument.music.pitch import to_hertz
from training.core import ranks
from training.core.devices import device_of
from training.families.gansynth.notes import BINS, WIDTH, Notes

FINE, COARSE = 3e-5, 2e-3  # floors of magnitudes
MEDIAN = 0.5 * math.log(math.log(2))  # of the logarithm of noise's magnitude over its root mean square
LOBE = 4.0  # bins that a partial takes
LEAST = 0.05  # share of the bins that noise counts, where partials are close together


@torch.no_grad()
def lobes(pitch: Tensor, off: Tensor, bins: NDArray[np.int64]) -> Tensor:
    """The main lobes (batch, PARTIALS, bins), at these bins, of partials of MIDI pitches (batch,), off by (batch,
    PARTIALS)."""
    at = comb_bins(pitch, off)
    d = (torch.from_numpy(bins).to(at.device) - at[..., None]).clamp(-ns.REACH - 1, ns.REACH + 1)
    d = torch.where((d * (1 - d * d)).abs() < 1e-3, d + 2e-3, d)
    height = torch.sin(np.pi * d) / (np.pi * d * (1 - d * d))
    there = (d.abs() <= ns.REACH + 0.5) & (at < ns.PARTIAL_LIMIT * ns.FFT / 2)[..., None]
    return height * there


def comb_bins(pitch: Tensor, off: Tensor) -> Tensor:
    """Bins (batch, PARTIALS) where partials of MIDI pitches (batch,) are, off by (batch, PARTIALS)."""
    base = to_hertz(pitch)
    return base[:, None] * torch.arange(1, ns.PARTIALS + 1, device=off.device) * (1 + off) / WIDTH


class Prediction(NamedTuple):
    """A network's outputs for frames (batch, n) of notes: level (batch, n, PARTIALS) and noise (batch, n, BANDS); how
    far its frequencies are off, in percent; and the notes' pitch (batch,)."""

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
        pitch_error: Tensor | None = None,
    ) -> Prediction:
        """pitch_error: semitones (batch,) that are added to the pitch given to the network."""
        there = z.device
        hot = F.one_hot(_tensor(notes.instrument[rows], there), network.instruments).float()
        pitch, velocity = _tensor(notes.pitch[rows], there), _tensor(notes.velocity[rows], there)
        given_pitch, times = pitch, _tensor(frames, there)
        if pitch_error is not None:  # it is also played faster or slower: its positions in periods do not change
            given_pitch, times = pitch + pitch_error, times * torch.exp2(-pitch_error / 12)[:, None]
        level, off, noise = network(hot, z, given_pitch, velocity, times)
        wanted = _tensor(notes.deviation[rows[:, None], frames].astype(np.float32), there)
        sure = _tensor(notes.sure[rows[:, None], frames].astype(np.float32), there)
        map_differences = F.huber_loss(100 * off, 100 * wanted, reduction="none", delta=1.0)
        return cls(level, noise, ranks.weighted_mean(map_differences, sure, spare=1.0), pitch)


def map_differences(
    predicted: Prediction, notes: Notes, rows: NDArray[np.int64], frames: NDArray[np.int64]
) -> tuple[Tensor, Tensor]:
    """Mean differences of the prediction from the maps of frames (batch, n) of notes, over both floors (nats a bin)."""
    there = predicted.level.device
    level_true, noise_true = (
        _tensor(a[rows[:, None], frames].astype(np.float32), there) for a in (notes.level, notes.noise)
    )
    at = comb_bins(predicted.pitch, _tensor(notes.usual[rows], there))
    bands = _tensor(ns.bands(WIDTH, BINS), there)
    between = bands[:, at.clamp(max=BINS - 1).round().long()].movedim(0, 1)
    hidden = torch.exp(2 * (noise_true @ between))
    spacing = (at[:, :1]).clamp(min=1)
    of_partials = (at < ns.PARTIAL_LIMIT * ns.FFT / 2) * spacing.clamp(max=LOBE)
    of_noise = bands.sum(1) * (1 - LOBE / spacing).clamp(min=LEAST)
    total = (of_partials.sum(1) + of_noise.sum(1))[:, None]
    found = []
    for floor in (FINE, COARSE):
        partials = (_over(predicted.level, hidden + floor**2) - _over(level_true, hidden + floor**2)).abs()
        hiss = (_over(predicted.noise, floor**2) - _over(noise_true, floor**2)).abs()
        sums = (partials * of_partials[:, None]).sum(-1) + (hiss * of_noise[:, None]).sum(-1)
        found.append((sums / total).mean())
    return found[0], found[1]


def _over(log: Tensor, power: Tensor | float) -> Tensor:
    """Log magnitudes, with a power added to theirs."""
    return 0.5 * torch.log(torch.exp(2 * log) + power)


def differences(
    predicted: Prediction, notes: Notes, rows: NDArray[np.int64], frames: NDArray[np.int64], bins: NDArray[np.int64]
) -> tuple[Tensor, Tensor]:
    """Mean differences of the prediction from the spectrograms of frames (batch, n) of notes, over both floors, at bins
    (n,), in the mean over all phases."""
    device = predicted.level.device
    power = torch.exp(2 * predicted.level) @ lobes(predicted.pitch, _tensor(notes.usual[rows], device), bins) ** 2
    power = power + torch.exp(2 * (predicted.noise @ _tensor(ns.bands(WIDTH, BINS)[:, bins], device) + MEDIAN))
    shares = np.concatenate([ns.window_share(4), np.ones(1, np.float32)])[np.minimum(frames, 4)]
    made = (power + 1e-14).sqrt() * _tensor(shares, device)[..., None]
    there = _tensor(notes.logs[rows[:, None, None], frames[:, :, None], bins].astype(np.float32), device).exp()
    fine, coarse = ((torch.log(made + floor) - torch.log(there + floor)).abs().mean() for floor in (FINE, COARSE))
    return fine, coarse


def _tensor(array: NDArray[Any], device: torch.device) -> Tensor:
    return torch.from_numpy(array).to(device)


@torch.no_grad()
def judge(network: Any, notes: Notes, size: int = 32) -> NDArray[np.float64]:
    """`differences` of whole notes, and of their frequencies, at frames all over them, with z = 0."""
    found = []
    for rows in np.array_split(np.arange(len(notes.clips)), max(1, len(notes.clips) // size)):
        frames = (np.linspace(0, 0.999, 16) * notes.valid[rows, None]).astype(np.int64)
        z = torch.zeros(len(rows), network.config.latent, device=device_of(network))
        predicted = Prediction.of(network, notes, rows, frames, z)
        both = differences(predicted, notes, rows, frames, np.arange(0, BINS, 2))
        found.append([float(v) for v in (*both, predicted.tuning)])
    return np.asarray(np.mean(found, 0))
