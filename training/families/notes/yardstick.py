"""The yardstick: held-out nats a note on one fixed grid, whatever a model's own codec.

24 ticks a beat without microtiming; notes sorted by (tick, pitch, drums as pitch + 128) without duplicates;
the first 1,500 of a piece, the first of them unscored; gaps and durations capped at 96 ticks, 16 velocity
steps; genre the only condition. Order: time, pitch (with part's nats added), duration, velocity. The figure is
the mean of the genres' means. A piece's nats are the mean over its notes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from instrument.models.notes.form_conditions import Learned
from instrument.music import codec
from instrument.music.codec import FLAT
from instrument.music.notes import Piece
from training.core.devices import device_of
from training.data.notes.events import Features, features
from training.data.notes.form.analysis import NO_FORM, Form, PieceForm
from training.data.notes.harmony import NO_CHANGES, Changes, PieceChords
from training.data.notes.shards import PieceInfo, Shards
from training.families.notes import network as note_family

CAP = 96
NOTES = 1500
BATCH_SIZE = 48
STEPS = 256
SCORED = ("time", "pitch", "duration", "velocity")


class Predictor(Protocol):
    """A network, or a bundle that answers like one."""

    genres: int
    learned: Learned

    def initial(self, batch_size: int) -> Any:
        """States before the start."""
        ...

    def __call__(self, batch: dict[str, Tensor], condition: Tensor, state: Any) -> tuple[dict[str, Tensor], Any]:
        """Logits of every field, (batch, steps, classes), and the states after."""
        ...


class Scored(NamedTuple):
    """A piece of a genre, with what is told of its plan: chords and form, or nothing."""

    genre: str
    piece: Piece
    changes: Changes = NO_CHANGES
    form: Form | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """nats: for each genre the nats a note of every piece, (pieces, 4), columns as `SCORED`."""

    nats: dict[str, NDArray[np.float64]]

    def joined(self, other: Score) -> Score:
        """The pieces of both."""
        return Score({genre: np.concatenate([own, other.nats[genre]]) for genre, own in self.nats.items()})

    @property
    def total(self) -> float:
        """The yardstick: the mean over genres of the mean nats a note."""
        return float(sum(self.mean_by_field().values())) if self.nats else float("nan")

    def mean_by_field(self) -> dict[str, float]:
        """Mean of the genres' means, by field."""
        means = np.mean([n.mean(0) for n in self.nats.values()], 0)
        return {name: round(float(v), 4) for name, v in zip(SCORED, means, strict=True)}

    def by_genre(self) -> dict[str, dict[str, float]]:
        """Mean nats by genre and field, with the number of pieces."""
        return {
            genre: {"pieces": len(n), "total": round(float(n.sum(1).mean()), 4)}
            | {name: round(float(v), 4) for name, v in zip(SCORED, n.mean(0), strict=True)}
            for genre, n in self.nats.items()
        }

    def line(self) -> str:
        """One line for a log."""
        fields = "  ".join(f"{name} {value:.3f}" for name, value in self.mean_by_field().items())
        genres = "  ".join(f"{g} {n.sum(1).mean():.2f}" for g, n in self.nats.items())
        return f"{self.total:.4f} nats/note: {fields}  |  {genres}"


def on_grid(piece: Piece, limit: int = NOTES) -> Piece:
    """The first `limit` notes, without microtiming."""
    notes = np.array(piece.notes[:limit])
    notes[:, 1] = 0
    return Piece(notes, piece.metres)


def score_pieces(
    predictor: Predictor,
    shards: Shards,
    pieces: Sequence[PieceInfo],
    genres: tuple[str, ...],
    limit: int = NOTES,
    told: bool = False,
) -> Score:
    """Score the pieces; a genre the model does not know becomes "none". told: with their chords and form."""
    grid = [Scored(info.genre, on_grid(shards.piece(info), limit)) for info in pieces if info.count > 1]
    if told:
        chords, forms = PieceChords(shards), PieceForm(shards)
        known = [info for info in pieces if info.count > 1]
        grid = [each._replace(changes=chords.of(i), form=forms.of(i)) for each, i in zip(grid, known, strict=True)]
    return score(predictor, grid, genres)


@torch.no_grad()
def score(predictor: Predictor, pieces: Sequence[tuple[Any, ...]], genres: tuple[str, ...]) -> Score:
    """Score pieces that are on the grid, each as `Scored`."""
    found: dict[str, list[NDArray[np.float64]]] = {}
    for group in by_length([Scored(*each) for each in pieces]):
        sums = np.zeros((len(group), len(SCORED)))
        for at, batch, valid, logits in predictions(predictor, group, genres):
            steps = [_velocities(each.piece, at, valid.shape[1]) for each in group]
            velocities = torch.from_numpy(np.stack(steps)).to(batch["target"].device)
            nats = _nats(note_family.masked(logits, batch), batch, velocities).cpu()
            sums += (nats.double() * torch.from_numpy(valid)[..., None]).sum(1).numpy()
        for each, total in zip(group, sums, strict=True):
            found.setdefault(each.genre, []).append(total / (len(each.piece) - 1))
    return Score({genre: np.stack(found[genre]) for genre in sorted(found)})


