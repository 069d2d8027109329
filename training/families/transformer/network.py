"""The network of the Transformer, and the graphs of its bundle."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from instrument.models.manifest import Port
from instrument.models.manifest import State as StatePair
from instrument.models.notes.form_conditions import Learned
from instrument.music import codec
from training.core.graphs import Graph
from training.core.ranges import BelowOne, Count
from training.families.notes.network import ECHOES, FIELDS, SEEN, Heads, contexts, head_graphs, width

State = tuple[()] | tuple[Tensor, Tensor]

POSITION_PERIOD = 9216  # positions repeat after this many notes or ticks, far beyond any context
TICK_PERIODS = (3, 6, 8, 12, 16, 24, 36, 48, 72, 96, 144, 192, 384, 768, 1536, 9216)  # of the angles, in ticks
NOTE_PERIODS = (2 * math.pi, POSITION_PERIOD)  # shortest and longest, in notes; geometric between
BLOCK = 64  # queries that are attended together in training
MASKED = -1e9  # added to the score of what may not be attended to


@dataclass(frozen=True, slots=True)
class Config:
    """layers, width: of the residual stream; query_heads; key_heads: heads of keys and values (2: one measures in
    notes, one in ticks); feedforward: hidden width between attentions; context: notes that a step attends to, itself
    included; head: hidden width of an output head; dropout: of the input and output of every layer while training;
    plan: whether it learns to follow the chords of a plan; form: and with them its form, see `form_conditions`."""

    layers: Count = 4
    width: Count = 256
    query_heads: Count = 8
    key_heads: Count = 2
    feedforward: Count = 1024
    context: Count = 512
    head: Count = 160
    dropout: BelowOne = 0.1

    def __post_init__(self) -> None:
        """ValueError if the sizes do not fit together."""
        if self.width % (4 * self.query_heads):  # both halves of a head are turned in pairs
            raise ValueError(f"width = {self.width} must be a multiple of 4 * query_heads, {4 * self.query_heads}")
        if self.query_heads % self.key_heads:
            raise ValueError(f"query_heads = {self.query_heads} must be a multiple of key_heads, {self.key_heads}")

    plan: bool = False
    form: bool = False

    @property
    def learned(self) -> Learned:
        """What of a plan it learns to follow."""
        return Learned(self.plan, self.plan and self.form)


class Layer(nn.Module):
    """Attention, then a gated hidden layer, each on the normalised stream and added to it."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.size = config.width // config.query_heads
        self.asked = nn.Linear(config.width, config.width + 2 * config.key_heads * self.size, bias=False)
        self.found = nn.Linear(config.width, config.width, bias=False)
        self.gated = nn.Linear(config.width, 2 * config.feedforward, bias=False)
        self.out = nn.Linear(config.feedforward, config.width, bias=False)
        for entering in (self.asked, self.gated):
            nn.init.normal_(entering.weight, std=config.width**-0.5)
        for leaving in (self.found, self.out):  # a layer changes nothing at first
            nn.init.zeros_(leaving.weight)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Tensor, turn: tuple[Tensor, Tensor], mask: Tensor, past: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """x (batch, steps, width); turn: cosine and sine (batch, keys, 1, steps, size / 2); mask (batch or 1, steps,
        past + steps), added to the scores; past (batch, notes, 2 * keys * size) -> x, and what is to be remembered
        of it (batch, steps, 2 * keys * size)."""
        batch_size, steps, _ = x.shape
        keys, size = self.config.key_heads, self.size
        group = self.config.query_heads // keys
        asked = self.asked(_norm(x)).view(batch_size, steps, keys * (group + 2), size).transpose(1, 2)
        query, key, value = asked.split([keys * group, keys, keys], 1)
        query = _turned(query.reshape(batch_size, keys, group, steps, size), turn)
        key = _turned(key.unsqueeze(2), turn).squeeze(2)
        new = torch.cat([key, value], 1).transpose(1, 2).reshape(batch_size, steps, 2 * keys * size)
        attend = self._attend_all if self.training else self._attend
        attended = attend(query, key, value, mask, past)
        x = x + self.dropout(self.found(attended.transpose(1, 2).reshape(batch_size, steps, -1)))
        gate, inner = self.gated(_norm(x)).chunk(2, -1)
        return x + self.dropout(self.out(F.silu(gate) * inner)), new

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor, past: Tensor | None) -> Tensor:
        """The attended values, (batch, queries, steps, size), written out for export: the heads of a group are rows of
        one product, and what is past is never copied together with what is new."""
        batch_size, keys, group, steps, size = query.shape
        known = [(key, value)]
        if past is not None:
            before = past.view(batch_size, past.shape[1], 2 * keys, size).transpose(1, 2)
            known.insert(0, before.split(keys, 1))
        rows = query.reshape(batch_size, keys, group * steps, size) * size**-0.5
        scores = torch.cat([rows @ k.transpose(2, 3) for k, _ in known], -1)
        scores = scores.view(batch_size, keys, group, steps, -1) + mask[:, None, None]
        weights = torch.softmax(scores, -1).view(batch_size, keys, group * steps, -1)
        parts = weights.split([k.shape[2] for k, _ in known], -1)
        attended = sum(w @ v for w, (_, v) in zip(parts, known, strict=True))
        return attended.view(batch_size, keys * group, steps, size)

    def _attend_all(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor, past: Tensor | None) -> Tensor:
        """The same in training, where there is no past, by the kernel that PyTorch has for it."""
        group, steps = query.shape[2:4]
        query, mask = query.flatten(1, 2), mask.unsqueeze(1)
        key, value = key.repeat_interleave(group, 1), value.repeat_interleave(group, 1)
        blocks = []
        for a in range(0, steps, BLOCK):  # none looks ahead: a block needs no keys after its own
            b = min(a + BLOCK, steps)
            blocks.append(
                F.scaled_dot_product_attention(query[:, :, a:b], key[:, :, :b], value[:, :, :b], mask[:, :, a:b, :b])
            )
        return torch.cat(blocks, 2)


