"""The network of the toy family, and the graphs of its bundle."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from instrument.models.manifest import Port
from instrument.models.manifest import State as StatePair
from instrument.models.notes.conditions import condition_size
from instrument.models.notes.form_conditions import NOTHING
from training.core.graphs import Graph
from training.families.notes.network import ECHOES, FIELDS, SEEN, Heads, contexts, head_graphs, width

HEAD = 12


@dataclass(frozen=True, slots=True)
class Config:
    """units: size of the hidden state."""

    units: int = 16


class Network(nn.Module):
    """The model."""

    def __init__(self, config: Config, genres: int) -> None:
        super().__init__()
        self.config, self.genres, self.learned = config, genres, NOTHING
        condition = condition_size(genres)
        self.inputs = nn.Linear(width(SEEN) + ECHOES + condition + config.units, config.units)
        self.heads = Heads(config.units, HEAD, condition)

    def initial(self, lanes: int) -> tuple[Tensor]:
        """The hidden state before the start of a piece."""
        return (torch.zeros(1, lanes, self.config.units),)

    def advance(self, seen: Tensor, condition: Tensor, hidden: Tensor) -> Tensor:
        """The hidden state (lanes, units) after one note."""
        events, matches = seen.split([len(SEEN), ECHOES], -1)
        embedded = self.heads.embeddings(SEEN, events)
        return torch.tanh(self.inputs(torch.cat([embedded, matches.float(), condition, hidden], -1)))

    def forward(
        self, batch: dict[str, Tensor], condition: Tensor, state: tuple[Tensor]
    ) -> tuple[dict[str, Tensor], tuple[Tensor]]:
        """Logits of every field, (lanes, steps, classes), and the state after the last step."""
        hidden, outputs = state[0][0], []
        for i in range(condition.shape[1]):
            hidden = self.advance(batch["seen"][:, i], condition[:, i], hidden)
            outputs.append(hidden)
        shares = self.heads.shares(torch.stack(outputs, 1), condition)
        given = contexts(batch)
        logits = {name: self.heads.logits(name, share, given[name]) for name, share in zip(given, shares, strict=True)}
        return logits, (hidden[None],)


class Step(nn.Module):
    """One note, with its state explicit."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, seen: Tensor, condition: Tensor, hidden: Tensor) -> tuple[Tensor, ...]:
        """seen (lanes, 1, 12), condition (lanes, 1, size), hidden (lanes, units) -> shares of the heads, hidden."""
        hidden = self.network.advance(seen[:, 0], condition[:, 0], hidden)
        return (*self.network.heads.shares(hidden[:, None], condition), hidden)


def graphs(network: Network) -> dict[str, Graph]:
    """id -> module, example inputs, ports in and out."""
    size, units, lanes = condition_size(network.genres), network.config.units, 2
    seen = torch.zeros(lanes, 1, len(SEEN) + ECHOES, dtype=torch.int64)
    step = (
        Step(network),
        (seen, torch.zeros(lanes, 1, size), torch.zeros(lanes, units)),
        [
            Port("seen", "event", (-1, 1, seen.shape[-1]), "int64"),
            Port("condition", "condition", (-1, 1, size)),
            Port("hidden", "state", (-1, units)),
        ],
        [*(Port(f"share_{field}", "hidden", (-1, 1, HEAD)) for field in FIELDS), Port("after", "state", (-1, units))],
    )
    return {"step": step} | head_graphs(network)


def states(network: Network) -> tuple[StatePair, ...]:
    """The state pairs of the step graph."""
    return (StatePair("hidden", "after", (-1, network.config.units)),)
