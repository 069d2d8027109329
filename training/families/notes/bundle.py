"""Export of a note model: parity, likelihood, golden file, knobs, genres and their traits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from instrument.models.bundle import Bundle
from instrument.models.manifest import Knob
from instrument.music import codec
from instrument.music.notes import Part
from training.core.recipe import Recipe
from training.data.notes.events import features, vary
from training.data.notes.form.analysis import PieceForm
from training.data.notes.harmony import PieceChords
from training.data.notes.shards import PieceInfo, licences, training_pieces
from training.data.notes.traits import traits
from training.families.knobs import FOCUS, genre_knob, temperature_knob
from training.families.notes import network as note_family
from training.families.notes.predictor import BundlePredictor, Stepper
from training.families.notes.task import valid_pieces
from training.families.notes.yardstick import score_pieces

STYLE = 2.5  # with it, the genre classifier is right about first bars about as often as for real pieces
GOLDEN_STEPS = 8
OFFERED_PIECES = 100  # pitched pieces by people that a genre needs to be offered
COMPARED = {"pieces": 6, "notes": 320}  # of each genre, for the likelihood before and after


class NoteBundling:
    """See `families.bundling.Bundling`. A family adds how its step graph is run.

    stepper: makes a `Stepper` of a bundle; knob_steps: how many times as large the knobs' steps are as an LSTM's.
    """

    figure = "nats"
    allowed = 0.02  # nats a note
    smaller = ("int8", "fp16")
    stepper: ClassVar[Callable[[Bundle], Stepper]]
    knob_steps: ClassVar[int] = 1

    def __init__(self, network: nn.Module, recipe: Recipe, genres: tuple[str, ...]) -> None:
        self.network, self.recipe, self.genres = network, recipe, genres
        self.shards, self.pieces, _ = training_pieces(recipe.data)
        self.data_hash = self.shards.data_hash
        chosen: dict[str, list[PieceInfo]] = {}
        for piece in valid_pieces(self.shards, recipe):
            own = chosen.setdefault(piece.genre, [])
            if len(own) < COMPARED["pieces"]:
                own.append(piece)
        self.compared = [piece for own in chosen.values() for piece in own]

    @classmethod
    def predictor(cls, bundle: Bundle) -> BundlePredictor:
        """The bundle in place of the network."""
        return BundlePredictor(bundle, cls.stepper(bundle))

    def parity(self, bundle: Bundle) -> float:
        """Largest difference of a logit between network and bundle over a real excerpt."""
        example, condition = self._example()
        with torch.no_grad():
            mine, _ = self.network(example, condition, self.network.initial(1))
        predictor = self.predictor(bundle)
        theirs, _ = predictor(example, condition, predictor.initial(1))
        return max(float((mine[name] - theirs[name]).abs().max()) for name in mine)

    def measure(self, bundle: Bundle | None) -> float:
        """Held-out nats a note, of the network if no bundle is given."""
        predictor = self.predictor(bundle) if bundle else self.network
        return score_pieces(predictor, self.shards, self.compared, self.genres, COMPARED["notes"]).total

    def golden(self, bundle: Bundle) -> dict[str, np.ndarray]:
        """Inputs of every step and head over a real excerpt, and the logits they give in this bundle."""
        example, condition = self._example()
        predictor = self.predictor(bundle)
        state, steps = predictor.initial(1), []
        for i in range(condition.shape[1]):  # one by one, as played: 8-bit products of many rows scale differently
            one = {name: value[:, i : i + 1] for name, value in example.items()}
            logits, state = predictor(one, condition[:, i : i + 1], state)
            steps.append(logits)
        arrays = {"seen": example["seen"].numpy(), "condition": condition.numpy()}
        contexts = note_family.contexts(example, self.network.learned)
        arrays |= {f"context_{n}": c.numpy() for n, c in contexts.items()}
        return arrays | {f"logits_{n}": torch.cat([s[n] for s in steps], 1).numpy() for n in steps[0]}

    def licences(self) -> dict[str, str]:
        """Of the training pieces that it learnt from."""
        sampling = self.recipe.sampling
        return licences(
            p
            for p in self.pieces
            if (not p.drums_only or sampling.drums_only) and (not p.realised or sampling.realised)
        )

    def fields(self) -> dict[str, Any]:
        """Fields of the manifest."""
        pieces = self.pieces
        counts = {g: sum(p.genre == g and not p.drums_only and not p.realised for p in pieces) for g in self.genres}
        offered = tuple(g for g in self.genres if counts[g] >= OFFERED_PIECES) or self.genres
        return {
            "codec": dict(codec.FIELDS),
            "condition_genres": self.genres,
            "genres": offered,
            "parts": tuple(int(p) for p in Part),
            "traits": {genre: traits(self.shards, genre, pieces) for genre in offered},
            "knobs": knobs(offered, self.knob_steps, self.network.learned.plan),
        }

    def latents(self) -> dict[str, np.ndarray]:
        """It has no latent space."""
        return {}

    def _example(self) -> tuple[dict[str, Tensor], Tensor]:
        """A batch of one real excerpt, and its condition."""
        info = self.compared[0]
        chords = PieceChords(self.shards).of(info)
        piece, changes = vary(self.shards.piece(info), np.random.default_rng(0), 0, chords)
        example = features(piece, dynamic=True, changes=changes, form=PieceForm(self.shards).of(info))
        rows = {n: getattr(example, n)[None, :GOLDEN_STEPS] for n in example.__slots__}
        rows["genre"] = np.full((1, rows["target"].shape[1]), max(0, self.genres.index(info.genre)), np.int32)
        batch = note_family.tensors(rows)
        keep = torch.ones(1, 4, dtype=torch.bool)
        return batch, note_family.conditions(batch, len(self.genres), keep, learned=self.network.learned)


GUIDANCE = Knob(
    "guidance",
    "Guidance",
    low=1.0,
    high=3.0,
    default=1.0,
    step=0.1,
    help="How strongly it keeps to the plan: 1 as it learnt it, more exaggerates it, for twice the time a note.",
)


def knobs(genres: tuple[str, ...], coarse: int = 1, plan: bool = False) -> tuple[Knob, ...]:
    """The knobs of a note model. coarse: how many times as large their steps are as they might be; plan: whether it has
    learnt to follow one."""
    return (
        genre_knob(genres, "What style the model plays in; none leaves it to what was played so far."),
        Knob(
            "style",
            "Style",
            low=1.0,
            high=4.0,
            default=STYLE,
            step=0.1,
            help="How strongly it enters a genre: 1 as it learnt it, more exaggerates its first bars.",
        ),
        temperature_knob(1.0, "How adventurous: low repeats what is likely, high surprises.", 0.05 * coarse),
        Knob(
            "density",
            "Density",
            low=0.0,
            high=8.0,
            default=0.0,
            step=0.25 * coarse,
            zero="free",
            help="How many notes a beat, from sparse to dense; 0 leaves it to the genre.",
        ),
        Knob(
            "register",
            "Register",
            low=0.0,
            high=8.0,
            default=0.0,
            step=0.25 * coarse,
            zero="free",
            help="How high it plays, from low to high; 0 leaves it to the model.",
        ),
        FOCUS,
        *[GUIDANCE] * plan,
    )
