"""How well a phrase model reconstructs held-out phrases, and how evenly it interpolates between them.

Accuracy is the share of sixteenth steps whose token is right: teacher-forced, and free-running, both drawn
at temperature 1 from the mean of the posterior. Held notes inflate it, so the baseline of the commonest token and
the accuracy of steps with an onset are given as well.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.models.bundle import Bundle
from instrument.models.latent import REACH, LatentSpace, from_text, slerp, to_text
from instrument.models.notes.musicvae import shape_of
from instrument.models.notes.pacing import point_at
from instrument.music.phrases import Shape
from training.data.notes import phrases
from training.data.notes.shards import Shards
from training.families.musicvae.bundle_phrases import BundlePhrases, decode, encode
from training.families.musicvae.task import held_out, score
from training.recipe import recipe_from

PATHS, POINTS = 24, 17  # paths between held-out phrases, points on each
GIVEN_BACK = 0.6  # share of the onsets from which on a phrase is recognised as itself
MOVED = 64  # phrases that a direction is tried on


def reconstruction(
    bundle: Bundle, shards: Shards, split: str | None = "test", flat: Bundle | None = None
) -> dict[str, Any]:
    """All figures of a phrase bundle on the phrases of a split that are not in training, or on all (None); those of a
    flat bundle for comparison, if it is given. HocketError if there are none."""
    manifest, shape = bundle.manifest, shape_of(bundle.manifest)
    recipe = recipe_from(dict(manifest.provenance.recipe), manifest.slug)
    pieces = shards.select(split="train", ship_only=recipe.data.ship_only) if split else []
    seen = phrases.collect(shards, pieces, manifest.genres, shape, recipe.sampling)
    held = held_out(shards, split, seen, manifest.genres, recipe)
    if not len(held):
        where = f"in its {split} split: choose another split" if split else "in 4/4: give other pieces"
        raise HocketError(f"{shards.folder if split else 'it'} has no phrases {where}")
    model = BundlePhrases(bundle)
    rows = {"model": score(model, held.tokens).mean_by_field()}
    if flat is not None:
        rows["flat"] = score(BundlePhrases(flat), held.tokens).mean_by_field()
    rows["commonest token"] = _commonest((seen if len(seen) else held).tokens, held.tokens, shape)
    names = np.array([*manifest.genres, "other"])
    for genre in np.unique(held.genre):
        own = held.tokens[held.genre == genre]
        rows[str(names[genre])] = {"phrases": len(own)} | score(model, own).mean_by_field()
    space = LatentSpace.of(bundle)
    return {
        "phrases": len(held),
        "accuracy": rows,
        "smoothness": smoothness(bundle, held.tokens),
        "directions": directions(model, space, held.tokens, shape),
    }


def _commonest(seen: NDArray[np.int16], held: NDArray[np.int16], shape: Shape) -> dict[str, float]:
    right = held == np.bincount(seen.ravel()).argmax()
    plain, onsets = round(float(right.mean()), 4), round(float(right[shape.onsets(held)].mean()), 4)
    return {
        "teacher_forced": plain,
        "free_running": plain,
        "teacher_forced_onsets": onsets,
        "free_running_onsets": onsets,
    }


def _in_words(model: dict[str, float]) -> str:
    """What a musician should expect of it, where it gives back less than most of a phrase."""
    share = model["free_running_onsets"]
    if share >= GIVEN_BACK:
        return ""
    return (
        f" Of the notes of a phrase it gives back {share:.0%} in place and pitch: a variation with the phrase's "
        "outline, not the phrase."
    )


def sections(figures: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """The figures as sections of a card: title, caption, rows."""
    return [
        (
            "Reconstruction",
            f"Share of sixteenth steps reconstructed correctly, of {figures['phrases']} held-out phrases that training "
            "has in no key: teacher-forced, and free-running, sampled at temperature 1 from the posterior's mean; of "
            "steps with an onset only; bits of the KL divergence. For comparison, a model that always predicts the "
            "commonest token." + _in_words(figures["accuracy"]["model"]),
            figures["accuracy"],
        ),
        (
            "Interpolation",
            f"Share of steps that change between neighbours of {POINTS} points on arcs between held-out phrases, "
            "and between the ends; the largest such change of a path over its mean, and the share of paths "
            "where it is at most twice. Tokens are the likeliest; points are at equal angles, and at equal moves on "
            "the pad.",
            figures["smoothness"],
        ),
        (
            "Attribute knobs",
            "The attribute of held-out phrases with its knob at -1, 0 and 1; its deviation among real phrases.",
            figures["directions"],
        ),
    ]


def smoothness(bundle: Bundle, rows: NDArray[np.int16]) -> dict[str, dict[str, float]]:
    """Share of steps that differ (Hamming) from point to point between held-out phrases, the largest such step of a
    path over its mean, and between the phrases at their ends: at equal angles, and as the pad goes (`pacing`)."""
    model = BundlePhrases(bundle)
    pairs = min(PATHS, len(rows) // 2)
    chosen = rows[np.linspace(0, len(rows) - 1, 2 * pairs).astype(int)]
    means = encode(model, chosen)
    ends = list(zip(means[:pairs], means[pairs:], strict=True))
    shares = [float(share) for share in np.linspace(0, 1, POINTS)]
    paced = [(a, b, model.pace(a, b)) for a, b in ends]
    ways = {
        "by angle": [slerp(a, b, share) for a, b in ends for share in shares],
        "as the pad": [
            from_text(to_text(point_at(a, b, way, share)), len(a)) for a, b, way in paced for share in shares
        ],
    }
    return {name: _crossed(model, np.stack(points)) for name, points in ways.items()}


def _crossed(model: Any, points: NDArray[np.float32]) -> dict[str, float]:
    made = model.likeliest(points).reshape(len(points) // POINTS, POINTS, -1)
    steps = (made[:, 1:] != made[:, :-1]).mean(2)
    apart = (made[:, 0] != made[:, -1]).mean(1)
    found = {
        "between neighbours": round(float(steps.mean()), 4),
        "between ends": round(float(apart.mean()), 4),
        "ends over neighbours": round(float(apart.mean() / max(steps.mean(), 1e-9)), 2),
    }
    if (moving := steps.mean(1) > 0).any():  # where the model says the same everywhere, no change is the largest
        largest = steps[moving].max(1) / steps[moving].mean(1)
        found |= {
            "largest over mean": round(float(largest.mean()), 2),
            "at most twice": round(float((largest <= 2).mean()), 2),
        }
    return found


def directions(model: Any, space: LatentSpace, rows: NDArray[np.int16], shape: Shape) -> dict[str, dict[str, float]]:
    """For each attribute knob: the attribute of held-out phrases decoded with it at -1, 0 and 1, and its deviation
    over held-out phrases."""
    means = encode(model, rows[:MOVED])
    found: dict[str, dict[str, float]] = {}
    for name, direction in space.directions.items():
        made = [decode(model, means + REACH * amount * direction) for amount in (-1, 0, 1)]
        values = phrases.attributes(np.concatenate([*made, rows]), shape)[name]
        ends = np.split(values, np.cumsum([len(m) for m in made]))
        found[name] = {k: round(float(v.mean()), 3) for k, v in zip(("-1", "0", "1"), ends[:3], strict=True)}
        found[name]["deviation"] = round(float(ends[3].std()), 3)
    return found
