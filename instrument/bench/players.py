"""What several note players cost: bands of one to eight in an engine, while knobs are turned."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import numpy as np

from instrument.bench.sounds import PLAYERS, bench_session
from instrument.bench.tools import percentiles, telemetry_of
from instrument.engine.ipc.messages import Play, SetKnob
from instrument.engine.performance.patches import PlayerPatch

COUNTS = (1, 2, 4, 8)
KNOB_EVERY_S = 0.35
MOST_S = 8.0  # of music for each count


def time_players(slug: str, home: Path, seconds: float, players: str = PLAYERS) -> dict[str, Any]:
    """`players.<count>` of the report: ms from a turned knob to its first note and for each note planned, notes that
    were late, and starved blocks, with so many players of a model."""
    return {str(count): _time_band(slug, count, home, min(seconds, MOST_S), players) for count in COUNTS}


def _time_band(slug: str, count: int, home: Path, seconds: float, players: str) -> dict[str, Any]:
    draw, turned = random.Random(0), list[int]()
    with bench_session(home, players, *(PlayerPatch(slug),) * count) as playing:
        before = telemetry_of(playing.client)
        playing.client.ask(Play())
        playing.listen(1.0)
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            turned.append(time.perf_counter_ns())
            playing.client.send(SetKnob("temperature", draw.uniform(0.8, 1.1), len(turned) % count))
            playing.listen(KNOB_EVERY_S)
        after = telemetry_of(playing.client)
        traced = playing.trace()
    took = [(at - sent) / 1e6 for sent, at in zip(turned, traced["knobs"], strict=False)]
    return {
        "knob_to_note_ms": percentiles(took, 50, 95),
        "ms_per_note": percentiles(np.array(traced["notes"]) / 1e6, 50, 99),
        "audio": {"late_notes": after.late_notes - before.late_notes, "starved_blocks": after.starved - before.starved},
    }
