"""Held-out nats a note in the codec's own terms: every field as the model decides it, microtiming and part
included, and bits a second, which do not depend on what a note is cut into."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from instrument.music import codec
from instrument.music.notes import Piece
from training.data.notes.midi import played
from training.data.notes.shards import PieceInfo, Shards
from training.families.notes import network as note_family
from training.families.notes.yardstick import Predictor, by_length, predictions

NOTES = 400  # of a piece


@torch.no_grad()
def field_nats(
    predictor: Predictor, shards: Shards, pieces: Sequence[PieceInfo], genres: tuple[str, ...], limit: int = NOTES
) -> dict[str, dict[str, float]]:
    """For each genre of the pieces and "mean" of them: nats a note by field of `codec.FIELDS`, their total,
    bits a second and the number of pieces, over the first `limit` notes of each. Genre is told, density and
    register are not; a piece's first note is not scored."""
    whole = ((info.genre, shards.piece(info)) for info in pieces if info.count > 1)
    chosen = [(genre, Piece(piece.notes[:limit], piece.metres, piece.tempos)) for genre, piece in whole]
    found: dict[str, list[NDArray[np.float64]]] = {}
    for group in by_length(chosen):
        sums = np.zeros((len(group), len(codec.FIELDS)))
        for _, batch, valid, logits in predictions(predictor, group, genres):
            nats = note_family.nats(logits, batch)
            for i, field in enumerate(codec.FIELDS):
                sums[:, i] += (nats[field].double().numpy() * valid).sum(1)
        for (genre, piece), total in zip(group, sums, strict=True):
            bits = total.sum() / np.log(2) / max(played(piece)[0], 1.0)
            found.setdefault(genre, []).append(np.array([*(total / (len(piece) - 1)), bits]))
    rows = {genre: _row(np.mean(found[genre], 0)) | {"pieces": len(found[genre])} for genre in sorted(found)}
    mean = _row(np.mean([np.mean(own, 0) for own in found.values()], 0)) | {"pieces": len(chosen)}
    return rows | {"mean": mean}


def _row(values: NDArray[np.float64]) -> dict[str, float]:
    nats = {field: round(float(v), 4) for field, v in zip(codec.FIELDS, values, strict=False)}
    return nats | {"total": round(float(values[:-1].sum()), 4), "bits_a_second": round(float(values[-1]), 2)}
