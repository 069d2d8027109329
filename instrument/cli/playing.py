"""`hocket play`: with a window, or headless."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress

from instrument.cli.service import ALIVE, READY, STOPPING, notify
from instrument.engine.ipc.client import ANOTHER_RUNS, EngineClient
from instrument.engine.ipc.messages import (
    AnyCommand,
    Bye,
    LoadModel,
    LoadPatch,
    Play,
    Quit,
    Record,
    SetDevice,
    Stop,
    Telemetry,
)
from instrument.errors import HocketError

LINGER_S = 3  # seconds that the engine plays on after this process was killed
END_S = 12.0  # timeout for the engine to end
SIGN_S = 1.0  # between two signs of life to a service manager
RESTARTS, RESTARTS_WITHIN_S = 3, 60.0  # most restarts of an engine that dies, within a time; as in the window
# Options of the first engine only: one that is started again finds newer values in its autosave.
ONLY_AT_FIRST_START = ("model", "patch", "record", "midi-offset")


def play_in_window(options: Mapping[str, str], keep: bool, seconds: float | None) -> bool:
    """Open the window and return True after it is closed, or after another one that is open has come to the front.
    Returns False, with the reason on standard error, if no window can be opened. Raises
    HocketError if the engine cannot be started."""
    if problem := _no_window():
        _print(f"{problem}; playing headless")
        return False
    from instrument.ui.app import run_window

    with suppress(HocketError):  # no engine runs: the window starts one with these options
        running = EngineClient.connect(spawn=False)
        _apply(running, options)
        running.close()
    run_window(options, keep=keep, seconds=seconds or 0)
    return True


def play_headless(options: Mapping[str, str], keep: bool = False, seconds: float | None = None) -> None:
    """Play until `seconds` are over, Ctrl+C is pressed or the engine ends. Raises HocketError if it cannot play."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    session = _Headless(dict(options), keep)
    try:
        session.listen(seconds)
    except KeyboardInterrupt:
        _print("stopping")
    finally:
        session.end()


class _Headless:
    """A client without a window: starts the music, prints states to standard error, ends the engine."""

    def __init__(self, options: dict[str, str], keep: bool) -> None:
        self._options = {**options, "linger": str(LINGER_S)}
        self._keep = keep
        self._shown_banners: set[str] = set()
        self._client = EngineClient.connect(keep=keep, options=self._options)
        self._ours = self._client.process is not None
        self._playing = False
        self._next_sign = 0.0
        self._lost = False  # it died, and was given up
        if not self._ours:
            _apply(self._client, options)
        self._client.ask(Play())

    def listen(self, seconds: float | None) -> None:
        """Print states until `seconds` are over or the engine ends. An engine that dies is started again.

        Raises HocketError if it dies more than `RESTARTS` times within `RESTARTS_WITHIN_S`.
        """
        ends = float("inf") if seconds is None else time.monotonic() + seconds
        restarts: deque[float] = deque(maxlen=RESTARTS)
        while (left := ends - time.monotonic()) > 0:
            self._client.wait(min(left, 0.5))
            for report in self._client.poll():
                if isinstance(report, Telemetry):
                    self._show(report)
                elif isinstance(report, Bye):
                    _print(f"the engine has ended: {report.reason}")
                    return
            if not self._client.alive:
                now = time.monotonic()
                if len(restarts) == RESTARTS and now - restarts[0] < RESTARTS_WITHIN_S:
                    self._lost = True
                    times = f"{RESTARTS + 1} times within a minute"
                    raise HocketError(f"the engine died {times}: `hocket doctor` shows the end of its log")
                restarts.append(now)
                _print("the engine died; starting it again")
                again = {name: value for name, value in self._options.items() if name not in ONLY_AT_FIRST_START}
                self._client = EngineClient.connect(keep=self._keep, options=again)
                self._ours = True
                self._client.ask(Play())

    def end(self) -> None:
        """Stop the music unless it is to be kept, and the engine if it was started here."""
        client = self._client
        process = client.process
        ends = self._ours and not self._keep
        notify(STOPPING)
        if client.alive and not self._keep:
            _try(client, Stop())
            _try(client, Record(""))
            ends = ends and _try(client, Quit(alone=True))
        client.close()
        if process and ends:
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise HocketError(f"the engine did not end within {END_S:g} s: see engine.log") from None
            if process.returncode not in (0, ANOTHER_RUNS) and not self._lost:
                raise HocketError(f"the engine ended with status {process.returncode}: `hocket doctor` shows its log")

    def _show(self, telemetry: Telemetry) -> None:
        if time.monotonic() >= self._next_sign:
            self._next_sign = time.monotonic() + SIGN_S
            notify(ALIVE)
        if telemetry.playing and not self._playing:
            self._playing = True
            notify(READY)
            _print(f"playing at {telemetry.bpm:g} bpm; sound: {telemetry.audio}; MIDI: {telemetry.midi}")
        for banner in telemetry.banners:
            if banner not in self._shown_banners:
                self._shown_banners.add(banner)
                _print(banner)


def _apply(client: EngineClient, options: Mapping[str, str]) -> None:
    """Send `options` as commands to an engine that already runs. Raises HocketError if one is refused."""
    commands: dict[str, AnyCommand] = {}
    if patch := options.get("patch"):
        commands["patch"] = LoadPatch(patch)
    if model := options.get("model"):
        commands["model"] = LoadModel(model)
    offset = float(options["midi-offset"]) if "midi-offset" in options else None
    devices = SetDevice(options.get("audio"), options.get("midi"), offset, options.get("midi-in"))
    if devices != SetDevice():
        commands["devices"] = devices
    if record := options.get("record"):
        commands["record"] = Record(record)
    for command in commands.values():
        client.ask(command, 30)


def _try(client: EngineClient, command: AnyCommand) -> bool:
    """Whether the command was carried out, or the engine has ended."""
    try:
        client.ask(command)
    except HocketError as error:
        if client.alive:
            _print(str(error))
            return False
    return True


def _no_window() -> str:
    """Why no window can be opened here, or "" if one can."""
    from instrument import system
    from instrument.ui.app import check_display

    if importlib.util.find_spec("PySide6") is None:
        return "no window: the package PySide6-Essentials is missing"
    if not os.environ.get("QT_QPA_PLATFORM"):
        missing = [library.package for library in system.missing_libraries() if library.use == "window"]
        if missing:
            return f"no window: libraries are missing ({system.install_line(missing)})"
    try:
        check_display()
    except HocketError as error:
        return str(error)
    return ""


def _print(text: str) -> None:
    print(f"hocket: {text}", file=sys.stderr, flush=True)
