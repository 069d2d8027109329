"""The notes process, which runs the note models for `engine.note_worker.client`.

    python -m instrument.engine.note_worker.worker ADDRESS MODULE:NAME

The key of the connections comes on standard input. The process ends when its parent does.
"""

from __future__ import annotations

import faulthandler
import gc
import itertools
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from multiprocessing.connection import Connection, Listener
from typing import Any

from instrument import log, memory
from instrument.engine.note_worker.client import MEMORY, OUT_OF_MEMORY, READY, lazy_opener
from instrument.engine.note_worker.messages import (
    MAX_MESSAGE_BYTES,
    AnyOrder,
    AnyRequest,
    AnyResponse,
    BundleSummary,
    Encode,
    Encoded,
    Failed,
    Feed,
    Forget,
    Fork,
    Forked,
    Latent,
    NoNotes,
    Open,
    Opened,
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
    decode_request,
    encode,
)
from instrument.engine.performance.roster import OpenPlayer
from instrument.errors import HocketError, one_line
from instrument.io import priority
from instrument.io.child import when_parent_ends
from instrument.models.notes.player import Ask, LatentPlayer, NotePlayer, Scoring, feed_all
from instrument.models.sound.base import SoundModel

logger = logging.getLogger("instrument.engine.note_worker.worker")  # __name__ is "__main__" here

SWITCH_S = 0.0005  # longest time that a slow request holds the interpreter while a note waits

Handlers = Mapping[type[AnyRequest], Callable[[Any], AnyResponse]]


class LoadedPlayer:
    """A player and its last `Ask`. problem: why it can do nothing more until it is reset."""

    def __init__(self, player: NotePlayer) -> None:
        self.player = player
        self.ask = Ask()
        self.problem = ""

    def carry_out(self, orders: Iterable[AnyOrder]) -> None:
        """Carry out orders. HocketError if one failed, now or before the next `Reset`."""
        for order in orders:
            if isinstance(order, Reset):
                self.problem = ""
            if self.problem:
                continue
            try:
                self._carry_out(order)
            except HocketError as error:
                self.problem = str(error)
            except Exception as error:
                logger.exception("an order failed")
                self.problem = f"its model failed: {one_line(error)}"
        if self.problem:
            raise HocketError(self.problem)

    def scoring(self) -> Scoring:
        """The player, as one that can be tried out. HocketError if it cannot."""
        if not isinstance(self.player, Scoring):
            raise HocketError("this model cannot make a bar anew")
        return self.player

    def _carry_out(self, order: AnyOrder) -> None:
        match order:
            case Feed():
                self.player.feed(order.note)
            case Forget():
                self.player.forget_before(order.count)
            case Rewind():
                self.player.rewind(order.count)
            case Prefill():
                feed_all(self.player, order.notes)
            case Reseed():
                self.scoring().reseed(order.seed)
            case Reset():
                self.player.reset(order.seed, order.player, order.metres)


