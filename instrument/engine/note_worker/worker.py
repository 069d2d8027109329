"""The process of the note models: `engine.note_worker.client` asks, this answers.

    python -m instrument.engine.note_worker.worker ADDRESS MODULE:NAME

The key to the address comes on standard input. It ends when whoever started it does.
"""

from __future__ import annotations

import gc
import itertools
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection, Listener
from typing import Any

from instrument.engine.note_worker.client import DONE, FAILED, READY, REFUSED, Order, named
from instrument.engine.performance.roster import BundleInfo, OpenPlayer
from instrument.engine.performance.sound_seats import NOTES, kind
from instrument.errors import HocketError
from instrument.io import priority
from instrument.io.child import when_left
from instrument.models.latent import Point, Way
from instrument.models.notes.player import Ask, LatentPlayer, NotePlayer, feed_all
from instrument.music.notes import Note
from instrument.music.timebase import MetreMap

SWITCH_S = 0.0005  # how long what takes its time may hold the interpreter while a note waits for it

Answers = Mapping[str, Callable[..., Any]]


class Seated:
    """A player and what it was told. problem: why it can do nothing more until it is reset."""

    def __init__(self, player: NotePlayer) -> None:
        self.player = player
        self.ask = Ask()
        self.problem = ""

    def obey(self, orders: Iterable[Order]) -> None:
        """Do as it was told, in order. HocketError where it could not."""
        for name, given in orders:
            if name == "reset":
                self.problem = ""
            if self.problem:
                continue
            try:
                if name == "prefill":
                    feed_all(self.player, *given)
                else:
                    getattr(self.player, name)(*given)
            except HocketError as error:
                self.problem = str(error)
        if self.problem:
            raise HocketError(self.problem)


class Desk:
    """Keeps the players by number, and answers what is asked: notes in one thread, the rest in another."""

    def __init__(self, open_player: OpenPlayer) -> None:
        self._open = open_player
        self._numbers = itertools.count(1)
        self._seated: dict[int, Seated] = {}
        self._hurried = False

    @property
    def notes(self) -> Answers:
        """What is asked on the first wire."""
        return {"propose": self._propose}

    @property
    def aside(self) -> Answers:
        """And on the second."""
        return {"open": self._opened, "encode": self._encode, "pace": self._pace}

    def _propose(
        self,
        number: int,
        orders: Sequence[Order],
        ask: Ask | None,
        floor: int,
        latest: int | None,
        unwanted: Sequence[int],
    ) -> Note:
        if not self._hurried:  # not before: loading may take its time
            self._hurried = True
            gc.collect()
            gc.freeze()
            priority.hurry_all(priority.COMPUTES)
        for each in unwanted:
            self._seated.pop(each, None)
        seated = self._seated[number]
        seated.ask = replace(ask or seated.ask, floor=floor, latest=latest)
        seated.obey(orders)
        return seated.player.propose(seated.ask)

    def _opened(self, slug: str) -> tuple[BundleInfo, int, tuple[Any, ...] | None] | None:
        """(bundle, number, what is to be known of a latent space); None for what is no player of notes."""
        with priority.unhurried():
            bundle, model = self._open(slug)
        if kind(model) != NOTES:
            return None
        number = next(self._numbers)
        self._seated[number] = Seated(model)  # type: ignore[arg-type]
        return bundle, number, (model.space, model.shape, model.part) if isinstance(model, LatentPlayer) else None

    def _latent(self, number: int) -> LatentPlayer:
        player = self._seated[number].player
        assert isinstance(player, LatentPlayer)
        return player

    def _encode(self, number: int, notes: Sequence[Note], metres: MetreMap) -> Point:
        return self._latent(number).encode(notes, metres)

    def _pace(self, number: int, a: Point, b: Point) -> Way:
        return self._latent(number).pace(a, b)


def answer(connection: Connection, answers: Answers) -> None:
    """Answer until nobody asks any more; then the process ends."""
    while True:
        try:
            name, *given = connection.recv()
        except (OSError, EOFError):
            os._exit(0)
        try:
            reply = DONE, answers[name](*given)
        except HocketError as error:
            reply = REFUSED, str(error)
        except Exception:  # noqa: BLE001  the engine ends by it, and tells
            reply = FAILED, traceback.format_exc()
        try:
            connection.send(reply)
        except OSError:
            os._exit(0)


def main() -> None:
    """See the module."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is for the engine
    sys.setswitchinterval(SWITCH_S)
    address, players = sys.argv[1:]
    key = bytes.fromhex(sys.stdin.readline())
    when_left(lambda: os._exit(0))  # at once: nothing is left to be done
    listener = Listener(address, authkey=key)  # never closed: who started us clears its address away
    sys.stdout.buffer.write(READY + b"\n")
    sys.stdout.buffer.flush()
    notes, aside = listener.accept(), listener.accept()
    desk = Desk(named(players))
    threading.Thread(target=answer, args=(aside, desk.aside), name="aside", daemon=True).start()
    answer(notes, desk.notes)


if __name__ == "__main__":
    main()
