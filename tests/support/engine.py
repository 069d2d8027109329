"""Engine processes for tests: real ones, with null devices and small players."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from instrument.engine.ipc.client import EngineClient
from instrument.engine.ipc.messages import (
    AnyReport,
    Description,
    LoadPatch,
    NoteReport,
    Quit,
    Record,
    Stop,
    Telemetry,
    Values,
)
from instrument.errors import HocketError

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = {
    "audio": "null",
    "midi": "null",
    "midi-in": "null",
    "players": "tests.support.players:open_scale",
    "patch": str(ROOT / "tests" / "support" / "fast.json"),
    "linger": "1",
}


class Watcher:
    """A client that remembers what it was told. Of turned knobs it has the whole description, as the window does."""

    def __init__(self, client: EngineClient) -> None:
        self.client = client
        self.reports: list[AnyReport] = []
        self._described: Description | None = None

    @property
    def telemetry(self) -> Telemetry:
        """The last."""
        return next(r for r in reversed(self.reports) if isinstance(r, Telemetry))

    @property
    def description(self) -> Description:
        """The last."""
        return next(r for r in reversed(self.reports) if isinstance(r, Description))

    @property
    def committed(self) -> list[NoteReport]:
        """All notes so far."""
        return [note for r in self.reports if isinstance(r, Telemetry) for note in r.committed]

    @property
    def plan(self) -> tuple[NoteReport, ...]:
        """The last that was told."""
        plans = [r.plan for r in self.reports if isinstance(r, Telemetry) and r.plan is not None]
        return plans[-1] if plans else ()

    def until(self, condition: Callable[[], object], seconds: float = 10.0, what: str = "") -> None:
        """Listen until `condition()` is true of what was told; fail after `seconds`."""
        end = time.monotonic() + seconds
        while True:
            self.reports += map(self._whole, self.client.poll())
            try:
                if condition():
                    return
            except StopIteration:
                pass  # nothing of the kind was told yet
            if time.monotonic() > end:
                pytest.fail(f"waited {seconds:g} s in vain for {what or condition}")
            self.client.wait(0.05)

    def _whole(self, report: AnyReport) -> AnyReport:
        if isinstance(report, Values) and self._described is not None:
            report = report.applied(self._described)
        if isinstance(report, Description):
            self._described = report
        return report

    def hear(self, count: int = 1, seconds: float = 10.0) -> None:
        """Listen until `count` notes more have been committed."""
        wanted = len(self.committed) + count
        self.until(lambda: len(self.committed) >= wanted, seconds, f"{count} notes")


StartEngine = Callable[..., Watcher]


@pytest.fixture
def start_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[StartEngine]:
    """Start (or find) an engine; options as of the process. Whatever was started is gone in the end."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    started: list[EngineClient] = []

    def start(keep: bool = False, **options: str) -> Watcher:
        given = {name: value for name, value in {**OPTIONS, **options}.items() if value}
        client = EngineClient.connect(keep=keep, options=given, timeout_s=45)  # on a busy machine
        started.append(client)
        return Watcher(client)

    yield start
    for client in started:
        if client.alive:
            client.send(Quit())
        client.close()
    for client in started:
        if client.process:
            end(client.process)


@pytest.fixture(scope="module")
def running_engine() -> Iterator[str]:
    """An engine for all tests of a module that need no fresh one; its home."""
    with tempfile.TemporaryDirectory(prefix="hocket-") as home, pytest.MonkeyPatch.context() as patching:
        patching.setenv("HOCKET_HOME", home)
        patching.setenv("PYTHONPATH", str(ROOT))
        client = EngineClient.connect(options=OPTIONS)
        yield home
        client.send(Quit())
        client.close()
        assert client.process
        end(client.process)


@pytest.fixture
def engine(running_engine: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watcher]:
    """A client of that engine, which stands still and has its first patch."""
    monkeypatch.setenv("HOCKET_HOME", running_engine)
    client = EngineClient.connect(spawn=False)
    client.ask(Stop())
    client.ask(LoadPatch(OPTIONS["patch"]))
    yield Watcher(client)
    with suppress(HocketError):  # a recording that failed, as its test wanted
        client.ask(Record(""))
    client.close()


def end(process: subprocess.Popen[bytes], seconds: float = 10.0) -> int:
    """Wait for the end of a process; kill it if it does not come."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        pytest.fail("the engine did not end")


def children(pid: int) -> list[int]:
    """The processes that `pid` and its children started and that are still there (Linux)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found += [int(stat.parent.name), *children(int(stat.parent.name))]
    return found


def command_line(pid: int) -> str:
    """How a process was started, empty if it has ended (Linux)."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


def there(pid: int) -> bool:
    """Whether a process lives."""
    try:
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False


def kill(pid: int, how: signal.Signals = signal.SIGKILL) -> None:
    """End a process as a crash would."""
    os.kill(pid, how)
