"""A plan bundle with the interface of the network, so that the same code measures both."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from instrument.models.bundle import Bundle


class BundlePlan:
    """A bundle with the interface of `Network`: log probabilities of chords, computed step by step."""

    def __init__(self, bundle: Bundle) -> None:
        self._step = bundle.session("chord")
        self._initial = next(np.zeros(s.shape, np.float32) for s in bundle.manifest.states if s.input == "hidden")
        self.form = BundleForm(bundle)

    def __call__(self, rows: Tensor) -> tuple[Tensor]:
        """Log probabilities (batch, slots, 97) for rows (batch, slots, width) from the start of pieces."""
        inputs = rows.numpy()
        hidden = np.repeat(self._initial[None], len(inputs), 0)
        found = []
        for at in range(inputs.shape[1]):
            logs, hidden = self._step.run({"row": inputs[:, at], "hidden": hidden})
            found.append(logs)
        return (torch.from_numpy(np.stack(found, 1)),)


class BundleForm:
    """A bundle with the interface of `FormNetwork`."""

    def __init__(self, bundle: Bundle) -> None:
        self._step, self._details = bundle.session("form"), bundle.session("details")
        self._width = self._step.inputs["hidden"][0][1]

    def __call__(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """As `FormNetwork.forward`."""
        inputs = rows.numpy()
        hidden = np.zeros((len(inputs), self._width), np.float32)
        answers, contexts = [], []
        for at in range(inputs.shape[1]):
            logs, context, hidden = self._step.run({"row": np.maximum(inputs[:, at], 0), "hidden": hidden})
            answers.append(logs)
            contexts.append(context)
        return torch.from_numpy(np.stack(answers, 1)), torch.from_numpy(np.stack(contexts, 1))

    def details(self, context: Tensor, answer: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """As `FormNetwork.details`."""
        feeds = {"heard": context.numpy(), "answer": answer.numpy(), "before": before.numpy()}
        length, kind = self._details.run(feeds)
        return torch.from_numpy(length), torch.from_numpy(kind)
