"""Embeddings of an event, heads in sequence, and the loss."""

from __future__ import annotations

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from instrument.models.manifest import Port
from instrument.models.notes.conditions import (
    CHORD_NUMBERS,
    DENSITIES,
    REGISTERS,
    parts_share,
    plan_row,
    share,
)
from instrument.models.notes.form_conditions import NO_ECHO, NO_FORM, NOTHING, PLACE, RATES, RECALL, Learned
from instrument.music import codec
from training.core.graphs import Graph

FIELDS = codec.FIELDS
CLASSES = {**FIELDS, "pitch": codec.ROWS, "velocity": codec.FLAT + 1}
NEVER = -30.0  # added to the logit of an impossible value

# (values, width) of each embedding
TABLES = {
    "pitch": (codec.ROWS + 1, 48),
    "time": (FIELDS["time"], 32),
    "duration": (FIELDS["duration"] + 1, 32),
    "velocity": (FIELDS["velocity"] + 1, 12),
    "part": (FIELDS["part"] + 1, 8),
    "micro": (FIELDS["micro"], 6),
    "position": (codec.POSITIONS, 24),
    "metre": (len(codec.METRES), 8),
    "gap": (codec.NO_GAP + 1, 12),
    "chord": (CHORD_NUMBERS, 24),
}
ECHOES = len(codec.ECHO_BARS)
SEEN = ("pitch", "time", "duration", "velocity", "part", "micro", "position", "metre")
# Inputs of each head in addition to the backbone's output, in the order in which fields are decided.
HEADS: dict[str, tuple[str, ...]] = {
    "time": ("gap",) * ECHOES,
    "part": ("time", "position", "metre") + ("pitch",) * ECHOES,
    "pitch": ("time", "position", "metre", "part") + ("pitch",) * ECHOES,
    "duration": ("time", "position", "metre", "part", "pitch") + ("pitch",) * ECHOES + ("duration",) * ECHOES,
    "velocity": ("time", "position", "metre", "part", "pitch", "duration"),
    "micro": ("time", "position", "part", "pitch", "velocity"),
}
# The same of a model that follows a plan: the chord at the onset is known when the pitch is decided.
PLAN_HEADS = HEADS | {"pitch": ("time", "position", "metre", "part", "chord") + ("pitch",) * ECHOES}
# And of one that has learnt the form: the note that the recalled bar has next is an echo more.
FORM_HEADS = PLAN_HEADS | {
    "time": ("gap",) * (ECHOES + 1),
    "part": ("time", "position", "metre") + ("pitch",) * (ECHOES + 1) + ("part",),
    "pitch": (*PLAN_HEADS["pitch"], "pitch"),
    "duration": ("time", "position", "metre", "part", "pitch")
    + ("pitch",) * (ECHOES + 1)
    + ("duration",) * (ECHOES + 1),
}
COPYING = ("time", "pitch", "duration")  # heads with gates for echoed values


def heads_of(learned: Learned) -> dict[str, tuple[str, ...]]:
    """The inputs of the heads of a network."""
    return FORM_HEADS if learned.form else PLAN_HEADS if learned.plan else HEADS


class Embeddings(nn.Module):
    """The tables of `TABLES`; the backbone and every head share them. That of chords is for models that follow a
    plan."""

    def __init__(self, plan: bool) -> None:
        super().__init__()
        names = [name for name in TABLES if plan or name != "chord"]
        self.tables = nn.ModuleDict({name: nn.Embedding(*TABLES[name]) for name in names})
        for table in self.tables.values():
            nn.init.normal_(table.weight, std=0.3)

    def forward(self, names: tuple[str, ...], values: Tensor) -> Tensor:
        """(..., sum of widths) of integer values (..., len(names))."""
        return torch.cat([self.tables[name](values[..., i]) for i, name in enumerate(names)], -1)


def width(names: tuple[str, ...]) -> int:
    """Width of these embeddings side by side."""
    return sum(TABLES[name][1] for name in names)


