"""Training of plan models: chords slot by slot, and sections one by one.

A lane of the batch reads whole pieces, `steps` slots a batch, and keeps its state in between. In a share of the pieces
the features of sections are set to unknown, so that the model also learns to do without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from instrument.errors import HocketError
from instrument.models.plan.form import OTHER_FORMS, form_features
from instrument.models.plan.slots import GENRES, WIDTH, without_sections
from training.core import ranks
from training.core.ranges import Count, Share
from training.core.recipe import Recipe
from training.data.plans import PlanPiece, Plans, open_plans
from training.families import task as tasks

LANES = 48  # pieces that are evaluated in one batch
PADDING = -1


@dataclass(frozen=True, slots=True)
class Train(tasks.Train):
    """steps: slots of a lane in a batch; balance: 0 = genres evenly, 1 = by their slots; hidden: share of the pieces
    whose sections are hidden; forms: pieces of a batch whose sections are learnt; form_balance: as `balance`, for
    these by their number; valid_pieces: of each genre."""

    steps: Count = 64
    balance: Share = 0.6
    hidden: Share = 0.35
    forms: Count = 96
    form_balance: Share = 0.4
    valid_pieces: Count = 24


@dataclass(frozen=True, slots=True)
class Sampling:
    """A plan model has no settings of sampling."""


@dataclass(frozen=True, slots=True)
class Score(tasks.FieldScore):
    """Nats a slot with sections known and unknown, mean of the genres; and nats a section, the end included."""

    known: float
    unknown: float
    form: float

    @property
    def total(self) -> float:
        """The sum of the three."""
        return self.known + self.unknown + self.form

    def line(self) -> str:
        """One line for a log."""
        return f"nats a slot {self.known:.4f}, without sections {self.unknown:.4f}; a section {self.form:.4f}"


class PlanTask:
    """The `Task` of plan models."""

    Train = Train
    Sampling = Sampling
    unit = "slots"

    def __init__(self, recipe: Recipe, device: str = "cpu") -> None:
        """Raises HocketError if the recipe's data is missing or has no plans to train on."""
        plans = open_plans(recipe.data.folder)
        self.train, self.device, self.genres, self.data_hash = recipe.train, device, GENRES, plans.data_hash
        pieces = plans.select("train", recipe.data)
        self.pieces = [piece for piece in pieces if piece.chords]
        if not self.pieces:
            raise HocketError(f"no training plans in {recipe.data.folder}: prepare more data")
        self.size = self.train.batch_size * self.train.steps
        self.rows = [piece.features() for piece in self.pieces]
        self.hidden = [without_sections(rows) for rows in self.rows]
        self.chords = [np.array(piece.chords, np.int8) for piece in self.pieces]
        counts = [len(piece.chords) for piece in self.pieces]
        self.shares = _shares([form_genre(p) for p in self.pieces], counts, self.train.balance)
        formed = [piece for piece in pieces if len(piece.form) > 1]
        self.forms = [form_features(form_genre(piece), piece.form) for piece in formed]
        self.form_shares = _shares([form_genre(p) for p in formed], [1] * len(formed), self.train.form_balance)
        self.valid = valid_pieces(plans, recipe)
        self.lanes = ranks.share(self.train.batch_size)  # of the batch, that are this process's
        self.state: Tensor | None = None
        self._excerpts = [(0, -1, False)] * (self.lanes.stop - self.lanes.start)
        """Of each lane: piece, next slot (-1: none is begun), sections hidden."""

    def losses(self, network: nn.Module, rng: np.random.Generator, progress: float) -> dict[str, Tensor]:
        """Nats a slot and nats a section; "total" is their sum."""
        rows, chords, begun = self._next(rng)
        zeros = torch.zeros(2, len(rows), network.config.units, device=self.device)
        state = zeros if self.state is None else self.state
        state = state * torch.from_numpy(~begun).to(self.device)[None, :, None]
        found, state = network(rows.to(self.device), state)
        self.state = state.detach()
        nats = _mean_nats(found, chords.to(self.device))
        total = nats
        losses = {"nats": nats}
        if self.forms:
            numbers = rng.choice(len(self.forms), self.train.forms, p=self.form_shares)
            drawn = [self.forms[i] for i in numbers[ranks.rank() :: ranks.count()]]
            losses["sections"], details = form_losses(network.form, drawn, self.device)
            total = total + losses["sections"] + details
        return {"total": total} | losses

    def validate(self, network: nn.Module) -> Score:
        """Nats on the validation pieces."""
        return score(network, self.valid, self.device)

    @property
    def place(self) -> Any:
        """The position of each lane: piece, next slot, sections hidden."""
        return ranks.joined_rows([list(lane) for lane in self._excerpts])

    @property
    def memory(self) -> tuple[Tensor, ...]:
        """The network's state (2, batch, units), once there is one."""
        return () if self.state is None else ranks.joined_batch((self.state,))

    def restore(self, place: Any, memory: tuple[Tensor, ...]) -> None:
        """Continue from a saved position and memory, saved by however many processes."""
        self._excerpts = [(int(piece), int(at), bool(hidden)) for piece, at, hidden in place[self.lanes]]
        self.state = memory[0][:, self.lanes].to(self.device) if memory else None

    def _next(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, NDArray[np.bool_]]:
        """Rows (batch, steps, width), chords (batch, steps), `PADDING` after a piece's end, and which excerpts begin
        a piece."""
        batch_size, steps = len(self._excerpts), self.train.steps
        rngs = rng.spawn(self.train.batch_size)[self.lanes]  # a lane's draws do not depend on the others
        rows = np.zeros((batch_size, steps, WIDTH), np.int64)
        chords = np.full((batch_size, steps), PADDING, np.int64)
        begun = np.zeros(batch_size, bool)
        for lane, (piece, at, hidden) in enumerate(self._excerpts):
            if at < 0:
                piece, at = int(rngs[lane].choice(len(self.pieces), p=self.shares)), 0
                hidden = bool(rngs[lane].random() < self.train.hidden)
                begun[lane] = True
            source = self.hidden[piece] if hidden else self.rows[piece]
            taken = source[at : at + steps]
            rows[lane, : len(taken)] = taken
            chords[lane, : len(taken)] = self.chords[piece][at : at + steps]
            self._excerpts[lane] = (piece, at + steps if at + steps < len(source) else -1, hidden)
        return torch.from_numpy(rows), torch.from_numpy(chords), begun


