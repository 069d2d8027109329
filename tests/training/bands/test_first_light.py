"""The first minute: the patch of the first start has a tune, a harmony that moves, and something that returns."""

import pytest

from instrument.engine.offline.render import Options, render
from instrument.models.catalog import open_player
from instrument.music.notes import Part
from training.measures.bars import jaccard

BAR = 96
PITCHED = (Part.MELODY, Part.CHORDS, Part.BASS)
LIKE = 0.5  # Jaccard's, from which on a bar is the one before come back


@pytest.mark.parametrize("seed", range(4))
def test_first_light_has_a_tune_that_moves_and_returns(seed):
    done = render(Options(patch="First light", seed=seed, seconds=20), open_player)
    notes = [note for _, note in done.played]
    melody = sorted(note.tick for note in notes if note.part == Part.MELODY)
    assert melody[0] < 2 * BAR
    assert len([tick for tick in melody if tick < 4 * BAR]) >= 8, "one note is no tune"
    roots = [_lowest(notes, bar) for bar in range(8)]
    assert len(set(roots)) >= 3, roots
    bars = [_struck(notes, bar) for bar in range(int(done.end) // BAR)]
    returns = [jaccard(bars[bar], bars[earlier]) for bar in range(3, len(bars)) for earlier in range(bar - 2)]
    assert max(returns) >= LIKE, "nothing comes back after something else"
    assert done.patch.knobs["new_seed"] == 1, "each start has another seed"


def _lowest(notes, bar):
    return min(
        (note.pitch for note in notes if note.part == Part.BASS and bar * BAR <= note.tick < bar * BAR + BAR // 2),
        default=0,
    ) % 12  # fmt: skip


def _struck(notes, bar):
    """Sixteenths and pitches that are struck in a bar."""
    return {
        (round((note.tick - bar * BAR) / 6), note.pitch)
        for note in notes
        if note.part in PITCHED and bar * BAR <= note.tick < (bar + 1) * BAR
    }
