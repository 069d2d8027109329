"""A large collection: 100,000 MIDI files are prepared, and the memory that it takes is measured."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from tests.support.engine import ROOT, children
from tests.support.midifuzz import smf
from tests.trials.conftest import Keep
from training.data.notes.shards import Shards

FILES = 100_000
GENRES = 20
NOTES = 128  # of a file
MOST_MB = 1000
STEP_TICKS = 24  # a sixteenth at 96 ticks a quarter


def write_files(folder: Path, count: int) -> None:
    """So many MIDI files of random notes, in a folder for each genre."""
    rng = np.random.default_rng(1)
    for number in range(GENRES):
        (folder / f"genre-{number:02}").mkdir(parents=True)
    for number in range(count):
        pitches = rng.integers(48, 84, NOTES)
        events = np.zeros((NOTES, 2, 4), np.uint8)  # note on, note off: delta, status, pitch, velocity
        events[:, 0, 1], events[:, 1, 1] = 0x90, 0x80
        events[:, 1, 0], events[:, :, 2], events[:, :, 3] = (
            STEP_TICKS,
            pitches[:, None],
            rng.integers(40, 110, (NOTES, 1)),
        )
        path = folder / f"genre-{number % GENRES:02}" / f"{number:06}.mid"
        path.write_bytes(smf(events.tobytes(), kind=0))


def held(pid: int) -> int:
    """Bytes that a process and its children hold together, what they share counted once."""
    total = 0
    for each in (pid, *children(pid)):
        with suppress(OSError):
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
    return total


@pytest.mark.trial
@pytest.mark.timeout(3 * 3600)
def test_a_large_collection_is_prepared_in_little_memory(page: Keep, tmp_path: Path) -> None:
    write_files(tmp_path / "midi", FILES)
    began, peak = time.monotonic(), 0
    process = subprocess.Popen(
        [sys.executable, "-m", "training", "prepare", str(tmp_path / "midi"), "--out", str(tmp_path / "data")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    while process.poll() is None:
        peak = max(peak, held(process.pid))
        time.sleep(0.25)
    seconds = time.monotonic() - began
    assert process.returncode == 0
    pieces = len(Shards.open(tmp_path / "data").pieces)
    page("large", "prepare", {
        "files": str(FILES), "pieces": str(pieces), "memory, MB": str(peak >> 20), "minutes": f"{seconds / 60:.0f}",
    })  # fmt: skip
    assert pieces == FILES
    assert peak >> 20 < MOST_MB
