"""Brings the note players back after the notes process has ended, and leaves out a model that ended it twice."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

from instrument import last_resort
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.silent import SilentBundle
from instrument.engine.pool.model_pool import ModelPool
from instrument.errors import HocketError

logger = logging.getLogger(__name__)

WITHIN_S = 60.0  # a model that ends the process twice within this time is left out
WAIT_S = 10.0  # how long the notes thread may take to take the models
LEFT_OUT = "the process of the note models ended twice while {} was used: choose another model, or this one again"


class RevivalHost(Protocol):
    """What a revival needs of the notes thread."""

    models: ModelPool

    @property
    def performance(self) -> Performance:
        """The performance whose players are brought back."""
        ...

    def call(self, do: Callable[[], Any]) -> Future[Any]:
        """Run a function in the notes thread, between two notes."""
        ...

    def set_fields(self, **fields: Any) -> None:
        """Set fields of the patch, of which there may be none, and tell all what the performance now is."""
        ...


class Revival:
    """For the notes thread, which tells it of each loss. Models are opened in a thread of its own."""

    def __init__(self, host: RevivalHost) -> None:
        self._host = host
        self._suspects: dict[str, float] = {}  # slug -> when the process last ended while its model was used
        self._running = False

    def lost(self, player: int) -> None:
        """The process has ended; it was `player` whose note it was asked for."""
        if self._running:
            return  # the others notice it as well
        self._running = True
        slug, now = self._host.performance.players[player].bundle.slug, time.monotonic()
        if now - self._suspects.get(slug, -WITHIN_S) < WITHIN_S:
            self._host.models.leave_out(slug, LEFT_OUT.format(slug))
        self._suspects[slug] = now
        logger.error("the process of the note models ended while it played %s: its players are brought back", slug)
        wanted = {
            number: player.bundle.slug
            for number, player in enumerate(self._host.performance.players)
            if player.line and not isinstance(player.bundle, SilentBundle)
        }
        threading.Thread(target=self._bring_back, args=(wanted,), name="revival", daemon=True).start()

    def _bring_back(self, wanted: dict[int, str]) -> None:
        models = self._host.models
        try:
            models.forget()
            for slug in wanted.values():
                if not models.is_left_out(slug):
                    self._open(slug)
            self._host.call(lambda: self._seat(list(wanted))).result(WAIT_S)
        except Exception as error:  # noqa: BLE001
            last_resort.report("bringing back the note players", error)
        finally:
            self._running = False

    def _seat(self, players: list[int]) -> None:
        """In the notes thread: give these players their models anew, from the floor on."""
        performance = self._host.performance
        for number in players:
            player = performance.player(number)
            anchors = player.anchors
            performance.load(player.bundle.slug, number)
            if not player.kept:
                performance.anchor(anchors, number)
        self._host.set_fields()

    def _open(self, slug: str) -> None:
        try:
            self._host.models.load(slug)
        except HocketError as error:
            self._host.models.leave_out(slug, str(error))
