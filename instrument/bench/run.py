"""`hocket bench`: measures this machine. Live figures come with those of control processes in the same run."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from instrument import midi_spec
from instrument.bench.players import time_players
from instrument.bench.sounds import time_keys, time_stream, time_together, time_voice
from instrument.bench.tools import (
    CONTROL,
    TIMEOUT_S,
    Figures,
    finish,
    first_line,
    percentiles,
    quit_engine,
    telemetry_of,
)
from instrument.engine.ipc.client import EngineClient
from instrument.engine.ipc.messages import Play, SetKnob, Stop, Telemetry
from instrument.errors import HocketError
from instrument.io.child import spawn
from instrument.io.midi.jack_port import JackMidiInput
from instrument.models.catalog import list_models, open_note_player
from instrument.models.families import PlayerKind
from instrument.models.notes.player import Ask
from instrument.music.timebase import Metre, MetreMap, ns_per_tick
from instrument.paths import models_dirs
from instrument.processes import command

WARM_UP, NOTES = 520, 200  # notes of a model before the measurement, which fill its context, and during it
KNOB_EVERY_S = 0.35
MIN_NOTICE_NS = 150_000_000  # deadlines are sent to the control process at least this long before


def run_bench(seconds: float) -> dict[str, Any]:
    """Measure for about `seconds` of music and a minute more. Returns the report of `hocket bench --json`: what
    cannot be measured on this machine is None in it. HocketError if no models are installed."""
    with private_home() as home:
        models = {slug: {"ms_per_note": time_notes(slug)} for slug in _slugs("notes")}
        if not models:
            raise HocketError("no models are installed: put a bundle into models_onnx/")
        time_start(home)  # loads files into the disk cache, so that the next one is a warm start
        startup = time_start(home)
        live = Live(home).measure(seconds)
        streams = {slug: time_stream(slug, home) for slug in _slugs("stream")}
        voices = {slug: time_voice(slug, home) for slug in _slugs("voice")}
        keys = time_keys(home)
        players = time_players(next(iter(models)), home, seconds)
        together = time_together([*list(models)[:1], *list(streams)[:1]], list(voices)[:1], home, seconds)
    startup["window_s"] = live.pop("window_s")
    return {
        "note_models": models, **live, "startup": startup, "streams": streams, "voices": voices, "keys": keys,
        "players": players, "together": together,
    }  # fmt: skip


def _slugs(kind: PlayerKind) -> list[str]:
    """The slugs of the installed models of a kind."""
    return [entry.slug for entry in list_models() if entry.kind == kind and not entry.problem]


def time_notes(slug: str) -> Figures:
    """ms per note of a model on one thread, with network, heads, masks, sampling and codec."""
    manifest, player = open_note_player(slug)
    player.reset(1, 0, MetreMap((Metre(0, 4, 4),)))
    ask = Ask(knobs={knob.id: knob.default for knob in manifest.knobs}, scale="major", low=24, high=100)
    taken = []
    for i in range(WARM_UP + NOTES):
        began = time.perf_counter_ns()
        player.feed(player.propose(ask))
        taken.append(time.perf_counter_ns() - began)
        if i % 16 == 0:
            player.forget_before(player.count)
    return percentiles(np.array(taken[WARM_UP:]) / 1e6, 50, 99)


@contextmanager
def private_home() -> Iterator[Path]:
    """A temporary state folder, so that neither a running engine nor the user's autosave is touched. The user's models
    are linked into it if the system can link folders."""
    before, models = os.environ.get("HOCKET_HOME"), models_dirs()[-1]
    with tempfile.TemporaryDirectory(prefix="hocket-bench-", ignore_cleanup_errors=True) as folder:
        os.environ["HOCKET_HOME"] = folder
        if models.is_dir():
            with suppress(OSError):
                (Path(folder) / "models").symlink_to(models.resolve(), target_is_directory=True)
        try:
            yield Path(folder)
        finally:
            os.environ.pop("HOCKET_HOME")
            if before is not None:
                os.environ["HOCKET_HOME"] = before


def time_start(home: Path) -> Figures:
    """Seconds from starting the engine to its first reply, and from starting `hocket play --headless` to the first
    note that is heard."""
    began = time.perf_counter_ns()
    client = EngineClient.connect(timeout_s=TIMEOUT_S)
    answered = time.perf_counter_ns()
    quit_engine(client)
    trace = home / "start.json"
    spawned = time.perf_counter_ns()
    play = command("bench-start", str(trace))
    subprocess.run(play, stderr=subprocess.DEVNULL, timeout=TIMEOUT_S, check=True)
    sends = json.loads(trace.read_text("utf-8"))["sends"]
    heard = max(sends[0][0], sends[0][0] + sends[0][1]) if sends else None  # a timestamping port gets it early
    return {
        "engine_s": round((answered - began) / 1e9, 3),
        "first_note_s": None if heard is None else round((heard - spawned) / 1e9, 3),
    }


class Live:
    """A performance with model, sound, window and turning knobs, while the control processes run."""

    def __init__(self, home: Path) -> None:
        self._trace = home / "live.json"
        self._turned: list[int] = []  # when a knob was sent, ns
        self._sent_ticks: set[int] = set()  # ticks whose deadlines were sent to the control process

    def measure(self, seconds: float) -> dict[str, Any]:
        """Play for `seconds`. Returns the figures."""
        client = EngineClient.connect(options={"trace": str(self._trace)}, timeout_s=TIMEOUT_S)
        began = time.perf_counter_ns()
        window = spawn("bench-window", output=subprocess.PIPE)
        sleeper, stream = (spawn(CONTROL, what, output=subprocess.PIPE) for what in ("sleep", "stream"))
        shown = first_line(window)
        for process in (sleeper, stream):
            first_line(process)
        before = telemetry_of(client)
        receiver = _receiver(before)
        try:
            client.ask(Play())
            self._play(client, sleeper, seconds)
            memory = _memory(client, window)
            client.ask(Stop())
            received = (
                [time for time, message in receiver.read() if midi_spec.parse(message).starts] if receiver else None
            )
        finally:
            if receiver:
                receiver.close()
            quit_engine(client)
            frames, slept, streamed = (finish(process) for process in (window, sleeper, stream))
        measured = json.loads(self._trace.read_text("utf-8"))
        took = [(at - sent) / 1e6 for sent, at in zip(self._turned, measured["knobs"], strict=False)]
        audio = measured["audio"]
        return {
            "dispatch_jitter_ms": {
                "loaded": percentiles(jitter_ms(measured["sends"], received), 50, 99, 100),
                "control": percentiles([late / 1e6 for late in slept or ()], 50, 99, 100),
            },
            "knob_to_note_ms": percentiles(took, 50, 95),
            "audio": {
                "blocks": audio["blocks"],
                "device_xruns": audio["xruns"] - before.xruns,
                "starved_blocks": audio["starved"] - before.starved,
                "control_starved_blocks": streamed,
            },
            "memory_mb": memory,
            "frame_ms": percentiles(frames or (), 50, 95),
            "window_s": round((int(shown) - began) / 1e9, 3) if shown else None,
        }

    def _play(self, client: EngineClient, sleeper: subprocess.Popen[bytes], seconds: float) -> None:
        """Read telemetry, turn knobs, and send the deadlines of planned notes to the control process."""
        draw = random.Random(0)
        ends = time.monotonic() + seconds
        next_knob = time.monotonic() + 1
        while (now := time.monotonic()) < ends and client.alive:
            if now >= next_knob:
                next_knob = now + KNOB_EVERY_S
                self._turned.append(time.perf_counter_ns())
                client.send(SetKnob("temperature", draw.uniform(0.8, 1.1)))
            client.wait(0.05)
            for report in client.poll():
                if isinstance(report, Telemetry):
                    self._send_deadlines(report, sleeper)

    def _send_deadlines(self, telemetry: Telemetry, sleeper: subprocess.Popen[bytes]) -> None:
        if not telemetry.playing or not telemetry.plan or sleeper.stdin is None:
            return
        now, tick_ns = time.perf_counter_ns(), ns_per_tick(telemetry.bpm)
        ahead = {note.tick: now + int((note.tick - telemetry.tick) * tick_ns) for note in telemetry.plan}
        new = [ns for tick, ns in ahead.items() if tick not in self._sent_ticks and ns - now > MIN_NOTICE_NS]
        self._sent_ticks.update(ahead)
        with suppress(OSError):
            sleeper.stdin.write("".join(f"{ns}\n" for ns in new).encode())
            sleeper.stdin.flush()


def jitter_ms(sends: Sequence[tuple[int, int]], received: Sequence[int] | None) -> list[float]:
    """ms by which note-ons missed their deadlines: at the receiver if there is one, else when they were sent.

    sends: (deadline, lateness) in ns; received: arrival times in ns, exact to the frame, in the same order. A constant
    delay is not jitter.
    """
    if received is None:
        return [late / 1e6 for _, late in sends]
    count = min(len(sends), len(received))
    off = np.array(received[:count], float) - np.array([deadline for deadline, _ in sends[:count]], float)
    return list(np.abs(off - np.median(off)) / 1e6) if count else []


def _receiver(telemetry: Telemetry) -> JackMidiInput | None:
    """A JACK port connected to that of the engine, None if it has none."""
    port, _, backend = telemetry.midi.rpartition(" ")
    return JackMidiInput("Hocket bench", port) if backend == "(jack)" else None


def _memory(client: EngineClient, window: subprocess.Popen[bytes]) -> Figures:
    engine = client.process.pid if client.process else 0
    started = {"notes": " ".join(command("note-worker")[1:]), "device": " ".join(command("audio-device")[1:])}
    children = {
        name: next((pid for pid in _children(engine) if line in _command(pid)), 0) for name, line in started.items()
    }
    pids = {"engine": engine, "window": window.pid, **children}
    return {name: resident_mb(pid) for name, pid in pids.items()}


def resident_mb(pid: int) -> float | None:
    """Resident memory of a process in MB, None if it cannot be read."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Rss:"):
                return round(int(line.split()[1]) * 1024 / 1e6, 1)
    except OSError:
        pass
    if pid and sys.platform == "darwin":
        shown = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return round(int(shown.stdout) * 1024 / 1e6, 1) if shown.stdout.strip() else None
    return None


def _children(pid: int) -> list[int]:
    """The child processes of a process (Linux)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def _command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return ""
