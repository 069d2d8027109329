"""Phrase models for tests: small, untrained, run by torch in place of onnxruntime."""

from __future__ import annotations

import functools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from msgspec.structs import replace
from numpy.typing import NDArray

from instrument.models.bundle import Bundle
from instrument.models.latent import ATTRIBUTES
from instrument.models.manifest import VERSION, Golden, Manifest
from instrument.models.notes.musicvae import MusicVaePlayer
from instrument.music.phrases import HOLD, OFF
from tests.support.players import open_scale
from training.families.musicvae.bundle import knobs
from training.families.musicvae.network import Config, Network, graphs, states

SMALL = {
    "latent": 8,
    "embedding": 12,
    "encoder": 12,
    "segment_features": 8,
    "decoder": 24,
    "conductor": 16,
    "context": 12,
}


def small_network(**config) -> Network:
    """A network that has opinions, though it never learnt anything: about one onset in three steps."""
    torch.manual_seed(1)
    network = Network(Config(**SMALL | config), 2).eval()
    network.out.weight.data *= 5
    if network.shape.drums:
        network.out.bias.data[0] = 8.0
    else:
        network.out.bias.data[[OFF, HOLD]] = torch.tensor([2.0, 6.0])
        network.out.bias.data[55:80] = 2.0
    return network


class TorchBundle(Bundle):
    """A bundle whose graphs are modules."""

    def __init__(self, network: Network) -> None:
        config, drums = network.config, network.shape.drums
        attributes = [a for a in ATTRIBUTES if not drums or a in ("density", "syncopation")]
        rng = np.random.default_rng(0)
        self.map = {
            "genre_mean": rng.normal(0, 0.3, (3, config.latent)),
            "genre_spread": np.ones((3, config.latent)),
            "components": rng.normal(0, 1.5, (2, config.latent)),
            "directions": rng.normal(0, 0.2, (len(attributes), config.latent)),
            "touch": np.full((9 if drums else 1, 16), 80.0),
        }
        manifest = Manifest(
            VERSION,
            "vae",
            "VAE",
            "musicvae",
            "1",
            "",
            (),
            Golden("golden.npz", "0" * 64, 0.1),
            states=states(network),
            genres=("march", "waltz"),
            parts=(3 if drums else 0,),
            latent=config.latent,
            codec={"drums": int(drums), "bars": config.bars, "segments": config.segments},
            knobs=knobs(("march", "waltz"), attributes, config.bars),
        )
        super().__init__(Path(), manifest, {id: _session(*graph) for id, graph in graphs(network).items()})

    def latents(self) -> dict[str, NDArray]:
        return {name: array.astype(np.float32) for name, array in self.map.items()}


def open_vae(slug: str):
    """Two-bar melodies ("vae") and drums ("drums") from a small, untrained model."""
    if slug not in ("vae", "drums"):
        return open_scale(slug)
    bundle = small_bundle(slug)
    return bundle.manifest, MusicVaePlayer(bundle)


@functools.cache
def small_bundle(slug: str) -> TorchBundle:
    bundle = TorchBundle(small_network(**({"kind": "drums"} if slug == "drums" else {})))
    bundle.manifest = replace(bundle.manifest, slug=slug)
    return bundle


def _session(module: torch.nn.Module, _: object, ins: list, outs: list) -> SimpleNamespace:
    def run(feeds: dict[str, NDArray]) -> list[NDArray]:
        with torch.no_grad():
            found = module(*(torch.from_numpy(np.ascontiguousarray(feeds[port.name])) for port in ins))
        return [out.numpy() for out in (found if isinstance(found, tuple) else (found,))]

    return SimpleNamespace(run=run, inputs={port.name: port.shape for port in ins})
