"""Primers: where they lie, in which key they are, and what is refused."""

from types import SimpleNamespace

import numpy as np
import pytest

from instrument.errors import HocketError
from instrument.models.notes.player import Ask
from instrument.models.notes.priming import BAR, BARS, MOST_NOTES, Primers
from instrument.music.notes import Part
from instrument.music.timebase import Metre, MetreMap

COMMON = MetreMap((Metre(0, 4, 4),))
NOTHING = np.zeros(12)
SCALE = np.array([0, 2, 4, 5, 7, 9, 11])


def primer(gap: int = 12, drums: bool = False) -> np.ndarray:
    """Four bars up and down C major."""
    ticks = np.arange(0, BARS * BAR, gap)
    pitches = 60 + SCALE[np.arange(len(ticks)) % 7]
    part = Part.DRUMS if drums else Part.MELODY
    return np.stack([ticks, 0 * ticks, pitches, 0 * ticks + gap, 0 * ticks + 80, 0 * ticks + part], 1).astype(np.int32)


def test_its_bars_are_those_before_and_it_ends_where_the_switch_is():
    notes = Primers({"folk": [primer()]}).before("folk", 7 * BAR + 30, Ask(), NOTHING, COMMON, 0.0)
    assert [note.tick for note in notes] == list(range(4 * BAR, 7 * BAR + 30, 12))
    assert [note.pitch for note in notes] == primer()[: len(notes), 2].tolist()
    assert [note.order for note in notes] == sorted({note.order for note in notes})


def test_nothing_is_before_the_beginning_and_it_is_not_long():
    primers = Primers({"folk": [primer(2)]})
    early = primers.before("folk", BAR, Ask(), NOTHING, COMMON, 0.0)
    assert early[0].tick == 0
    assert len(primers.before("folk", 9 * BAR, Ask(), NOTHING, COMMON, 0.0)) == MOST_NOTES
    assert primers.before("folk", 0, Ask(), NOTHING, COMMON, 0.0) == []


@pytest.mark.parametrize("key", range(12))
def test_it_is_in_the_key_of_what_was_heard_or_asked_for(key):
    primers = Primers({"folk": [primer()]})
    steps = set((SCALE + key) % 12)
    heard = np.isin(np.arange(12), list(steps)).astype(float)
    for ask, tones in ((Ask(), heard), (Ask(key=key, scale="major"), NOTHING)):
        notes = primers.before("folk", 8 * BAR, ask, tones, COMMON, 0.0)
        assert {note.pitch % 12 for note in notes} == steps
    struck = Primers({"folk": [primer(drums=True)]}).before("folk", 8 * BAR, Ask(), heard, COMMON, 0.0)
    assert {note.pitch for note in struck} == set(60 + SCALE)


def test_which_one_is_drawn_and_other_genres_and_metres_have_none():
    primers = Primers({"folk": [primer(6), primer(12), primer(24)]})
    counts = [len(primers.before("folk", 6 * BAR, Ask(), NOTHING, COMMON, draw)) for draw in (0.0, 0.5, 0.999)]
    assert counts == [64, 32, 16]
    assert primers.has("folk")
    assert not primers.has("jazz")
    assert primers.before("jazz", 6 * BAR, Ask(), NOTHING, COMMON, 0.0) == []
    waltz = MetreMap((Metre(0, 3, 4),))
    assert primers.before("folk", 6 * BAR, Ask(), NOTHING, waltz, 0.0) == []
    mixed = MetreMap((Metre(0, 3, 4), Metre(4 * 72, 4, 4)))
    assert primers.before("folk", 4 * 72 + BAR, Ask(), NOTHING, mixed, 0.0) == []
    assert primers.before("folk", 4 * 72 + 6 * BAR, Ask(), NOTHING, mixed, 0.0)


def test_a_bundle_tells_them():
    arrays = {
        "notes": np.concatenate([primer(), primer(24)]).astype(np.int16),
        "lengths": np.array([32, 16]), "genres": np.array([1, 0]),
    }  # fmt: skip
    bundle = SimpleNamespace(
        primers=lambda: arrays, manifest=SimpleNamespace(condition_genres=("folk", "jazz"), slug="band")
    )
    primers = Primers.of(bundle)
    assert len(primers.before("folk", 8 * BAR, Ask(), NOTHING, COMMON, 0.0)) == 16
    arrays["lengths"] = np.array([32, 17])
    with pytest.raises(HocketError, match="primers do not fit together"):
        Primers.of(bundle)
    arrays.clear()
    assert not Primers.of(bundle).has("folk")
