"""Export of a `gansynth` voice: parity, errors, golden file, knobs, and facts about its instruments."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from instrument.models.bundle import Bundle
from instrument.models.manifest import Knob
from instrument.models.sound.note_spectra import HOP, RATE
from training.core.recipe import Recipe
from training.data.notes.shards import licences
from training.data.sound.corpus import Clip, Corpus
from training.families.gansynth.differences import judge
from training.families.gansynth.task import NoteSpectraTask

EXAMPLES = 8
PLACES = (0, 1, 5, 60)  # frames of each example in the golden file
FAR = 2.0  # standard deviations: how far the knobs x and y go in the latent space
LEANING = 0.5  # share of other instruments that they add, and of opposite ones that they take away
COMPARED = ((48, 60, 72), 20, (4, 30, 90))  # pitches, partials and frames by which instruments are compared
FADES = 0.3  # seconds: of instruments whose release was not recorded
WINDOW = 320  # samples over which loudness is measured
NAMES = ("instrument", "latent", "pitch", "velocity", "frames")


class BundleNotes:
    """The graph of a bundle in place of the network."""

    def __init__(self, bundle: Bundle, network: nn.Module) -> None:
        self.session = bundle.session("generator")
        self.instruments, self.config = network.instruments, network.config

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """As `families.gansynth.network.Network`."""
        found = self.session.run({n: v.numpy() for n, v in zip(NAMES, inputs, strict=True)})
        return tuple(torch.from_numpy(v) for v in found)


class NoteSpectraBundling:
    """See `families.bundling.Bundling`."""

    figure = "nats"
    allowed = 0.01
    smaller = ("stored8", "fp16")

    def __init__(self, network: nn.Module, recipe: Recipe, genres: tuple[str, ...]) -> None:
        self.network, self.recipe, self.genres = network, recipe, genres
        self.task = NoteSpectraTask(recipe)
        self.data_hash = self.task.data_hash
        notes = self.task.valid
        rows = np.linspace(0, len(notes.clips) - 1, EXAMPLES).astype(int)
        self.inputs = (
            torch.nn.functional.one_hot(torch.from_numpy(notes.instrument[rows]), len(genres)).float(),
            torch.linspace(-1, 1, EXAMPLES * recipe.model.latent).view(EXAMPLES, -1),
            torch.from_numpy(notes.pitch[rows]),
            torch.from_numpy(notes.velocity[rows]),
            torch.tensor(PLACES).clamp(max=recipe.model.frames - 1).repeat(EXAMPLES, 1),
        )

    def parity(self, bundle: Bundle) -> float:
        """Largest difference of the outputs of network and bundle for notes, relative to the outputs."""
        with torch.no_grad():
            pairs = zip(self.network(*self.inputs), BundleNotes(bundle, self.network)(*self.inputs), strict=True)
        return max(float((a - b).abs().max() / (1 + a.abs().max())) for a, b in pairs)

    def measure(self, bundle: Bundle | None) -> float:
        """Mean differences of log magnitudes of held-out notes, over both floors."""
        fine, coarse, _ = judge(BundleNotes(bundle, self.network) if bundle else self.network, self.task.valid)
        return float(fine + coarse)

    def golden(self, bundle: Bundle) -> dict[str, np.ndarray]:
        """Notes, and this bundle's outputs for some of their frames."""
        found = BundleNotes(bundle, self.network)(*self.inputs)
        values = zip((*NAMES, "level", "deviation", "noise"), (*self.inputs, *found), strict=True)
        return {name: value.numpy() for name, value in values}

    def licences(self) -> dict[str, str]:
        """Of the notes that it learnt from."""
        return licences(self.task.notes.clips)

    def fields(self) -> dict[str, Any]:
        """Fields of the manifest."""
        config = self.recipe.model
        return {
            "codec": {"rate": RATE, "hop": HOP, "frames": min(config.frames, int(np.median(self.task.notes.valid)))},
            "condition_genres": self.genres,
            "latent": config.latent,
            "knobs": knobs(self.genres),
        }

    @torch.no_grad()
    def latents(self) -> dict[str, np.ndarray]:
        """See `instrument.models.sound.gansynth.GanSynth`. Notes without a latent are at the origin."""
        notes = self.task.notes
        hot = torch.nn.functional.one_hot(torch.from_numpy(notes.instrument), len(self.genres)).float()
        z = self.network.encode(torch.from_numpy(notes.summary), hot)[0].numpy()
        _, sizes, directions = np.linalg.svd(z - z.mean(0), full_matrices=False)
        mine = [np.flatnonzero(notes.instrument == i) for i in range(len(self.genres))]
        arrays = {
            "mean": np.zeros((len(self.genres), self.recipe.model.latent)),
            "directions": FAR * directions[:2] * sizes[:2, None] / np.sqrt(len(z)),
            "leanings": self._leanings(),
            "release": np.array([release(self.task.corpus, [notes.clips[i] for i in rows]) for rows in mine]),
            "range": np.array([(notes.pitch[rows].min(), notes.pitch[rows].max()) for rows in mine]),
        }
        return {name: array.astype(np.float32) for name, array in arrays.items()}

    def _leanings(self) -> NDArray[np.float64]:
        """Weights (2, instruments), those of each row adding up to 0, along the axes where instruments differ most."""
        n, (pitches, partials, frames) = len(self.genres), COMPARED
        hot = torch.eye(n).repeat_interleave(len(pitches), 0)
        pitch = torch.tensor(pitches, dtype=torch.float32).repeat(n)
        ages = torch.tensor(frames).clamp(max=self.recipe.model.frames - 1).repeat(len(hot), 1)
        level = self.network(hot, torch.zeros(len(hot), self.recipe.model.latent), pitch, 0 * pitch + 0.6, ages)[0]
        seen = level[..., :partials].reshape(n, -1).double().numpy()
        seen = seen - seen.mean(1, keepdims=True)  # loudness is no timbre
        scores = np.linalg.svd(seen - seen.mean(0), full_matrices=False)[0][:, :2].T
        return np.asarray(LEANING * scores / np.maximum(np.maximum(scores, 0).sum(1, keepdims=True), 1e-9))


