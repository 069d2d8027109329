"""Export of the vocoder: parity, distance from held-out music, golden file."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

from instrument.models.bundle import Bundle
from instrument.models.sound.spectral import MelFormat, Sound, log_mel
from instrument.models.sound.vocoder import Vocoder
from training.core.recipe import Recipe
from training.data.notes.shards import licences
from training.families.vocoder.task import held_out, notes_of, rendered, sounds
from training.measures.distances import multi_resolution

EXAMPLE_FRAMES = 48


class VocoderBundling:
    """See `families.bundling.Bundling`."""

    figure = "stft_distance"
    allowed = 0.01
    smaller = ("stored8", "fp16")

    def __init__(self, network: nn.Module, recipe: Recipe, genres: tuple[str, ...]) -> None:
        self.network, self.recipe, self.format = network, recipe, MelFormat()
        self.corpus = sounds(recipe.data.folder, self.format)
        self.data_hash = self.corpus.data_hash
        self.held = held_out(self.corpus, "valid", recipe.train.valid_clips, recipe.train.valid_seconds)

    def parity(self, bundle: Bundle) -> float:
        """Largest difference of a sample between network and bundle, over real music."""
        mels = self._mels()
        return float(np.abs(rendered(self.network, mels) - Vocoder(bundle).render(mels)).max())

    def measure(self, bundle: Bundle | None) -> float:
        """Multi-resolution STFT distance from held-out music."""
        vocoder = Vocoder(bundle) if bundle else None
        found = []
        for x in self.held:
            mels = log_mel(x, self.format)
            found.append(multi_resolution(x, vocoder.render(mels) if vocoder else rendered(self.network, mels)))
        return float(np.mean(found))

    def golden(self, bundle: Bundle) -> dict[str, np.ndarray]:
        """Mels, and the sound that this bundle renders from them."""
        mels = self._mels()
        return {"mels": mels, "sound": Vocoder(bundle).render(mels)}

    def _mels(self) -> Sound:
        return log_mel(self.held[0][: EXAMPLE_FRAMES * self.format.hop], self.format)

    def licences(self) -> dict[str, str]:
        """Of the clips that it learnt from."""
        chosen = self.corpus.select("train", self.recipe.data.ship_only)
        if notes := notes_of(self.recipe, self.format):
            chosen = chosen + notes.select("train", self.recipe.data.ship_only)
        return licences(chosen)

    def fields(self) -> dict[str, Any]:
        """Fields of the manifest."""
        return {"codec": self.format.codec() | {"tonal": self.recipe.model.tonal_bins}}

    def latents(self) -> dict[str, np.ndarray]:
        """None."""
        return {}
