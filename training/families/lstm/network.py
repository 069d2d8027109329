"""The network of the LSTM, and the graphs of its bundle."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from instrument.models.manifest import Port
from instrument.models.manifest import State as StatePair
from instrument.models.notes.form_conditions import Learned
from training.core.graphs import Graph
from training.core.ranges import BelowOne, Count
from training.families.notes.network import ECHOES, FIELDS, SEEN, Heads, contexts, head_graphs, width

State = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class Config:
    """layers, units: of the LSTM; inputs: width of its input; head: hidden width of a head; dropout: of
    inputs and outputs while training; plan: whether it learns to follow the chords of a plan; form: and with them its
    form, see `form_conditions`."""

    layers: Count = 2
    units: Count = 448
    inputs: Count = 256
    head: Count = 160
    dropout: BelowOne = 0.1
    plan: bool = False
    form: bool = False

    @property
    def learned(self) -> Learned:
        """What of a plan it learns to follow."""
        return Learned(self.plan, self.plan and self.form)


class Network(nn.Module):
    """The model. genres: how many its condition distinguishes."""

    def __init__(self, config: Config, genres: int) -> None:
        super().__init__()
        self.config, self.genres, self.learned = config, genres, config.learned
        condition = self.learned.size(genres)
        self.inputs = nn.Linear(width(SEEN) + ECHOES + condition, config.inputs)
        self.lstm = nn.LSTM(config.inputs, config.units, config.layers, batch_first=True, dropout=config.dropout)
        self.dropout = nn.Dropout(config.dropout)
        self.heads = Heads(config.units, config.head, condition, self.learned)
        for name, weight in self.lstm.named_parameters():
            if "weight_hh" in name:
                for gate in weight.data.chunk(4):
                    nn.init.orthogonal_(gate)
            elif "bias_ih" in name:
                weight.data.zero_()
                weight.data[config.units : 2 * config.units] = 1.0  # remember at first
            elif "bias_hh" in name:
                weight.data.zero_()

    def initial(self, batch_size: int) -> State:
        """States before the start of a piece, (layers, batch, units) each."""
        shape = (self.config.layers, batch_size, self.config.units)
        weight = self.inputs.weight
        return weight.new_zeros(shape), weight.new_zeros(shape)

    def embed(self, seen: Tensor, condition: Tensor) -> Tensor:
        """The LSTM's input (..., inputs) of seen (..., 12) and condition (..., size)."""
        events, matches = seen.split([len(SEEN), ECHOES], -1)
        return self.inputs(torch.cat([self.heads.embeddings(SEEN, events), matches.float(), condition], -1))

    def forward(self, batch: dict[str, Tensor], condition: Tensor, state: State) -> tuple[dict[str, Tensor], State]:
        """Logits of every field, (batch, steps, classes), and the states after the last step."""
        output, state = self.lstm(self.dropout(self.embed(batch["seen"], condition)), state)
        shares = self.heads.shares(self.dropout(output), condition)
        context = contexts(batch, self.learned)
        logits = {
            name: self.heads.logits(name, share, context[name]) for name, share in zip(context, shares, strict=True)
        }
        return logits, state


# --- export: the graphs of a bundle, a step with explicit state and one a head


class Step(nn.Module):
    """One step: seen (batch, 1, 12), condition (batch, 1, size), h and c of each layer (batch, units) ->
    the heads' shares (batch, 1, hidden), then the new states. Gates are written out, so that each layer is
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


def graphs(network: Network) -> dict[str, Graph]:
    """id -> module, example inputs, ports in and out, for `training.export`."""
    config, size = network.config, network.learned.size(network.genres)
    batch_size = 2
    names = [f"{kind}_{i}" for i in range(config.layers) for kind in ("hidden", "cell")]
    seen = torch.zeros(batch_size, 1, len(SEEN) + ECHOES, dtype=torch.int64)
    condition = torch.zeros(batch_size, 1, size)
    states = [torch.zeros(batch_size, config.units) for _ in names]
    step = (
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
    return {"step": step} | head_graphs(network)


def states(network: Network) -> tuple[StatePair, ...]:
    """The state pairs of the step graph."""
    config = network.config
    return tuple(
        StatePair(f"{kind}_{i}", f"{kind}_{i}_after", (-1, config.units))
        for i in range(config.layers)
        for kind in ("hidden", "cell")
    )


def restored(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """The network's parameters from those of its graphs: the inverse of `Step`."""
    out = {name: value for name, value in found.items() if not name.startswith("layers.")}
    for name, weight in found.items():
        if name.startswith("layers.") and name.endswith(".weight"):
            i, units = int(name.split(".")[1]), weight.shape[0] // 4
            out[f"lstm.weight_ih_l{i}"], out[f"lstm.weight_hh_l{i}"] = weight[:, :-units], weight[:, -units:]
            out[f"lstm.bias_ih_l{i}"] = found[f"layers.{i}.bias"]
            out[f"lstm.bias_hh_l{i}"] = torch.zeros(4 * units)
    return out
