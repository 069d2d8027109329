"""The plan network: two GRU layers over slots with pointers to echoes, and a small GRU over sections.

The distribution of the next chord is a mixture of the network's own softmax, the previous chord and the echoes
(`instrument.models.plan.slots`). A gate predicts the weights. This is a pointer network (Merity et al., "Pointer
Sentinel Mixture Models", ICLR 2017) whose pointers are musical places instead of attention over the past. Sections are
predicted without pointers, as their number is small. The two networks share no weights.

The embeddings' name `told` and the port `heard` are those of saved weights and graphs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from instrument.models.manifest import Port
from instrument.models.manifest import State as StatePair
from instrument.models.plan import form, slots
from training.core.graphs import Graph
from training.core.ranges import BelowOne, Count

IMPOSSIBLE = -1e9
SMALLEST = 1e-6  # added to all probabilities, so that none is 0
ECHOES = len(slots.ECHOES)
EMBEDDING: Mapping[str, int] = {
    "previous": 48,
    "before": 48,
    "held": 6,
    "genre": 8,
    "minor": 4,
    "metre": 6,
    "position": 6,
    "phase": 8,
    "bar": 4,
    "section": 6,
    "since": 12,
    "left": 12,
}
FORM_EMBEDDING = 12


@dataclass(frozen=True, slots=True)
class Config:
    """units: of each GRU layer of the chords; mix: of the layer above; echo, run: width of the embeddings of an echo
    and of its run; dropout: in training; form: units of the sections' GRU; form_dropout: of theirs."""

    units: Count = 256
    mix: Count = 256
    echo: Count = 24
    run: Count = 4
    dropout: BelowOne = 0.3
    form: Count = 96
    form_dropout: BelowOne = 0.3


