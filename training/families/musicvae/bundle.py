"""Export of a phrase model: parity, accuracy, golden file, knobs, and the map of its latent space."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from instrument.models.bundle import Bundle
from instrument.models.latent import ATTRIBUTES
from instrument.models.manifest import Knob
from instrument.music.notes import Part
from instrument.music.phrases import KIND_OF, KINDS, STEP_TICKS, STEPS_A_BAR, Shape
from training.core.recipe import Recipe
from training.data.notes import phrases
from training.data.notes.shards import licences, training_pieces
from training.families.knobs import FOCUS, genre_knob, temperature_knob
from training.families.musicvae.bundle_phrases import BundlePhrases
from training.families.musicvae.landmarks import landmarks
from training.families.musicvae.network import Step
from training.families.musicvae.task import teacher_forced_accuracy, validation_phrases

EXAMPLES = 8
MAPPED = 8192  # training phrases that the map is drawn from
OFFERED_PHRASES = 50  # that a genre needs to be offered
OFFERED_PIECES = 100  # pitched pieces by people that it needs besides, for a melody


class PhraseBundling:
    """See `families.bundling.Bundling`."""

    figure = "errors"
    allowed = 0.01  # share of steps
    smaller = ("stored8", "fp16")  # products in 8 bits would differ for many points at once

    def __init__(self, network: nn.Module, recipe: Recipe, genres: tuple[str, ...]) -> None:
        self.network, self.recipe, self.genres = network, recipe, genres
        self.shape: Shape = recipe.model.shape
        shards, pieces, _ = training_pieces(recipe.data)
        self.shards, self.pieces, self.data_hash = shards, pieces, shards.data_hash
        self.phrases = phrases.collect(shards, pieces, genres, self.shape, recipe.sampling)
        self.held = validation_phrases(shards, self.phrases, genres, recipe)
        counts = np.bincount(self.phrases.genre, minlength=len(genres))
        human = {g: sum(p.genre == g and not p.drums_only and not p.realised for p in pieces) for g in genres}
        self.offered = tuple(
            genre
            for genre, count in zip(genres, counts, strict=True)
            if count >= OFFERED_PHRASES and (self.shape.drums or human[genre] >= OFFERED_PIECES)
        )

    def parity(self, bundle: Bundle) -> float:
        """Largest difference of a mean, a context or a logit between network and bundle over real phrases."""
        theirs, mine = self._run(BundlePhrases(bundle)), self._run(self.network)
        return max(float(np.abs(mine[name] - theirs[name]).max()) for name in mine)

    def measure(self, bundle: Bundle | None) -> float:
        """Share of the steps of held-out phrases that the likeliest token gets wrong, teacher-forced."""
        return 1 - teacher_forced_accuracy(BundlePhrases(bundle) if bundle else self.network, self.held.tokens)

    def golden(self, bundle: Bundle) -> dict[str, np.ndarray]:
        """Phrases, their points, and the first logits of each segment as this bundle gives them, one at a time as
        it is played: 8-bit products of many rows are scaled differently."""
        one = [self._run(BundlePhrases(bundle), slice(i, i + 1)) for i in range(min(EXAMPLES, len(self.held)))]
        arrays = {name: np.concatenate([found[name] for found in one]) for name in one[0]}
        return {"tokens": self.held.tokens[: len(arrays["mean"])]} | arrays

    def _run(self, model: Any, rows: slice = slice(0, EXAMPLES)) -> dict[str, np.ndarray]:
        tokens = torch.from_numpy(self.held.tokens[rows].astype(np.int64))
        with torch.no_grad():
            mean, deviation = model.encode(tokens)
            contexts, hidden, cell = model.conduct(mean)
            step = model.step if isinstance(model, BundlePhrases) else Step(model)
            token, place = tokens[:, 0], torch.zeros(len(tokens), dtype=torch.int64)
            logits = step(token, place, contexts[:, 0], hidden[:, 0], cell[:, 0])
        names = ("mean", "deviation", "contexts", "logits", "hidden", "cell")
        return {n: v.numpy() for n, v in zip(names, (mean, deviation, contexts, *logits), strict=True)}

    def licences(self) -> dict[str, str]:
        """Of the training pieces that it learnt from: with notes of its part, in 4/4."""
        sampling = self.recipe.sampling
        return licences(
            p
            for p in self.pieces
            if (sampling.realised or not p.realised)
            and len(phrases.cut(self.shards.notes(p), p.metres, self.shape, sampling))
        )

    def fields(self) -> dict[str, Any]:
        """Fields of the manifest."""
        config = self.recipe.model
        return {
            "codec": {"drums": int(self.shape.drums), "bars": self.shape.bars, "segments": config.segments},
            "condition_genres": self.genres,
            "genres": self.offered,
            "parts": (int(Part.DRUMS if self.shape.drums else Part.MELODY),),
            "latent": config.latent,
            "knobs": knobs(self.offered, phrases.attributes(self.phrases.tokens[:1], self.shape), self.shape.bars),
        }

    # --- the map

    def latents(self) -> dict[str, np.ndarray]:
        """See `instrument.models.latent`."""
        rng = np.random.default_rng(0)
        chosen = self.phrases.chosen(np.sort(rng.permutation(len(self.phrases))[:MAPPED]))
        own = [rng.permutation(np.flatnonzero(self.phrases.genre == self.genres.index(g)))[:1024] for g in self.offered]
        z = self._means(chosen.tokens)
        sets = [z, *(self._means(self.phrases.tokens[np.sort(rows)]) for rows in own)]
        centred = z - z.mean(0)
        _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
        found = phrases.attributes(chosen.tokens, self.shape)
        axes = np.zeros((2, z.shape[1]))  # one is nothing where all phrases are the same
        axes[: len(sizes[:2])] = directions[:2] * sizes[:2, None] / np.sqrt(len(z))
        arrays = {
            "genre_mean": np.stack([s.mean(0) for s in sets]),
            "genre_spread": np.stack([np.maximum(s.std(0), 1e-3) for s in sets]),
            "components": axes,
            "directions": np.stack([_direction(z, values) for values in found.values()]),
            "touch": self._touch(),
        }
        numbers = {genre: self.genres.index(genre) for genre in self.offered}
        places = landmarks(self.network, self.shards, self.phrases, numbers, self.shape)
        return {name: array.astype(np.float32) for name, array in arrays.items()} | places

    @torch.no_grad()
    def _means(self, rows: NDArray[np.int16]) -> NDArray[np.float64]:
        parts = torch.from_numpy(rows.astype(np.int64)).split(256)
        return torch.cat([self.network.encode(part)[0] for part in parts]).double().numpy()

    def _touch(self) -> NDArray[np.float64]:
        """Mean velocities at the steps of a bar, of pieces in 4/4 whose velocities vary."""
        total, count = np.zeros((2, len(KINDS) if self.shape.drums else 1, STEPS_A_BAR))
        for info in self.shards.select(split="train", ship_only=self.recipe.data.ship_only, realised=False):
            if info.velocity_constant or [m[1:] for m in info.metres] != [(4, 4)]:
                continue
            notes = self.shards.notes(info)
            notes = notes[notes[:, 5] == (Part.DRUMS if self.shape.drums else Part.MELODY)]
            row = KIND_OF[notes[:, 2]] if self.shape.drums else np.zeros(len(notes), np.int64)
            step = np.rint((notes[:, 0] - info.metres[0][0]) / STEP_TICKS).astype(np.int64) % STEPS_A_BAR
            known = row >= 0
            np.add.at(total, (row[known], step[known]), notes[known, 4])
            np.add.at(count, (row[known], step[known]), 1)
        # where little was played, about what is usual
        usual = total.sum() / count.sum() if count.any() else 80.0
        return (total + 20 * usual) / (count + 20)


def _direction(z: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = np.quantile(values, (0.25, 0.75))
    return (z[values >= high].mean(0) - z[values <= low].mean(0)) / 2


HELP = {
    "density": "From few notes to many.",
    "register": "From low to high.",
    "syncopation": "From on the beat to off it.",
    "length": "From short notes to long ones.",
}


def knobs(genres: tuple[str, ...], found: Any, bars: int) -> tuple[Knob, ...]:
    """The knobs of a phrase model with these attributes. bars: of its phrases, which soon lose their genre where they
    are long."""
    wander = 0.25 if bars <= 2 else 0.1
    plain = {"step": 0.05, "low": -1.0, "high": 1.0}
    return (
        genre_knob(genres, "Whose phrases it sets out from; none takes them all together."),
        temperature_knob(0.7, "How exactly it plays the phrase at its place: low exactly, high with surprises."),
        Knob("x", "Pad X", **plain, help="Its place along the axis in which phrases differ most."),
        Knob("y", "Pad Y", **plain, help="Its place along the axis in which phrases differ second most."),
        Knob(
            "wander",
            "Wander",
            default=wander,
            step=0.05,
            help="How far phrases are from its place: 0 stays there, 1 goes anywhere.",
        ),
        Knob(
            "follow",
            "Follow",
            step=0.05,
            help="How far it sets out from what was just played instead.",
        ),
        *(Knob(name, name.capitalize(), **plain, help=HELP[name]) for name in ATTRIBUTES if name in found),
        FOCUS,
    )
