"""What of a bundle is its family's own."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np
from torch import nn

from instrument.models.bundle import Bundle
from training.core.recipe import Recipe


class Bundling(Protocol):
    """data_hash: of the data; figure: name of what `measure` returns, lower is better; allowed: how much of it smaller
    weights may cost; smaller: the ways to make weights smaller (names in `export.SMALLER`) in the order in which they
    are tried; the last is taken if none is good enough."""

    figure: ClassVar[str]
    allowed: ClassVar[float]
    smaller: ClassVar[tuple[str, ...]]
    data_hash: str

    def __init__(self, network: nn.Module, recipe: Recipe, genres: tuple[str, ...]) -> None: ...

    def parity(self, bundle: Bundle) -> float:
        """Largest difference between what network and bundle compute."""
        ...

    def measure(self, bundle: Bundle | None) -> float:
        """How well the bundle does on held-out music; the network, if None."""
        ...

    def golden(self, bundle: Bundle) -> dict[str, np.ndarray]:
        """Inputs, and what the bundle makes of them."""
        ...

    def licences(self) -> dict[str, str]:
        """Data set -> licences, of what was learnt from."""
        ...

    def fields(self) -> dict[str, Any]:
        """Fields of the manifest."""
        ...

    def latents(self) -> dict[str, np.ndarray]:
        """Arrays of latents.npz; none for a model without a latent space."""
        ...
