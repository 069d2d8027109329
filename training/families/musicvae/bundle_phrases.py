"""A bundle of phrases in place of the network, and phrases to points and back with either."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from instrument.models.bundle import Bundle
from instrument.models.latent import Point, Way
from instrument.models.notes.musicvae import shape_of
from instrument.models.notes.pacing import likeliest, pace, walk

TEMPERATURE = 0.1  # of `decode`: nearly always the likeliest token


@torch.no_grad()
def encode(model: Any, rows: NDArray[np.int16]) -> NDArray[np.float32]:
    """Means (n, latent) of phrases (n, steps)."""
    return model.encode(torch.from_numpy(rows.astype(np.int64)))[0].numpy()


def decode(model: Any, points: NDArray[np.float32]) -> NDArray[np.int16]:
    """Phrases (n, steps) at points (n, latent), next to the likeliest."""
    generator = torch.Generator().manual_seed(0)
    return model.sample(torch.from_numpy(points.astype(np.float32)), generator, TEMPERATURE).numpy().astype(np.int16)


class BundlePhrases:
    """A bundle of phrases that answers like a `Network`, many lanes at a time, run as the instrument runs it."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle, self.shape = bundle, shape_of(bundle.manifest)
        self.segments, self.unknown = bundle.manifest.codec["segments"], self.shape.vocabulary

    def pace(self, a: Point, b: Point) -> Way:
        """See `pacing.pace`."""
        return pace(self.bundle, self.shape, self.segments, a, b)

    def likeliest(self, points: NDArray[np.float32]) -> NDArray[np.int64]:
        """Phrases (n, steps) at points (n, latent), always the likeliest token."""
        return likeliest(self.bundle, self.shape, self.segments, points)[0]

    def encode(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """See `Network`."""
        mean, deviation = self._run("encoder", tokens)
        return mean, deviation

    def conduct(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `Network`."""
        contexts, hidden, cell = self._run("conductor", z)
        return contexts, hidden, cell

    def step(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """See `families.musicvae.network.Step`."""
        return tuple(self._run("step", *inputs))

    def before(self, tokens: Tensor) -> Tensor:
        """See `Network`."""
        return torch.cat([torch.full_like(tokens[:, :1], self.unknown), tokens[:, :-1]], 1)

    def __call__(self, z: Tensor, inputs: Tensor) -> Tensor:
        """Logits when the tokens before are told, as `Network`."""
        return torch.from_numpy(self._walk(z, lambda at, _: inputs[:, at].numpy())[0])

    def sample(self, z: Tensor, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        """See `Network`."""

        def draw(_: int, logits: NDArray[np.float32] | None) -> NDArray[np.int64]:
            if logits is None:
                return np.full(len(z), self.unknown)
            shares = torch.softmax(torch.from_numpy(logits) / temperature, -1)
            return torch.multinomial(shares, 1, generator=generator)[:, 0].numpy()

        logits, tokens = self._walk(z, draw)
        return torch.from_numpy(np.column_stack([tokens[:, 1:], draw(0, logits[:, -1])]))

    def _walk(self, z: Tensor, told: Any) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        return walk(self.bundle, self.shape, self.segments, z.numpy(), told)

    def _run(self, graph: str, *inputs: Tensor) -> list[Tensor]:
        session = self.bundle.session(graph)
        feeds = {name: np.ascontiguousarray(x.numpy()) for name, x in zip(session.inputs, inputs, strict=True)}
        return [torch.from_numpy(found) for found in session.run(feeds)]
