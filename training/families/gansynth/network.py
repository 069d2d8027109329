"""Whole notes as log magnitude and instantaneous frequency, after GANSynth (Engel et al., 2019).

What is known is given: the partials of the wanted pitch (see `models.sound.note_spectra`). So the network says,
for each frame of a note, how loud each partial is, how far off its multiple of the pitch, and how loud the
noise; at what frequencies, with what phases, is arithmetic. A frame is said by its place in the note and by what the
note is (instrument, latent, pitch, velocity), without regard to the frames beside: any of them can be had at
any time, and the first are there at once.

Recordings are made for some keys and played faster for those above, slower for those below: at neighbouring pitches,
what happens at equal numbers of periods is alike, not what happens at equal times. So the network is told a frame's
place in periods.

The latent is what else differs from note to note of an instrument; an encoder, of training alone, tells it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from instrument.models.manifest import Port
from instrument.models.sound.note_spectra import BANDS, PARTIALS, QUIET, TOP
from training.core.graphs import Graph
from training.families.gansynth.task import SUMMARY

LOWEST, HIGHEST, EVERY = 18, 111, 3  # MIDI pitches that a network knows, in steps between which it interpolates
APART = 6  # likewise of the table
KNOTS = 4  # of time, over its logarithm, between which the table interpolates
EARLY = 2.0  # frames, at `MIDDLE`, below which places are told apart evenly, above by their ratio
MIDDLE = 60.0  # MIDI pitch at which places are counted in frames
TILT = -0.7  # level of partials at first: of their number's logarithm


@dataclass(frozen=True, slots=True)
class Config:
    """frames: of a note; latent: size of z; embedding: of an instrument; places: that are told apart in a note;
    width, layers: of the network; encoder: its width."""

    frames: int = 128
    latent: int = 8
    embedding: int = 24
    places: int = 48
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
        self.enter = nn.Linear(config.places, width)
        self.bend = nn.ModuleList(nn.Linear(width, 2 * width) for _ in range(config.layers))
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(config.layers))
        self.out = nn.Linear(width, 2 * PARTIALS + 2 * BANDS + 1)
        # what is an instrument's own at its pitches, learnt by heart: the network need not
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
        self.register_buffer("places", torch.linspace(0, math.log1p(last / EARLY), config.places), persistent=False)

    def encode(self, summary: Tensor, instrument: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log deviation of the latent, (lanes, latent) each, of a note's summary (lanes, SUMMARY)."""
        read = torch.cat([self.encoder(summary), self.instrument(instrument)], -1)
        mean, deviation = self.posterior(read).chunk(2, -1)
        return mean, deviation.clamp(-6, 1)

    def place(self, time: Tensor, pitch: Tensor) -> Tensor:
        """How near times in frames (lanes, n) of notes of a pitch (lanes, 1) are, in periods, to each place (lanes, n,
        places)."""
        periods = time * torch.exp((pitch - MIDDLE) * (math.log(2) / 12))
        away = (torch.log(1 + periods / EARLY)[..., None] - self.places) / (self.places[1] * 1.2)
        return torch.exp(-away * away)

    def forward(
        self, instrument: Tensor, latent: Tensor, pitch: Tensor, velocity: Tensor, frames: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """instrument (lanes, instruments), weights that add up to one; latent (lanes, latent); MIDI pitch and
        velocity over 127 (lanes,); numbers of frames (lanes, n), or times in frames -> level and deviation (lanes, n,
        PARTIALS), noise (lanes, n, BANDS)."""
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
        # partials are coloured by where they lie, too: what an instrument's body does at any pitch
        hertz = 440 * torch.exp((pitch - 69) * (math.log(2) / 12)) * self.numbers
        mel = torch.log(1 + hertz.clamp(max=TOP) / 700) * ((BANDS - 1) / math.log1p(TOP / 700))
        between = _tents(mel[:, None] - self.bands[:, None])
        zone = _tents((pitch - self.zones) / APART)[:, None]
        known = (zone @ self.table(instrument).unflatten(1, (len(self.zones), -1))).unflatten(2, (KNOTS, -1))
        knot = torch.log(1 + time) * ((KNOTS - 1) / math.log(self.config.frames))
        own, hiss = (_tents(knot[..., None] - torch.arange(KNOTS)) @ known[:, 0]).split([PARTIALS, BANDS], -1)
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