def release(corpus: Corpus, clips: list[Clip]) -> float:
    """Seconds in which notes fall by 60 dB when their key is released: the median, `FADES` if none was recorded."""
    found = []
    for clip in clips:
        after = clip.frames - clip.held
        if clip.held and after >= 6 * WINDOW:
            loud = loudness(corpus.read(clip, clip.held, after))
            audible = loud > max(loud[0] - 60, -80)
            end = len(loud) if audible.all() else int(np.argmin(audible))
            if loud[0] > -60:
                slope = np.polyfit(np.arange(end), loud[:end], 1)[0] if end > 3 else -60 / max(end, 1)
                found.append(60 * WINDOW / corpus.rate / max(-slope, 0.1))
    return float(np.median(found)) if found else FADES


def loudness(sound: NDArray[np.float32]) -> NDArray[np.float64]:
    """Decibels of each `WINDOW` of a sound."""
    parts = sound[: len(sound) // WINDOW * WINDOW].reshape(-1, WINDOW).astype(np.float64)
    return np.asarray(10 * np.log10((parts**2).mean(1) + 1e-12))


def knobs(instruments: tuple[str, ...]) -> tuple[Knob, ...]:
    """The knobs of a voice of whole notes that knows these instruments."""
    first, second = (
        next((name for name in names if name in instruments), instruments[0])
        for names in (("epiano_tine", "piano_splendid"), ("cello", "flute"))
    )
    both = {"step": 0.01, "low": -1.0, "high": 1.0}
    named = {"kind": "choice", "choices": instruments}
    return (
        Knob("instrument", "Instrument", default=first, help="What the next notes sound like.", **named),  # type: ignore[arg-type]
        Knob("instrument_b", "Second", default=second, help="And at the other end of Morph.", **named),  # type: ignore[arg-type]
        Knob(
            "morph",
            "Morph",
            step=0.01,
            help="From the one instrument to the other: the next notes, and those that are held long.",
        ),
        Knob("x", "Timbre X", **both, help="Along what instruments differ in most."),
        Knob("y", "Timbre Y", **both, help="Along what they differ in next."),
    )
