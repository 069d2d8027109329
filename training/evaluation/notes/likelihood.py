"""Held-out nats a note by the codec's fields, as the model predicts them, microtiming and part
included, and bits a second, which do not depend on what a note is cut into."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from instrument.music import codec
from instrument.music.notes import Piece
from training.data.notes.form.analysis import PieceForm
from training.data.notes.harmony import PieceChords
from training.data.notes.midi import played
from training.data.notes.shards import PieceInfo, Shards
from training.families.notes import network as note_family
from training.families.notes.yardstick import Predictor, Scored, by_length, predictions

NOTES = 400  # of a piece


@torch.no_grad()
def field_nats(
    predictor: Predictor, shards: Shards, pieces: Sequence[PieceInfo], genres: tuple[str, ...], limit: int = NOTES
) -> dict[str, dict[str, float]]:
    """For each genre of the pieces and "mean" of them: nats a note by field of `codec.FIELDS`, their total,
    bits a second and the number of pieces, over the first `limit` notes of each. The genre is given, density and
    register are not; a piece's first note is not scored. Of a model that follows plans also the total where it is told
    the chords, and where it is told the form too, as far as it has learnt them."""
    chosen = [(info, shards.piece(info)) for info in pieces if info.count > 1]
    chords, forms = PieceChords(shards), PieceForm(shards)
    plain, chorded, formed = [], [], []
    for info, whole in chosen:
        each = Scored(info.genre, Piece(whole.notes[:limit], whole.metres, whole.tempos))
        plain.append(each)
        chorded.append(each._replace(changes=chords.of(info)))
        formed.append(chorded[-1]._replace(form=forms.of(info)))
    found = _nats(predictor, plain, genres)
    rows = {genre: _row(np.mean(found[genre], 0)) | {"pieces": len(found[genre])} for genre in sorted(found)}
    mean = _row(np.mean([np.mean(own, 0) for own in found.values()], 0)) | {"pieces": len(chosen)}
    rows = rows | {"mean": mean}
    for title, told, learned in (
        ("told chords", chorded, predictor.learned.plan),
        ("and form", formed, predictor.learned.form),
    ):
        found = _nats(predictor, told, genres) if learned else {}
        means = {genre: float(np.mean(own, 0)[:-1].sum()) for genre, own in found.items()}
        for genre, total in (means | {"mean": float(np.mean(list(means.values())))} if learned else {}).items():
            rows[genre][title] = round(total, 4)
    return rows


def _nats(
    predictor: Predictor, pieces: Sequence[Scored], genres: tuple[str, ...]
) -> dict[str, list[NDArray[np.float64]]]:
    """For each genre the nats a note of every piece by field, and its bits a second, (7,)."""
    found: dict[str, list[NDArray[np.float64]]] = {}
    for group in by_length(pieces):
        sums = np.zeros((len(group), len(codec.FIELDS)))
        for _, batch, valid, logits in predictions(predictor, group, genres):
            nats = note_family.nats(logits, batch)
            for i, field in enumerate(codec.FIELDS):
                sums[:, i] += (nats[field].double().numpy() * valid).sum(1)
        for each, total in zip(group, sums, strict=True):
            bits = total.sum() / np.log(2) / max(played(each.piece)[0], 1.0)
            found.setdefault(each.genre, []).append(np.array([*(total / (len(each.piece) - 1)), bits]))
    return found


def _row(values: NDArray[np.float64]) -> dict[str, float]:
    nats = {field: round(float(v), 4) for field, v in zip(codec.FIELDS, values, strict=False)}
    return nats | {"total": round(float(values[:-1].sum()), 4), "bits_a_second": round(float(values[-1]), 2)}
