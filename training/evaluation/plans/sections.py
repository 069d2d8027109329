"""Figures of sections: whether the next section returns, which one it is, and nats a section.

They are measured before every section but the first. The end of a piece counts for nats only. Sections are pooled
within a genre, and the figure is the mean of the genres.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from instrument.models.plan.form import END, NEW, form_features
from training.data.plans import PlanPiece
from training.families.plan.task import form_genre

GENRES = ("pop", "rock", "jazz", "folk")
FIGURES = ("returns", "which", "nats with the end")
Logs = Callable[[NDArray[np.int64]], NDArray[np.float64]]


def with_sections(pieces: Sequence[PlanPiece]) -> list[PlanPiece]:
    """The pieces with sections, of the genres that are measured."""
    return [piece for piece in pieces if piece.genre in GENRES and piece.form]


def measure_sections(logs: Logs, pieces: Sequence[PlanPiece]) -> dict[str, dict[str, float]]:
    """Genre -> the figures, and under "mean" their mean. logs: returns log probabilities
    (sections, answers) for the features of a piece, (sections, columns)."""
    found: dict[str, list[NDArray[np.float64]]] = {}
    for piece in with_sections(pieces):
        rows, right = form_features(form_genre(piece), piece.form)
        log_probs, answer = logs(rows)[1:], right[1:, 0]
        continuing = log_probs[:, :END]  # without the end
        returns = np.logaddexp.reduce(continuing[:, :NEW], -1) > continuing[:, NEW]
        judged = np.stack(
            [
                (returns == (answer != NEW)).astype(float),
                (continuing.argmax(-1) == answer).astype(float),
                -log_probs[np.arange(len(answer)), answer],
                (answer != END).astype(float),
            ],
            -1,
        )
        found.setdefault(piece.genre, []).append(judged)
    rows_by_genre = {genre: _figures(np.concatenate(all_)) for genre, all_ in sorted(found.items())}
    means = {name: float(np.mean([row[name] for row in rows_by_genre.values()])) for name in FIGURES}
    return {"mean": means} | rows_by_genre


def majority_figures(pieces: Sequence[PlanPiece]) -> dict[str, float]:
    """Accuracy of always predicting a section that returns, and of always predicting a new one."""
    found: dict[str, list[bool]] = {}
    for piece in with_sections(pieces):
        answers = form_features(form_genre(piece), piece.form)[1][1:-1, 0]
        found.setdefault(piece.genre, []).extend(answers != NEW)
    share = float(np.mean([np.mean(of) for of in found.values() if of]))
    return {"returns": share, "which": 1 - share}


def network_logs(form: Any) -> Logs:
    """`Logs` of a form network or a `BundleForm`."""

    def logs(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        with torch.no_grad():
            return form(torch.from_numpy(rows[None]))[0][0].double().numpy()

    return logs


def _figures(judged: NDArray[np.float64]) -> dict[str, float]:
    returns, which, nats, real = judged.T
    asked = max(float(real.sum()), 1.0)
    return {
        "returns": float((returns * real).sum() / asked),
        "which": float((which * real).sum() / asked),
        "nats with the end": float(nats.mean()),
    }
