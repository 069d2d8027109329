"""A note bundle that answers like a network, many lanes and steps at a time."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from instrument.models.bundle import Bundle
from training.families.notes import FIELDS, contexts

State = dict[str, np.ndarray]


class BundlePredictor:
    """Teacher-forced logits from a bundle's graphs, run as the instrument runs them."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.genres = len(bundle.manifest.condition_genres)

    def initial(self, lanes: int) -> State:
        """States before the start of a piece."""
        return {
            s.input: np.full([lanes if d < 0 else d for d in s.shape], s.initial, np.float32)
            for s in self.bundle.manifest.states
        }

    def __call__(self, batch: dict[str, Tensor], condition: Tensor, state: State) -> tuple[dict[str, Tensor], State]:
        """Logits of every field, (lanes, steps, classes), and the states after the last step."""
        step = self.bundle.sessions["step"]
        names = list(step.outputs)
        shares: dict[str, list[np.ndarray]] = {field: [] for field in FIELDS}
        seen, told = batch["seen"].numpy(), condition.numpy()
        for i in range(seen.shape[1]):
            feeds = {"seen": np.ascontiguousarray(seen[:, i : i + 1]), "condition": told[:, i : i + 1], **state}
            found = dict(zip(names, step.run(feeds), strict=True))
            state = {s.input: found[s.output] for s in self.bundle.manifest.states}
            for field in FIELDS:
                shares[field].append(found[f"share_{field}"])
        logits = {}
        for field, context in contexts(batch).items():
            share = np.concatenate(shares[field], 1)
            lanes, steps = share.shape[:2]
            flat = {
                "share": share.reshape(lanes * steps, 1, -1),
                "context": context.numpy().reshape(lanes * steps, 1, -1),
            }
            (out,) = self.bundle.sessions[field].run(flat)
            logits[field] = torch.from_numpy(out.reshape(lanes, steps, -1))
        return logits, state
