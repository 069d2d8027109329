"""JACK for tests: a server without a sound card, to start, kill and start again, and an outside recorder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

READY_S = 10.0


def wait_for(condition: Callable[[], object], seconds: float = 15.0, what: str = "") -> None:
    """Return as soon as `condition()` is true; fail the test after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"waited {seconds:g} s in vain for {what or condition}")
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether the process is there and not merely waiting to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _realtime_allowed() -> bool:
    probe = "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))"
    return not subprocess.run([sys.executable, "-c", probe], stderr=subprocess.DEVNULL, check=False).returncode


class JackServer:
    """`jackd` with the dummy driver; clients find it by `JACK_DEFAULT_SERVER`.

    Realtime where the system allows it, as players run it: what the tests measure is then our own timing, and
    not that of a busy machine.
    """

    def __init__(self, period: int = 256, rate: int = 48_000, patience_ms: int = 500) -> None:
        self.name = f"hocket{uuid.uuid4().hex[:8]}"
        self.period = period
        self.rate = rate
        self.patience_ms = patience_ms  # after which it puts a client out
        self.realtime = _realtime_allowed()
        self._process: subprocess.Popen[bytes] | None = None

    def _ready(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(0.5)
            return client.connect_ex(f"/dev/shm/jack_{self.name}_{os.getuid()}_0") == 0

    @property
    def running(self) -> bool:
        """Whether it is there."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it and wait until clients can come."""
        assert not self.running
        mode = "--realtime" if self.realtime else "--no-realtime"
        driver = ["-d", "dummy", "-r", str(self.rate), "-p", str(self.period)]
        self._process = subprocess.Popen(
            ["jackd", mode, "-n", self.name, f"-t{self.patience_ms}", *driver],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self._ready, READY_S, "the JACK server")

    def kill(self) -> None:
        """End it as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it properly, if it runs, and leave nothing behind."""
        self._end(signal.SIGTERM)
        for leftover in Path("/dev/shm").glob(f"jack*_{self.name}_*"):
            leftover.unlink(missing_ok=True)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process:
            process.send_signal(how)
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(3)

    def clients(self) -> list[str]:
        """Command lines of the processes that were told to use this server."""
        mark = f"JACK_DEFAULT_SERVER={self.name}".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes().split(b"\0") and alive(int(process.name)):
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip())
            except OSError:
                continue  # ended while we looked
        return found


@dataclass(frozen=True)
class Recording:
    """What a `JackProbe` heard.

    sound: (n, 2); blocks: (m, 3) for each block its first sample in `sound`, JACK's frame and when it began
    (`perf_counter_ns`); events: (ns of its frame, bytes); xruns: cycles the server lost meanwhile.
    """

    sound: NDArray[np.float32]
    blocks: NDArray[np.int64]
    events: list[tuple[float, bytes]]
    xruns: int


class JackProbe:
    """A JACK client in a process of its own that records two audio inputs and one MIDI input."""

    def __init__(self, name: str = "probe") -> None:
        self.name = name
        script = Path(__file__).with_name("jackprobe.py")
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(script), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._reply()

    def __enter__(self) -> JackProbe:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(5)

    def ports(self) -> list[str]:
        """All ports of the server."""
        return list(self._ask("ports"))

    def connect(self, source: str, destination: str) -> None:
        """Connect two ports."""
        self._ask("connect", source, destination)

    def connections(self, port: str) -> list[str]:
        """The ports that `port` is connected to."""
        return list(self._ask("connections", port))

    def listen(self, client: str) -> None:
        """Connect the first two audio outputs of `client` to our inputs."""
        wait_for(lambda: f"{client}:out_1" in self.ports(), what=f"the ports of {client}")
        for i in (0, 1):
            self.connect(f"{client}:out_{i}", f"{self.name}:in_{i}")

    def events(self) -> list[tuple[float, bytes]]:
        """The MIDI heard so far."""
        return [(ns, bytes.fromhex(message)) for ns, message in self._ask("events")]

    def xruns(self) -> list[int]:
        """When (`perf_counter_ns`) the server lost cycles so far, and with them what was on its way."""
        return [int(ns) for ns in self._ask("xruns")]

    def xruns_since(self, ns: float) -> int:
        """How many cycles the server has lost since an instant (`perf_counter_ns`)."""
        return sum(lost > ns for lost in self.xruns())

    def finish(self, folder: Path) -> Recording:
        """End, leaving a file in `folder`, and return what was heard."""
        path = folder / f"{self.name}.npz"
        events = self.events()
        self._ask("save", str(path))
        self._process.wait(5)
        with np.load(path) as saved:
            return Recording(saved["sound"], saved["blocks"], events, len(saved["xruns"]))

    def _ask(self, *command: str) -> Any:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._reply()

    def _reply(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            pytest.fail("the JACK probe died")
        return json.loads(line)


@pytest.fixture(scope="session")
def jack_server() -> Iterator[JackServer]:
    """The server that `jack` starts as it is needed."""
    server = JackServer()
    yield server
    server.stop()
    assert server.clients() == []


@pytest.fixture(scope="session")
def long_period_server() -> Iterator[JackServer]:
    """The server that `jack_with_long_periods` starts as it is needed."""
    server = JackServer(period=512)
    yield server
    server.stop()
    assert server.clients() == []


@contextmanager
def serving(server: JackServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[JackServer]:
    """Start the server for this process and its children. None of those children may be left at the end."""
    if not shutil.which("jackd"):
        pytest.skip("jackd is not installed (Debian, Ubuntu: sudo apt install jackd2)")
    monkeypatch.setenv("JACK_DEFAULT_SERVER", server.name)
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    if not server.running:
        server.start()
    yield server
    servers = int(server.running)
    wait_for(lambda: len(server.clients()) == servers, 5, "the end of every client of the JACK server")


@pytest.fixture
def jack(jack_server: JackServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[JackServer]:
    """A running JACK server that this process and its children use; tests may stop, kill and start it."""
    with serving(jack_server, monkeypatch) as server:
        yield server


@pytest.fixture
def jack_with_long_periods(long_period_server: JackServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[JackServer]:
    """A JACK server that a busy machine disturbs less, where no single cycle may be lost."""
    with serving(long_period_server, monkeypatch) as server:
        yield server
