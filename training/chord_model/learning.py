"""Training of the chord analyser: `python -m training.chord_model fit FOLDER`, the folder with manifest.csv.

A network with one hidden layer predicts the chord of each beat from the notes in it and around it. It is applied twelve
times with the same weights, with pitch classes counted from each root, so that it is independent of the key. It is
trained on pieces with written chords: pop909, wjazzd_band, and openewld with and without its block chords. The
transition probabilities (how often chords change at which beat of a bar, and to which chord) are counted in the same
pieces.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from instrument.errors import HocketError
from instrument.music.chords.analysis import (
    KIND_COUNT,
    PLANES,
    SCALARS,
    SILENT,
    STATES,
    features,
    relative,
    state_of,
)
from instrument.music.chords.changes import by_beat
from instrument.music.chords.profiles import beats_of, profiles
from instrument.music.notes import Piece
from training.data import sources
from training.data.notes import midi
from training.data.notes.chords import melody_alone, written_chords

MELODY = "melody alone"  # of openewld
SHARES = {"pop909": 0.5, "wjazzd_band": 0.5, "openewld": 0.5, MELODY: 1.0}  # of a dataset's beats that an epoch uses
UNITS = 128
EPOCHS = 14
BATCH = 512
RATE = 2e-3
WARMING = 100  # batches
DECAY = 1e-2
DROPOUT = 0.1
UNKNOWN = -1  # state of a beat whose chord is not written
SMOOTHING = 0.3  # added to every count of successions


class Example(NamedTuple):
    """A piece to learn from: planes (n, PLANES, 12) and scalars (n, SCALARS) as float16, states and places (n)."""

    name: str
    planes: NDArray[np.float16]
    scalars: NDArray[np.float16]
    states: NDArray[np.int64]
    places: NDArray[np.int64]


def annotated_pieces(folder: Path, split: str) -> Iterator[tuple[str, Piece, Piece]]:
    """Name, piece to analyse, and piece with the written chords, of one split; pieces under the GPL are left out."""
    with sources.reader(folder) as read:
        for source in sources.find(folder):
            if source.split != split or source.dataset not in SHARES or "GPL" in source.licence:
                continue
            piece, _ = midi.read(read(source))
            yield source.dataset, piece, piece
            if source.dataset == "openewld" and len(melody := melody_alone(piece)):
                yield MELODY, melody, piece


def examples(folder: Path, split: str) -> Iterator[Example]:
    """The examples from the pieces of one split."""
    for name, piece, written in annotated_pieces(folder, split):
        beats = beats_of(written)
        chords = by_beat(written_chords(written, "openewld" if name == MELODY else name) or [], beats)
        states = np.array([UNKNOWN if chord is None else state_of(chord) for chord in chords], np.int64)
        planes, scalars = features(profiles(piece, beats.edges), beats)
        yield Example(name, planes.astype(np.float16), scalars.astype(np.float16), states, beats.places)


class Network(nn.Module):
    """Features of n beats -> logits (n, STATES)."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(PLANES * 12 + SCALARS, UNITS)
        self.output = nn.Linear(UNITS, KIND_COUNT + 1)
        self.dropout = nn.Dropout(DROPOUT)
        self.register_buffer("turned", (torch.arange(12)[:, None] + torch.arange(12)) % 12)

    def forward(self, planes: torch.Tensor, scalars: torch.Tensor) -> torch.Tensor:
        """planes (n, PLANES, 12), scalars (n, SCALARS)."""
        seen = planes[:, :, self.turned].transpose(1, 2).flatten(2)
        seen = torch.cat((seen, scalars[:, None].expand(-1, 12, -1)), 2)
        logits = self.output(self.dropout(torch.relu(self.hidden(seen))))
        return torch.cat((logits[:, :, :KIND_COUNT].flatten(1), logits[:, :, KIND_COUNT].mean(1, keepdim=True)), 1)


def fit(train: list[Example], seed: int = 1) -> Network:
    """A network fitted to the examples. Raises HocketError where there are too few."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    planes = np.concatenate([example.planes for example in train])
    scalars = np.concatenate([example.scalars for example in train])
    states = np.concatenate([example.states for example in train])
    names = np.repeat([example.name for example in train], [len(example.states) for example in train])
    pools = [np.flatnonzero((names == name) & (states != UNKNOWN)) for name in SHARES]
    sizes = [int(len(pool) * share) for pool, share in zip(pools, SHARES.values(), strict=True)]
    network = Network()
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    steps = EPOCHS * (sum(sizes) // BATCH)
    if not steps:
        raise HocketError(f"{len(states)} beats are too few to learn from: give pieces with some {2 * BATCH}")
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, (step + 1) / WARMING) * (1 - step / steps)
    )
    for epoch in range(EPOCHS):
        drawn = [rng.choice(pool, size, replace=False) for pool, size in zip(pools, sizes, strict=True)]
        order = rng.permutation(np.concatenate(drawn))
        losses = []
        for start in range(0, len(order) - BATCH + 1, BATCH):
            rows = np.sort(order[start : start + BATCH])
            seen = [torch.from_numpy(values[rows].astype(np.float32)) for values in (planes, scalars)]
            loss = nn.functional.cross_entropy(network(*seen), torch.from_numpy(states[rows]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1} of {EPOCHS}: {np.mean(losses):.3f} nats a beat", flush=True)
    return network.eval()


def counts(train: list[Example]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How often chords change at a beat by its place (3), and the log probabilities (KIND_COUNT + 1, STATES) of what
    follows a kind when it changes, roots counted from its own."""
    changes = np.ones((3, 2))
    follows = np.full((KIND_COUNT + 1, STATES), SMOOTHING)
    for example in train:
        if example.name == MELODY:
            continue
        for before, after, place in zip(
            example.states[:-1].tolist(),
            example.states[1:].tolist(),
            example.places[1:].tolist(),
            strict=True,
        ):
            if UNKNOWN in (before, after):
                continue
            changes[place, int(before != after)] += 1
            if before == SILENT and after != SILENT:
                follows[KIND_COUNT, after % KIND_COUNT : SILENT : KIND_COUNT] += 1 / 12  # any root
            elif before != after:
                follows[before % KIND_COUNT, relative(before, after)] += 1
    follows[np.arange(KIND_COUNT), np.arange(KIND_COUNT)] = 1e-6  # the same chord is not a change
    follows[KIND_COUNT, SILENT] = 1e-6
    return changes[:, 1] / changes.sum(1), np.log(follows / follows.sum(1, keepdims=True))


def tables(
    network: Network, change: NDArray[np.float64], succession: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """The tables of a `ChordModel`, by name."""
    learned = {
        "hidden": network.hidden.weight.T,
        "hidden_bias": network.hidden.bias,
        "output": network.output.weight.T,
        "output_bias": network.output.bias,
    }
    arrays = {name: table.detach().double().numpy() for name, table in learned.items()}
    return arrays | {"change": change, "succession": succession}


def learn(folder: Path, out: Path) -> int:
    """Train on the pieces of a folder with manifest.csv and write the tables. Returns the number of pieces and
    variants. It takes about six minutes on one processor core. Raises HocketError if there are too few pieces."""
    train = list(examples(folder, "train"))
    if not train:
        raise HocketError(f"{folder} has no pieces with chords: give the folder of {', '.join(sorted(SHARES))}")
    arrays = tables(fit(train), *counts(train))
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out, **{name: array.astype(np.float16) for name, array in arrays.items()})
    return len(train)
