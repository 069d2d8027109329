"""The client of the notes process (`engine.note_worker.worker`), in which the note models run. There they never hold
the interpreter lock that the mixer needs. `engine.note_worker.messages` has the messages.

A `RemotePlayer` collects its orders and sends them with the next request, so a note costs one request. There are two
connections, so that opening a model or encoding a phrase delays no note. The process may end, by a crash of a model's
libraries or by its limit on memory: its players then raise `ProcessEnded`, and models opened later get a new process.
"""

from __future__ import annotations

import importlib
import logging
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import cast

from instrument.engine.note_worker import messages
from instrument.engine.note_worker.messages import (
    MAX_MESSAGE_BYTES,
    AnyOrder,
    AnyRequest,
    AnyResponse,
    Encode,
    Encoded,
    Failed,
    Feed,
    Forget,
    Fork,
    Forked,
    Latent,
    Pace,
    Paced,
    Prefill,
    Propose,
    Proposed,
    Refused,
    Reseed,
    Reset,
    Rewind,
    Score,
    Scored,
    decode_response,
    encode,
)
from instrument.engine.performance.roster import Opened, OpenPlayer
from instrument.engine.performance.sound_seats import NOTES
from instrument.errors import HocketError
from instrument.io.child import spawn
from instrument.log import copy_stderr
from instrument.models.catalog import list_models
from instrument.models.latent import LatentPath, Point
from instrument.models.notes.pacing import PathCache
from instrument.models.notes.player import Ask
from instrument.music.notes import Note
from instrument.music.timebase import MetreMap

logger = logging.getLogger(__name__)

PROCESS = "note-worker"
READY = b"ready"
END_S = 2.0  # how long the process may take to end
STARTS, STARTS_WITHIN_S = 6, 60.0  # most starts of the process within a time
MEMORY = 2 << 30  # bytes that it may take
OUT_OF_MEMORY = 77  # its exit status when it took more
ENDED = "the process of the note models has ended"


def lazy_opener(name: str) -> OpenPlayer:
    """The function "module:name", imported at its first call, as what it imports is slow to load."""

    def open_player(slug: str) -> object:
        module, _, function = name.partition(":")
        return getattr(importlib.import_module(module), function)(slug)

    return cast(OpenPlayer, open_player)


class ProcessEnded(HocketError):
    """The notes process has ended. The next model that is opened starts another."""


class Channel:
    """Sends requests and waits for the responses, one at a time. Any thread may call it."""

    def __init__(self, connection: Connection, ended: Callable[[], ProcessEnded]) -> None:
        """ended: makes the error for a process that has ended."""
        self._connection = connection
        self._ended = ended
        self._asking = threading.Lock()

    def ask(self, request: AnyRequest) -> AnyResponse:
        """The response. HocketError if the request was refused or failed, `ProcessEnded` if the process has ended."""
        data = encode(request)
        with self._asking:
            try:
                self._connection.send_bytes(data)
                reply = decode_response(self._connection.recv_bytes(MAX_MESSAGE_BYTES))
            except (OSError, EOFError) as error:
                raise self._ended() from error
        if isinstance(reply, Refused):
            raise HocketError(reply.reason)
        if isinstance(reply, Failed):
            raise HocketError(f"its model failed: {reply.error}")
        return reply

    def close(self) -> None:
        """Close the connection; the process then ends."""
        self._connection.close()


