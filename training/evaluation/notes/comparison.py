"""Comparing two sets of pieces feature by feature, as Yang & Lerch do: distances within a set against
distances across, by how much their densities overlap (OA) and diverge (KLD)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.notes.features import SCALARS

GRID = 1000
EPSILON = 1e-6  # added to every cell's probability, so that an empty one does not make KLD infinite
NARROWEST = 1e-3  # of the grid's span: bandwidth if all distances are equal

Measured = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Closeness:
    """oa: area under both densities, 1 = identical distributions; kld: nats, 0 = identical."""

    oa: float
    kld: float


def compare(
    generated: Sequence[Measured], heldout: Sequence[Measured], others: Sequence[Measured]
) -> dict[str, dict[str, float]]:
    """For each feature that they have: `oa` and `kld` of generated against held-out, the same of `others` (real pieces,
    too) against held-out as `floor_oa` and `floor_kld`, and of scalar features both means. Each set needs
    two pieces."""
    rows: dict[str, dict[str, float]] = {}
    for name in heldout[0]:
        made, real, more = (np.stack([m[name] for m in group]) for group in (generated, heldout, others))
        own, floor = closeness(made, real), closeness(more, real)
        row = asdict(own) | {"floor_oa": floor.oa, "floor_kld": floor.kld}
        if name in SCALARS:
            row |= {"mean_generated": float(made.mean()), "mean_heldout": float(real.mean())}
        rows[name] = {key: round(value, 4) for key, value in row.items()}
    return rows


def closeness(made: NDArray[np.float64], real: NDArray[np.float64]) -> Closeness:
    """How near the vectors `made` (n, size) come to `real` (m, size): the density of the distances within
    `real` against that of the distances across."""
    within, across = intra(real), inter(made, real)
    low, high = min(within.min(), across.min()), max(within.max(), across.max())
    widths = [bandwidth(d, high - low) for d in (within, across)]
    margin = 4 * max(widths)
    grid = np.linspace(low - margin, high + margin, GRID)
    p, q = (density(d, w, grid) for d, w in zip((within, across), widths, strict=True))
    oa = float(np.minimum(p, q).sum())
    p, q = ((v + EPSILON) / (v + EPSILON).sum() for v in (p, q))
    return Closeness(oa, max(0.0, float((p * np.log(p / q)).sum())))


def intra(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Euclidean distances of every vector (n, size) to all others, leaving itself out: (n * (n - 1),)."""
    return inter(vectors, vectors)[~np.eye(len(vectors), dtype=bool).ravel()]


def inter(made: NDArray[np.float64], real: NDArray[np.float64]) -> NDArray[np.float64]:
    """All distances between two sets (n, size) and (m, size): (n * m,)."""
    return np.sqrt(((made[:, None] - real[None]) ** 2).sum(-1)).ravel()


def bandwidth(values: NDArray[np.float64], span: float) -> float:
    """Scott's rule, and not narrower than the grid can show."""
    return max(float(values.std(ddof=1)) * len(values) ** -0.2, NARROWEST * (span or 1.0))


def density(values: NDArray[np.float64], width: float, grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaussian kernel density of `values` as probabilities of the grid's cells, adding up to 1."""
    total = np.exp(-0.5 * ((grid[:, None] - values) / width) ** 2).sum(1)
    return total / total.sum()