def _norm(x: Tensor) -> Tensor:
    """To mean 0 and deviation 1; the next product includes gains and shifts."""
    return F.layer_norm(x, x.shape[-1:])


def _turned(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    cosine, sine = turn
    one, two = x.chunk(2, -1)
    return torch.cat([one * cosine - two * sine, two * cosine + one * sine], -1)


class Network(nn.Module):
    """The model. genres: how many its condition distinguishes."""

    def __init__(self, config: Config, genres: int) -> None:
        super().__init__()
        self.config, self.genres, self.learned = config, genres, config.learned
        condition = self.learned.size(genres)
        self.inputs = nn.Linear(width(SEEN) + ECHOES + condition, config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.heads = Heads(config.width, config.head, condition, self.learned)
        pairs = config.width // config.query_heads // 2
        first, last = NOTE_PERIODS
        notes = [POSITION_PERIOD / (first * (last / first) ** (i / (pairs - 1))) for i in range(pairs)]
        ticks = [POSITION_PERIOD / TICK_PERIODS[i * len(TICK_PERIODS) // pairs] for i in range(pairs)]
        # (keys, size / 2) of whole turns a POSITION_PERIOD, so that positions repeat without a jump
        table = [notes if i % 2 == 0 else ticks for i in range(config.key_heads)]
        self.register_buffer("turns", torch.tensor(table).round().long(), persistent=False)

    def initial(self, batch_size: int) -> State:
        """Nothing is remembered before the start of a piece."""
        return ()

    def trunk(
        self, seen: Tensor, condition: Tensor, position: Tensor, mask: Tensor, past: tuple[Tensor, ...] = ()
    ) -> tuple[Tensor, list[Tensor]]:
        """seen (batch, steps, 12), condition (batch, steps, size), position: int64 (batch, steps, 2) notes and ticks,
        modulo POSITION_PERIOD; mask and past (one a layer, or none) as `Layer` takes them -> the output (batch, steps,
        width) and what every layer is to remember."""
        events, matches = seen.split([len(SEEN), ECHOES], -1)
        embedded = torch.cat([self.heads.embeddings(SEEN, events), matches.float(), condition], -1)
        x = self.dropout(self.inputs(embedded))
        measure = torch.stack([position[..., i % 2] for i in range(self.config.key_heads)], 1)  # (batch, keys, steps)
        angles = (measure[..., None] * self.turns[:, None]) % POSITION_PERIOD  # exact, in integers
        angles = (angles.float() * (2 * math.pi / POSITION_PERIOD)).unsqueeze(2)
        turn = torch.cos(angles), torch.sin(angles)
        new: list[Tensor] = []
        for i, layer in enumerate(self.layers):
            x, remembered = layer(x, turn, mask, past[i] if past else None)
            new.append(remembered)
        return _norm(x), new

    def forward(self, batch: dict[str, Tensor], condition: Tensor, state: State) -> tuple[dict[str, Tensor], State]:
        """Logits of every field, (batch, steps, classes), and what is remembered after the last step: every layer's
        keys and values of the last notes (layers, batch, notes, 2 * keys * size), and its position, (batch, 2).
        While training, nothing: each batch is an independent window. No step looks beyond the start of its excerpt.
        """
        seen = batch["seen"]
        batch_size, steps, _ = seen.shape
        start = seen.new_zeros(batch_size)
        past, last = state or (seen.new_zeros(len(self.layers), batch_size, 0, 0), torch.stack([start - 1, start], -1))
        gone = past.shape[2]
        starts = seen[..., 0] == codec.NO_NOTE
        excerpt = F.pad(starts.cumsum(1), (gone, 0))
        number = torch.arange(gone + steps, device=seen.device)
        far = number[gone:, None] - number
        sees = (far >= 0) & (far < self.config.context) & (excerpt[:, gone:, None] == excerpt[:, None])
        mask = torch.zeros(sees.shape, device=seen.device).masked_fill_(~sees, MASKED)
        ticks = last[:, 1:] + seen[..., 1].cumsum(1)
        position = torch.stack([last[:, :1] + 1 + number[:steps], ticks], -1) % POSITION_PERIOD
        output, new = self.trunk(seen, condition, position, mask, tuple(past) if gone else ())
        shares = self.heads.shares(self.dropout(output), condition)
        context = contexts(batch, self.learned)
        logits = {
            name: self.heads.logits(name, share, context[name]) for name, share in zip(context, shares, strict=True)
        }
        if self.training:
            return logits, ()
        kept = torch.stack(new) if not gone else torch.cat([past, torch.stack(new)], 2)
        return logits, (kept[:, :, max(0, kept.shape[2] - self.config.context + 1) :], position[:, -1])


# --- export: the graphs of a bundle, steps with an explicit past and one a head


class Step(nn.Module):
    """Any number of steps after any number of past ones: seen (batch, steps, 12), condition (batch, steps, size),
    position (batch, steps, 2), mask (steps, past + steps), what every layer remembers (batch, past, 2 * keys * size)
    -> the heads' shares (batch, steps, hidden), then what every layer is to remember of the steps."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, seen: Tensor, condition: Tensor, position: Tensor, mask: Tensor, *past: Tensor
    ) -> tuple[Tensor, ...]:
        """See the class."""
        output, new = self.network.trunk(seen, condition, position, mask[None], past)
        return (*self.network.heads.shares(output, condition), *new)


def graphs(network: Network) -> dict[str, Graph]:
    """id -> module, example inputs, ports in and out, for `training.export`."""
    config, size = network.config, network.learned.size(network.genres)
    batch_size, steps, gone = 2, 3, 5
    remembered = 2 * config.key_heads * (config.width // config.query_heads)
    seen = torch.zeros(batch_size, steps, len(SEEN) + ECHOES, dtype=torch.int64)
    past = [torch.zeros(batch_size, gone, remembered) for _ in range(config.layers)]
    step = (
        Step(network),
        (
            seen,
            torch.zeros(batch_size, steps, size),
            torch.zeros(batch_size, steps, 2, dtype=torch.int64),
            torch.zeros(steps, gone + steps),
            *past,
        ),
        [
            Port("seen", "event", (-1, -1, seen.shape[-1]), "int64"),
            Port("condition", "condition", (-1, -1, size)),
            Port("position", "event", (-1, -1, 2), "int64"),
            Port("mask", "context", (-1, -1)),
        ]
        + [Port(f"past_{i}", "state", (-1, -1, remembered)) for i in range(config.layers)],
        [Port(f"share_{field}", "hidden", (-1, -1, config.head)) for field in FIELDS]
        + [Port(f"new_{i}", "state", (-1, -1, remembered)) for i in range(config.layers)],
    )
    return {"step": step} | head_graphs(network)


def states(network: Network) -> tuple[StatePair, ...]:
    """The state pairs of the step graph: new rows are put behind the past ones, of which the last `context` - 1
    count."""
    config = network.config
    remembered = 2 * config.key_heads * (config.width // config.query_heads)
    return tuple(StatePair(f"past_{i}", f"new_{i}", (-1, config.context - 1, remembered)) for i in range(config.layers))


def restored(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """The network's parameters from those of its graphs, which hold them unchanged."""
    return found