class Worker:
    """One notes process, started by the constructor."""

    def __init__(self, players: str) -> None:
        """players: "module:name" of the function that opens models."""
        self._folder = tempfile.mkdtemp(prefix="hocket-")
        pipe = rf"\\.\pipe\{Path(self._folder).name}"
        self._address = pipe if sys.platform == "win32" else str(Path(self._folder) / "notes")
        self._key = secrets.token_bytes(32)
        self.process = spawn(PROCESS, self._address, players, output=subprocess.PIPE, errors=subprocess.PIPE)
        copy_stderr(self.process, logger)
        logger.info("started the process of the note models: %d", self.process.pid)
        self.began = time.monotonic()
        self._connecting = threading.Lock()
        self._channels: tuple[Channel, Channel] | None = None
        self.unused: deque[int] = deque()  # players that have been garbage collected

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.process.poll() is not None

    def propose(self, player: int, orders: Sequence[AnyOrder], ask: Ask | None, floor: int, latest: int | None) -> Note:
        """Carry out a player's orders and return its next note. ask: None if only its ticks have changed."""
        reply = self.quick.ask(Propose(player, tuple(orders), ask, floor, latest, self.take_unused()))
        assert isinstance(reply, Proposed)
        return reply.note

    def take_unused(self) -> tuple[int, ...]:
        """The players that can be released, each once, whichever thread asks."""
        taken = []
        with suppress(IndexError):
            while True:
                taken.append(self.unused.popleft())
        return tuple(taken)

    @property
    def quick(self) -> Channel:
        """The connection for notes."""
        return self._connected()[0]

    @property
    def slow(self) -> Channel:
        """The connection for slow requests."""
        return self._connected()[1]

    def close(self) -> None:
        """End the process."""
        for channel in self._channels or ():
            channel.close()
        if self.process.stdin:
            with suppress(OSError):
                self.process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(END_S)
        self.process.kill()
        logger.info("the process of the note models has ended")
        shutil.rmtree(self._folder, ignore_errors=True)

    def _connected(self) -> tuple[Channel, Channel]:
        with self._connecting:
            if self._channels is None:
                stdin, stdout = self.process.stdin, self.process.stdout
                assert stdin is not None
                assert stdout is not None
                try:
                    stdin.write(self._key.hex().encode() + b"\n")
                    stdin.flush()
                    if stdout.readline().strip() != READY:
                        raise EOFError
                    self._channels = (self._dial(), self._dial())
                except (OSError, EOFError, AuthenticationError) as error:
                    raise ProcessEnded("the process of the note models did not start: see engine.log") from error
                shutil.rmtree(self._folder, ignore_errors=True)
            return self._channels

    def _dial(self) -> Channel:
        return Channel(Client(self._address, authkey=self._key), self._why_ended)

    def _why_ended(self) -> ProcessEnded:
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(END_S)
        if self.process.poll() == OUT_OF_MEMORY:
            return ProcessEnded(f"{ENDED}: it took over {MEMORY >> 20} MB of memory")
        return ProcessEnded(ENDED)


class NotesProcess:
    """The notes process, started by the constructor, and again when a model is opened after it has ended."""

    def __init__(self, players: str, opening: Callable[[str], None] = lambda slug: None) -> None:
        """players: "module:name" of the function that opens models, in that process and in this one; opening: called
        with the slug of each model before it is opened in this process."""
        self._players = players
        self._opening = opening
        self._open_here = lazy_opener(players)
        self._starting = threading.Lock()
        self._starts: deque[float] = deque(maxlen=STARTS)
        self._worker = self._start()

    def open(self, slug: str) -> Opened:
        """As `catalog.open_player`. Note models are opened in the process, sound models here."""
        kind = next((entry.kind for entry in list_models() if entry.slug == slug), NOTES)
        if kind != NOTES:
            self._opening(slug)
            return self._open_here(slug)
        worker = self.worker()
        reply = worker.slow.ask(messages.Open(slug, worker.take_unused()))
        if not isinstance(reply, messages.Opened):
            self._opening(slug)
            return self._open_here(slug)
        latent = reply.latent
        player = RemoteLatentPlayer(worker, reply.player, latent) if latent else RemotePlayer(worker, reply.player)
        return reply.bundle, player

    def worker(self) -> Worker:
        """The present process, started again if it has ended. HocketError if it ends too often."""
        with self._starting:
            if self._worker.ended:
                if len(self._starts) == STARTS and time.monotonic() - self._starts[0] < STARTS_WITHIN_S:
                    raise HocketError(
                        f"the process of the note models ended {STARTS} times within a minute: see engine.log"
                    )
                self._worker.close()
                self._worker = self._start()
            return self._worker

    def close(self) -> None:
        """End the process."""
        self._worker.close()

    def _start(self) -> Worker:
        self._starts.append(time.monotonic())
        return Worker(self._players)


