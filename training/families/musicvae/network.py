"""The network of MusicVAE, and the graphs of its bundle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from instrument.models.manifest import Port
from instrument.models.manifest import State as StatePair
from instrument.music.phrases import KINDS, SETS, Shape
from training.core.graphs import Graph
from training.core.ranges import Count, Whole

State = tuple[Tensor, Tensor]
OTHER_SEGMENTS = 0.1  # what other segments' shares of z count at first
QUIET = -2.0  # log deviation of the posterior at first: z has an effect before its bits cost anything


@dataclass(frozen=True, slots=True)
class Config:
    """kind: melody or drums; bars: of a phrase; latent: size of z; embedding: of a token; encoder, decoder: units of
    these LSTMs; segment_features: width of what the posterior reads at a segment; layers: of the decoder; segment:
    steps that are encoded and decoded at once; conductor: its units, 0 for a flat decoder; context: width of the
    conductor's output for a segment; separate_segments: reset the encoder at every segment; segment_view: width
    of a linear projection of z that the conductor gets for each segment, 0 for none."""

    kind: Literal["melody", "drums"] = "melody"
    bars: Count = 2
    latent: Count = 128
    embedding: Count = 64
    encoder: Count = 128
    segment_features: Count = 96
    decoder: Count = 256
    layers: Count = 1
    segment: Count = 16
    conductor: Whole = 256
    context: Count = 128
    separate_segments: bool = False
    segment_view: Whole = 0

    def __post_init__(self) -> None:
        """ValueError if the sizes do not fit together."""
        if self.shape.steps % self.segment:
            raise ValueError(f"segment = {self.segment} must divide the {self.shape.steps} steps of {self.bars} bars")

    @property
    def shape(self) -> Shape:
        """What it reads and writes."""
        return Shape(self.kind, self.bars)

    @property
    def segments(self) -> int:
        """How often the decoder is reset in a phrase."""
        return self.shape.steps // self.segment if self.conductor else 1


class Network(nn.Module):
    """The model. Token `vocabulary` stands for an unknown one: a hidden one, and that before the first."""

    def __init__(self, config: Config, genres: int) -> None:
        super().__init__()
        self.config, self.genres, self.shape = config, genres, config.shape
        self.unknown = self.shape.vocabulary
        parts = self.shape.steps // config.segment
        self.tokens = nn.Embedding(self.shape.vocabulary + 1, config.embedding)
        self.places = nn.Embedding(self.shape.steps // config.segments, config.embedding)
        self.encoder = nn.LSTM(config.embedding, config.encoder, bidirectional=True, batch_first=True)
        self.reading = nn.Linear(2 * config.encoder, config.segment_features)
        self.posterior = nn.Linear(parts * config.segment_features, 2 * config.latent)
        context = config.latent
        if config.conductor:
            context = config.context
            self.parts = nn.Embedding(parts, config.embedding)
            self.begin = nn.Linear(config.latent, 2 * config.conductor)
            conductor_inputs = config.latent + config.embedding + config.segment_view
            self.conductor = nn.LSTM(conductor_inputs, config.conductor, batch_first=True)
            self.say = nn.Linear(config.conductor + config.segment_view, config.context)
            if config.segment_view:
                self.views = nn.Linear(config.latent, parts * config.segment_view, bias=False)
        self.start = nn.Linear(context, 2 * config.layers * config.decoder)
        self.decoder = nn.LSTM(config.embedding + context, config.decoder, config.layers, batch_first=True)
        self.out = nn.Linear(config.decoder, self.shape.vocabulary)
        self._initialise()

    def _initialise(self) -> None:
        config = self.config
        for table in (m for m in self.modules() if isinstance(m, nn.Embedding)):
            nn.init.normal_(table.weight, std=0.7)
        # Means that begin with a deviation of about 1 and have an effect on the logits: z is used from the start.
        for layer in (m for m in self.modules() if isinstance(m, nn.Linear)):
            loud = 1.0 if layer in (self.start, self.out, getattr(self, "views", None)) else 3.0
            nn.init.normal_(layer.weight, std=loud * layer.in_features**-0.5)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        if self.shape.drums:  # sets of kinds begin as the sums of these
            sets = torch.from_numpy(SETS.astype(np.float32))
            self.tokens.weight.data[:-1] = sets @ torch.randn(len(KINDS), config.embedding) * 0.5
            self.out.weight.data = sets @ torch.randn(len(KINDS), config.decoder) * config.decoder**-0.5
        self.posterior.weight.data[config.latent :] *= 0.1
        nn.init.constant_(self.posterior.bias.data[config.latent :], QUIET)
        if config.separate_segments:  # a share of z is each segment's at first
            parts = self.shape.steps // config.segment
            self.posterior.weight.data[: config.latent] *= _shared(
                parts, config.latent, parts * config.segment_features
            )
            if config.conductor and config.segment_view:
                self.views.weight.data *= _shared(parts, parts * config.segment_view, config.latent)
        self._initialise_gates()

    def _initialise_gates(self) -> None:
        for lstm in (m for m in self.modules() if isinstance(m, nn.LSTM)):
            for name, weight in lstm.named_parameters():
                if "weight_hh" in name:
                    for gate in weight.data.chunk(4):
                        nn.init.orthogonal_(gate)
                elif "weight_ih" in name:
                    nn.init.normal_(weight, std=weight.shape[1] ** -0.5)
                elif "bias_ih" in name:
                    weight.data.zero_()
                    weight.data[lstm.hidden_size : 2 * lstm.hidden_size] = 1.0  # remember at first
                elif "bias_hh" in name:
                    weight.data.zero_()

    def encode(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log of the deviation, (batch, latent) each, of phrases (batch, steps)."""
        places = torch.arange(tokens.shape[1], device=tokens.device) % self.places.num_embeddings
        embedded = self.tokens(tokens) + self.places(places)
        parts = embedded.unflatten(1, (-1, self.config.segment))
        if self.config.separate_segments:
            read = self.encoder(parts.flatten(0, 1))[0].unflatten(0, parts.shape[:2])
        else:
            read = self.encoder(embedded)[0].unflatten(1, parts.shape[1:3])
        forward, backward = read.chunk(2, -1)
        features = self.reading(torch.cat([forward[:, :, -1], backward[:, :, 0]], -1))
        mean, deviation = self.posterior(features.flatten(1)).chunk(2, -1)
        return mean, deviation.clamp(-8, 2)

    def conduct(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Contexts (batch, segments, width) of z (batch, latent), and the states that the decoder starts each
        segment from, (batch, segments, layers, units) each."""
        config = self.config
        contexts = z[:, None]
        if config.conductor:
            first, cell = torch.tanh(self.begin(z))[None].chunk(2, -1)
            points = contexts.expand(-1, config.segments, -1)
            parts = self.parts.weight.expand(len(z), -1, -1)
            views = [self.views(z).unflatten(1, (config.segments, config.segment_view))] if config.segment_view else []
            inputs = torch.cat([points, parts, *views], -1)
            output, _ = self.conductor(inputs, (first.contiguous(), cell.contiguous()))
            contexts = torch.tanh(self.say(torch.cat([output, *views], -1)))
        states = torch.tanh(self.start(contexts)).unflatten(-1, (2, config.layers, config.decoder))
        return contexts, states[:, :, 0], states[:, :, 1]

    def decode(self, inputs: Tensor, contexts: Tensor, states: State) -> tuple[Tensor, State]:
        """Logits (batch, steps, vocabulary) of the tokens that follow inputs (batch, steps) within a segment
        from its start, given its context (batch, width); states (layers, batch, units)."""
        places = self.places(torch.arange(inputs.shape[1], device=inputs.device))
        context = contexts[:, None].expand(-1, inputs.shape[1], -1)
        output, states = self.decoder(torch.cat([self.tokens(inputs) + places, context], -1), states)
        return self.out(output), states

    def forward(self, z: Tensor, inputs: Tensor) -> Tensor:
        """Teacher-forced logits (batch, steps, vocabulary); inputs (batch, steps): the tokens before."""
        contexts, hidden, cell = self.conduct(z)
        segments = self.config.segments
        states = tuple(s.flatten(0, 1).transpose(0, 1).contiguous() for s in (hidden, cell))
        parts = inputs.unflatten(1, (segments, -1)).flatten(0, 1)
        logits, _ = self.decode(parts, contexts.flatten(0, 1), states)
        return logits.unflatten(0, (-1, segments)).flatten(1, 2)

    def before(self, tokens: Tensor) -> Tensor:
        """The token before each of tokens (batch, steps)."""
        first = torch.full_like(tokens[:, :1], self.unknown)
        return torch.cat([first, tokens[:, :-1]], 1)

    @torch.no_grad()
    def sample(self, z: Tensor, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        """Phrases (batch, steps) drawn step by step from z (batch, latent)."""
        contexts, hidden, cell = self.conduct(z)
        step = Step(self)
        length = self.places.num_embeddings
        token = torch.full((len(z),), self.unknown, device=z.device)
        drawn = []
        for segment in range(self.config.segments):
            states = tuple(s[:, segment] for s in (hidden, cell))
            for place in range(length):
                logits, *states = step(token, torch.full_like(token, place), contexts[:, segment], *states)
                shares = torch.softmax(logits / temperature, -1)
                token = torch.multinomial(shares.cpu(), 1, generator=generator)[:, 0].to(z.device)
                drawn.append(token)
        return torch.stack(drawn, 1)


def _shared(parts: int, rows: int, columns: int) -> Tensor:
    """Factors (rows, columns) of weights that begin as a map of each part's share alone."""
    row, column = (torch.arange(size) * parts // size for size in (rows, columns))
    return torch.where(row[:, None] == column, parts**0.5, OTHER_SEGMENTS)


# --- export: the graphs of a bundle


class Encoder(nn.Module):
    """tokens (batch, steps) -> mean and log deviation (batch, latent)."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        return self.network.encode(tokens)


class Conductor(nn.Module):
    """z (batch, latent) -> contexts (batch, segments, width), hidden and cell (batch, segments, layers, units)."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, z: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        return self.network.conduct(z)


class Step(nn.Module):
    """One step: token before and place in the segment (batch,), context (batch, width), hidden and cell (batch,
    layers, units) -> logits (batch, vocabulary), hidden, cell. Gates are written out, so that each layer is one
    product that quantises well."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.layers = nn.ModuleList()
        for i in range(network.config.layers):
            weight_ih, weight_hh, bias_ih, bias_hh = (
                getattr(network.decoder, f"{name}_l{i}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            layer = nn.Linear(weight_ih.shape[1] + weight_hh.shape[1], weight_ih.shape[0])
            layer.weight = nn.Parameter(torch.cat([weight_ih, weight_hh], 1).detach().clone())
            layer.bias = nn.Parameter((bias_ih + bias_hh).detach().clone())
            self.layers.append(layer)

    def forward(
        self, token: Tensor, place: Tensor, context: Tensor, hidden: Tensor, cell: Tensor
    ) -> tuple[Tensor, ...]:
        """See the class."""
        network = self.network
        x = torch.cat([network.tokens(token) + network.places(place), context], -1)
        after: list[list[Tensor]] = [[], []]
        for i, layer in enumerate(self.layers):
            enter, forget, value, leave = layer(torch.cat([x, hidden[:, i]], -1)).chunk(4, -1)
            memory = torch.sigmoid(forget) * cell[:, i] + torch.sigmoid(enter) * torch.tanh(value)
            x = torch.sigmoid(leave) * torch.tanh(memory)
            after[0].append(x)
            after[1].append(memory)
        return network.out(x), torch.stack(after[0], 1), torch.stack(after[1], 1)


def graphs(network: Network) -> dict[str, Graph]:
    """id -> module, example inputs, ports in and out, for `training.export`."""
    config, batch_size = network.config, 2
    token = torch.zeros(batch_size, dtype=torch.int64)
    contexts, hidden, cell = network.conduct(torch.zeros(batch_size, config.latent))
    width, states = contexts.shape[-1], (config.layers, config.decoder)
    return {
        "encoder": (
            Encoder(network),
            (torch.zeros(batch_size, network.shape.steps, dtype=torch.int64),),
            [Port("tokens", "event", (-1, network.shape.steps), "int64")],
            [Port("mean", "latent", (-1, config.latent)), Port("deviation", "latent", (-1, config.latent))],
        ),
        "conductor": (
            Conductor(network),
            (torch.zeros(batch_size, config.latent),),
            [Port("z", "latent", (-1, config.latent))],
            [
                Port("contexts", "context", (-1, config.segments, width)),
                Port("first_hidden", "state", (-1, config.segments, *states)),
                Port("first_cell", "state", (-1, config.segments, *states)),
            ],
        ),
        "step": (
            Step(network),
            (token, token.clone(), contexts[:, 0], hidden[:, 0], cell[:, 0]),
            [
                Port("token", "event", (-1,), "int64"),
                Port("place", "event", (-1,), "int64"),
                Port("context", "context", (-1, width)),
                Port("hidden", "state", (-1, *states)),
                Port("cell", "state", (-1, *states)),
            ],
            [
                Port("logits", "logits", (-1, network.shape.vocabulary)),
                Port("hidden_after", "state", (-1, *states)),
                Port("cell_after", "state", (-1, *states)),
            ],
        ),
    }


def states(network: Network) -> tuple[StatePair, ...]:
    """The state pairs of the step graph."""
    shape = (-1, network.config.layers, network.config.decoder)
    return tuple(StatePair(name, f"{name}_after", shape) for name in ("hidden", "cell"))


def restored(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """The network's parameters from those of its graphs, where each LSTM has but one bias: its other is zero."""
    out = {name: value for name, value in found.items() if not name.startswith("layers.")}
    for lstm in ("encoder", "conductor"):
        for part in ("weight_ih", "weight_hh", "bias"):
            for value, end in zip(out.pop(f"{lstm}.{part}", ()), ("", "_reverse"), strict=False):
                if part == "bias":
                    out |= _biases(f"{lstm}.{{}}_l0{end}", _gates(sum(value.chunk(2))))
                else:
                    out[f"{lstm}.{part}_l0{end}"] = _gates(value)
    for i in range(sum(name.startswith("layers.") and name.endswith(".weight") for name in found)):
        weight = found[f"layers.{i}.weight"]
        entering = weight.shape[1] - weight.shape[0] // 4
        name = f"decoder.{{}}_l{i}"
        out |= _biases(name, found[f"layers.{i}.bias"])
        out |= {name.format("weight_ih"): weight[:, :entering], name.format("weight_hh"): weight[:, entering:]}
    return out


def _gates(rows: Tensor) -> Tensor:
    enter, leave, forget, value = rows.chunk(4)  # ONNX's order
    return torch.cat([enter, forget, value, leave])


def _biases(name: str, bias: Tensor) -> dict[str, Tensor]:
    return {name.format("bias_ih"): bias, name.format("bias_hh"): torch.zeros_like(bias)}
