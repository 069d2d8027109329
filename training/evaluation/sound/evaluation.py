"""The results of an evaluation of a sound model, and the time it took."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instrument.models.bundle import Bundle
from training.data.sound.corpus import Corpus
from training.evaluation.sound.showing import Shown
from training.evaluation.stages import Stages
from training.families.table import find_family

Sound = NDArray[np.float32]

SECONDS: dict[str, dict[str, float]] = {  # of a model that ships, by kind of family and stage
    "voice": {"open": 0, "render": 20, "pitch": 8, "classifier": 2, "distance": 4, "cost": 1},
    "stream": {"classifier": 30, "render": 44, "baselines": 30, "blend": 125, "seams": 4, "drift": 41},
    "vocoder": {"music": 20, "pitch": 7, "chunks": 4},
}


@dataclass(slots=True)
class Evaluation:
    """figures: as `--json` gives them; rows: of the picture of spectrograms; examples: name -> (mono samples, rate)."""

    figures: dict[str, Any]
    rows: list[list[Shown]] = field(default_factory=list)
    examples: dict[str, tuple[Sound, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, bundle: Bundle, corpus: Corpus, split: str) -> Evaluation:
        """An evaluation about to begin."""
        manifest = bundle.manifest
        return cls(
            {
                "bundle": manifest.slug,
                "name": manifest.name,
                "family": manifest.family,
                "version": manifest.version,
                "bundle_hash": manifest.bundle_hash,
                "data_hash": corpus.data_hash,
                "corpus": corpus.folder.name,
                "split": split,
                "seconds": {},
            }
        )

    def stage(self, name: str, title: str) -> AbstractContextManager[None]:
        """Print what is being measured, and record how long it took."""
        usual = SECONDS[find_family(self.figures["family"]).kind]
        return Stages(usual, self.figures["seconds"]).stage(name, title)


def levelled(sound: Sound, like: Sound) -> Sound:
    """The sound with the length and level (rms) of another."""
    out = np.pad(sound, (0, max(0, len(like) - len(sound))))[: len(like)].astype(np.float32)
    rms = float(np.sqrt(np.mean(out**2))) if len(out) else 0.0
    return out * np.float32(np.sqrt(np.mean(like**2)) / rms) if rms > 1e-7 else out