class Head(nn.Module):
    """Logits of one field from the backbone's share (..., hidden) and embedded context, `names`. echoes: how many
    it can copy."""

    def __init__(self, name: str, names: tuple[str, ...], hidden: int, echoes: int) -> None:
        super().__init__()
        self.name, self.names, self.echoes = name, names, echoes if name in COPYING else 0
        self.context = nn.Linear(width(self.names), hidden, bias=False)
        self.out = nn.Linear(hidden, CLASSES[name] + self.echoes)
        nn.init.normal_(self.out.weight, std=0.02)
        nn.init.zeros_(self.out.bias)

    def forward(self, share: Tensor, embedded: Tensor, echoed: Tensor | None) -> Tensor:
        """share (..., hidden), embedded (..., width(names)), echoed (..., echoes) values in 0..classes, where
        `classes` stands for none -> logits (..., classes)."""
        scores = self.out(F.relu(share + self.context(embedded)))
        if echoed is None:
            return scores
        logits, gates = scores.split([CLASSES[self.name], self.echoes], -1)
        bonus = torch.zeros_like(F.pad(logits, (0, 1))).scatter_add(-1, echoed, gates)
        return logits + bonus[..., :-1]


class Heads(nn.Module):
    """All heads in sequence over a backbone's output and the condition. learned: what they follow of a plan."""

    def __init__(self, backbone: int, hidden: int, condition: int, learned: Learned = NOTHING) -> None:
        super().__init__()
        self.embeddings = Embeddings(learned.plan)
        self.hidden = hidden
        self.share = nn.Linear(backbone + condition, hidden * len(HEADS))
        names, echoes = heads_of(learned), ECHOES + learned.form
        self.heads = nn.ModuleDict({name: Head(name, names[name], hidden, echoes) for name in names})

    def shares(self, output: Tensor, condition: Tensor) -> tuple[Tensor, ...]:
        """Each head's share (..., hidden) of the backbone's output (..., backbone)."""
        return self.share(torch.cat([output, condition], -1)).split(self.hidden, -1)

    def logits(self, name: str, share: Tensor, context: Tensor) -> Tensor:
        """Logits of head `name`; context (..., columns): integers as `heads_of` lists them."""
        head = self.heads[name]
        echoed = None
        if name in COPYING:
            echoed = context[..., -head.echoes :]
            if name == "time":  # a gap of "96 or more" is no value to copy
                echoed = torch.where(echoed >= codec.ECHO_MAX_GAP, CLASSES["time"], echoed)
        return head(share, self.embeddings(head.names, context), echoed)


class HeadGraph(nn.Module):
    """One head for export: share (batch, 1, hidden), context (batch, 1, columns) -> logits (batch, 1, classes)."""

    def __init__(self, heads: Heads, name: str) -> None:
        super().__init__()
        self.heads, self.name = heads, name

    def forward(self, share: Tensor, context: Tensor) -> Tensor:
        """See the class."""
        return self.heads.logits(self.name, share, context)


def head_graphs(network: nn.Module) -> dict[str, Graph]:
    """The graphs of a network's `Heads`, one a field."""
    heads: Heads = network.heads
    found: dict[str, Graph] = {}
    for i, field in enumerate(FIELDS):
        columns = len(heads.heads[field].names)
        share, context = torch.zeros(2, 1, heads.hidden), torch.zeros(2, 1, columns, dtype=torch.int64)
        found[field] = (
            HeadGraph(heads, field),
            (share, context),
            [
                Port("share", "hidden", (-1, 1, heads.hidden)),
                Port("context", "context", (-1, 1, columns), "int64"),
            ],
            [Port(f"logits_{i}", "logits", (-1, 1, CLASSES[field]))],
        )
    return found


FLOATS = ("local", "parts", "tones", "plan", "form")


def tensors(batch: dict[str, NDArray]) -> dict[str, Tensor]:
    """A batch of `Features` as tensors of the types a network takes."""
    kinds = {"flat": torch.bool, "mute": torch.bool} | dict.fromkeys(FLOATS, torch.float32)
    return {name: torch.from_numpy(a).to(kinds.get(name, torch.int64)) for name, a in batch.items()}