class Models:
    """Keeps the players by number and handles requests: for notes in one thread, for the rest in another."""

    def __init__(self, open_player: OpenPlayer) -> None:
        self._open = open_player
        self._numbers = itertools.count(1)
        self._loaded: dict[int, LoadedPlayer] = {}
        self._prioritised = False

    @property
    def notes(self) -> Handlers:
        """Handlers of the first connection."""
        return {Propose: self._propose, Fork: self._fork, Score: self._score}

    @property
    def slow(self) -> Handlers:
        """Handlers of the second connection."""
        return {Open: self._opened, Encode: self._encode, Pace: self._pace}

    def _propose(self, request: Propose) -> Proposed:
        if not self._prioritised:  # not before: loading is slow and needs no priority
            self._prioritised = True
            gc.collect()
            gc.freeze()
            priority.set_realtime_priority_of_process(priority.COMPUTE_PRIORITY)
        self._release(request.unused)
        loaded = self._loaded[request.player]
        loaded.ask = replace(request.ask or loaded.ask, floor=request.floor, latest=request.latest)
        loaded.carry_out(request.orders)
        return Proposed(loaded.player.propose(loaded.ask))

    def _fork(self, request: Fork) -> Forked:
        loaded, number = self._loaded[request.player], next(self._numbers)
        loaded.carry_out(request.orders)
        player = loaded.scoring().fork()
        self._loaded[number] = LoadedPlayer(player)
        return Forked(number)

    def _score(self, request: Score) -> Scored:
        loaded = self._loaded[request.player]
        loaded.ask = replace(request.ask or loaded.ask, floor=request.floor, latest=None)
        loaded.carry_out(request.orders)
        return Scored(loaded.scoring().log_likelihood(request.note, loaded.ask))

    def _opened(self, request: Open) -> Opened | NoNotes:
        if request.unused:
            self._release(request.unused)
            gc.collect()  # its sessions have much memory of which the collector knows nothing
        began = time.monotonic()
        with priority.normal_priority():
            bundle, model = self._open(request.slug)
        if isinstance(model, SoundModel):
            return NoNotes()
        number = next(self._numbers)
        logger.info("loaded %s as player %d in %.2f s", bundle.slug, number, time.monotonic() - began)
        self._loaded[number] = LoadedPlayer(model)
        info = BundleSummary(
            bundle.slug, bundle.bundle_hash, bundle.legacy_hash, tuple(bundle.parts), tuple(bundle.knobs)
        )
        latent = Latent(model.space, model.shape, model.part) if isinstance(model, LatentPlayer) else None
        return Opened(number, info, latent)

    def _release(self, players: Iterable[int]) -> None:
        """Forget players that nobody has any more."""
        for number in players:
            self._loaded.pop(number, None)

    def _latent(self, number: int) -> LatentPlayer:
        player = self._loaded[number].player
        assert isinstance(player, LatentPlayer)
        return player

    def _encode(self, request: Encode) -> Encoded:
        return Encoded(self._latent(request.player).encode(request.notes, request.metres))

    def _pace(self, request: Pace) -> Paced:
        return Paced(self._latent(request.player).pace(request.a, request.b))


def answer(connection: Connection, handlers: Handlers) -> None:
    """Answer requests until the connection is closed; then end the process."""
    while True:
        try:
            data = connection.recv_bytes(MAX_MESSAGE_BYTES)
        except (OSError, EOFError):
            os._exit(0)
        reply = _reply(data, handlers)
        try:
            connection.send_bytes(reply)
        except OSError:
            os._exit(0)


def _reply(data: bytes, handlers: Handlers) -> bytes:
    """Decode a request, handle it and encode the response."""
    try:
        request = decode_request(data)
        return encode(handlers[type(request)](request))
    except HocketError as error:
        return encode(Refused(str(error)))
    except Exception as error:
        logger.exception("a request failed")
        return encode(Failed(one_line(error)))


def end_for_memory(held: int) -> None:
    """End the process, as it holds too much memory."""
    logger.critical("the note models hold %d MB of memory, more than the limit of %d", held >> 20, MEMORY >> 20)
    sys.stderr.flush()
    os._exit(OUT_OF_MEMORY)


def main(arguments: list[str]) -> int:
    """Run the process; see the module."""
    log.to_stderr("info")
    faulthandler.enable()
    memory.limit_growth(MEMORY)
    memory.watch(MEMORY, end_for_memory)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is for the engine
    sys.setswitchinterval(SWITCH_S)
    address, players = arguments
    key = bytes.fromhex(sys.stdin.readline())
    when_parent_ends(lambda: os._exit(0))  # at once: there is nothing to clean up
    listener = Listener(address, authkey=key)  # never closed: the parent removes its address
    sys.stdout.buffer.write(READY + b"\n")
    sys.stdout.buffer.flush()
    notes, slow = listener.accept(), listener.accept()
    models = Models(lazy_opener(players))
    threading.Thread(target=answer, args=(slow, models.slow), name="slow", daemon=True).start()
    answer(notes, models.notes)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
