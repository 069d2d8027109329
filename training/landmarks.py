"""Choosing landmarks of a latent space: phrases that are given back well and are typical of their genre, as a
classifier of genres hears it; melodies moved to a key without accidentals, and the clearer their key, and the nearer
they lie to the middle of their genre's, the better: so one can follow another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.models.latent import NO_GENRE
from instrument.music.phrases import OFF, Shape, notes_of
from training.data.phrases import BAR_TICKS, PartShards, Phrases, attributes
from training.data.shards import Shards
from training.evaluation.analysis import key_fits, signature
from training.evaluation.genres import BARS, EARS, GenreEar, genre_ear
from training.evaluation.reconstruction import decode, encode

CONSIDERED = 2048  # phrases of a genre
DECODED = 96  # the best of these, judged again as the model says them
KEPT = 24
APART = 0.25  # share of steps in which any two of a genre differ at least
NEAR = 3.0  # semitones from the middle that count little


def landmarks(
    model: Any, shards: Shards, found: Phrases, numbers: dict[str, int], shape: Shape, decoded: int = DECODED
) -> dict[str, NDArray]:
    """The arrays `landmarks` and `landmark_genres` of latents.npz. model: what encodes and decodes, a network or
    `BundlePhrases`; shards: what `found`, phrases of training, were cut from; numbers: of the genres offered, in
    `found` (where there are none, landmarks are of all phrases, and of no genre); decoded: phrases of a genre that are
    decoded."""
    ear = None if shape.drums else _ear(shards, tuple(numbers))
    rng = np.random.default_rng(0)
    points = [encode(model, found.tokens[:1])[:0]]
    genres: list[int] = []
    groups = [(at, genre, found.genre == numbers[genre]) for at, genre in enumerate(numbers)]
    for at, genre, members in groups or [(NO_GENRE, "", np.ones(len(found), bool))]:
        own = rng.permutation(np.flatnonzero(members))[:CONSIDERED]
        rows = found.tokens[own] if shape.drums else np.stack([in_common_key(row) for row in found.tokens[own]])
        middle = 0.0 if shape.drums else float(np.median(attributes(rows, shape)["register"]))
        rows = rows[np.argsort(-_typical(rows, shape, ear, genre, middle), kind="stable")[:decoded]]
        z = encode(model, rows)
        made = decode(model, z)
        said = (made == rows).mean(1) * _typical(made, shape, ear, genre, middle)
        chosen: list[int] = []
        for i in np.argsort(-said, kind="stable"):
            if len(chosen) < KEPT and all((made[i] != made[j]).mean() >= APART for j in chosen):
                chosen.append(int(i))
        points.append(z[chosen])
        genres += [at] * len(chosen)
    return {"landmarks": np.concatenate(points).astype(np.float16), "landmark_genres": np.array(genres, np.int32)}


def in_common_key(row: NDArray[np.int16]) -> NDArray[np.int16]:
    """A melody (steps,) moved to C major or A minor, the nearer way, as far as pitches allow."""
    root = signature(int(_fits(row).argmax()))
    moved = np.where(row < OFF, row + (-root if root <= 6 else 12 - root), row)
    allowed = moved[row < OFF]
    return moved.astype(np.int16) if not len(allowed) or 0 <= allowed.min() <= allowed.max() < OFF else row


def _ear(shards: Shards, genres: tuple[str, ...]) -> GenreEar | None:
    """None where there are too few genres or pieces to tell them apart."""
    try:
        return genre_ear(PartShards(shards, Shape()), genres, EARS)
    except HocketError:
        return None


def _typical(
    rows: NDArray[np.int16], shape: Shape, ear: GenreEar | None, genre: str, middle: float
) -> NDArray[np.float64]:
    """How likely phrases (n, steps) are of their genre, two bars at a time, by how clear their keys are and how near
    they lie to the middle; of drums 1."""
    if shape.drums:
        return np.ones(len(rows))
    clear = np.array([max(0.0, float(_fits(row).max())) for row in rows])
    near: NDArray[np.float64] = np.exp(-0.5 * ((attributes(rows, shape)["register"] - middle) / NEAR) ** 2)
    if ear is None or genre not in ear.genres:
        return clear * near
    starts = range(0, shape.bars * BAR_TICKS, BARS * BAR_TICKS)
    pieces = [notes_of(row, 0, drums=False) for row in rows]
    likely = [np.mean([ear.likelihood(notes, start, genre) for start in starts]) for notes in pieces]
    return clear * near * likely


def _fits(row: NDArray[np.int16]) -> NDArray[np.float64]:
    notes = notes_of(row, 0, drums=False)
    return key_fits(np.bincount(notes[:, 2] % 12, notes[:, 3], 12))