def contexts(batch: dict[str, Tensor], learned: Learned = NOTHING) -> dict[str, Tensor]:
    """What each head sees when the true values are fed to it (teacher forcing), as `heads_of` lists it."""
    target = batch["target"]
    time, part, pitch, duration, velocity, _ = target.unbind(-1)
    position, metre = batch["place"].unbind(-1)

    def stack(*columns: Tensor) -> Tensor:
        return torch.stack(columns, -1)

    where = stack(time, position, metre)
    echo = batch["recalled"][..., None] if learned.form else batch["recalled"][..., None, :0].expand(*time.shape, 4, 0)
    gap, row, part_then, duration_then = echo.unbind(-2)
    rows = torch.cat([batch["echo_pitch"], row], -1)
    durations = torch.cat([batch["echo_duration"], duration_then], -1)
    return {
        "time": torch.cat([batch["gaps"], gap], -1),
        "part": torch.cat([where, rows, part_then], -1),
        "pitch": torch.cat([where, stack(part, batch["chord"]) if learned.plan else stack(part), rows], -1),
        "duration": torch.cat([where, stack(part, pitch), rows, durations], -1),
        "velocity": torch.cat([where, stack(part, pitch, duration)], -1),
        "micro": stack(time, position, part, pitch, velocity),
    }


