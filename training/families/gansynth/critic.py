"""The critic of notes: its input is an image of the spectra of some frames, with their phases.

An image has channels: log magnitude; cosine and sine of how far a bin's phase advances from what the nearest
multiple of the pitch would; and that comb itself.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from instrument.models.sound.note_spectra import FFT, HOP, NOISE_FRAMES, PARTIALS, RATE, grid, window_share
from instrument.music.pitch import to_hertz

BINS = FFT // 2  # the last is left out
PITCHES = 128
WIDTH = RATE / FFT


class Critic(nn.Module):
    """Judges images (batch, 4, frames, BINS)."""

    def __init__(self, instruments: int, channels: int) -> None:
        super().__init__()
        c = channels
        self.layers = nn.ModuleList(
            nn.Conv2d(i, o, (3, k), (s, t), (1, (k - t) // 2))
            for i, o, k, s, t in (
                (4, c, 8, 1, 4),
                (c, 2 * c, 4, 2, 2),
                (2 * c, 3 * c, 4, 2, 2),
                (3 * c, 4 * c, 4, 2, 2),
            )
        )
        self.join = nn.Linear(4 * c * (BINS // 32 + 1), 96)
        self.score = nn.Linear(96, 1)
        self.timbre = nn.Embedding(instruments, 96)
        self.pitch = nn.Linear(96, PITCHES)
        nn.init.normal_(self.timbre.weight, std=0.05)

    def forward(self, images: Tensor, instrument: Tensor) -> tuple[Tensor, Tensor]:
        """How real each is (batch,), given its instrument (batch,), and logits of its pitch (batch, PITCHES)."""
        h = images
        for layer in self.layers:
            h = F.leaky_relu(layer(h), 0.2)
        spread = h.std(0, unbiased=False).mean().expand(len(h), h.shape[1], 1)  # do they differ as real ones do?
        seen = F.leaky_relu(self.join(torch.cat([h.mean(2), spread], -1).flatten(1)), 0.2)
        return self.score(seen)[:, 0] + (seen * self.timbre(instrument)).sum(-1), self.pitch(seen)


def image(spectra: Tensor, pitch: Tensor) -> Tensor:
    """Images (batch, 4, frames, BINS) of spectra (batch, frames + 1, bins) of notes of MIDI pitches (batch,)."""
    now, after = spectra[:, :-1, :BINS], spectra[:, 1:, :BINS]
    loud = (torch.log(now.real**2 + now.imag**2 + 1e-9) * 0.5 + 6) / 3
    base = to_hertz(pitch)
    number = torch.arange(BINS, device=pitch.device) * WIDTH / base[:, None]
    nearest = number.round().clamp(min=1) * base[:, None]
    back = torch.polar(torch.ones_like(nearest), -2 * np.pi * HOP / RATE * nearest)
    turn = after * now.conj() * back[:, None]
    size = (turn.real**2 + turn.imag**2 + 1e-20).sqrt() + 1e-7
    teeth = torch.cos(2 * np.pi * number)[:, None].expand_as(loud)
    return torch.stack([loud, turn.real / size, turn.imag / size, teeth], 1)


def real_spectra(sound: Tensor, first: Tensor, count: int) -> Tensor:
    """Spectra (batch, count, bins) of sounds (batch, samples), from frame `first` (batch,) on, as by
    `note_spectra.amplitudes`."""
    starts = first[:, None] * HOP + torch.arange((count - 1) * HOP + FFT, device=first.device)
    cut = torch.gather(F.pad(sound, (FFT // 2, FFT)), 1, starts)
    frames = cut.unfold(1, FFT, HOP) * torch.hann_window(FFT, device=sound.device)
    found = torch.fft.rfft(frames) * (4 / FFT)
    return found * _signs(sound.device)


def made_spectra(
    level: Tensor, deviation: Tensor, noise_power: Tensor, lobes: Tensor, pitch: Tensor, first: Tensor
) -> Tensor:
    """Spectra (batch, n, bins) of maps: level and deviation (batch, n, PARTIALS), power of noise (batch, n, bins),
    lobes (batch, PARTIALS, bins); phases are drawn, frequencies integrated."""
    (batch_size, n), there = level.shape[:2], level.device
    base = to_hertz(pitch)[:, None, None] * torch.arange(1, PARTIALS + 1, device=there)
    turns = torch.cumsum(base * (1 + deviation) * (2 * np.pi * HOP / RATE), 1)
    phase = turns + 2 * np.pi * torch.rand(batch_size, 1, PARTIALS, device=there)
    strength = level.exp()
    real, imaginary = (strength * torch.cos(phase)) @ lobes, (strength * torch.sin(phase)) @ lobes
    numbers = torch.randint(NOISE_FRAMES, (batch_size, 1), device=there) + torch.arange(n, device=there)
    hiss = torch.from_numpy(grid(RATE).noise).to(there)[numbers % NOISE_FRAMES]
    spectra = torch.complex(real, imaginary) + (noise_power + 1e-14).sqrt() * hiss
    shares = torch.from_numpy(np.concatenate([window_share(4), np.ones(1, np.float32)])).to(there)
    return spectra * shares[(first[:, None] + torch.arange(n, device=there)).clamp(max=4)][..., None]


def _signs(device: torch.device) -> Tensor:
    return 1.0 - 2.0 * (torch.arange(FFT // 2 + 1, device=device) % 2)
