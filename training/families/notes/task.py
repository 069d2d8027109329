"""The task of all models of note events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from instrument.errors import HocketError
from training.core import ranks
from training.core.ranges import Count, Share
from training.core.recipe import Recipe
from training.data.notes import events
from training.data.notes.shards import PieceInfo, Shards, training_pieces
from training.families import task as tasks
from training.families.notes import network as note_family
from training.families.notes.yardstick import Score, score_pieces


@dataclass(frozen=True, slots=True)
class Train(tasks.Train):
    """Settings of the models of notes, in addition to those of every family.

    sequence_length: notes of an excerpt in a batch; keep_genre, keep_density, keep_register, keep_parts, keep_plan (its
    chords), keep_place (in the section), keep_recall, keep_rates (density of each part): probability that this part of
    the condition is kept and not replaced by "none" (condition dropout);
    state_reset: probability that the recurrent state of an excerpt is set to zero; teacher: bundle or checkpoint of a
    model of notes to distil from (Hinton et al., 2015), "" for none: the weight of its predictions goes from 1 to 0,
    and parameters of the same name and shape (embeddings, heads) start as the teacher's; valid_pieces, valid_notes: of
    each genre, for validation.
    """

    sequence_length: Count = 128
    keep_genre: Share = 0.9
    keep_density: Share = 0.5
    keep_register: Share = 0.5
    keep_parts: Share = 0.7
    keep_plan: Share = 0.7
    keep_place: Share = 0.7
    keep_recall: Share = 0.7
    keep_rates: Share = 0.4
    state_reset: Share = 0.03
    teacher: str = ""
    valid_pieces: Count = 8
    valid_notes: Count = 384


class NoteTask:
    """A `Task`: batches of note events with their conditions, nats a note, the yardstick.

    The network's states, (layers, batch, ...) each, carry over from batch to batch.
    """

    Train = Train
    Sampling = events.Sampling
    unit = "notes"

    def __init__(self, recipe: Recipe, device: str = "cpu") -> None:
        """HocketError if the recipe's data is not there, or holds nothing to learn from."""
        shards, pieces, genres = training_pieces(recipe.data)
        self.train, self.shards, self.genres, self.device = recipe.train, shards, genres, device
        self.data_hash = shards.data_hash
        self.size = self.train.batch_size * self.train.sequence_length
        self.rows = ranks.share(self.train.batch_size)
        self.mine = self.rows.stop - self.rows.start
        self.stream = events.NoteStream(
            shards, pieces, genres, self.mine, recipe.seed, recipe.sampling, self.rows.start
        )
        self.valid = valid_pieces(shards, recipe)
        if not self.valid:
            raise HocketError(f"{recipe.data.folder} has no pieces to validate on: prepare more, or longer ones")
        self.state: tuple[Tensor, ...] = ()
        self.teacher: nn.Module | None = None  # given by the run

    def losses(self, network: nn.Module, rng: np.random.Generator, progress: float) -> dict[str, Tensor]:
        """Nats a note, in all and by field."""
        train = self.train
        names = ("genre", "density", "register", "parts", "plan", "place", "recall", "rates")
        kept = [getattr(train, f"keep_{name}") for name in names[: 8 if network.learned.form else 5]]
        keep = torch.from_numpy((rng.random((train.batch_size, len(kept))) < kept)[self.rows])
        stay = torch.from_numpy((rng.random(train.batch_size) >= train.state_reset)[self.rows]).to(self.device)
        batch = note_family.tensors(self.stream.next(train.sequence_length))
        batch = note_family.without_plan(batch, ~keep[:, 4])
        if network.learned.form:
            batch = note_family.without_form(batch, ~keep[:, 5:])
        condition = note_family.conditions(batch, len(self.genres), keep, self.device, network.learned)
        if self.teacher is not None:
            known = note_family.conditions(batch, len(self.genres), keep, self.device, self.teacher.learned)
        batch = {name: value.to(self.device) for name, value in batch.items()}
        before = self.state or network.initial(self.mine)
        state = tuple(s * stay.view(1, -1, *[1] * (s.dim() - 2)) for s in before)
        logits, state = network(batch, condition, state)
        self.state = tuple(s.detach() for s in state)
        nats = {name: value.mean() for name, value in note_family.nats(logits, batch).items()}
        total = sum(nats.values())
        if self.teacher is not None:
            share = 1 - progress**2
            with torch.no_grad():
                guesses, _ = self.teacher(batch, known, self.teacher.initial(self.mine))
            apart = note_family.divergences(logits, guesses, batch)
            total = (1 - share) * total + share * sum(value.mean() for value in apart.values())
        return {"total": total} | nats

    def validate(self, network: nn.Module) -> Score:
        """The yardstick; of a network that learns the form of plans, the mean of that and of the same where it is told
        chords and form."""
        whole = self.shards, self.valid, self.genres, self.train.valid_notes
        found = score_pieces(network, *whole)
        return found.joined(score_pieces(network, *whole, told=True)) if network.learned.form else found

    @property
    def place(self) -> Any:
        """The stream's, of all sequences of the batch."""
        return {name: ranks.joined_rows(rows) for name, rows in self.stream.state.items()}

    @property
    def memory(self) -> tuple[Tensor, ...]:
        """The network's states of all sequences of the batch."""
        return ranks.joined_batch(self.state)

    def restore(self, place: Any, memory: tuple[Tensor, ...]) -> None:
        """Go on where these were taken, by however many processes."""
        self.stream.restore({name: rows[self.rows] for name, rows in place.items()})
        self.state = tuple(m[:, self.rows].to(self.device) for m in memory)


def valid_pieces(shards: Shards, recipe: Recipe, split: str = "valid") -> list[PieceInfo]:
    """Up to `valid_pieces` pieces of each genre, without realised ones, and without drums alone unless there is nothing
    else."""
    chosen: list[PieceInfo] = []
    pieces = [p for p in shards.select(split=split, realised=False) if p.count > 1]
    pieces = [p for p in pieces if not p.drums_only] or pieces
    for genre in sorted({p.genre for p in pieces}):
        chosen += [p for p in pieces if p.genre == genre][: recipe.train.valid_pieces]
    return chosen
