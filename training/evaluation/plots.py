"""Pictures of an evaluation, as small PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from PIL import Image

from instrument.errors import HocketError
from instrument.music.codec import FIELDS
from instrument.music.notes import Part, Piece
from instrument.music.timebase import TICKS_PER_BEAT
from training.core import renames
from training.core.run_log import LOG, read_log
from training.evaluation.notes.features import bar_ticks

matplotlib.use("agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = {
    Part.MELODY: "#d1495b",
    Part.CHORDS: "#3a7ca5",
    Part.BASS: "#6a4c93",
    Part.DRUMS: "#8d99ae",
    Part.OTHER: "#2a9d8f",
}
DRUM_SHIFT = 24  # drums are drawn so far down, below the bass
PALETTE = 48  # colours: enough for lines and text, a third of the size


def piano_rolls(path: Path, rows: Sequence[tuple[str, Piece, Piece]]) -> None:
    """Write a picture of (genre, generated, real) pieces side by side, in the same style."""
    figure, axes = plt.subplots(len(rows), 2, figsize=(10, 1.9 * len(rows)), squeeze=False, sharey="row")
    for (genre, made, real), pair in zip(rows, axes, strict=True):
        for axis, piece, kind in zip(pair, (made, real), ("generated", "held out"), strict=True):
            _roll(axis, piece)
            axis.set_title(f"{genre}, {kind}", fontsize=9, loc="left")
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in COLOURS.values()]
    figure.legend(
        handles, [p.name.lower() for p in COLOURS], loc="lower center", ncol=len(COLOURS), fontsize=8, frameon=False
    )
    figure.tight_layout(rect=(0, 0.2 / len(rows), 1, 1))
    save_small(figure, path)


def loss_curve(path: Path, run: Path) -> None:
    """Write the curves of a run: nats a note while training, by field on the validation split, by batch; of a run on
    phrases, the share of steps that are reconstructed. HocketError if the folder holds no run."""
    every = read_log(run)
    lines = [line for line in every if "valid" in line]
    if not lines:
        raise HocketError(f"{run / LOG} has no validation: train longer")
    figure, axis = plt.subplots(figsize=(7.5, 4))
    batches, found = [line["batch"] for line in lines], [renames.fields(line["valid"]) for line in lines]
    curves = list(found[0])
    if phrases := "teacher_forced" in curves:
        curves = [name for name in curves if name != "bits"]
    else:
        if trained := _trained(every):
            axis.plot(*zip(*trained, strict=True), color="#bbbbbb", linewidth=1, label="training, own codec")
        axis.plot(batches, [sum(line.values()) for line in found], "k.-", label="validation, yardstick")
    for field in curves:
        axis.plot(batches, [line[field] for line in found], ".-", linewidth=1, markersize=3, label=field)
    axis.set_xlabel("batch")
    axis.set_ylabel("share of steps" if phrases else "nats a note")
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8, ncol=2, frameon=False)
    figure.tight_layout()
    save_small(figure, path)


def _trained(lines: list[dict[str, Any]]) -> list[tuple[int, float]]:
    """(batch, nats a note) of the training curve, the sum of the fields: what is learnt from a teacher's guesses is no
    likelihood. Of a batch logged twice, the last."""
    found = {line["batch"]: line["train"] for line in lines if "train" in line}
    return sorted((batch, sum(fields[name] for name in FIELDS if name in fields)) for batch, fields in found.items())


def _roll(axis: Axes, piece: Piece) -> None:
    bar = bar_ticks(piece)
    first = int(piece.notes[0, 0]) if len(piece) else 0
    start = first - (first - piece.metres[0].tick) % bar if piece.metres else first
    for part, colour in COLOURS.items():
        notes = piece.notes[piece.notes[:, 5] == part]
        drums = part == Part.DRUMS
        pitch = notes[:, 2] - (DRUM_SHIFT if drums else 0)
        length = np.full(len(notes), TICKS_PER_BEAT // 6) if drums else notes[:, 3]
        axis.barh(pitch, length / bar, left=(notes[:, 0] - start) / bar, height=0.9, color=colour, linewidth=0)
    last = int(piece.notes[-1, 0]) if len(piece) else bar
    bars = (last - start) // bar + 1
    axis.set_xlim(0, bars)
    axis.set_xticks(range(bars + 1))
    axis.grid(axis="x", alpha=0.3)
    axis.tick_params(labelsize=7)


def save_small(figure: Figure, path: Path) -> None:
    """Write a picture in few colours and close it. HocketError if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=80)
        with Image.open(path) as picture:
            small = picture.convert("RGB").quantize(PALETTE, dither=Image.Dither.NONE)
        small.save(path, optimize=True)
    except OSError as error:
        raise HocketError(f"{path} cannot be written ({error.strerror or error})") from error
    finally:
        plt.close(figure)
