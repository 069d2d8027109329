"""Compares the golden values of the models in use with what they compute on this machine, beside the music."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

from instrument import last_resort
from instrument.models.catalog import list_models
from instrument.models.probed import compared


class Comparing:
    """Call it with the slug of a model that is used, which does not wait. Each is compared once, in a thread."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        """tell: called with a line for each model that computes other values."""
        self._tell = tell
        self._slugs: SimpleQueue[str] = SimpleQueue()
        self._done: set[str] = set()
        threading.Thread(target=self._run, name="comparing", daemon=True).start()

    def __call__(self, slug: str) -> None:
        """A model is used."""
        self._slugs.put(slug)

    def _run(self) -> None:
        last_resort.keep_going("comparing models", self._compare_one, lambda: False)

    def _compare_one(self) -> None:
        slug = self._slugs.get()
        if slug in self._done:
            return
        self._done.add(slug)
        there = {entry.slug: entry for entry in list_models() if entry.shipped and not entry.problem}
        manifest = there[slug].manifest if slug in there else None
        if manifest:  # others were compared as they were admitted
            folders = [there[each].path for each in (slug, *manifest.needs) if each in there]
            for problem in filter(None, compared(folders).values()):
                self._tell(problem)
