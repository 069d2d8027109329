"""The parts of bundling that are specific to plan models: parity, nats, golden file, manifest fields."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from instrument.models.bundle import Bundle
from instrument.models.manifest import Knob
from instrument.models.plan.form import form_features
from instrument.models.plan.slots import GENRES, NEAREST
from training.core.recipe import Recipe
from training.data.plans import licences, open_plans
from training.families.knobs import temperature_knob
from training.families.plan.predictor import BundlePlan
from training.families.plan.task import chord_nats, form_batch, form_genre, valid_pieces

EXAMPLES, SLOTS = 4, 64  # pieces and slots for parity and the golden file


class PlanBundling:
    """See `families.bundling.Bundling`."""

    figure = "nats"
    allowed = 0.01  # a slot
    smaller = ("int8", "stored8")

    def __init__(self, network: nn.Module, recipe: Recipe, genres: tuple[str, ...]) -> None:
        self.network, self.genres = network, genres
        plans = open_plans(recipe.data.folder)
        self.data_hash = plans.data_hash
        self.pieces = plans.select("train", recipe.data)
        self.held = valid_pieces(plans, recipe)
        self.rows = [piece.features() for piece in self.held]
        self.chords = [piece.chords for piece in self.held]

    def parity(self, bundle: Bundle) -> float:
        """Largest difference of a log probability between network and bundle over held-out pieces. Log probabilities
        below -10 count as -10."""
        theirs, mine = self._run(BundlePlan(bundle)), self._run(self.network)
        return max(float(np.abs(np.maximum(mine[n], -10) - np.maximum(theirs[n], -10)).max()) for n in mine)

    def measure(self, bundle: Bundle | None) -> float:
        """Nats a slot of held-out pieces, the mean over slots."""
        network = BundlePlan(bundle) if bundle else self.network
        return float(np.mean(np.concatenate([nats for nats, _ in chord_nats(network, self.rows, self.chords)])))

    def golden(self, bundle: Bundle) -> dict[str, np.ndarray]:
        """Features of slots and sections of a piece, and the bundle's outputs for them, with a batch size of 1."""
        rows, forms = self._examples()
        found = self._run(BundlePlan(bundle), slice(0, 1))
        return {"row": rows[:1].numpy(), "form_row": forms[:1].numpy()} | found

    def _examples(self) -> tuple[torch.Tensor, torch.Tensor]:
        long = sorted(self.rows, key=len, reverse=True)[:EXAMPLES]
        size = min(SLOTS, *(len(rows) for rows in long)) if len(long) > 1 else min(SLOTS, len(long[0]))
        inputs = np.stack([rows[:size] for rows in long]).astype(np.int64)
        forms = [form_features(form_genre(p), p.form) for p in self.held if len(p.form) > 1][:EXAMPLES]
        rows, _ = form_batch(forms or [form_features(0, ())])
        return torch.from_numpy(inputs), rows

    @torch.no_grad()
    def _run(self, model: Any, batch_size: slice = slice(None)) -> dict[str, np.ndarray]:
        rows, forms = self._examples()
        answers, context = model.form(forms[batch_size])
        answer = torch.zeros(context.shape[0], dtype=torch.int64)
        length, kind = model.form.details(context[:, -1].contiguous(), answer, answer + 4)
        found = {"chords": model(rows[batch_size])[0], "answers": answers, "length": length, "kind": kind}
        return {name: value.numpy() for name, value in found.items()}

    def licences(self) -> dict[str, str]:
        """Source -> licence of the training pieces."""
        return licences(self.pieces)

    def fields(self) -> dict[str, Any]:
        """Fields of the manifest."""
        return {
            "condition_genres": self.genres,
            "genres": (*GENRES, *(genre for genre in NEAREST if genre != "none")),
            "knobs": (
                temperature_knob(1.0, "How adventurous its chords and sections are: low for what is usual."),
                Knob("vary", "Vary", default=0.3, step=0.05, help="How freely players may take up what comes back."),
            ),
        }

    def latents(self) -> dict[str, np.ndarray]:
        """It has no latent space."""
        return {}
