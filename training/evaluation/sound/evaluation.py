"""The results of an evaluation of a sound model, and the time it took."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instrument.models.bundle import Bundle
from training.data.sound.corpus import Corpus
from training.evaluation.sound.showing import Shown

Sound = NDArray[np.float32]


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

    @contextmanager
    def stage(self, name: str, title: str) -> Iterator[None]:
        """Print what is being measured, and record how long it took."""
        print(f"{title} ...", end="", file=sys.stderr, flush=True)
        begin = time.perf_counter()
        yield
        took = self.figures["seconds"][name] = round(time.perf_counter() - begin, 1)
        print(f" {took:.0f} s", file=sys.stderr, flush=True)


def levelled(sound: Sound, like: Sound) -> Sound:
    """The sound with the length and level (rms) of another."""
    out = np.pad(sound, (0, max(0, len(like) - len(sound))))[: len(like)].astype(np.float32)
    rms = float(np.sqrt(np.mean(out**2))) if len(out) else 0.0
    return out * np.float32(np.sqrt(np.mean(like**2)) / rms) if rms > 1e-7 else out
