"""What of a bundle is a voice's own: parity, errors, golden file, knobs, and what is known of its latent space."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from instrument.models.bundle import Bundle
from instrument.models.manifest import Knob
from instrument.models.sound.tone_features import age_features
from training.core.recipe import Recipe
from training.data.sound.corpus import Corpus
from training.families.ddsp.task import ToneTask

EXAMPLES = 8
AGES = np.array([0.0, 0.02, 0.3, 1.5])  # of which each example's frames are golden
FAR = 1.2  # standard deviations: how far the knobs x and y go


class BundleTones(nn.Module):
    """The graphs of a bundle in place of the network."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__()
        self.bundle = bundle

    def note(self, instrument: Tensor, note: Tensor, z: Tensor) -> tuple[Tensor, ...]:
        """As `families.ddsp.network.NoteNetwork`."""
        feeds = {"instrument": instrument, "note": note, "z": z}
        return self._run("note", feeds)

    def frame(self, state: Tensor, age: Tensor) -> tuple[Tensor, ...]:
        """As `families.ddsp.network.FrameNetwork`."""
        return self._run("frame", {"state": state, "age": age})

    def _run(self, graph: str, feeds: dict[str, Tensor]) -> tuple[Tensor, ...]:
        found = self.bundle.session(graph).run({n: v.detach().numpy() for n, v in feeds.items()})
        return tuple(torch.from_numpy(v) for v in found)


class ToneBundling:
    """See `families.bundling.Bundling`."""

    figure = "decibels"
    allowed = 0.05
    smaller = ("stored8", "fp16")

    def __init__(self, network: nn.Module, recipe: Recipe, genres: tuple[str, ...]) -> None:
        self.network, self.recipe, self.genres = network, recipe, genres
        self.task = ToneTask(recipe)
        self.data_hash = self.task.data_hash
        rows = self.task.rows["valid"] if len(self.task.rows["valid"]) else self.task.rows["train"]
        self.examples = rows[np.linspace(0, len(rows) - 1, EXAMPLES).astype(int)]

    def parity(self, bundle: Bundle) -> float:
        """Largest difference of what network and bundle say of real notes, on the scale of what is said."""
        mine, theirs = self._run(self.network), self._run(BundleTones(bundle))
        return max(float(np.abs(mine[n] - theirs[n]).max() / (1 + np.abs(mine[n]).max())) for n in mine)

    def measure(self, bundle: Bundle | None) -> float:
        """Mean weighted error of the levels of held-out notes, in decibels."""
        return self.task.validate(BundleTones(bundle) if bundle else self.network).total

    def golden(self, bundle: Bundle) -> dict[str, np.ndarray]:
        """Labels and latents of notes, and what this bundle makes of them."""
        return self._run(BundleTones(bundle))

    @torch.no_grad()
    def _run(self, model: Any) -> dict[str, np.ndarray]:
        instrument, note = self.task.told(self.examples)
        z = torch.linspace(-1, 1, len(note) * self.recipe.model.latent).view(len(note), -1)
        state, tuning, loss, release = model.note(instrument, note, z)
        age = torch.from_numpy(np.tile(age_features(AGES), (len(note), 1)))
        levels, cents = model.frame(state.repeat_interleave(len(AGES), 0), age)
        names = ("instrument", "note", "z", "age", "state", "tuning", "loss", "release", "levels", "cents")
        values = (instrument, note, z, age, state, tuning, loss, release, levels, cents)
        return {n: v.numpy() for n, v in zip(names, values, strict=True)}

    def licences(self) -> dict[str, str]:
        """Of the notes that it learnt from, those at a higher rate too."""
        found: dict[str, set[str]] = {}
        full = Corpus.open(self.recipe.sampling.full).clips if self.recipe.sampling.full else []
        for clip in [*(self.task.tones.clips[row] for row in self.task.rows["train"]), *full]:
            found.setdefault(clip.dataset, set()).add(clip.licence)
        return {name: "; ".join(sorted(those)) for name, those in sorted(found.items())}

    def fields(self) -> dict[str, Any]:
        """Fields of the manifest."""
        return {"condition_genres": self.genres, "latent": self.recipe.model.latent, "knobs": knobs(self.genres)}

    @torch.no_grad()
    def latents(self) -> dict[str, np.ndarray]:
        """directions (2, latent): where x and y go, those in which notes differ most; range
        (instruments, 2): lowest and highest pitches that were heard of each."""
        task, rows = self.task, self.task.rows["train"]
        parts = np.array_split(rows, max(1, len(rows) // 256))
        z = np.concatenate([self.network.encode(task.summaries(r), task.told(r)[1])[0].numpy() for r in parts])
        _, sizes, directions = np.linalg.svd(z - z.mean(0), full_matrices=False)
        pitch = np.array([task.tones.clips[r].pitch for r in rows])
        mine = [pitch[task.instrument[rows] == i] for i in range(len(self.genres))]
        return {
            "directions": (FAR * directions[:2] * sizes[:2, None] / np.sqrt(len(z))).astype(np.float32),
            "range": np.array([(p.min(), p.max()) for p in mine], np.float32),
        }


def knobs(instruments: tuple[str, ...]) -> tuple[Knob, ...]:
    """The knobs of a voice that knows these instruments."""
    both = {"step": 0.01, "low": -1.0, "high": 1.0}
    first, second = (
        next((name for name in names if name in instruments), instruments[0])
        for names in (("piano_splendid", "epiano_tine"), ("flute", "cello"))
    )
    return (
        Knob(
            "instrument",
            "Instrument",
            "choice",
            default=first,
            choices=instruments,
            help="What it sounds like.",
        ),
        Knob(
            "instrument_b",
            "Second",
            "choice",
            default=second,
            choices=instruments,
            help="What it sounds like at the other end of Morph.",
        ),
        Knob("morph", "Morph", step=0.01, help="From the one instrument to the other, also while notes are held."),
        Knob("x", "Timbre X", **both, help="Where notes of one instrument differ most: from one end to the other."),
        Knob("y", "Timbre Y", **both, help="Where they differ next."),
        Knob("brightness", "Brightness", **both, help="From dull to bright."),
        Knob("vibrato", "Vibrato", step=0.01, help="How far the pitch swings."),
        Knob("ring", "Ring", step=0.01, help="How much longer a note rings when its key is released; 0 as it is."),
    )
