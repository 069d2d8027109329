"""The client of the engine, for the window and the command line: find or start it, send commands, read reports."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, answer_challenge, deliver_challenge
from pathlib import Path

from instrument.engine.ipc import instance
from instrument.engine.ipc.encoding import decode_report, encode
from instrument.engine.ipc.messages import (
    AnyCommand,
    AnyReport,
    Envelope,
    Hello,
    Reply,
)
from instrument.errors import HocketError
from instrument.log import ENGINE_LOG
from instrument.paths import state_dir
from instrument.processes import command

_LONGEST_REPORT = 1 << 24  # bytes
ANOTHER_RUNS = 3  # exit status of an engine whose state folder is in use by another
_SILENT_S = 10.0  # how long an engine may take to answer a new connection
_BACKLOG = 2000  # reports kept for a caller that does not poll; the oldest are dropped


class EngineClient:
    """A connection to the running engine. All methods may be called from any thread."""

    def __init__(self, connection: Connection, process: subprocess.Popen[bytes] | None = None) -> None:
        self.alive = True
        self.process = process  # the engine, where this client started it
        self._connection = connection
        self._sending = threading.Lock()
        self._arrived = threading.Condition()
        self._reports: deque[AnyReport] = deque(maxlen=_BACKLOG)
        self._awaited: dict[int, Reply | None] = {}
        self._number = 0
        threading.Thread(target=self._read, name="engine-reports", daemon=True).start()

    @classmethod
    def connect(
        cls,
        spawn: bool = True,
        keep: bool = False,
        options: dict[str, str] | None = None,
        timeout_s: float = 30,
    ) -> EngineClient:
        """Connect to the engine of this user's state folder; start one if there is none and `spawn` is set.

        keep: the engine outlives its clients. options: long options of `instrument.engine.process`
        for an engine that is started here ({"audio": "null"}); a running one is left as it is.
        HocketError if there is none, or it does not answer within `timeout_s` seconds.
        """
        state = state_dir()
        log = state / ENGINE_LOG
        logged = 0  # bytes of the log before this engine
        ends = time.monotonic() + timeout_s
        process = None
        while time.monotonic() < ends:
            connection = _dial(state)
            if connection:
                client = cls(connection, process)
                try:
                    client.ask(Hello(keep), max(1.0, ends - time.monotonic()))
                    return client
                except HocketError:
                    ending = not client.alive
                    client.close()
                    if not ending and time.monotonic() < ends:  # it has refused
                        raise
            if not spawn:
                raise HocketError("no engine is running: start one with `hocket play`")
            if process is None or process.poll() == ANOTHER_RUNS:  # which will answer, or has just ended
                logged = log.stat().st_size if log.exists() else 0
                process = _spawn(log, options or {})
            elif process.poll() is not None:
                raise HocketError(f"the engine did not start: {_last_line(log, logged)}")
            time.sleep(0.02)
        if process:
            process.kill()
            process.wait()
        raise HocketError(f"the engine did not answer within {timeout_s:g} s: see {log}")

    def send(self, command: AnyCommand, gesture: int = 0) -> int:
        """Send a command. Returns the number of its `Reply`. If the engine is gone, `alive` becomes False. gesture: see
        `Envelope`."""
        return self._send(command, False, gesture)

    def ask(self, command: AnyCommand, timeout_s: float = 15) -> None:
        """Send a command and wait until it is done. HocketError with the engine's reason, or after `timeout_s`."""
        number = self._send(command, awaited=True)
        with self._arrived:
            self._arrived.wait_for(lambda: self._awaited[number] or not self.alive, timeout_s)
            reply = self._awaited.pop(number)
        if reply is None:
            reason = f"did not answer within {timeout_s:g} s" if self.alive else "has ended"
            raise HocketError(f"the engine {reason}: {type(command).__name__} may not be done")
        if reply.error:
            raise HocketError(reply.error)

    def poll(self) -> list[AnyReport]:
        """The reports since the last call, without the replies to `ask`. Never blocks."""
        with self._arrived:
            reports = list(self._reports)
            self._reports.clear()
        if self.process:
            self.process.poll()  # reaps the process if it has ended
        return reports

    def wait(self, timeout_s: float) -> None:
        """Wait until there is a report for `poll` or the engine is gone, for up to `timeout_s`."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._reports or not self.alive, timeout_s)

    def close(self) -> None:
        """Disconnect. The engine stays or ends as its options say."""
        self.alive = False
        instance.hang_up(self._connection)

    def _send(self, command: AnyCommand, awaited: bool, gesture: int = 0) -> int:
        with self._sending:
            self._number += 1
            if awaited:
                self._awaited[self._number] = None
            try:
                self._connection.send_bytes(encode(Envelope(self._number, command, gesture)))
            except (OSError, ValueError):
                self.alive = False
            return self._number

    def _read(self) -> None:
        try:
            while True:
                report = decode_report(self._connection.recv_bytes(_LONGEST_REPORT))
                with self._arrived:
                    if isinstance(report, Reply) and report.number in self._awaited:
                        self._awaited[report.number] = report
                    else:
                        self._reports.append(report)
                    self._arrived.notify_all()
        except (OSError, EOFError, ValueError, TypeError, HocketError):
            pass  # closed on either side, also while reading
        with suppress(OSError):
            self._connection.close()
        with self._arrived:
            self.alive = False
            self._arrived.notify_all()


def _dial(state: Path) -> Connection | None:
    """A connection, None if no engine listens."""
    family, address = instance.address(state)
    try:
        connection = Client(address, family)
        with instance.patience(connection, _SILENT_S):  # an engine that hangs
            answer_challenge(connection, instance.authkey(state))
            deliver_challenge(connection, instance.authkey(state))
        return connection
    except (OSError, EOFError):
        return None
    except AuthenticationError as error:
        raise HocketError(f"the engine refuses {state / 'engine.key'}: end it and remove that file") from error


def _spawn(log: Path, options: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start an engine. What it prints before it has set up its logging is appended to the same file."""
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    with open(log, "ab") as stderr:
        return subprocess.Popen(
            command("engine", *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,  # the terminal's Ctrl-C is for us
            creationflags=0x00000208 if sys.platform == "win32" else 0,  # the same: DETACHED, NEW_PROCESS_GROUP
        )


def _last_line(path: Path, start: int) -> str:
    """The last line of a log after its first `start` bytes, or where to look if there is none."""
    with suppress(OSError):
        lines = path.read_bytes()[start:].decode(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), f"see {path}")
    return f"see {path}"