def by_length(pieces: Sequence[Scored]) -> Iterator[list[Scored]]:
    """Groups of up to `BATCH_SIZE` pieces of about the same length."""
    order = sorted(range(len(pieces)), key=lambda i: len(pieces[i].piece))
    for begin in range(0, len(order), BATCH_SIZE):
        yield [pieces[i] for i in order[begin : begin + BATCH_SIZE]]


def predictions(
    predictor: Predictor, group: Sequence[Scored], genres: tuple[str, ...]
) -> Iterator[tuple[int, dict[str, Tensor], NDArray[np.bool_], dict[str, Tensor]]]:
    """Predictions for the notes of some pieces in a batch, conditioned on the genre and what is told of the plan: the
    number of the window's first note, the batch, which of its steps (batch, steps) are scored, and the logits; tensors
    are on the predictor's device."""
    pieces_features = [
        features(each.piece, changes=each.changes, form=NO_FORM if each.form is None else each.form) for each in group
    ]
    numbers = np.array([genres.index(each.genre) if each.genre in genres else -1 for each in group])
    keep = torch.from_numpy((numbers >= 0)[:, None] & (np.arange(4) == 0))
    without = torch.tensor([[each.form is None, each.form is None, True] for each in group])
    state = predictor.initial(len(group))
    device = device_of(predictor)
    for at, batch, valid in _windows(pieces_features, np.maximum(numbers, 0)):
        batch = note_family.without_form(batch, without)
        condition = note_family.conditions(batch, len(genres), keep, device, predictor.learned)
        batch = {name: value.to(device) for name, value in batch.items()}
        logits, state = predictor(batch, condition, state)
        yield at, batch, valid, logits


def _windows(
    pieces_features: list[Features], genres: NDArray[np.int64]
) -> Iterator[tuple[int, dict[str, Tensor], NDArray[np.bool_]]]:
    longest = max(len(f) for f in pieces_features)
    lengths = np.array([len(f) for f in pieces_features])
    for at in range(0, longest, STEPS):
        size = min(STEPS, longest - at)
        batch = {}
        for name in Features.__slots__:
            rows = []
            for piece in pieces_features:
                row = getattr(piece, name)[at : at + size]
                rows.append(np.pad(row, [(0, size - len(row))] + [(0, 0)] * (row.ndim - 1)))
            batch[name] = np.stack(rows)
        batch["genre"] = np.repeat(genres[:, None], size, 1)
        where = at + np.arange(size)
        yield at, note_family.tensors(batch), (where[None] < lengths[:, None]) & (where[None] > 0)


def _velocities(piece: Piece, at: int, size: int) -> NDArray[np.int64]:
    """(size, 2): the 16-step velocity of each note, and that of the first."""
    steps = (codec.to_grid(piece.notes)[:, 4] >> 3).astype(np.int64)
    row = steps[at : at + size]
    return np.stack([np.pad(row, (0, size - len(row))), np.full(size, steps[0])], 1)


def _nats(logits: dict[str, Tensor], batch: dict[str, Tensor], velocity: Tensor) -> Tensor:
    """(batch, steps, 4) nats on the yardstick's grid."""
    logs = {name: torch.log_softmax(value.float(), -1) for name, value in logits.items()}
    target = batch["target"]

    def capped(name: str, column: int, cap: int) -> Tensor:
        own = logs[name].gather(-1, target[..., column, None])[..., 0]
        return torch.where(target[..., column] >= cap, logs[name][..., cap:].logsumexp(-1), own)

    pitch = logs["pitch"].gather(-1, target[..., codec.PITCH, None])[..., 0]
    part = logs["part"].gather(-1, target[..., codec.PART, None])[..., 0]
    steps = logs["velocity"][..., :FLAT].unflatten(-1, (FLAT // 2, 2)).logsumexp(-1)
    own = steps.gather(-1, velocity[..., :1])[..., 0]
    flat = torch.where(velocity[..., 0] == velocity[..., 1], logs["velocity"][..., FLAT], -1e9)
    return -torch.stack(
        [
            capped("time", codec.TIME, CAP),
            pitch + part,
            capped("duration", codec.DURATION, CAP - 1),
            torch.logaddexp(own, flat),
        ],
        -1,
    )