class Network(nn.Module):
    """The model."""

    def __init__(self, config: Config, genres: int) -> None:
        super().__init__()
        self.config, self.genres = config, genres
        self.told = nn.ModuleList(nn.Embedding(slots.SIZES[name], EMBEDDING[name]) for name in slots.COLUMNS)
        self.echoes = nn.Embedding(slots.CLASSES + 1, config.echo)
        self.runs = nn.ModuleList(nn.Embedding(slots.RUNS, config.run) for _ in slots.ECHOES)
        width = sum(EMBEDDING.values()) + ECHOES * (config.echo + config.run)
        self.gru = nn.GRU(width, config.units, 2, batch_first=True, dropout=config.dropout)
        self.drop = nn.Dropout(config.dropout)
        self.mix = nn.Linear(config.units + width, config.mix)
        self.chords = nn.Linear(config.mix, slots.CLASSES)
        self.gate = nn.Linear(config.mix, 2 + ECHOES)  # the network itself, the previous chord, the echoes
        self.form = FormNetwork(config)

    def embed(self, rows: Tensor) -> Tensor:
        """Embeddings (..., width) of features (..., `slots.WIDTH`)."""
        count = len(slots.COLUMNS)
        embedded = [table(rows[..., i]) for i, table in enumerate(self.told)]
        echoes = self.echoes(rows[..., count : count + ECHOES]).flatten(-2)
        runs = [table(rows[..., count + ECHOES + i]) for i, table in enumerate(self.runs)]
        return torch.cat([*embedded, echoes, *runs], -1)

    def answer(self, context: Tensor, inputs: Tensor, rows: Tensor) -> Tensor:
        """Log probabilities (..., 97). context: output of the GRU; inputs: its input (see `embed`); rows: features."""
        mixed = torch.relu(self.mix(torch.cat([context, inputs], -1)))
        own = torch.softmax(self.chords(mixed), -1)
        count = len(slots.COLUMNS)
        pointed = torch.cat([rows[..., :1], rows[..., count : count + ECHOES]], -1)
        scores = self.gate(mixed)
        there = torch.where(pointed == slots.NONE, IMPOSSIBLE, 0.0)
        weights = torch.softmax(scores + torch.nn.functional.pad(there, (1, 0)), -1)
        places = torch.arange(slots.CLASSES, device=rows.device)
        copied = (weights[..., 1:, None] * (pointed[..., None] == places).float()).sum(-2)
        return torch.log(weights[..., :1] * own + copied + SMALLEST)

    def forward(self, rows: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Log probabilities (batch, slots, 97) of the chord of each slot, and the state (2, batch, units) after them.
        rows: (batch, slots, `slots.WIDTH`)."""
        inputs = self.drop(self.embed(rows))
        context, state = self.gru(inputs, state)
        return self.answer(self.drop(context), inputs, rows), state


class FormNetwork(nn.Module):
    """Predicts which section comes next, its length and its kind."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.told = nn.ModuleList(nn.Embedding(size, FORM_EMBEDDING) for size in form.SIZES.values())
        width = FORM_EMBEDDING * len(form.SIZES)
        self.gru = nn.GRU(width, config.form, batch_first=True)
        self.drop = nn.Dropout(config.form_dropout)
        self.out = nn.Linear(config.form + width, form.ANSWERS)
        self.answers = nn.Embedding(form.ANSWERS, FORM_EMBEDDING)
        self.lengths = nn.Embedding(form.LONGEST + 1, FORM_EMBEDDING)
        self.detail = nn.Linear(config.form + width + 2 * FORM_EMBEDDING, config.form)
        self.length = nn.Linear(config.form, form.LONGEST)
        self.kind = nn.Linear(config.form, form.SIZES["kind"])

    def embed(self, rows: Tensor) -> Tensor:
        """Embeddings (..., width) of features (..., columns)."""
        return torch.cat([table(rows[..., i]) for i, table in enumerate(self.told)], -1)

    def next_section(self, context: Tensor, rows: Tensor) -> Tensor:
        """Log probabilities (..., `form.ANSWERS`). context: the GRU's output and its input, (..., width)."""
        earlier = torch.arange(form.ANSWERS, device=rows.device)
        never = (earlier < form.KNOWN) & (earlier >= rows[..., form.DISTINCT, None])
        return torch.log_softmax(self.out(context) + torch.where(never, IMPOSSIBLE, 0.0), -1)

    def details(self, context: Tensor, answer: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """Log probabilities of the length, (..., `form.LONGEST`), and of the kind, (..., 3). answer: which section it
        is; before: its length at its last appearance."""
        inputs = torch.cat([context, self.answers(answer), self.lengths(before)], -1)
        hidden = self.drop(torch.relu(self.detail(inputs)))
        return torch.log_softmax(self.length(hidden), -1), torch.log_softmax(self.kind(hidden), -1)

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Log probabilities (batch, sections, `form.ANSWERS`), and the context for `details`. rows: (batch,
        sections, columns)."""
        inputs = self.drop(self.embed(rows))
        out, _ = self.gru(inputs)
        context = torch.cat([self.drop(out), inputs], -1)
        return self.next_section(context, rows), context


# --- export: the graphs of a bundle


class Cell(nn.Module):
    """One step of a GRU layer, written as separate linear layers because these quantise well."""

    def __init__(self, gru: nn.GRU, layer: int) -> None:
        super().__init__()
        self.enter, self.stay = nn.Linear(gru.input_size, 1), nn.Linear(gru.hidden_size, 1)
        for own, name in ((self.enter, "ih"), (self.stay, "hh")):
            own.weight = nn.Parameter(getattr(gru, f"weight_{name}_l{layer}").detach().clone())
            own.bias = nn.Parameter(getattr(gru, f"bias_{name}_l{layer}").detach().clone())

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """The state (batch, units) after a step with x (batch, width)."""
        reset, update, value = self.enter(x).chunk(3, -1)
        reset_too, update_too, value_too = self.stay(state).chunk(3, -1)
        keep = torch.sigmoid(update + update_too)
        new = torch.tanh(value + torch.sigmoid(reset + reset_too) * value_too)
        return keep * state + (1 - keep) * new


class ChordStep(nn.Module):
    """row (batch, width), hidden (batch, 2, units) -> log probabilities (batch, 97), hidden."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.cells = nn.ModuleList(Cell(network.gru, layer) for layer in range(2))

    def forward(self, row: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        inputs = x = self.network.embed(row)
        after = []
        for i, cell in enumerate(self.cells):
            x = cell(x, hidden[:, i])
            after.append(x)
        return self.network.answer(x, inputs, row), torch.stack(after, 1)


class FormStep(nn.Module):
    """row (batch, columns), hidden (batch, units) -> log probabilities (batch, answers), context (batch,
    width), hidden."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network, self.form_cell = network, Cell(network.form.gru, 0)

    def forward(self, row: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See the class."""
        inputs = self.network.form.embed(row)
        after = self.form_cell(inputs, hidden)
        context = torch.cat([after, inputs], -1)
        return self.network.form.next_section(context, row), context, after


class FormDetails(nn.Module):
    """context (batch, width), answer and length before (batch,) -> log probabilities of length and kind."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, context: Tensor, answer: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        return self.network.form.details(context, answer, before)


def graphs(network: Network) -> dict[str, Graph]:
    """id -> module, example inputs, ports in and out, for `training.export`."""
    config, batch_size = network.config, 2
    width = config.form + FORM_EMBEDDING * len(form.SIZES)
    row = torch.zeros(batch_size, slots.WIDTH, dtype=torch.int64)
    form_row = torch.zeros(batch_size, len(form.SIZES), dtype=torch.int64)
    return {
        "chord": (
            ChordStep(network),
            (row, torch.zeros(batch_size, 2, config.units)),
            [Port("row", "event", (-1, slots.WIDTH), "int64"), Port("hidden", "state", (-1, 2, config.units))],
            [Port("chords", "logits", (-1, slots.CLASSES)), Port("hidden_after", "state", (-1, 2, config.units))],
        ),
        "form": (
            FormStep(network),
            (form_row, torch.zeros(batch_size, config.form)),
            [Port("row", "event", (-1, len(form.SIZES)), "int64"), Port("hidden", "state", (-1, config.form))],
            [
                Port("answers", "logits", (-1, form.ANSWERS)),
                Port("heard", "hidden", (-1, width)),
                Port("hidden_after", "state", (-1, config.form)),
            ],
        ),
        "details": (
            FormDetails(network),
            (torch.zeros(batch_size, width), form_row[:, 0], form_row[:, 0].clone()),
            [
                Port("heard", "hidden", (-1, width)),
                Port("answer", "event", (-1,), "int64"),
                Port("before", "event", (-1,), "int64"),
            ],
            [Port("length", "logits", (-1, form.LONGEST)), Port("kind", "logits", (-1, form.SIZES["kind"]))],
        ),
    }


def states(network: Network) -> tuple[StatePair, ...]:
    """The state that passes from slot to slot."""
    return (StatePair("hidden", "hidden_after", (2, network.config.units)),)


def restored(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """The network's parameters from those of its graphs, which hold each GRU layer as a `Cell`."""
    layers = {"cells.0": ("gru", 0), "cells.1": ("gru", 1), "form_cell": ("form.gru", 0)}
    out = {name: value for name, value in found.items() if not name.startswith(("cells.", "form_cell."))}
    for cell, (gru, layer) in layers.items():
        for part, end in (("enter", "ih"), ("stay", "hh")):
            for kind in ("weight", "bias"):
                out[f"{gru}.{kind}_{end}_l{layer}"] = found[f"{cell}.{part}.{kind}"]
    return out
