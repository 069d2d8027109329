"""The networks of `ddsp`, and the graphs of its bundle."""

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
from training.core.ranges import Count
from training.families.ddsp.task import SUMMARY


@dataclass(frozen=True, slots=True)
class Config:
    """latent: size of z; embedding: of an instrument; note_width: of the network that runs once a note; frame_width:
    of the one that runs once a frame."""

    latent: Count = 8
    embedding: Count = 32
    note_width: Count = 448
    frame_width: Count = 192


class Block(nn.Module):
    """x + what two layers make of it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.into, self.back = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., width)."""
        return x + self.back(F.silu(self.into(F.silu(x))))


class NoteNetwork(nn.Module):
    """The part of a tone that does not depend on its age."""

    def __init__(self, config: Config, instruments: int) -> None:
        super().__init__()
        self.embedding = nn.Linear(instruments, config.embedding, bias=False)
        self.into = nn.Linear(config.embedding + NOTE + config.latent, config.note_width)
        self.block = Block(config.note_width)
        self.state = nn.Linear(config.note_width, 2 * config.frame_width)
        self.facts = nn.Linear(config.note_width, PARTIALS + LEVELS + 1)

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
        self.age = nn.Linear(AGE, config.frame_width)
        self.turn = nn.Linear(config.frame_width, config.frame_width)
        self.block = Block(config.frame_width)
        self.out = nn.Linear(config.frame_width, LEVELS + 1)
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
        """Mean and log deviation (n, latent) of the timbre of a note (n, SUMMARY), given its pitch and velocity."""
        mean, deviation = self.encoder(torch.cat([summary, note], -1)).chunk(2, -1)
        return mean, deviation.clamp(-5, 1)


def graphs(network: Network) -> dict[str, Graph]:
    """id -> module, example inputs, ports in and out, for `training.export`."""
    config, instruments = network.config, network.genres
    note = (torch.eye(2, instruments), torch.zeros(2, NOTE), torch.zeros(2, config.latent))
    frame = (torch.zeros(2, 2 * config.frame_width), torch.zeros(2, AGE))
    state = Port("state", "hidden", (-1, 2 * config.frame_width))
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
    """None: a note's state is constant, and its age is an input."""
    return ()
