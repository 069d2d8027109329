"""Making primers: a bundle plays by itself in each of its genres, and what is most of that genre is kept."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from instrument.models.bundle import Bundle, open_bundle
from instrument.models.catalog import open_note_bundle
from instrument.models.manifest import Arrays, Manifest, write_manifest
from instrument.models.priming import BAR, BARS, MOST_NOTES
from training.evaluation.generation import default_knobs, play
from training.evaluation.genres import GenreEar

FILE = "primers.npz"
TRIED, KEPT = 48, 4  # pieces of a genre that are played, and of which the primers come
SKIPPED = 4  # bars before a primer


def primers(bundle: Bundle, ear: GenreEar) -> dict[str, NDArray]:
    """The arrays of primers.npz (see `instrument.models.priming`), for the genres that the ear knows."""
    manifest, player = open_note_bundle(bundle)
    kept: list[NDArray] = []
    genres: list[int] = []
    for genre in (g for g in manifest.genres if g in ear.genres):
        found = []
        for seed in range(TRIED):
            notes = play(player, default_knobs(manifest, genre=genre), 1 << 20 | seed, (SKIPPED + BARS) * BAR).notes
            halves = [ear.likelihood(notes, (SKIPPED + bar) * BAR, genre) for bar in (0, BARS // 2)]
            own = notes[notes[:, 0] >= SKIPPED * BAR][-MOST_NOTES:] - [SKIPPED * BAR, 0, 0, 0, 0, 0]
            found.append((min(halves), seed, own))
        best = sorted(found, reverse=True, key=lambda one: one[:2])[:KEPT]
        print(f"{genre}: {', '.join(f'{share:.2f}' for share, _, _ in best)}", flush=True)
        kept += [own for _, _, own in best]
        genres += [manifest.condition_genres.index(genre)] * len(best)
    return {
        "notes": np.concatenate(kept).astype(np.int16),
        "lengths": np.array([len(own) for own in kept], np.int32),
        "genres": np.array(genres, np.int32),
    }


def prime(folder: Path, ear: GenreEar) -> Manifest:
    """Give the bundle in `folder` primers, in place of those it had. Returns its new manifest."""
    bundle = open_bundle(folder, trusted=True)
    arrays = primers(bundle, ear)
    np.savez_compressed(folder / FILE, **arrays)
    told = Arrays(FILE, hashlib.sha256((folder / FILE).read_bytes()).hexdigest())
    manifest = msgspec.structs.replace(bundle.manifest, primers=told)
    write_manifest(manifest, folder)
    return manifest
