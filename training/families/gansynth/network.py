"""The network of `gansynth`, and the graph of its bundle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from instrument.models.manifest import Port
from instrument.models.sound.note_spectra import BANDS, MAX_HERTZ, PARTIALS, QUIET
from instrument.music.pitch import A4, A4_HZ
from training.core.graphs import Graph
from training.core.ranges import Count
from training.families.gansynth.notes import SUMMARY

LOWEST, HIGHEST, EVERY = 18, 111, 3  # MIDI pitches that a network knows, in steps between which it interpolates
APART = 6  # the same for the table
KNOTS = 4  # of time, over its logarithm, between which the table interpolates
EARLY = 2.0  # frames, at `MIDDLE`, below which positions are spaced evenly, above by their ratio
MIDDLE = 60.0  # MIDI pitch at which places are counted in frames
TILT = -0.7  # level of partials at first: of their number's logarithm


@dataclass(frozen=True, slots=True)
class Config:
    """frames: of a note; latent: size of z; embedding: of an instrument; positions: basis functions for the position in
    a note; width, layers: of the network; encoder: its width."""

    frames: Count = 128
    latent: Count = 8
    embedding: Count = 24
    positions: Count = 48
    width: Count = 192
    layers: Count = 3
    encoder: Count = 128


class Network(nn.Module):
    """The model. instruments: how many it knows."""

    def __init__(self, config: Config, instruments: int) -> None:
        super().__init__()
        self.config, self.instruments = config, instruments
        width, pitches = config.width, len(range(LOWEST, HIGHEST + 1, EVERY))
        self.instrument = nn.Linear(instruments, config.embedding, bias=False)
        inputs = config.embedding + config.latent + pitches + 3
        self.what = nn.Sequential(nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.enter = nn.Linear(config.positions, width)
        self.bend = nn.ModuleList(nn.Linear(width, 2 * width) for _ in range(config.layers))
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(config.layers))
        self.out = nn.Linear(width, 2 * PARTIALS + 2 * BANDS + 1)
        # deviations of each instrument at its pitches, stored so that the network need not learn them
        zones = len(range(LOWEST, HIGHEST + 1, APART))
        self.table = nn.Linear(instruments, zones * KNOTS * (PARTIALS + BANDS), bias=False)
        nn.init.zeros_(self.table.weight)
        self.encoder = nn.Sequential(
            nn.Linear(SUMMARY, config.encoder), nn.SiLU(), nn.Linear(config.encoder, config.encoder), nn.SiLU()
        )
        self.posterior = nn.Linear(config.encoder + config.embedding, 2 * config.latent)
        nn.init.normal_(self.instrument.weight, std=0.7)
        nn.init.normal_(self.out.weight, std=0.3 * width**-0.5)
        self.out.bias.data.zero_()
        nn.init.normal_(self.posterior.weight, std=0.1 * config.encoder**-0.5)
        nn.init.zeros_(self.posterior.bias)
        numbers = torch.arange(1, PARTIALS + 1)
        self.register_buffer("numbers", numbers.float(), persistent=False)
        self.register_buffer("known", torch.arange(LOWEST, HIGHEST + 1, EVERY).float(), persistent=False)
        self.register_buffer("zones", torch.arange(LOWEST, HIGHEST + 1, APART).float(), persistent=False)
        self.register_buffer("bands", torch.arange(BANDS).float(), persistent=False)
        last = config.frames * 2 ** ((HIGHEST - MIDDLE) / 12)
        self.register_buffer("places", torch.linspace(0, math.log1p(last / EARLY), config.positions), persistent=False)

    def encode(self, summary: Tensor, instrument: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log deviation of the latent, (batch, latent) each, of a note's summary (batch, SUMMARY)."""
        read = torch.cat([self.encoder(summary), self.instrument(instrument)], -1)
        mean, deviation = self.posterior(read).chunk(2, -1)
        return mean, deviation.clamp(-6, 1)

    def place(self, time: Tensor, pitch: Tensor) -> Tensor:
        """How near times in frames (batch, n) of notes of a pitch (batch, 1) are, in periods, to each position (batch,
        n, positions)."""
        periods = time * torch.exp((pitch - MIDDLE) * (math.log(2) / 12))
        away = (torch.log(1 + periods / EARLY)[..., None] - self.places) / (self.places[1] * 1.2)
        return torch.exp(-away * away)

    def forward(
        self, instrument: Tensor, latent: Tensor, pitch: Tensor, velocity: Tensor, frames: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """instrument (batch, instruments), weights that add up to one; latent (batch, latent); MIDI pitch and
        velocity over 127 (batch,); numbers of frames (batch, n), or times in frames -> level and deviation (batch, n,
        PARTIALS), noise (batch, n, BANDS)."""
        pitch = pitch.clamp(LOWEST, HIGHEST)[:, None]
        near = _tents((pitch - self.known) / EVERY)
        high, loud = (pitch - 60) / 24, velocity[:, None]
        what = self.what(torch.cat([self.instrument(instrument), latent, near, high, loud, high * loud], -1))
        time = frames.float()
        h = self.enter(self.place(time, pitch))
        for bend, layer in zip(self.bend, self.layers, strict=True):
            scale, shift = bend(what)[:, None].chunk(2, -1)
            u = layer(h * (1 + scale) + shift)
            h = h + u * torch.sigmoid(u)
        level, deviation, colour, noise, gain = self.out(h).split([PARTIALS, PARTIALS, BANDS, BANDS, 1], -1)
        # levels depend on absolute frequency, too: the resonances of an instrument's body
        # `to_hertz` with exp, as the exported graph may have no Pow
        hertz = A4_HZ * torch.exp((pitch - A4) * (math.log(2) / 12)) * self.numbers
        mel = torch.log(1 + hertz.clamp(max=MAX_HERTZ) / 700) * ((BANDS - 1) / math.log1p(MAX_HERTZ / 700))
        between = _tents(mel[:, None] - self.bands[:, None])
        zone = _tents((pitch - self.zones) / APART)[:, None]
        known = (zone @ self.table(instrument).unflatten(1, (len(self.zones), -1))).unflatten(2, (KNOTS, -1))
        knot = torch.log(1 + time) * ((KNOTS - 1) / math.log(self.config.frames))
        own, hiss = (_tents(knot[..., None] - torch.arange(KNOTS, device=knot.device)) @ known[:, 0]).split(
            [PARTIALS, BANDS], -1
        )
        level = 2 * (level + own + colour @ between + gain) - 4.5 + TILT * torch.log(self.numbers)
        return (
            level.clamp(min=QUIET, max=0.7),
            0.01 * deviation,
            (2 * (noise + hiss) + gain - 9).clamp(min=QUIET, max=0.0),
        )


def _tents(away: Tensor) -> Tensor:
    """1 where nothing is away, 0 from a step away on."""
    return torch.relu(1 - torch.relu(away) - torch.relu(-away))


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
    batch_size, n = 2, 4
    example = (
        F.one_hot(torch.arange(batch_size) % network.instruments, network.instruments).float(),
        torch.zeros(batch_size, network.config.latent),
        torch.full((batch_size,), 60.0),
        torch.full((batch_size,), 0.5),
        torch.arange(n).expand(batch_size, -1).contiguous(),
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
