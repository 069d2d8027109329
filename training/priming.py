"""Making primers: a bundle plays by itself in each of its genres, and what is most of that genre is kept. Models of
phrases are given landmarks instead (`training.families.musicvae.landmarks`)."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from instrument.models.bundle import Bundle, open_bundle
from instrument.models.catalog import open_note_bundle
from instrument.models.manifest import Arrays, Manifest, write_manifest
from instrument.models.notes.event_player import EventPlayer
from instrument.models.notes.musicvae import shape_of
from instrument.models.notes.player import Ask
from instrument.models.notes.priming import BAR, BARS, MOST_NOTES, Primers
from instrument.music.timebase import MetreMap
from training.data.notes import phrases
from training.data.notes.shards import Shards
from training.evaluation.generation import COMMON_TIME, default_knobs, play
from training.families.musicvae.bundle_phrases import BundlePhrases
from training.families.musicvae.landmarks import DECODED, landmarks
from training.measures.genres import EARS, GenreEar, genre_ear
from training.recipe import recipe_from

TRIED, KEPT = 96, 3  # pieces of a genre that are played, and primers that are kept
LIKELY = 4  # one in so many is tried in switches
SKIPPED = 4  # bars before a primer
SWITCHES = 4  # that a primer is tried in
BEFORE = 16  # notes before a switch


def primers(bundle: Bundle, ear: GenreEar, pieces: int = TRIED) -> dict[str, NDArray]:
    """The arrays of primers.npz (see `models.notes.priming`), for the genres that the ear knows: bars that are
    most of their genre, and of these, those after which the next two bars are. pieces: of a genre that are played."""
    manifest, player = open_note_bundle(bundle)
    assert isinstance(player, EventPlayer)
    kept: list[NDArray] = []
    genres: list[int] = []
    for genre in (g for g in manifest.genres if g in ear.genres):
        found = []
        for seed in range(pieces):
            notes = play(player, default_knobs(manifest, genre=genre), 1 << 20 | seed, (SKIPPED + BARS) * BAR).notes
            halves = [ear.likelihood(notes, (SKIPPED + bar) * BAR, genre) for bar in (0, BARS // 2)]
            own = notes[notes[:, 0] >= SKIPPED * BAR][-MOST_NOTES:] - [SKIPPED * BAR, 0, 0, 0, 0, 0]
            found.append((min(halves), seed, own))
        likely = sorted(found, reverse=True, key=lambda one: one[:2])[: max(KEPT, pieces // LIKELY)]
        tried = [(_followed(player, manifest, ear, genre, own), seed, own) for _, seed, own in likely]
        best = sorted(tried, reverse=True, key=lambda one: one[:2])[:KEPT]
        print(f"{genre}: {', '.join(f'{share:.2f}' for share, _, _ in best)}", flush=True)
        kept += [own for _, _, own in best]
        genres += [manifest.condition_genres.index(genre)] * len(best)
    return {
        "notes": np.concatenate(kept).astype(np.int16),
        "lengths": np.array([len(own) for own in kept], np.int32),
        "genres": np.array(genres, np.int32),
    }


def _followed(player: EventPlayer, manifest: Manifest, ear: GenreEar, genre: str, primer: NDArray) -> float:
    """How likely the two bars after a switch to a genre are of it, where the player remembers this primer: the mean of
    some switches."""
    player.primers = Primers({genre: [primer]})
    any_genre, this = (default_knobs(manifest, genre=name) for name in ("none", genre))
    switch, likely = (SKIPPED + BARS) * BAR, []
    for seed in range(SWITCHES):
        player.reset(seed, 0, MetreMap(COMMON_TIME))
        ask = Ask(knobs=any_genre, floor=switch - BAR, latest=switch - 1)
        while player.count < BEFORE and (note := player.propose(ask)).tick < switch:
            player.feed(note)
        ask, notes = Ask(knobs=this, floor=switch), []
        while (note := player.propose(ask)).tick < switch + 2 * BAR and len(notes) < MOST_NOTES * 2:
            player.feed(note)
            notes.append(note)
        likely.append(ear.likelihood(np.array(notes, np.int32).reshape(-1, 6), switch, genre))
    return float(np.mean(likely))


def prime(folder: Path, shards: Shards, pieces: int | None = None) -> Manifest:
    """Give the bundle in `folder` primers, or landmarks, in place of those it had. shards: the music that it was
    trained on; pieces: or phrases of a genre that are tried. Returns its new manifest."""
    bundle = open_bundle(folder, trusted=True)
    if bundle.manifest.latent:
        return _write(bundle, "latents", bundle.latents() | _landmarks(bundle, shards, pieces or DECODED))
    return _write(bundle, "primers", primers(bundle, genre_ear(shards, bundle.manifest.genres, EARS), pieces or TRIED))


def _landmarks(bundle: Bundle, shards: Shards, decoded: int) -> dict[str, NDArray]:
    manifest, shape = bundle.manifest, shape_of(bundle.manifest)
    recipe = recipe_from(dict(manifest.provenance.recipe), manifest.slug)
    pieces = shards.select(split="train", ship_only=recipe.data.ship_only)
    found = phrases.collect(shards, pieces, manifest.genres, shape, recipe.sampling)
    numbers = {genre: number for number, genre in enumerate(manifest.genres)}
    return landmarks(BundlePhrases(bundle), shards, found, numbers, shape, decoded)


def _write(bundle: Bundle, field: str, arrays: dict[str, NDArray]) -> Manifest:
    """Write the arrays as FIELD.npz of the bundle and tell its manifest."""
    path = bundle.folder / f"{field}.npz"
    np.savez_compressed(path, **arrays)
    told = Arrays(path.name, hashlib.sha256(path.read_bytes()).hexdigest())
    manifest = msgspec.structs.replace(bundle.manifest, **{field: told})
    write_manifest(manifest, bundle.folder)
    return manifest
