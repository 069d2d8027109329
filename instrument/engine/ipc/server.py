"""The engine's end of the private socket: accepts clients, queues their commands, sends them reports.

No client can block the engine: each has a thread that reads and one that writes. A client that does not read its
reports loses telemetry first and then the connection.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, Listener, answer_challenge, deliver_challenge
from pathlib import Path

from instrument import last_resort
from instrument.engine.ipc import instance
from instrument.engine.ipc.encoding import decode_command, encode
from instrument.engine.ipc.messages import AnyReport, Envelope, Reply, Telemetry
from instrument.errors import HocketError

logger = logging.getLogger(__name__)

_LONGEST_COMMAND = 1 << 20  # bytes
SILENT_S = 10.0  # how long a new client may take to show its key and send its first command
_TELEMETRY_BACKLOG = 8  # with more waiting reports, telemetry is dropped
_REPLY_BACKLOG = 1000  # with more waiting reports, the client is dropped


class Peer:
    """One connected client."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._outbox: deque[bytes] = deque()
        self._ready = threading.Semaphore(0)
        self.gone = False

    def post(self, report: AnyReport) -> None:
        """Queue a report; never blocks."""
        if self.gone or (isinstance(report, Telemetry) and len(self._outbox) > _TELEMETRY_BACKLOG):
            return
        if len(self._outbox) > _REPLY_BACKLOG:
            self.drop()
            return
        self._outbox.append(encode(report))
        self._ready.release()

    def reply(self, number: int, error: str = "") -> None:
        """Answer command `number`."""
        self.post(Reply(number, error))

    def write_all(self) -> None:
        """Body of the writing thread."""
        while True:
            self._ready.acquire()
            if not self._outbox:  # woken by `drop`
                break
            try:
                self.connection.send_bytes(self._outbox.popleft())
            except (OSError, ValueError):
                self.gone = True
                break
        instance.hang_up(self.connection)

    def drop(self) -> None:
        """End the connection once the waiting reports have been sent."""
        self.gone = True
        self._ready.release()


class Server:
    """Listens in threads of its own; `inbox` yields (peer, envelope), or (None, None) after `wake`."""

    def __init__(self, state: Path) -> None:
        family, address = instance.address(state)
        self._key = instance.authkey(state)
        if family == "AF_UNIX":
            Path(address).unlink(missing_ok=True)  # left by an engine that was killed, as this one holds the lock
        self._listener = Listener(address, family, backlog=8)
        self.inbox: queue.SimpleQueue[tuple[Peer | None, Envelope | None]] = queue.SimpleQueue()
        self.peers: list[Peer] = []
        self._closed = False
        self._start(self._accept, "accept")

    def broadcast(self, report: AnyReport) -> None:
        """Send to every client."""
        for peer in tuple(self.peers):
            peer.post(report)

    def wake(self) -> None:
        """Wake the thread that waits for `inbox`. For any thread, and for signal handlers."""
        self.inbox.put((None, None))

    def close(self, timeout_s: float = 0.5) -> None:
        """Send the waiting reports (for at most `timeout_s` for each client) and close everything."""
        self._closed = True
        with suppress(OSError):
            self._listener.close()
        for peer in tuple(self.peers):
            peer.drop()
        for thread in threading.enumerate():
            if thread.name.startswith("write-"):
                thread.join(timeout_s)
        for peer in tuple(self.peers):
            instance.hang_up(peer.connection)

    def _start(self, body: Callable[[], None], name: str) -> None:
        threading.Thread(target=body, name=name, daemon=True).start()

    def _accept(self) -> None:
        last_resort.keep_going("the thread that accepts clients", self._accept_one, lambda: self._closed)

    def _accept_one(self) -> None:
        with suppress(OSError):
            self._start(partial(self._serve, self._listener.accept()), "client")

    def _take(self, peer: Peer, data: bytes) -> None:
        try:
            self.inbox.put((peer, decode_command(data)))
        except HocketError as error:
            logger.warning("an invalid command: %s", error)
            peer.reply(0, str(error))

    def _serve(self, connection: Connection) -> None:
        try:
            with instance.patience(connection, SILENT_S):
                deliver_challenge(connection, self._key)
                answer_challenge(connection, self._key)
                data = connection.recv_bytes(_LONGEST_COMMAND)
        except (AuthenticationError, OSError, EOFError) as error:
            logger.warning("a client that was silent or has another key was refused: %r", error)
            connection.close()
            return
        logger.info("a client has connected")
        peer = Peer(connection)
        self.peers.append(peer)
        self._start(peer.write_all, f"write-{id(peer)}")
        try:
            while True:
                self._take(peer, data)
                data = connection.recv_bytes(_LONGEST_COMMAND)
        except (OSError, EOFError):
            pass
        except Exception as error:  # noqa: BLE001
            last_resort.report("the thread of a client", error)
        logger.info("a client has disconnected")
        peer.drop()
        self.peers.remove(peer)
        self.wake()
        with suppress(OSError):
            connection.close()
