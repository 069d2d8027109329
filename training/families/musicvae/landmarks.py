"""Choosing landmarks of a latent space: phrases that are given back well and are typical of their genre, as a
classifier of genres hears it; melodies moved to a key without accidentals, and the clearer their key, and the nearer
they lie to the middle of their genre's, the better: so one can follow another. Of long phrases a model gives
back less, and those that it says between the best are often more typical: they are considered, too."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.models.latent import NO_GENRE, Point, slerp
from instrument.music.phrases import OFF, Shape, notes_of
from training.data.notes.phrases import BAR_TICKS, PartShards, Phrases, attributes
from training.data.notes.shards import Shards
from training.families.musicvae.bundle_phrases import decode, encode
from training.measures.analysis import key_fits, signature
from training.measures.genres import BARS, EARS, GenreEar, genre_ear

CONSIDERED = 2048  # phrases of a genre
DECODED = 256  # the best of these, judged again as the model says them
SHORT = 2  # bars of phrases that models give back as they were
ROUNDS, BETWEEN, ENDS = 20, 128, 64  # in each round, phrases between so many of the best
KEPT, KEPT_BARS = 10, 48  # of a genre at least, and bars of them
APART = 0.25  # share of steps in which any two of a genre differ at least
NEAR = 3.0  # semitones from the middle that count little
UNLIKELY = 1e-3  # of a genre: less is no worse


def landmarks(
    model: Any, shards: Shards, found: Phrases, numbers: dict[str, int], shape: Shape, decoded: int = DECODED
) -> dict[str, NDArray]:
    """The arrays `landmarks` and `landmark_genres` of latents.npz. model: what encodes and decodes, a network or
    `BundlePhrases`; shards: what `found`, phrases of training, were cut from; numbers: of the genres offered, in
    `found` (where there are none, landmarks are of all phrases, and of no genre); decoded: phrases of a genre that are
    decoded."""
    ear = None if shape.drums else _ear(shards, tuple(numbers))
    rng = np.random.default_rng(0)
    kept = max(KEPT, KEPT_BARS // shape.bars)
    points = [encode(model, found.tokens[:1])[:0]]
    genres: list[int] = []
    groups = [(at, genre, found.genre == numbers[genre]) for at, genre in enumerate(numbers)]
    for at, genre, members in groups or [(NO_GENRE, "", np.ones(len(found), bool))]:
        own = rng.permutation(np.flatnonzero(members))[:CONSIDERED]
        rows = found.tokens[own] if shape.drums else np.stack([in_common_key(row) for row in found.tokens[own]])
        middle = 0.0 if shape.drums else float(np.median(attributes(rows, shape)["register"]))
        judge = partial(_typical, shape=shape, ear=ear, genre=genre, middle=middle)
        rows = rows[np.argsort(-judge(rows), kind="stable")[:decoded]]
        z, made, said = _said(model, rows, judge)
        for _ in range(ROUNDS if ear and shape.bars > SHORT else 0):
            best = np.argsort(-said, kind="stable")[:ENDS]
            ways = zip(rng.choice(best, BETWEEN), rng.choice(best, BETWEEN), rng.random(BETWEEN), strict=True)
            between = decode(model, np.stack([slerp(z[a], z[b], float(t)) for a, b, t in ways]))
            more = _said(model, between, judge)
            z, made, said = (np.concatenate(both) for both in zip((z, made, said), more, strict=True))
        chosen: list[int] = []
        for i in np.argsort(-said, kind="stable"):
            if len(chosen) < kept and all((made[i] != made[j]).mean() >= APART for j in chosen):
                chosen.append(int(i))
        points.append(z[chosen])
        genres += [at] * len(chosen)
    return {"landmarks": np.concatenate(points).astype(np.float16), "landmark_genres": np.array(genres, np.int32)}


def _said(
    model: Any, rows: NDArray[np.int16], judge: Callable[[NDArray[np.int16]], NDArray[np.float64]]
) -> tuple[Point, NDArray[np.int16], NDArray[np.float64]]:
    """Points of phrases (n, steps), what the model says there, and how good these are as landmarks."""
    z = encode(model, rows)
    made = decode(model, z)
    return z, made, (made == rows).mean(1) * judge(made)


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
    they lie to the middle; of drums 1, as grooves are heard as their genres by themselves, and the most typical
    would be all alike."""
    if shape.drums:
        return np.ones(len(rows))
    clear = np.array([max(0.0, float(_fits(row).max())) for row in rows])
    near: NDArray[np.float64] = np.exp(-0.5 * ((attributes(rows, shape)["register"] - middle) / NEAR) ** 2)
    if ear is None or genre not in ear.genres:
        return clear * near
    starts = range(0, shape.bars * BAR_TICKS, BARS * BAR_TICKS)
    pieces = [notes_of(row, 0, drums=False) for row in rows]
    likely = np.array([[ear.likelihood(notes, start, genre) for start in starts] for notes in pieces])
    return clear * near * np.exp(np.log(np.maximum(likely, UNLIKELY)).mean(1))


def _fits(row: NDArray[np.int16]) -> NDArray[np.float64]:
    notes = notes_of(row, 0, drums=False)
    return key_fits(np.bincount(notes[:, 2] % 12, notes[:, 3], 12))