def form_genre(piece: PlanPiece) -> int:
    """The number of a piece's genre for the form network."""
    return GENRES.index(piece.genre) if piece.genre in GENRES else OTHER_FORMS


def valid_pieces(plans: Plans, recipe: Recipe) -> list[PlanPiece]:
    """Up to `valid_pieces` pieces of each genre from the validation split, or from the training split if the former
    has no chords."""
    held = plans.select("valid", recipe.data)
    if not any(piece.chords for piece in held):
        held = plans.select("train", recipe.data)
    return [piece for genre in GENRES for piece in [p for p in held if p.genre == genre][: recipe.train.valid_pieces]]


def _shares(genres: Sequence[int], sizes: Sequence[int], balance: float) -> NDArray[np.float64]:
    """Probability of drawing each piece. A genre is drawn in proportion to its total size to the power of `balance`."""
    genre = np.array(genres, np.int64)
    total = np.bincount(genre, sizes)
    each = np.maximum(total, 1) ** (balance - 1)
    shares: NDArray[np.float64] = each[genre] / each[genre].sum()
    return shares


def _mean_nats(logs: Tensor, right: Tensor) -> Tensor:
    """Mean nats of the targets (batch, steps) of the whole batch that are not padding."""
    there = right != PADDING
    nats = -logs.gather(-1, right.clamp(min=0)[..., None])[..., 0]
    return ranks.weighted_mean(nats, there)


def form_batch(forms: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]) -> tuple[Tensor, Tensor]:
    """Features (pieces, sections, columns) and targets (pieces, sections, 4), `PADDING` after the end."""
    longest = max(len(rows) for rows, _ in forms)
    rows, right = (
        np.stack([np.pad(f[i], ((0, longest - len(f[i])), (0, 0)), constant_values=fill) for f in forms])
        for i, fill in ((0, 0), (1, PADDING))
    )
    return torch.from_numpy(rows), torch.from_numpy(right)


def form_losses(
    network: nn.Module, forms: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]], device: str = "cpu"
) -> tuple[Tensor, Tensor]:
    """Nats a section of the answer without the first one, which is always new; and nats of length and kind."""
    rows, right = (tensor.to(device) for tensor in form_batch(forms))
    logs, context = network(rows)
    sections = _mean_nats(logs[:, 1:], right[:, 1:, 0])
    real = right[..., 0] != PADDING
    real[:, 1:] &= right[:, 1:, 0] != logs.shape[-1] - 1  # the end has no length
    answer, before, length, kind = right[real].unbind(-1)
    lengths, kinds = network.details(context[real], answer, before)
    return sections, _mean_nats(lengths, length) + _mean_nats(kinds, kind)


@torch.no_grad()
def chord_nats(
    network: Any, rows: Sequence[NDArray[np.int8]], chords: Sequence[Sequence[int]], device: str = "cpu"
) -> list[tuple[NDArray[np.float64], NDArray[np.int64]]]:
    """For each piece the nats of its slots, and at each slot the likeliest chord other than the previous one.

    network: returns log probabilities as `Network` does. rows: the features of each piece.
    """
    found: list[Any] = [None] * len(rows)
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    for begin in range(0, len(order), LANES):
        group = order[begin : begin + LANES]
        longest = max(len(rows[i]) for i in group)
        inputs = np.stack([np.pad(rows[i], ((0, longest - len(rows[i])), (0, 0))) for i in group]).astype(np.int64)
        logs = network(torch.from_numpy(inputs).to(device))[0].double().cpu().numpy()
        for lane, i in enumerate(group):
            found[i] = judged(logs[lane, : len(rows[i])], rows[i][:, 0], chords[i])
    return found


def judged(
    logs: NDArray[np.float64], previous: NDArray[Any], chords: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The nats of a piece's slots, and at each the likeliest chord other than the previous one. logs: log probabilities
    (slots, 97)."""
    at = np.arange(len(logs))
    nats = -logs[at, np.asarray(chords)]
    others = np.pad(logs, ((0, 0), (0, 1)), constant_values=-np.inf)  # a column for none before the start
    others[at, previous] = -np.inf
    return nats, others.argmax(-1)


def score(network: nn.Module, pieces: Sequence[PlanPiece], device: str = "cpu") -> Score:
    """Nats of these pieces."""
    rows = [piece.features() for piece in pieces]
    chords = [piece.chords for piece in pieces]
    means = []
    for inputs in (rows, [without_sections(r) for r in rows]):
        by_genre: dict[str, list[NDArray[np.float64]]] = {}
        for piece, (nats, _) in zip(pieces, chord_nats(network, inputs, chords, device), strict=True):
            by_genre.setdefault(piece.genre, []).append(nats)
        means.append(float(np.mean([np.concatenate(nats).mean() for nats in by_genre.values()])))
    forms = [form_features(form_genre(piece), piece.form) for piece in pieces if len(piece.form) > 1]
    with torch.no_grad():
        sections = float(form_losses(network.form, forms, device)[0]) if forms else 0.0
    return Score(*means, sections)
