"""Swing as it is heard of a band that renders, beside the knob."""

from __future__ import annotations

import numpy as np
import pytest

from instrument.engine.offline.render import Options, render
from instrument.models.catalog import open_player
from instrument.music.grooves import OFF_BEAT
from instrument.music.notes import Note
from instrument.music.timebase import MICRO_STEPS, TICKS_PER_BEAT

BARS, NEAR = 16, 0.05


def off_beats(notes: list[Note]) -> list[float]:
    """Where in the beat, 0..1, onsets are that are off-beat eighths, straight or swung."""
    places = [(note.tick + note.micro / MICRO_STEPS) % TICKS_PER_BEAT for note in notes]
    low, high = OFF_BEAT[0] - 0.5, OFF_BEAT[1] + 1.5
    return [place / TICKS_PER_BEAT for place in places if low <= place < high]


@pytest.mark.trial
@pytest.mark.parametrize("genre", ["pop", "jazz", "rock", "folk"])
@pytest.mark.parametrize("swing", [0.5, 0.58, 0.67])
def test_swing_is_heard_within_a_twentieth_of_the_knob(genre: str, swing: float) -> None:
    options = Options(model="lstm-band", bars=BARS, seed=2, sets=(f"genre={genre}", f"swing={swing}"))
    found = off_beats([note for _, note in render(options, open_player).played])
    assert len(found) > 20
    print(f"{genre}: {np.median(found):.3f} at {swing}")
    assert abs(float(np.median(found)) - swing) <= NEAR
