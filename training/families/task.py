"""What a family learns from, and how it is judged.

`fit.Run` knows networks, optimisers, averages and checkpoints; a *task* knows music. A family is one file with
`Config`, `Network(config, genres)` and `Task`, the task it is trained on:

- **notes** (`families.notes.task.NoteTask`): events in sequence, one step a note, with conditions, loss and the
  yardstick. A family of note models (LSTM, Transformer) brings a network with `initial(lanes) -> states` and
  `forward(batch, condition, states) -> (logits by field, states)`, and takes all the rest from here.
- **phrases** (`families.musicvae.task.PhraseTask`): bars of sixteenth steps, whole, in and out (MusicVAE).

A task says which settings a recipe may give it: `Train` (a subclass of this one) for its [train] and `Sampling`
for its [sampling]. Another task is another class beside these: `Run` and the recipes take it as it is. What else
it trains on its own (a critic, with an optimiser of its own) is kept by its `place` and `memory`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from torch import Tensor, nn

from training.core.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Train:
    """batches: length of the run; lanes: excerpts a batch; rate: peak learning rate, warmed up over `warmup`
    batches, then down a cosine to a fiftieth; decay: of weights; clip: gradient norm; average: decay of the
    moving average of the weights, which is what is validated and exported; valid_minutes: between validations;
    save_seconds: between checkpoints; betas: of Adam; muon: matrices of a network's `layers` learn by Muon at so
    many times the rate, 0: by Adam, as all else."""

    batches: int = 6000
    lanes: int = 32
    rate: float = 2e-3
    warmup: int = 150
    decay: float = 0.01
    clip: float = 1.0
    average: float = 0.998
    valid_minutes: float = 4.0
    save_seconds: float = 120.0
    betas: tuple[float, float] = (0.9, 0.98)
    muon: float = 0.0

    def rate_at(self, batch: int, progress: float) -> float:
        """The learning rate of a batch, `progress` (0..1) into the run."""
        down = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
        return self.rate * min(1.0, (batch + 1) / self.warmup) * down


class Score(Protocol):
    """What a validation found. total: the less, the better; the best is kept."""

    @property
    def total(self) -> float:
        """The figure that decides."""
        ...

    def mean_by_field(self) -> dict[str, float]:
        """Its parts, for the log."""
        ...

    def line(self) -> str:
        """All in one line."""
        ...


class Task(Protocol):
    """See the module. unit: what `size`, the amount in a batch, counts; data_hash: names what it learns from;
    genres: what a network may be told of it, in order."""

    Train: ClassVar[type[Train]]
    Sampling: ClassVar[type]
    unit: ClassVar[str]
    size: int
    data_hash: str
    genres: tuple[str, ...]

    def __init__(self, recipe: Recipe, device: str = "cpu") -> None: ...

    def losses(self, network: nn.Module, rng: np.random.Generator, progress: float) -> dict[str, Tensor]:
        """The next batch's losses; "total" is what is minimised. rng: this batch's own; progress: of the run,
        0..1."""
        ...

    def validate(self, network: nn.Module) -> Score:
        """Judge a network on the validation split."""
        ...

    @property
    def place(self) -> Any:
        """Where in the data the run stands, as JSON can tell it."""
        ...

    @property
    def memory(self) -> tuple[Tensor, ...]:
        """What is carried from batch to batch."""
        ...

    def restore(self, place: Any, memory: tuple[Tensor, ...]) -> None:
        """Go on where these were taken."""
        ...