class RemotePlayer:
    """A `NotePlayer` in the notes process. Errors of its orders are raised by the next `propose`."""

    def __init__(self, worker: Worker, number: int) -> None:
        self._worker = worker
        self._number = number
        weakref.finalize(self, worker.unused.append, number)
        self._count = 0
        self._orders: list[AnyOrder] = []
        self._sent = Ask()

    @property
    def count(self) -> int:
        """Number of notes fed so far."""
        return self._count

    def reset(self, seed: int, player: int, metres: MetreMap) -> None:
        """As `NotePlayer.reset`."""
        self._count = 0
        self._orders = [Reset(seed, player, metres)]

    def propose(self, ask: Ask) -> Note:
        """As `NotePlayer.propose`."""
        changed = self._changed(ask)
        return self._worker.propose(self._number, self._taken(), changed, ask.floor, ask.latest)

    def fork(self) -> RemotePlayer:
        """As `Scoring.fork`. HocketError if its model cannot."""
        reply = self._worker.quick.ask(Fork(self._number, self._taken()))
        assert isinstance(reply, Forked)
        other = RemotePlayer(self._worker, reply.player)
        other._count = self._count
        return other

    def reseed(self, seed: int) -> None:
        """As `Scoring.reseed`."""
        self._orders.append(Reseed(seed))

    def log_likelihood(self, note: Note, ask: Ask) -> float:
        """As `Scoring.log_likelihood`."""
        changed = self._changed(ask)
        reply = self._worker.quick.ask(Score(self._number, self._taken(), changed, ask.floor, note))
        assert isinstance(reply, Scored)
        return reply.likelihood

    def _changed(self, ask: Ask) -> Ask | None:
        """What is to be sent of an `Ask`: None if only its ticks have changed."""
        base = replace(ask, floor=0, latest=None)
        if base == self._sent and base.plan is self._sent.plan:
            return None
        self._sent = replace(base, knobs=dict(base.knobs))
        return base

    def _taken(self) -> tuple[AnyOrder, ...]:
        """The orders that were not sent yet."""
        orders, self._orders = self._orders, []
        return tuple(orders)

    def feed(self, note: Note) -> None:
        """As `NotePlayer.feed`."""
        self._count += 1
        self._orders.append(Feed(note))

    def prefill(self, notes: Sequence[Note]) -> None:
        """As `Prefilling.prefill`; for a player without it the notes are fed one by one."""
        self._count += len(notes)
        self._orders.append(Prefill(tuple(notes)))

    def rewind(self, count: int) -> None:
        """As `NotePlayer.rewind`."""
        if not 0 <= count <= self._count:
            raise ValueError(f"cannot rewind to {count} of {self._count} notes")
        self._count = count
        self._orders.append(Rewind(count))

    def forget_before(self, count: int) -> None:
        """As `NotePlayer.forget_before`."""
        self._orders.append(Forget(count))


class RemoteLatentPlayer(RemotePlayer):
    """A `LatentPlayer` in the notes process."""

    def __init__(self, worker: Worker, number: int, latent: Latent) -> None:
        super().__init__(worker, number)
        self.space, self.shape, self.part = latent.space, latent.shape, latent.part
        self._paces = PathCache(self._measured)

    def encode(self, notes: Sequence[Note], metres: MetreMap) -> Point:
        """As `LatentPlayer.encode`."""
        reply = self._worker.slow.ask(Encode(self._number, tuple(notes), metres))
        assert isinstance(reply, Encoded)
        return reply.point

    def pace(self, a: Point, b: Point) -> LatentPath:
        """As `LatentPlayer.pace`."""
        return self._paces.between(a, b)

    def _measured(self, a: Point, b: Point) -> LatentPath:
        reply = self._worker.slow.ask(Pace(self._number, a, b))
        assert isinstance(reply, Paced)
        return reply.way
