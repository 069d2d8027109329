"""Players of notes in a process of their own, where what they compute never holds the interpreter that the mixer waits
for (`engine.note_worker.worker` is the other end, `engine.note_worker.messages` is what passes between them).

A `RemotePlayer` keeps the orders it is given and sends them with the next request: a note costs one request. There are
two connections, so that a model that is opened, or a phrase that is encoded, keeps no note waiting.
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
import weakref
from collections import deque
from collections.abc import Sequence
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
    Latent,
    Pace,
    Paced,
    Prefill,
    Propose,
    Proposed,
    Refused,
    Reset,
    Rewind,
    decode_response,
    encode,
)
from instrument.engine.performance.roster import Opened, OpenPlayer
from instrument.engine.performance.sound_seats import NOTES
from instrument.errors import HocketError
from instrument.io.child import spawn
from instrument.log import copy_stderr
from instrument.models.catalog import list_models
from instrument.models.latent import Point, Way
from instrument.models.notes.pacing import Paces
from instrument.models.notes.player import Ask
from instrument.music.notes import Note
from instrument.music.timebase import MetreMap

logger = logging.getLogger(__name__)

MODULE = "instrument.engine.note_worker.worker"
READY = b"ready"
END_S = 2.0  # how long it may take to end
ENDED = "the process of the note models has ended"


def lazy_opener(name: str) -> OpenPlayer:
    """The function "module:name", imported when it is first called: what it needs is slow to load."""

    def open_player(slug: str) -> object:
        module, _, function = name.partition(":")
        return getattr(importlib.import_module(module), function)(slug)

    return cast(OpenPlayer, open_player)


class Channel:
    """Sends requests and waits for their replies. For any thread; one request at a time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._asking = threading.Lock()

    def ask(self, request: AnyRequest) -> AnyResponse:
        """The reply. HocketError where the request was refused; RuntimeError where it failed, or the process has
        ended."""
        data = encode(request)
        with self._asking:
            try:
                self._connection.send_bytes(data)
                reply = decode_response(self._connection.recv_bytes(MAX_MESSAGE_BYTES))
            except (OSError, EOFError) as error:
                raise RuntimeError(ENDED) from error
        if isinstance(reply, Refused):
            raise HocketError(reply.reason)
        if isinstance(reply, Failed):
            raise RuntimeError(reply.traceback)
        return reply

    def close(self) -> None:
        """The process ends when it notices."""
        self._connection.close()


class NotesProcess:
    """The process, started at once."""

    def __init__(self, players: str) -> None:
        """players: "module:name" of the function that opens models, there and here."""
        self._open_here = lazy_opener(players)
        self._folder = tempfile.mkdtemp(prefix="hocket-")
        pipe = rf"\\.\pipe\{Path(self._folder).name}"
        self._address = pipe if sys.platform == "win32" else str(Path(self._folder) / "notes")
        self._key = secrets.token_bytes(32)
        self._process = spawn(MODULE, self._address, players, output=subprocess.PIPE, errors=subprocess.PIPE)
        copy_stderr(self._process, logger)
        logger.info("started the process of the note models: %d", self._process.pid)
        self._connecting = threading.Lock()
        self._channels: tuple[Channel, Channel] | None = None
        self._unused: deque[int] = deque()  # players that nobody has any more

    def open(self, slug: str) -> Opened:
        """As `catalog.open_player`: players of notes there, others here. HocketError if it cannot be."""
        kind = next((entry.kind for entry in list_models() if entry.slug == slug), NOTES)
        reply = self.slow.ask(messages.Open(slug)) if kind == NOTES else None
        if not isinstance(reply, messages.Opened):
            return self._open_here(slug)
        latent = reply.latent
        player = RemoteLatentPlayer(self, reply.player, latent) if latent else RemotePlayer(self, reply.player)
        weakref.finalize(player, self._unused.append, reply.player)
        return reply.bundle, player

    def propose(self, player: int, orders: Sequence[AnyOrder], ask: Ask | None, floor: int, latest: int | None) -> Note:
        """A player's next note, once its orders are carried out. ask: None where only its ticks have changed."""
        unused = tuple(self._unused.popleft() for _ in range(len(self._unused)))
        reply = self._connected()[0].ask(Propose(player, tuple(orders), ask, floor, latest, unused))
        assert isinstance(reply, Proposed)
        return reply.note

    @property
    def slow(self) -> Channel:
        """The connection for what takes its time."""
        return self._connected()[1]

    def close(self) -> None:
        """End the process."""
        for channel in self._channels or ():
            channel.close()
        if self._process.stdin:
            with suppress(OSError):
                self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S)
        self._process.kill()
        logger.info("the process of the note models has ended")
        shutil.rmtree(self._folder, ignore_errors=True)

    def _connected(self) -> tuple[Channel, Channel]:
        with self._connecting:
            if self._channels is None:
                stdin, stdout = self._process.stdin, self._process.stdout
                assert stdin is not None
                assert stdout is not None
                try:
                    stdin.write(self._key.hex().encode() + b"\n")
                    stdin.flush()
                    if stdout.readline().strip() != READY:
                        raise EOFError
                    self._channels = (self._dial(), self._dial())
                except (OSError, EOFError, AuthenticationError) as error:
                    raise HocketError("the process of the note models did not start: see engine.log") from error
                shutil.rmtree(self._folder, ignore_errors=True)
            return self._channels

    def _dial(self) -> Channel:
        return Channel(Client(self._address, authkey=self._key))


class RemotePlayer:
    """A `NotePlayer` that stands for one in the process. HocketErrors of its orders come with the next note."""

    def __init__(self, process: NotesProcess, number: int) -> None:
        self._process = process
        self._number = number
        self._count = 0
        self._orders: list[AnyOrder] = []
        self._sent = Ask()

    @property
    def count(self) -> int:
        """Notes fed so far."""
        return self._count

    def reset(self, seed: int, player: int, metres: MetreMap) -> None:
        """As `NotePlayer.reset`."""
        self._count = 0
        self._orders = [Reset(seed, player, metres)]

    def propose(self, ask: Ask) -> Note:
        """As `NotePlayer.propose`."""
        base = replace(ask, floor=0, latest=None)
        changed = None if base == self._sent else base
        if changed is not None:
            self._sent = replace(base, knobs=dict(base.knobs))
        orders, self._orders = self._orders, []
        return self._process.propose(self._number, orders, changed, ask.floor, ask.latest)

    def feed(self, note: Note) -> None:
        """As `NotePlayer.feed`."""
        self._count += 1
        self._orders.append(Feed(note))

    def prefill(self, notes: Sequence[Note]) -> None:
        """As `Prefilling.prefill`, whether the player has it or not."""
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
    """The same of a `LatentPlayer`."""

    def __init__(self, process: NotesProcess, number: int, latent: Latent) -> None:
        super().__init__(process, number)
        self.space, self.shape, self.part = latent.space, latent.shape, latent.part
        self._paces = Paces(self._measured)

    def encode(self, notes: Sequence[Note], metres: MetreMap) -> Point:
        """As `LatentPlayer.encode`."""
        reply = self._process.slow.ask(Encode(self._number, tuple(notes), metres))
        assert isinstance(reply, Encoded)
        return reply.point

    def pace(self, a: Point, b: Point) -> Way:
        """As `LatentPlayer.pace`."""
        return self._paces.between(a, b)

    def _measured(self, a: Point, b: Point) -> Way:
        reply = self._process.slow.ask(Pace(self._number, a, b))
        assert isinstance(reply, Paced)
        return reply.way
