"""The graphs of an LSTM bundle: a step with explicit state, and a graph a head."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from instrument.models.conditions import condition_size
from instrument.models.manifest import Port, State
from training.families.lstm import Network
from training.families.notes import ECHOES, FIELDS, HEADS, SEEN


class Step(nn.Module):
    """One step: seen (lanes, 1, 12), condition (lanes, 1, size), h and c of each layer (lanes, units) ->
    the heads' shares (lanes, 1, hidden), then the new states. Gates are written out, so that each layer is
    one product that quantises well."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.layers = nn.ModuleList()
        lstm = network.lstm
        for i in range(network.config.layers):
            weight_ih, weight_hh, bias_ih, bias_hh = (
                getattr(lstm, f"{name}_l{i}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            layer = nn.Linear(weight_ih.shape[1] + weight_hh.shape[1], weight_ih.shape[0])
            layer.weight.data = torch.cat([weight_ih, weight_hh], 1).detach().clone()
            layer.bias.data = (bias_ih + bias_hh).detach().clone()
            self.layers.append(layer)

    def forward(self, seen: Tensor, condition: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        x = self.network.embed(seen, condition)[:, 0]
        after: list[Tensor] = []
        for i, layer in enumerate(self.layers):
            hidden, cell = states[2 * i], states[2 * i + 1]
            gates = layer(torch.cat([x, hidden], -1))
            enter, forget, value, leave = gates.chunk(4, -1)
            cell = torch.sigmoid(forget) * cell + torch.sigmoid(enter) * torch.tanh(value)
            x = torch.sigmoid(leave) * torch.tanh(cell)
            after += [x, cell]
        return (*self.network.heads.shares(x[:, None], condition), *after)


class HeadGraph(nn.Module):
    """One head: share (lanes, 1, hidden), context (lanes, 1, columns) -> logits (lanes, 1, classes)."""

    def __init__(self, network: Network, name: str) -> None:
        super().__init__()
        self.heads, self.name = network.heads, name

    def forward(self, share: Tensor, context: Tensor) -> Tensor:
        """See the class."""
        return self.heads.logits(self.name, share, context)


def graphs(network: Network) -> dict[str, tuple[nn.Module, tuple[Tensor, ...], list[Port], list[Port]]]:
    """id -> module, example inputs, ports in and out, for `training.export`."""
    config, size = network.config, condition_size(network.genres)
    lanes = 2
    names = [f"{kind}_{i}" for i in range(config.layers) for kind in ("hidden", "cell")]
    seen = torch.zeros(lanes, 1, len(SEEN) + ECHOES, dtype=torch.int64)
    condition = torch.zeros(lanes, 1, size)
    states = [torch.zeros(lanes, config.units) for _ in names]
    found: dict[str, tuple[nn.Module, tuple[Tensor, ...], list[Port], list[Port]]] = {
        "step": (
            Step(network),
            (seen, condition, *states),
            [
                Port("seen", "event", (-1, 1, seen.shape[-1]), "int64"),
                Port("condition", "condition", (-1, 1, size)),
            ]
            + [Port(name, "state", (-1, config.units)) for name in names],
            [Port(f"share_{field}", "hidden", (-1, 1, config.head)) for field in FIELDS]
            + [Port(f"{name}_after", "state", (-1, config.units)) for name in names],
        )
    }
    for i, field in enumerate(FIELDS):
        columns = len(HEADS[field])
        classes = network.heads.logits(
            field, torch.zeros(1, 1, config.head), torch.zeros(1, 1, columns, dtype=torch.int64)
        ).shape[-1]
        found[field] = (
            HeadGraph(network, field),
            (torch.zeros(lanes, 1, config.head), torch.zeros(lanes, 1, columns, dtype=torch.int64)),
            [
                Port("share", "hidden", (-1, 1, config.head)),
                Port("context", "context", (-1, 1, columns), "int64"),
            ],
            [Port(f"logits_{i}", "logits", (-1, 1, classes))],
        )
    return found


def states(network: Network) -> tuple[State, ...]:
    """The state pairs of the step graph."""
    config = network.config
    return tuple(
        State(f"{kind}_{i}", f"{kind}_{i}_after", (-1, config.units))
        for i in range(config.layers)
        for kind in ("hidden", "cell")
    )
