"""Tones decoded to partials and noise: the conditional autoencoder of `families.ddsp.task`, in the manner of DDSP.

Engel et al. 2020 (DDSP). The decoder is two networks. One is run when a tone begins, or its timbre is turned: from
instrument, pitch, velocity and z to the tone's state. The other is run every frame: from state and age to levels. It
is small, so that many tones are decoded at once while they sound.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from instrument.models.manifest import Port
from instrument.models.manifest import State as StatePair
from instrument.models.sound.additive import FLOOR, LEVELS, PARTIALS
from instrument.models.sound.tone_features import AGE, NOTE
from training.core.graphs import Graph
from training.families.ddsp.task import SUMMARY


@dataclass(frozen=True, slots=True)
class Config:
    """latent: size of z; embedding: of an instrument; note, frame: widths of the network of a tone, and of that of
    its frames."""

    latent: int = 8
    embedding: int = 32
    note: int = 448
    frame: int = 192


class Block(nn.Module):
    """x + what two layers make of it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.into, self.back = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., width)."""
        return x + self.back(F.silu(self.into(F.silu(x))))


class NoteNetwork(nn.Module):
    """What of a tone does not depend on its age."""

    def __init__(self, config: Config, instruments: int) -> None:
        super().__init__()
        self.embedding = nn.Linear(instruments, config.embedding, bias=False)
        self.into = nn.Linear(config.embedding + NOTE + config.latent, config.note)
        self.block = Block(config.note)
        self.state = nn.Linear(config.note, 2 * config.frame)
        self.facts = nn.Linear(config.note, PARTIALS + LEVELS + 1)

    def forward(self, instrument: Tensor, note: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """instrument: (n, instruments), 1 for one of them; note: (n, NOTE) features; z: (n, latent). Returns state
        (n, 2 * frame), tuning (n, PARTIALS) in cents, loss (n, LEVELS) and release (n, 1) in decibels a second."""
        x = self.block(self.into(torch.cat([self.embedding(instrument), note, z], -1)))
        tuning, loss, release = self.facts(F.silu(x)).split([PARTIALS, LEVELS, 1], -1)
        return self.state(F.silu(x)), 50 * tuning, 20 * loss, 100 * release


class FrameNetwork(nn.Module):
    """The frames of a tone."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.age = nn.Linear(AGE, config.frame)
        self.turn = nn.Linear(config.frame, config.frame)
        self.block = Block(config.frame)
        self.out = nn.Linear(config.frame, LEVELS + 1)
        self.register_buffer("floor", torch.from_numpy(FLOOR), persistent=False)

    def forward(self, state: Tensor, age: Tensor) -> tuple[Tensor, Tensor]:
        """state: (n, 2 * frame); age: (n, AGE) features. Returns levels (n, LEVELS) in decibels,
        below the floor for what does not sound, and cents (n, 1)."""
        scale, shift = state.chunk(2, -1)
        x = self.block(scale * self.turn(F.silu(self.age(age))) + shift)
        x = self.out(F.silu(x))
        return self.floor + 30 * (1 + x[..., :LEVELS]), 10 * x[..., LEVELS:]


class Network(nn.Module):
    """The model. genres: how many instruments it knows."""

    def __init__(self, config: Config, genres: int) -> None:
        super().__init__()
        self.config, self.genres = config, genres
        self.note = NoteNetwork(config, genres)
        self.frame = FrameNetwork(config)
        self.encoder = nn.Sequential(nn.Linear(SUMMARY + NOTE, 256), nn.SiLU(), nn.Linear(256, 2 * config.latent))

    def encode(self, summary: Tensor, note: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log deviation (n, latent) of the timbre of a note (n, SUMMARY), told its pitch and velocity."""
        mean, deviation = self.encoder(torch.cat([summary, note], -1)).chunk(2, -1)
        return mean, deviation.clamp(-5, 1)


def graphs(network: Network) -> dict[str, Graph]:
    """id -> module, example inputs, ports in and out, for `training.export`."""
    config, instruments = network.config, network.genres
    note = (torch.eye(2, instruments), torch.zeros(2, NOTE), torch.zeros(2, config.latent))
    frame = (torch.zeros(2, 2 * config.frame), torch.zeros(2, AGE))
    state = Port("state", "hidden", (-1, 2 * config.frame))
    return {
        "note": (
            network.note,
            note,
            [
                Port("instrument", "condition", (-1, instruments)),
                Port("note", "condition", (-1, NOTE)),
                Port("z", "latent", (-1, config.latent)),
            ],
            [
                state,
                Port("tuning", "audio", (-1, PARTIALS)),
                Port("loss", "audio", (-1, LEVELS)),
                Port("release", "audio", (-1, 1)),
            ],
        ),
        "frame": (
            network.frame,
            frame,
            [state, Port("age", "condition", (-1, AGE))],
            [Port("levels", "audio", (-1, LEVELS)), Port("cents", "audio", (-1, 1))],
        ),
    }


def states(network: Network) -> tuple[StatePair, ...]:
    """None: a tone's state stays as it is, and its age is told."""
    return ()
