"""A bundle is given primers: bars of its own, those that are most of their genre."""

from __future__ import annotations

import numpy as np
import pytest

from instrument.models.bundle import open_bundle
from instrument.models.catalog import open_note_bundle
from instrument.models.notes.player import Ask
from instrument.models.notes.priming import BAR, BARS, MOST_NOTES
from instrument.music.timebase import Metre, MetreMap
from training import priming
from training.data.notes.shards import Shards
from training.measures.genres import GenreEar

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.timeout(300)]


class Ear(GenreEar):
    """Likes notes, and nothing else."""

    def likelihood(self, notes, start, genre) -> float:
        return float(((notes[:, 0] >= start) & (notes[:, 0] < start + 2 * BAR)).sum())


def test_the_best_are_kept_and_remembered_at_a_switch(bundle_folder, data, tmp_path, monkeypatch):
    monkeypatch.setattr(priming, "KEPT", 2)
    monkeypatch.setattr(priming, "genre_ear", lambda shards, genres, folder: Ear(genres, (), {}, {}))
    monkeypatch.setattr(priming, "SWITCHES", 1)
    folder = tmp_path / bundle_folder.name
    folder.mkdir()
    for file in bundle_folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    before = open_bundle(folder, trusted=True)
    genres = before.manifest.genres
    manifest = priming.prime(folder, Shards.open(data), 4)
    assert manifest.bundle_hash != before.manifest.bundle_hash
    bundle = open_bundle(folder)
    assert bundle.manifest == manifest
    arrays = bundle.primers()
    assert len(arrays["lengths"]) == 2 * len(genres)
    assert arrays["lengths"].max() <= MOST_NOTES
    assert arrays["notes"][:, 0].min() >= 0
    assert arrays["notes"][:, 0].max() < BARS * BAR
    assert sorted(arrays["genres"].tolist()) == sorted(2 * [manifest.condition_genres.index(g) for g in genres])
    again = priming.primers(before, Ear(genres, (), {}, {}), 4)
    assert all(np.array_equal(arrays[name], again[name]) for name in arrays)

    _, player = open_note_bundle(bundle)
    player.reset(1, 0, MetreMap((Metre(0, 4, 4),)))
    for _ in range(8):
        player.feed(player.propose(Ask(knobs={"genre": genres[0]})))
    floor = player._notes[-1].tick + 1
    note = player.propose(Ask(knobs={"genre": genres[1]}, floor=floor))
    assert note.tick >= floor
    assert player.count == 8
