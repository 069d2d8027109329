"""Whole notes as log magnitude and instantaneous frequency, after GANSynth (Engel et al., 2019).

What is known is given: the partials of the wanted pitch (see `instrument.models.notespectra`). So the network says,
for each frame of a note, how loud each partial is, how far off its multiple of the pitch, and how loud the
noise; at what frequencies, with what phases, is arithmetic. A frame is said by its place in the note and by what the
note is (instrument, latent, pitch, velocity), without regard to the frames beside: any of them can be had at
any time, and the first are there at once.

The latent is what else differs from note to note of an instrument; an encoder, of training alone, tells it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from instrument.models.manifest import Port
from instrument.models.notespectra import BANDS, PARTIALS, QUIET, TOP
from training.graphs import Graph
from training.tasks.notespectra import SUMMARY, NoteSpectraTask

Task = NoteSpectraTask
LOWEST, HIGHEST, EVERY = 18, 111, 3  # MIDI pitches that a network knows, in steps between which it interpolates
APART = 6  # likewise of the table
KNOTS = (0, 3, 16, 124)  # frames between which the table interpolates, over the logarithm of time
TILT = -0.7  # level of partials at first: of their number's logarithm


@dataclass(frozen=True, slots=True)
class Config:
    """frames: of a note; latent: size of z; embedding: of an instrument; places: size of what tells a frame's
    place; width, layers: of the network; encoder: its width."""

    frames: int = 128
    latent: int = 8
    embedding: int = 24
    places: int = 64
    width: int = 192
    layers: int = 3
    encoder: int = 128


class Network(nn.Module):
    """The model. instruments: how many it knows."""

    def __init__(self, config: Config, instruments: int) -> None:
        super().__init__()
        self.config, self.instruments = config, instruments
        width, pitches = config.width, len(range(LOWEST, HIGHEST + 1, EVERY))
        self.instrument = nn.Linear(instruments, config.embedding, bias=False)
        told = config.embedding + config.latent + pitches + 3
        self.what = nn.Sequential(nn.Linear(told, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.places = nn.Embedding(config.frames, config.places)
        self.enter = nn.Linear(config.places, width)
        self.bend = nn.ModuleList(nn.Linear(width, 2 * width) for _ in range(config.layers))
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(config.layers))
        self.out = nn.Linear(width, 2 * PARTIALS + 2 * BANDS + 1)
        # what is an instrument's own at its pitches, learnt by heart: the network need not
        zones = len(range(LOWEST, HIGHEST + 1, APART))
        self.table = nn.Linear(instruments, zones * len(KNOTS) * (PARTIALS + BANDS), bias=False)
        nn.init.zeros_(self.table.weight)
        self.encoder = nn.Sequential(
            nn.Linear(SUMMARY, config.encoder), nn.SiLU(), nn.Linear(config.encoder, config.encoder), nn.SiLU()
        )
        self.posterior = nn.Linear(config.encoder + config.embedding, 2 * config.latent)
        nn.init.normal_(self.instrument.weight, std=0.7)
        self.places.weight.data = _first_places(config.frames, config.places)
        nn.init.normal_(self.out.weight, std=0.3 * width**-0.5)
        self.out.bias.data.zero_()
        nn.init.normal_(self.posterior.weight, std=0.1 * config.encoder**-0.5)
        nn.init.zeros_(self.posterior.bias)
        numbers = torch.arange(1, PARTIALS + 1)
        self.register_buffer("numbers", numbers.float(), persistent=False)
        self.register_buffer("known", torch.arange(LOWEST, HIGHEST + 1, EVERY).float(), persistent=False)
        self.register_buffer("zones", torch.arange(LOWEST, HIGHEST + 1, APART).float(), persistent=False)
        self.register_buffer("bands", torch.arange(BANDS).float(), persistent=False)
        self.register_buffer("knots", _knots(config.frames), persistent=False)

    def encode(self, summary: Tensor, instrument: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log deviation of the latent, (lanes, latent) each, of a note's summary (lanes, SUMMARY)."""
        read = torch.cat([self.encoder(summary), self.instrument(instrument)], -1)
        mean, deviation = self.posterior(read).chunk(2, -1)
        return mean, deviation.clamp(-6, 1)

    def forward(
        self, instrument: Tensor, latent: Tensor, pitch: Tensor, velocity: Tensor, frames: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """instrument (lanes, instruments), weights that add up to one; latent (lanes, latent); MIDI pitch and
        velocity over 127 (lanes,); numbers of frames (lanes, n) -> level and deviation (lanes, n, PARTIALS), noise
        (lanes, n, BANDS)."""
        pitch = pitch.clamp(LOWEST, HIGHEST)[:, None]
        near = _tents((pitch - self.known) / EVERY)
        high, loud = (pitch - 60) / 24, velocity[:, None]
        what = self.what(torch.cat([self.instrument(instrument), latent, near, high, loud, high * loud], -1))
        h = self.enter(self.places(frames))
        for bend, layer in zip(self.bend, self.layers, strict=True):
            scale, shift = bend(what)[:, None].chunk(2, -1)
            u = layer(h * (1 + scale) + shift)
            h = h + u * torch.sigmoid(u)
        level, deviation, colour, noise, gain = self.out(h).split([PARTIALS, PARTIALS, BANDS, BANDS, 1], -1)
        # partials are coloured by where they lie, too: what an instrument's body does at any pitch
        hertz = 440 * torch.exp((pitch - 69) * (math.log(2) / 12)) * self.numbers
        mel = torch.log(1 + hertz.clamp(max=TOP) / 700) * ((BANDS - 1) / math.log1p(TOP / 700))
        between = _tents(mel[:, None] - self.bands[:, None])
        zone = _tents((pitch - self.zones) / APART)[:, None]
        known = (zone @ self.table(instrument).unflatten(1, (len(self.zones), -1))).unflatten(2, (len(KNOTS), -1))
        own, hiss = (self.knots[frames] @ known[:, 0]).split([PARTIALS, BANDS], -1)
        level = 2 * (level + own + colour @ between + gain) - 4.5 + TILT * torch.log(self.numbers)
        return (
            level.clamp(min=QUIET, max=0.7),
            0.01 * deviation,
            (2 * (noise + hiss) + gain - 9).clamp(min=QUIET, max=0.0),
        )


def _tents(away: Tensor) -> Tensor:
    """1 where nothing is away, 0 from a step away on."""
    return torch.relu(1 - torch.relu(away) - torch.relu(-away))


def _knots(frames: int) -> Tensor:
    """Weights (frames, KNOTS) of the table's knots at each frame."""
    time, knots = np.log1p(np.arange(frames)), np.log1p(np.array(KNOTS))
    rows = [np.interp(time, knots, row) for row in np.eye(len(KNOTS))]
    return torch.from_numpy(np.stack(rows, 1).astype(np.float32))


def _first_places(frames: int, size: int) -> Tensor:
    """Waves over time and over its logarithm, slow and fast."""
    time = np.arange(frames)[:, None]
    waves = []
    for axis, longest in ((time / frames, 1.0), (np.log1p(time) / np.log(frames), 1.0)):
        angles = axis * np.pi * longest * (np.arange(size // 4) * 0.5 + 0.5)
        waves += [np.cos(angles), np.sin(angles)]
    table = np.concatenate(waves, 1)
    return torch.from_numpy(np.pad(table, ((0, 0), (0, size - table.shape[1]))).astype(np.float32))


# --- export: one graph


class Generator(nn.Module):
    """The network without its encoder."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, instrument: Tensor, latent: Tensor, pitch: Tensor, velocity: Tensor, frames: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See `Network.forward`."""
        return self.network(instrument, latent, pitch, velocity, frames)


def graphs(network: Network) -> dict[str, Graph]:
    """id -> module, example inputs, ports in and out, for `training.export`."""
    lanes, n = 2, 4
    example = (
        F.one_hot(torch.arange(lanes) % network.instruments, network.instruments).float(),
        torch.zeros(lanes, network.config.latent),
        torch.full((lanes,), 60.0),
        torch.full((lanes,), 0.5),
        torch.arange(n).expand(lanes, -1).contiguous(),
    )
    ins = [
        Port("instrument", "condition", (-1, network.instruments)),
        Port("latent", "latent", (-1, network.config.latent)),
        Port("pitch", "event", (-1,)),
        Port("velocity", "event", (-1,)),
        Port("frames", "event", (-1, -1), "int64"),
    ]
    outs = [
        Port("level", "audio", (-1, -1, PARTIALS)),
        Port("deviation", "audio", (-1, -1, PARTIALS)),
        Port("noise", "audio", (-1, -1, BANDS)),
    ]
    return {"generator": (Generator(network), example, ins, outs)}


def states(network: Network) -> tuple[Any, ...]:
    """It has no memory."""
    return ()
