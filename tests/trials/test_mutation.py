"""Damaged files and messages: read, played or refused in one line, in bounded time and memory."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from instrument.engine.ipc import instance
from instrument.engine.ipc.client import _dial
from instrument.engine.ipc.encoding import decode_report, encode
from instrument.engine.ipc.messages import (
    AddAnchor,
    AnyCommand,
    ChangeAnchor,
    Describe,
    Envelope,
    Hello,
    Learn,
    LoadModel,
    LoadPatch,
    Panic,
    Play,
    Record,
    RemoveAnchor,
    RemovePlayer,
    Reply,
    SavePatch,
    SetDevice,
    SetKnob,
    SetProgression,
    Stop,
)
from instrument.paths import state_dir
from tests.support.engine import ROOT, StartEngine, start_engine
from tests.trials.conftest import Keep
from tests.trials.fuzz import LONGEST_S, MOST_BYTES
from tests.trials.mutate import damaged, mutated

__all__ = ["start_engine"]

FOUND = ROOT / "artifacts" / "fuzz"
COUNTS = {"midi": 10_000, "patches": 5_000, "takes": 5_000, "manifests": 5_000, "graphs": 500}
TITLES = {
    "midi": "MIDI files",
    "patches": "patches",
    "takes": "takes",
    "manifests": "manifests",
    "graphs": "graphs, played in the probe",
}
WHOLE = 0.4  # share of the messages without damage, so that much happens
COMMANDS: tuple[AnyCommand, ...] = (
    Hello(), Play(), Stop(), Panic(), Describe(),
    SetKnob("tempo", 120.0, -1), SetKnob("key", "D", -1), SetKnob("temperature", 0.5), SetKnob("melody", "on", -1),
    SetProgression("Dm9 | G13 | % | Am7 D7"), LoadModel("scale"), LoadModel("scale-2", 1), RemovePlayer(1),
    LoadPatch("First light"), SavePatch("mine"), Record("a.mid"), Record("b.wav"), Record("c.take.json"), Record(""),
    SetDevice(audio="null", midi="null", midi_in="null", offset_ms=3.0), Learn("temperature"),
    Learn("tempo", -1, False), AddAnchor("file", 0.0, 0.5, "a.mid"), AddAnchor("phrase", 0.0, 0.5),
    ChangeAnchor("A", "B", 0.1, 0.1), RemoveAnchor("A"),
)  # fmt: skip


def run_part(kind: str, count: int, start: int, home: Path, seed: int) -> tuple[dict[str, object] | None, int, str]:
    """A process that uses some cases: what it tells at its end, its status, and the last lines of its errors."""
    program = ["tests.trials.graphs"] if kind == "graphs" else ["tests.trials.fuzz", kind]
    done = subprocess.run(
        [sys.executable, "-m", *program, "--count", str(count), "--start", str(start), "--seed", str(seed),
         "--found", str(FOUND), "--home", str(home)],
        capture_output=True, text=True, cwd=home, timeout=count * LONGEST_S + 60,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOCKET_HOME": str(home)},
        preexec_fn=lambda: os.nice(10),
    )  # fmt: skip
    lines = done.stdout.splitlines()
    return (json.loads(lines[-1]) if not done.returncode and lines else None), done.returncode, done.stderr[-3000:]


@pytest.mark.trial
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("kind", COUNTS)
def test_damaged_files_are_read_or_refused(kind: str, share: float, page: Keep, tmp_path: Path) -> None:
    count, number, found = round(COUNTS[kind] * share), 0, []
    read = refused = peak = 0
    slowest = 0.0
    FOUND.mkdir(parents=True, exist_ok=True)
    while number < count:
        step = min(2_500, count - number)  # a fresh process now and then
        told, status, errors = run_part(kind, step, number, tmp_path, seed=1)
        if told is None:  # it hung, or died
            last = int((tmp_path / "current").read_text())
            found.append(f"case {last}: status {status}; {errors}")
            (FOUND / f"{kind}-{last}.txt").write_text(errors)
            number = last + 1
            continue
        number += step
        read, refused = read + int(str(told["read"])), refused + int(str(told["refused"]))
        peak, slowest = max(peak, int(str(told["peak_bytes"]))), max(slowest, float(str(told["slowest_s"])))
        found += told["found"] if isinstance(told["found"], list) else []
    if peak > MOST_BYTES:
        found.append(f"{peak >> 20} MB of memory")
    page("mutation", TITLES[kind], {
        "cases": str(count), "read": str(read), "refused": str(refused), "slowest, s": f"{slowest:.2f}",
        "memory, MB": str(peak >> 20), "found": str(len(found)),
    })  # fmt: skip
    assert not found, found[:10]
    assert read > 0.02 * count, "nothing was read: the damage is too great to test much"


def damaged_command(rng: random.Random) -> bytes:
    """A command with damage, encoded; never one that ends the engine, and no path outside of its folder."""
    tree = msgspec.msgpack.decode(encode(Envelope(rng.randrange(1, 1 << 20), rng.choice(COMMANDS))))
    while True:
        changed = tree if rng.random() < WHOLE else mutated(tree, rng)
        try:
            data = msgspec.msgpack.encode(changed)
        except (msgspec.MsgspecError, OverflowError, ValueError, TypeError):
            continue  # not a message at all
        data = damaged(data, rng) if rng.random() < 0.05 else data
        if b"Quit" not in data and b"/" not in data and len(data) < 1 << 20:
            return data


@pytest.mark.trial
@pytest.mark.timeout(4 * 3600)
def test_damaged_messages_do_not_end_the_engine(
    start_engine: StartEngine, share: float, page: Keep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    engine = start_engine()
    pid, count, rng = engine.client.process.pid, round(5_000 * share), random.Random(1)
    connection, slowest, answered, refused, found = _dial(state_dir()), 0.0, 0, 0, []
    assert connection
    for number in range(count):
        data = damaged_command(rng)
        began = time.monotonic()
        connection.send_bytes(data)
        connection.send_bytes(encode(Envelope(-1, Hello())))  # answered in any case
        while True:
            if not connection.poll(LONGEST_S):
                found.append(f"message {number} had no answer: {data[:200]!r}")
                break
            report = decode_report(connection.recv_bytes())
            if isinstance(report, Reply):
                answered += report.number != -1
                refused += bool(report.error)
                if "\n" in report.error or "internal" in report.error:
                    found.append(f"message {number}: {report.error}")
                if report.number == -1:
                    break
        slowest = max(slowest, time.monotonic() - began)
        engine.client.poll()
    instance.hang_up(connection)
    log = (state_dir() / "engine.log").read_text(errors="replace")
    found += [line for line in log.splitlines() if line.startswith("Traceback")]
    peak = next(
        int(line.split()[1]) << 10 for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmHWM" in line
    )
    page("mutation", "messages to a running engine", {
        "cases": str(count), "read": str(answered - refused), "refused": str(refused),
        "slowest, s": f"{slowest:.2f}", "memory, MB": str(peak >> 20), "found": str(len(found)),
    })  # fmt: skip
    assert not found, found[:10]
    assert peak < MOST_BYTES
    engine.client.ask(Hello())
