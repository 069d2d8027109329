"""Helpers of all measurements of `hocket bench`: percentiles, a running engine, child processes."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instrument.engine.ipc.client import EngineClient
from instrument.engine.ipc.messages import Quit, Telemetry
from instrument.errors import HocketError

TIMEOUT_S = 30.0
CONTROL = "bench-control"  # the process

Figures = dict[str, float | None]


def percentiles(values: Sequence[float] | NDArray[np.float64], *which: int) -> Figures:
    """Percentiles by name: {"p50": ..., "max": ...}, where 100 is "max". None for each if there are no values."""
    names = ["max" if p == 100 else f"p{p}" for p in which]
    if not len(values):
        return dict.fromkeys(names)
    return dict(zip(names, (round(float(v), 4) for v in np.percentile(values, which)), strict=True))


def telemetry_of(client: EngineClient) -> Telemetry:
    """Wait for the next telemetry of the engine. HocketError if none comes within 5 s."""
    client.poll()
    ends = time.monotonic() + 5
    while time.monotonic() < ends:
        client.wait(0.1)
        for report in client.poll():
            if isinstance(report, Telemetry):
                return report
    raise HocketError("the engine sends no telemetry: see engine.log in its state folder")


def first_line(process: subprocess.Popen[bytes]) -> str:
    """The first line of output of a child; empty if it ends or prints nothing in time."""
    lines: list[bytes] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lambda pipe: lines.append(pipe.readline()), args=(process.stdout,), daemon=True)
    reader.start()
    reader.join(TIMEOUT_S)
    return lines[0].decode().strip() if lines else ""


def quit_engine(client: EngineClient) -> None:
    """End an engine that was started here."""
    with suppress(HocketError):
        client.ask(Quit())
    client.close()
    if client.process:
        try:
            client.process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            client.process.kill()
            client.process.wait()


def finish(process: subprocess.Popen[bytes]) -> Any:
    """Close the input of a child and read its result: JSON in its last line of output, None if it failed."""
    try:
        output, _ = process.communicate(timeout=5)
        return json.loads(output.splitlines()[-1])
    except (subprocess.TimeoutExpired, IndexError, ValueError):
        return None
    finally:
        process.kill()
        process.wait()
