"""The interface between `fit.Run` and a family: what it is trained on and how it is validated.

`Run` knows networks, optimisers, weight averages and checkpoints; a `Task` makes the batches and the loss. What else a
task trains (a critic with its own optimiser) it keeps in its `place` and `memory`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from torch import Tensor, nn

from training.core.ranges import BelowOne, Count, NotNegative, Positive, Whole
from training.core.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Train:
    """Settings of a run that every family has.

    batches: length of the run; batch_size: excerpts in a batch; learning_rate: the peak, warmed up over
    `warmup_batches`, then down a cosine to a fiftieth; weight_decay: decoupled, as in AdamW; gradient_clip: largest
    norm of the gradient; ema_decay: of the exponential moving average of the weights, which is validated and exported;
    valid_batches: between validations, 0 for as many as take `valid_minutes` at the speed measured at the start;
    patience: validations in a row that may be no better before the run ends, 0 for any number; save_seconds: between
    checkpoints; betas: of Adam; muon_factor: matrices of a
    network's `layers` are optimised by Muon at this multiple of the learning rate; 0: by AdamW, like all else.
    """

    batches: Count = 6000
    batch_size: Count = 32
    learning_rate: Positive = 2e-3
    warmup_batches: Count = 150
    weight_decay: NotNegative = 0.01
    gradient_clip: Positive = 1.0
    ema_decay: BelowOne = 0.998
    valid_minutes: Positive = 4.0
    valid_batches: Whole = 0
    patience: Whole = 0
    save_seconds: NotNegative = 120.0
    betas: tuple[BelowOne, BelowOne] = (0.9, 0.98)
    muon_factor: NotNegative = 0.0

    def rate_at(self, batch: int, progress: float) -> float:
        """The learning rate of a batch, `progress` (0..1) into the run."""
        down = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
        return self.learning_rate * min(1.0, (batch + 1) / self.warmup_batches) * down

    def phases(self) -> tuple[tuple[float, float], ...]:
        """Where phases of different speed begin, 0..1 of the run, and the share of the run that each takes."""
        return ((0.0, 1.0),)


class Score(Protocol):
    """The result of a validation. total: lower is better; the best network is kept."""

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


class FieldScore:
    """Base of a score whose parts are the fields of a dataclass with slots."""

    __slots__: tuple[str, ...] = ()

    def mean_by_field(self) -> dict[str, float]:
        """All fields, rounded to four digits."""
        return {name: round(getattr(self, name), 4) for name in self.__slots__}


class Task(Protocol):
    """See the module. unit: what `size`, the amount in a batch, counts; data_hash: names what it learns from;
    genres: those (or instruments) of the condition, in order; continued: set by a run that starts from a trained
    model."""

    Train: ClassVar[type[Train]]
    Sampling: ClassVar[type]
    unit: ClassVar[str]
    size: int
    data_hash: str
    genres: tuple[str, ...]
    continued: bool

    def __init__(self, recipe: Recipe, device: str = "cpu") -> None: ...

    def losses(self, network: nn.Module, rng: np.random.Generator, progress: float) -> dict[str, Tensor]:
        """The next batch's losses; "total" is what is minimised. rng: this batch's own; progress: of the run,
        0..1."""
        ...

    def validate(self, network: nn.Module) -> Score:
        """Score a network on the validation split."""
        ...

    @property
    def place(self) -> Any:
        """The run's position in the data, as JSON can hold it."""
        ...

    @property
    def memory(self) -> tuple[Tensor, ...]:
        """State carried from batch to batch."""
        ...

    def restore(self, place: Any, memory: tuple[Tensor, ...]) -> None:
        """Continue from a saved `place` and `memory`."""
        ...
