"""Keeps models open, so that a new performance does not load them again."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from instrument.engine.performance.roster import Opened, OpenPlayer
from instrument.engine.performance.silent import SilentBundle, SilentPlayer
from instrument.engine.performance.sound_seats import kind
from instrument.engine.sound.tuning import prepare
from instrument.models.sound.base import StreamModel

logger = logging.getLogger(__name__)


class ModelPool:
    """Opens models and keeps those of the last performance. In the place of those that are left out it gives silent
    players. Any thread may call it."""

    def __init__(self, open_player: OpenPlayer, loaded: Callable[[str], None] = lambda slug: None) -> None:
        """loaded: called with the slug of each model that has been loaded."""
        self._open = open_player
        self._loaded = loaded
        self._lock = threading.Lock()
        self._idle: list[Opened] = []
        self._left_out: dict[str, str] = {}  # slug -> why

    def load(self, slug: str) -> None:
        """Open a model and keep it, so that `give` is quick. HocketError if it cannot be opened."""
        began = time.monotonic()
        opened = self._open(slug)
        if isinstance(opened[1], StreamModel):
            prepare(opened[1].rate, opened[1].chunk)
        logger.info("opened the model %s in %.2f s", slug, time.monotonic() - began)
        with self._lock:
            self._left_out.pop(slug, None)
            self._idle.append(opened)
        self._loaded(slug)

    def leave_out(self, slug: str, why: str) -> None:
        """Give silent players in the place of this model, until it is loaded. why: what they say."""
        logger.warning("the model %s is left out: %s", slug, why)
        with self._lock:
            self._left_out[slug] = why
            self._idle = [opened for opened in self._idle if opened[0].slug != slug]

    def is_left_out(self, slug: str) -> bool:
        """Whether silent players are given in the place of a model."""
        return slug in self._left_out

    def forget(self) -> None:
        """Close all models that are not in use."""
        with self._lock:
            self._idle = []

    def give(self, slug: str) -> Opened:
        """A model of this slug that is not in use, opened now if there is none. HocketError if that fails."""
        with self._lock:
            if why := self._left_out.get(slug):
                return SilentBundle(slug), SilentPlayer(why)
            ready = next((opened for opened in self._idle if opened[0].slug == slug), None)
            if ready:
                self._idle.remove(ready)
        return ready or self._open(slug)

    def kind(self, slug: str) -> str:
        """The kind of a model: "notes", "stream" or "voice". HocketError if it cannot be opened."""
        opened = self.give(slug)
        with self._lock:
            self._idle.append(opened)
        return kind(opened[1])

    def take_back(self, players: list[Opened]) -> None:
        """Take models back that are no longer in use. Models that were unused since the last call are closed."""
        with self._lock:
            self._idle = players
