"""The last minutes of sound are kept, and cut on the frame at which they were heard."""

import numpy as np
import pytest

from instrument.engine.sound import memory
from instrument.engine.sound.memory import SoundMemory
from instrument.engine.sound.mixer import BLOCK

RATE = 48_000


def filled(blocks, drift=1.0):
    """A memory of frames that hold their own number; frame 0 is heard at 1 s."""
    kept = SoundMemory(RATE)
    for i in range(blocks):
        frames = np.arange(i * BLOCK, (i + 1) * BLOCK) / 32767
        kept.add(np.stack([frames, frames], axis=1).astype(np.float32), 1e9 + i * BLOCK / RATE * 1e9 * drift)
    return kept


@pytest.mark.parametrize("drift", [1.0, 1.0001])
def test_a_cut_begins_and_ends_on_its_frames(drift):
    kept = filled(60, drift)
    start, end = 1000, 9000
    cut = kept.cut(1e9 + start / RATE * 1e9 * drift, 1e9 + end / RATE * 1e9 * drift)
    assert abs(len(cut) - (end - start)) <= 1
    assert abs(cut[0, 0] * 32767 - start) <= 1.5
    assert abs(cut[-1, 1] * 32767 - (end - 1)) <= 2.5


def test_what_was_not_played_is_silent():
    kept = filled(2)
    cut = kept.cut(0.9e9, 1.1e9)
    assert len(cut) == round(0.2 * RATE)
    assert not cut[: round(0.1 * RATE)].any()
    assert cut[round(0.1 * RATE) + 1].any()
    assert not cut[round(0.1 * RATE) + 2 * BLOCK :].any()
    assert not SoundMemory(RATE).cut(0, 1e9).any()


def test_the_oldest_is_forgotten(monkeypatch):
    monkeypatch.setattr(memory, "SECONDS", 1)
    kept = filled(2 * (RATE // BLOCK))
    assert not kept.cut(1e9, 1.5e9).any()
    last = kept.cut(1e9 + 1.2e9, 1e9 + 1.3e9)
    assert last.all()


def test_what_is_too_loud_is_limited_and_never_wraps():
    kept = SoundMemory(RATE)
    kept.add(np.full((BLOCK, 2), 3.0, np.float32), 0.0)
    assert kept.cut(0, 1e6).min() == 1.0
