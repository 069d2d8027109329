"""Measuring: notes a second of processor time in one thread, so that other programs disturb little."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from instrument.music.midifile import write_midi
from instrument.music.notes import Part, Piece, tidy
from instrument.music.timebase import Metre
from training.bench.plain import PlainLoop, PlainLstm, PlainTransformer
from training.core.muon import Muon
from training.core.recipe import Recipe
from training.data.notes.prepare import prepare
from training.fit import Run
from training.recipe import read_recipe
from training.reproduce import RECIPES

PLAIN: dict[str, Any] = {"lstm": PlainLstm, "transformer": PlainTransformer}
BATCHES = 8  # of each, the first not counted
PIECES, BARS = 40, 64  # of made-up music


def bench(batches: int = BATCHES) -> dict[str, dict[str, Any]]:
    """Rows: training of each recipe of notes beside its plain loop, in notes a second of processor time, and a step of
    the optimiser of the Transformer's matrices, in milliseconds."""
    torch.set_num_threads(1)
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as place:
        data = made_up(Path(place))
        for name, plain in PLAIN.items():
            recipe = recipe_on(data, name)
            train = recipe.train
            run = Run(recipe, Path(place, name))
            parameters = sum(p.numel() for p in run.network.parameters())
            loop = PlainLoop(plain(recipe.model, parameters), train.batch_size, train.sequence_length)
            theirs = sum(p.numel() for p in loop.network.parameters())
            ours, plainly = measured([lambda run=run: run.step(0.0), loop.step], batches)
            rows[name] = {
                "parameters": parameters,
                "plain parameters": theirs,
                "in products": _in_products(run.network),
                "plain in products": _in_products(loop.network),
                "notes/s": round(run.task.size / ours),
                "plain notes/s": round(run.task.size / plainly),
                "ratio": round(plainly / ours, 3),
            }
        rows["Muon"] = _optimisers(run.network, batches)
    return rows


def recipe_on(data: Path, name: str) -> Recipe:
    """A recipe that comes with the package, on that data and without a teacher."""
    recipe = read_recipe(RECIPES / f"{name}.toml")
    return dataclasses.replace(
        recipe,
        data=dataclasses.replace(recipe.data, folder=str(data), ship_only=False),
        train=dataclasses.replace(recipe.train, teacher=""),
    )


def measured(works: list[Callable[[], Any]], times: int) -> list[float]:
    """Seconds of processor time of each, the median of so many turns, in which they alternate."""
    found: list[list[float]] = [[] for _ in works]
    for turn in range(times):
        for one, seconds in zip(works, found, strict=True):
            begin = time.process_time()
            one()
            if turn:  # the first allocates
                seconds.append(time.process_time() - begin)
    return [float(np.median(seconds)) for seconds in found]


def _in_products(network: torch.nn.Module) -> int:
    """Parameters that every step is multiplied by: all matrices but embeddings, of which a step reads a row."""
    tables = {id(m.weight) for m in network.modules() if isinstance(m, torch.nn.Embedding)}
    return sum(p.numel() for p in network.parameters() if p.dim() > 1 and id(p) not in tables)


def _optimisers(network: torch.nn.Module, batches: int) -> dict[str, Any]:
    """A step of Muon and one of AdamW on the matrices of a Transformer's layers alone."""
    matrices = [p.detach().clone() for n, p in network.named_parameters() if n.startswith("layers.") and p.dim() == 2]

    def step(optimiser: torch.optim.Optimizer) -> None:
        for matrix in matrices:
            matrix.grad = torch.ones_like(matrix)
        optimiser.step()

    muon, adam = Muon(matrices, matrices, 1.0, lr=1e-6), torch.optim.AdamW(matrices, lr=1e-6, fused=True)
    ours, plainly = measured([lambda: step(muon), lambda: step(adam)], batches)
    return {"ms": round(1e3 * ours, 1), "AdamW ms": round(1e3 * plainly, 1)}


def made_up(folder: Path) -> Path:
    """A prepared corpus of random notes on a grid, with chords, bass and drums."""
    rng = np.random.default_rng(1)
    (folder / "mid").mkdir()
    for number in range(PIECES):
        ticks = np.arange(BARS * 16) * 6
        parts = rng.choice([Part.MELODY, Part.CHORDS, Part.BASS, Part.DRUMS], len(ticks))
        pitches = np.select([parts == Part.BASS, parts == Part.DRUMS], [rng.integers(30, 48, len(ticks)), 38], 0)
        pitches = np.where(pitches == 0, rng.integers(50, 80, len(ticks)), pitches)
        lengths, velocities = rng.choice([6, 12, 24], len(ticks)), rng.integers(40, 110, len(ticks))
        columns = [ticks, 0 * ticks, pitches, lengths, velocities, parts]
        write_midi(
            Piece(tidy(np.stack(columns, 1).astype(np.int32)), (Metre(0, 4, 4),)), folder / "mid" / f"{number}.mid"
        )
    prepare(folder / "mid", folder / "data", jobs=1)
    return folder / "data"
