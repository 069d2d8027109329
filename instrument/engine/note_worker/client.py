"""Players of notes in a process of their own, where what they compute never holds the interpreter that the mixer waits
for (`engine.note_worker.worker` is the other end).

A `RemotePlayer` keeps what it is told, and tells it with the next question: a note costs one question. Two wires lead
there, so that a model that is opened, or a phrase that is encoded, keeps no note waiting.
"""

from __future__ import annotations

import importlib
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
from typing import Any, cast

from instrument.engine.performance.roster import Opened, OpenPlayer
from instrument.engine.performance.sound_seats import NOTES
from instrument.errors import HocketError
from instrument.io.child import spawn
from instrument.models.catalog import list_models
from instrument.models.latent import Point, Space, Way
from instrument.models.notes.pacing import Paces
from instrument.models.notes.player import Ask
from instrument.music.notes import Note, Part
from instrument.music.phrases import Shape
from instrument.music.timebase import MetreMap

MODULE = "instrument.engine.note_worker.worker"
DONE, REFUSED, FAILED = "done", "refused", "failed"  # answers: what came of it, a HocketError, anything else
READY = b"ready"
END_S = 2.0  # how long it may take to end
ENDED = "the process of the note models has ended"

Order = tuple[str, tuple[Any, ...]]  # a method of a `NotePlayer`, or "prefill", and what it is given


def named(name: str) -> OpenPlayer:
    """The function "module:name", imported when it is first called: what it needs is slow to load."""

    def open_player(slug: str) -> object:
        module, _, function = name.partition(":")
        return getattr(importlib.import_module(module), function)(slug)

    return cast(OpenPlayer, open_player)


class Wire:
    """Asks, and waits for the answer. For any thread; one asks at a time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._asking = threading.Lock()

    def ask(self, *words: Any) -> Any:
        """HocketError where the other end raised one; RuntimeError where it failed, or is no more."""
        with self._asking:
            try:
                self._connection.send(words)
                how, answer = self._connection.recv()
            except (OSError, EOFError) as error:
                raise RuntimeError(ENDED) from error
        if how == REFUSED:
            raise HocketError(answer)
        if how == FAILED:
            raise RuntimeError(answer)
        return answer

    def close(self) -> None:
        """The other end will notice."""
        self._connection.close()


class NotesProcess:
    """The process, started at once."""

    def __init__(self, players: str) -> None:
        """players: "module:name" of the function that opens models, there and here."""
        self._open_here = named(players)
        self._folder = tempfile.mkdtemp(prefix="hocket-")
        pipe = rf"\\.\pipe\{Path(self._folder).name}"
        self._address = pipe if sys.platform == "win32" else str(Path(self._folder) / "notes")
        self._key = secrets.token_bytes(32)
        self._process = spawn(MODULE, self._address, players, output=subprocess.PIPE, errors=None)
        self._connecting = threading.Lock()
        self._wires: tuple[Wire, Wire] | None = None
        self._unwanted: deque[int] = deque()  # players that nobody has any more

    def open(self, slug: str) -> Opened:
        """As `catalog.open_player`: players of notes there, others here. HocketError if it cannot be."""
        kind = next((entry.kind for entry in list_models() if entry.slug == slug), NOTES)
        found = self.aside.ask("open", slug) if kind == NOTES else None
        if found is None:
            return self._open_here(slug)
        bundle, number, latent = found
        player = RemoteLatentPlayer(self, number, *latent) if latent else RemotePlayer(self, number)
        weakref.finalize(player, self._unwanted.append, number)
        return bundle, player

    def propose(self, number: int, orders: Sequence[Order], ask: Ask | None, floor: int, latest: int | None) -> Note:
        """A player's next note, once it has done what it was told. ask: None where only its ticks have changed."""
        unwanted = [self._unwanted.popleft() for _ in range(len(self._unwanted))]
        note: Note = self._connected()[0].ask("propose", number, orders, ask, floor, latest, unwanted)
        return note

    @property
    def aside(self) -> Wire:
        """The wire for what takes its time."""
        return self._connected()[1]

    def close(self) -> None:
        """End the process."""
        for wire in self._wires or ():
            wire.close()
        if self._process.stdin:
            with suppress(OSError):
                self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S)
        self._process.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _connected(self) -> tuple[Wire, Wire]:
        with self._connecting:
            if self._wires is None:
                stdin, stdout = self._process.stdin, self._process.stdout
                assert stdin is not None
                assert stdout is not None
                try:
                    stdin.write(self._key.hex().encode() + b"\n")
                    stdin.flush()
                    if stdout.readline().strip() != READY:
                        raise EOFError
                    self._wires = (self._dial(), self._dial())
                except (OSError, EOFError, AuthenticationError) as error:
                    raise HocketError("the process of the note models did not start: see engine.log") from error
                shutil.rmtree(self._folder, ignore_errors=True)
            return self._wires

    def _dial(self) -> Wire:
        return Wire(Client(self._address, authkey=self._key))


class RemotePlayer:
    """A `NotePlayer` that stands for one in the process. HocketErrors of what it was told come with the next note."""

    def __init__(self, process: NotesProcess, number: int) -> None:
        self._process = process
        self._number = number
        self._count = 0
        self._orders: list[Order] = []
        self._told = Ask()

    @property
    def count(self) -> int:
        """Notes fed so far."""
        return self._count

    def reset(self, seed: int, player: int, metres: MetreMap) -> None:
        """As `NotePlayer.reset`."""
        self._count = 0
        self._orders = [("reset", (seed, player, metres))]

    def propose(self, ask: Ask) -> Note:
        """As `NotePlayer.propose`."""
        base = replace(ask, floor=0, latest=None)
        news = None if base == self._told else base
        if news is not None:
            self._told = replace(base, knobs=dict(base.knobs))
        orders, self._orders = self._orders, []
        return self._process.propose(self._number, orders, news, ask.floor, ask.latest)

    def feed(self, note: Note) -> None:
        """As `NotePlayer.feed`."""
        self._count += 1
        self._orders.append(("feed", (note,)))

    def prefill(self, notes: Sequence[Note]) -> None:
        """As `Prefilling.prefill`, whether the player has it or not."""
        self._count += len(notes)
        self._orders.append(("prefill", (tuple(notes),)))

    def rewind(self, count: int) -> None:
        """As `NotePlayer.rewind`."""
        if not 0 <= count <= self._count:
            raise ValueError(f"cannot rewind to {count} of {self._count} notes")
        self._count = count
        self._orders.append(("rewind", (count,)))

    def forget_before(self, count: int) -> None:
        """As `NotePlayer.forget_before`."""
        self._orders.append(("forget_before", (count,)))


class RemoteLatentPlayer(RemotePlayer):
    """The same of a `LatentPlayer`."""

    def __init__(self, process: NotesProcess, number: int, space: Space, shape: Shape, part: Part) -> None:
        super().__init__(process, number)
        self.space, self.shape, self.part = space, shape, part
        self._paces = Paces(lambda a, b: process.aside.ask("pace", number, a, b))

    def encode(self, notes: Sequence[Note], metres: MetreMap) -> Point:
        """As `LatentPlayer.encode`."""
        point: Point = self._process.aside.ask("encode", self._number, tuple(notes), metres)
        return point

    def pace(self, a: Point, b: Point) -> Way:
        """As `LatentPlayer.pace`."""
        return self._paces.between(a, b)