def masked(logits: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same logits, with impossible values masked: notes of one onset ascend, drums above the pitched; part
    separates drums from pitches; velocities that vary are no longer flat."""
    target = batch["target"]
    last = batch["seen"][..., 0]
    last = torch.where((target[..., 0] == 0) & (last < codec.ROWS), last, -1).unsqueeze(-1)
    parts = torch.arange(CLASSES["part"], device=last.device)
    pitches = torch.arange(codec.ROWS, device=last.device)
    drums = (target[..., 1] == codec.Part.DRUMS).unsqueeze(-1)
    no_part = (last >= codec.DRUM_ROW) & (parts != codec.Part.DRUMS)
    no_pitch = (pitches <= last) | ((pitches >= codec.DRUM_ROW) != drums)
    velocities = torch.arange(CLASSES["velocity"], device=last.device)
    no_flat = (velocities == CLASSES["velocity"] - 1) & ~batch["flat"].unsqueeze(-1)
    return {
        **logits,
        "part": logits["part"] + NEVER * no_part,
        "pitch": logits["pitch"] + NEVER * no_pitch,
        "velocity": logits["velocity"] + NEVER * no_flat,
    }


def nats(logits: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Negative log likelihood of every target, nats, (batch, steps) a field; 0 for random velocities."""
    logits = masked(logits, batch)
    found = {
        name: F.cross_entropy(
            logits[name].flatten(0, -2).float(), batch["target"][..., i].flatten(), reduction="none"
        ).view(batch["target"].shape[:-1])
        for i, name in enumerate(FIELDS)
    }
    return found | {"velocity": found["velocity"] * ~batch["mute"]}


def divergences(logits: dict[str, Tensor], guesses: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Nats (batch, steps) a field of the Kullback-Leibler divergence of a model's predictions from another's."""
    logits, guesses = masked(logits, batch), masked(guesses, batch)
    found = {}
    for name in FIELDS:
        mine, theirs = (F.log_softmax(each[name].float(), -1) for each in (logits, guesses))
        found[name] = (theirs.exp() * (theirs - mine)).sum(-1)
    return found | {"velocity": found["velocity"] * ~batch["mute"]}


def conditions(
    batch: dict[str, Tensor],
    genres: int,
    keep: Tensor,
    device: torch.device | str = "cpu",
    learned: Learned = NOTHING,
) -> Tensor:
    """Condition vectors (batch, steps, size). keep: bool (batch, 4), whether genre, density, register and
    parts are kept for that excerpt or replaced by "none". learned: what of a plan they have."""
    genre = torch.where(keep[:, None, 0], batch["genre"] + 1, 0)
    local = batch["local"].clone()
    local[~keep[:, 1], :, 0] = torch.nan
    local[~keep[:, 2], :, 1] = torch.nan
    parts = torch.where(keep[:, None, 3:4], batch["parts"], torch.from_numpy(parts_share(())))
    out = torch.cat(
        [
            F.one_hot(genre.long(), genres + 1).float(),
            torch.from_numpy(share(local[..., 0].numpy(), DENSITIES)),
            torch.from_numpy(share(local[..., 1].numpy(), REGISTERS)),
            parts,
            batch["tones"],
            *([batch["plan"]] if learned.plan else []),
            *([batch["form"]] if learned.form else []),
        ],
        -1,
    )
    assert out.shape[-1] == learned.size(genres)
    return out.to(device)


def without_plan(batch: dict[str, Tensor], without: Tensor) -> dict[str, Tensor]:
    """The batch with unknown chords in these excerpts, bool (batch,)."""
    plan = torch.where(without[:, None, None], torch.from_numpy(plan_row(None, 0)), batch["plan"])
    return batch | {"plan": plan, "chord": torch.where(without[:, None], 0, batch["chord"])}


def without_form(batch: dict[str, Tensor], without: Tensor) -> dict[str, Tensor]:
    """The batch with an unknown place in the section, recalled bar and density of parts in these excerpts, bool (batch,
    3)."""
    form = batch["form"].clone()
    for which, columns in zip(without.unbind(1), (PLACE, RECALL, RATES), strict=True):
        form[which, :, columns] = torch.from_numpy(NO_FORM)[columns]
    recalled = torch.where(without[:, 1, None, None], torch.tensor(NO_ECHO), batch["recalled"])
    return batch | {"form": form, "recalled": recalled}


CONDITIONED = ("inputs.weight", "heads.share.weight")  # parameters whose last columns multiply the condition
CHORD_TABLE = "heads.embeddings.tables.chord.weight"


def adopted(
    weights: dict[str, Tensor], shapes: dict[str, Tensor], theirs: tuple[str, ...], mine: tuple[str, ...]
) -> dict[str, Tensor]:
    """The weights of a network with the genres `theirs`, for one with the genres `mine` and parameters like `shapes`: a
    genre that it does not know starts as "none". Conditions and inputs of heads that it did not know start with weights
    of 0, and so do the gates of an echo more."""
    if "heads.share.weight" not in weights:
        return weights
    columns = [theirs.index(genre) + 1 if genre in theirs else 0 for genre in mine]
    out, had, has = dict(weights), _learned(weights), _learned(shapes)
    if CHORD_TABLE in shapes:
        out.setdefault(CHORD_TABLE, shapes[CHORD_TABLE])
    for name, inputs in heads_of(has).items() if has != had else ():
        context = f"heads.heads.{name}.context.weight"
        out[context] = _spread(weights[context], heads_of(had)[name], inputs)
        for gates in (f"heads.heads.{name}.out.{kind}" for kind in ("weight", "bias")):
            more = weights[gates].new_zeros(len(shapes[gates]) - len(weights[gates]), *weights[gates].shape[1:])
            out[gates] = torch.cat([weights[gates], more])
    for name in CONDITIONED:
        inputs = shapes[name].shape[1] - has.size(len(mine))
        before, condition = weights[name][:, :inputs], weights[name][:, inputs:]
        rest = condition[:, 1 + len(theirs) :]
        missing = shapes[name].shape[1] - inputs - 1 - len(mine) - rest.shape[1]
        out[name] = torch.cat([before, condition[:, [0, *columns]], F.pad(rest, (0, missing))], 1)
    return out


def _learned(weights: dict[str, Tensor]) -> Learned:
    """What a network with parameters like these follows of a plan."""
    gaps = weights.get("heads.heads.time.context.weight")
    return Learned(CHORD_TABLE in weights, gaps is not None and gaps.shape[1] == width(FORM_HEADS["time"]))


def _spread(weight: Tensor, theirs: tuple[str, ...], mine: tuple[str, ...]) -> Tensor:
    """The columns of a head's weight for the inputs `theirs`, for `mine`, which have these in the same order and
    others, of which the columns are 0."""
    blocks, to_come = [], list(zip(theirs, weight.split([TABLES[name][1] for name in theirs], 1), strict=True))
    for name in mine:
        known = to_come and to_come[0][0] == name
        blocks.append(to_come.pop(0)[1] if known else weight.new_zeros(len(weight), TABLES[name][1]))
    return torch.cat(blocks, 1)
