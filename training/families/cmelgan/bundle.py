"""What of a bundle is a genre stream's own: parity, held-out figure, golden file, knobs, and the places of styles."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from instrument.models.bundle import Bundle
from instrument.models.manifest import Knob
from instrument.models.sound.spectral import MelFormat
from training.core.recipe import Recipe
from training.data.sound.corpus import Corpus
from training.data.sound.mels import Mels
from training.families.cmelgan import network as cmelgan
from training.families.cmelgan.task import distance, held_out, learnt, sounding

VOCODER = "vocoder-44k"
GOLDEN_FRAMES = 24
STYLED = 48  # windows of each genre that its styles are taken from
Feeds = dict[str, NDArray[Any]]


class StreamBundling:
    """See `families.bundling.Bundling`."""

    figure = "distance"
    allowed = 0.05  # of distance, besides what chance does to it
    smaller = ("stored8", "fp16")

    def __init__(self, network: nn.Module, recipe: Recipe, genres: tuple[str, ...]) -> None:
        self.network: Any = network
        self.recipe, self.genres = recipe, genres
        corpus = Corpus.open(recipe.data.folder)
        self.data_hash = corpus.data_hash
        self.clips = learnt(corpus, recipe)
        config = recipe.model
        self.format = MelFormat(mels=config.mels)
        self.mels = Mels(corpus, self.clips, self.format, config.stride)
        self.held = Mels(corpus, held_out(corpus, recipe, genres), self.format, config.stride)

    def parity(self, bundle: Bundle) -> float:
        """Largest difference of a mel or a state between network and bundle, each step from the network's states."""
        (step, _, ins, _), lanes = cmelgan.graphs(self.network)["step"], 3
        feeds = self._feeds(lanes)
        states = {p.name: torch.zeros(lanes, *p.shape[1:]) for p in ins if p.role == "state"}
        largest = 0.0
        with torch.no_grad():
            for number in range(GOLDEN_FRAMES):
                now = {k: torch.tensor(v[number]) for k, v in feeds.items()} | states
                mine = step(*(now[p.name] for p in ins))
                theirs = bundle.session("step").run({k: v.numpy() for k, v in now.items()})
                largest = max(largest, *(float(np.abs(a.numpy() - b).max()) for a, b in zip(mine, theirs, strict=True)))
                states = dict(zip(states, mine[1:], strict=True))
        return largest

    def measure(self, bundle: Bundle | None) -> float:
        """The distance between dreamt and held-out windows."""
        length, stride = self.recipe.sampling.sequence, self.recipe.model.stride
        real = torch.from_numpy(self.held.at(self.held.starts[:-1], length * stride))
        number = np.array([self.genres.index(c.genre) for c in self.held.clips])
        genre = np.eye(len(self.genres), dtype=np.float32)[number]
        with torch.no_grad():
            style = self.network.styles(self.network.coder.codes(real))[0].numpy()
        feeds = self._feeds(len(real), length) | {
            "style": np.broadcast_to(style, (length, *style.shape)),
            "genre": np.broadcast_to(genre, (length, *genre.shape)),
        }
        drawn = torch.from_numpy(self._play(bundle, feeds))
        skipped = length // 4 * stride
        return distance(drawn[:, skipped:], real[:, skipped:], number)

    def golden(self, bundle: Bundle) -> dict[str, NDArray[Any]]:
        """What is told to the first steps, and the mels that come of it."""
        feeds = self._feeds(1)
        return feeds | {"mels": self._play(bundle, feeds)}

    def _feeds(self, lanes: int, frames: int = GOLDEN_FRAMES) -> Feeds:
        """All that is told but the states, (frames, lanes, ...)."""
        config, rng = self.recipe.model, np.random.default_rng(0)
        genre = rng.dirichlet(np.ones(len(self.genres)), (frames, lanes))
        drawn = {
            "style": rng.standard_normal((frames, lanes, config.style)),
            "genre": genre,
            "temperature": np.ones((frames, lanes, 1)),
            "noise": rng.gumbel(size=(frames, lanes, config.groups, config.codes)),
        }
        return {name: array.astype(np.float32) for name, array in drawn.items()}

    def _play(self, bundle: Bundle | None, feeds: Feeds) -> NDArray[np.float32]:
        """Mels (lanes, frames, mels) by the bundle, or by the network."""
        step, _, ins, _ = cmelgan.graphs(self.network)["step"]
        frames, lanes = feeds["style"].shape[:2]
        states = {p.name: np.zeros((lanes, *p.shape[1:]), np.float32) for p in ins if p.role == "state"}
        mels = []
        for number in range(frames):
            now = {name: np.ascontiguousarray(array[number]) for name, array in feeds.items()} | states
            if bundle is not None:
                found, *after = bundle.session("step").run(now)
            else:
                with torch.no_grad():
                    found, *after = (x.numpy() for x in step(*(torch.tensor(now[p.name]) for p in ins)))
            mels.append(found)
            states = dict(zip(states, after, strict=True))
        return np.concatenate(mels, 1)

    def licences(self) -> dict[str, str]:
        """Of the training clips."""
        found: dict[str, set[str]] = {}
        for clip in self.clips:
            found.setdefault(clip.dataset, set()).add(clip.licence)
        return {name: ", ".join(sorted(licences)) for name, licences in sorted(found.items())}

    def fields(self) -> dict[str, Any]:
        """Fields of the manifest."""
        config = self.recipe.model
        return {
            "codec": self.format.codec() | {"stride": config.stride, "groups": config.groups, "codes": config.codes},
            "condition_genres": self.genres,
            "genres": self.genres,
            "latent": config.style,
            "knobs": knobs(self.genres),
            "needs": (VOCODER,),
        }

    @torch.no_grad()
    def latents(self) -> dict[str, NDArray[Any]]:
        """See `instrument.models.sound.cmelgan`."""
        length, stride = self.recipe.sampling.sequence, self.recipe.model.stride
        rng = np.random.default_rng(0)
        styles, labels = [], []
        for found in sounding(self.mels, self.genres, length):
            starts = rng.choice(found, STYLED) * stride
            codes = self.network.coder.codes(torch.from_numpy(self.mels.at(starts, length * stride)))
            mean, deviation = self.network.styles(codes)
            scattered = rng.standard_normal(mean.shape) * deviation.exp().double().numpy()
            styles.append(mean.double().numpy() + scattered)
            labels.append(mean.double().numpy())
        within = np.concatenate([means - means.mean(0) for means in labels])
        _, sizes, directions = np.linalg.svd(within, full_matrices=False)
        arrays = {
            "genre_mean": np.stack([drawn.mean(0) for drawn in styles]),
            "genre_spread": np.stack([np.maximum(drawn.std(0), 1e-3) for drawn in styles]),
            "components": directions[:2] * sizes[:2, None] / np.sqrt(len(within)),
        }
        return {name: array.astype(np.float32) for name, array in arrays.items()}


def knobs(genres: tuple[str, ...]) -> tuple[Knob, ...]:
    """The knobs of a stream of these genres."""
    pad = {"step": 0.05, "low": -1.0, "high": 1.0}
    return (
        Knob("genre", "Genre", "choice", default=genres[0], choices=genres, help="What it plays."),
        Knob(
            "genre_b",
            "Other genre",
            "choice",
            default=genres[-1],
            choices=genres,
            help="What it blends into.",
        ),
        Knob("blend", "Blend", step=0.01, help="From the genre (0) to the other one (1)."),
        Knob(
            "temperature",
            "Temperature",
            low=0.3,
            high=1.5,
            default=0.9,
            step=0.05,
            help="How far it strays: low keeps to what is usual, high goes anywhere.",
        ),
        Knob(
            "motion",
            "Motion",
            default=0.4,
            step=0.01,
            help="How fast its style wanders: 0 stays where the seed put it, 1 turns every other second.",
        ),
        Knob("x", "Pad X", **pad, help="Its style, along what the music of a genre differs in most."),
        Knob("y", "Pad Y", **pad, help="Its style, along what it differs in next."),
    )
