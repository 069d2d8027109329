"""The decoder of MusicVAE on one phrase, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instrument.models.bundle import Bundle
from instrument.models.latent import Point


class PhraseDecoder:
    """The decoder on one phrase of the point z. Logits are computed on demand and cached until a token before them
    changes."""

    def __init__(self, bundle: Bundle, z: Point, places: Sequence[int], segment: int, unknown: int) -> None:
        self._step = bundle.session("step")
        contexts, hidden, cell = bundle.session("conductor").run({"z": z[None]})
        self._contexts, self._first = contexts, (hidden, cell)
        self._places, self._segment, self._unknown = places, segment, unknown
        self._tokens: list[int] = []
        self._found: dict[int, tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]] = {}

    def force(self, tokens: list[int]) -> None:
        """Force the first tokens."""
        if self._tokens[: len(tokens)] != tokens:
            for at, token in enumerate(tokens):
                self.put(at, token)

    def put(self, at: int, token: int) -> None:
        """Set token number `at`; those before it must be set."""
        if at < len(self._tokens):
            if self._tokens[at] == token:
                return
            for i in range(at + 1, len(self._tokens) + 1):
                self._found.pop(i, None)
            del self._tokens[at:]
        self._tokens.append(token)

    def logits(self, at: int) -> NDArray[np.float32]:
        """Logits (vocabulary,) of token number `at`; those before it must be set."""
        if at not in self._found:
            begin = at
            while begin and begin - 1 not in self._found and not self._starts(begin):
                begin -= 1
            for i in range(begin, at + 1):
                number, place = divmod(self._places[i], self._segment)
                if self._starts(i):
                    hidden, cell = (s[:, number] for s in self._first)
                else:
                    _, hidden, cell = self._found[i - 1]
                feeds: dict[str, NDArray[Any]] = {
                    "token": np.array([self._tokens[i - 1] if i else self._unknown]),
                    "place": np.array([place]),
                    "context": self._contexts[:, number],
                    "hidden": hidden,
                    "cell": cell,
                }
                found = self._step.run(feeds)
                self._found[i] = found[0][0], found[1], found[2]
        return self._found[at][0]

    def _starts(self, at: int) -> bool:
        """Whether a segment starts at this step; it may start late where a shorter bar leaves steps out."""
        return at == 0 or self._places[at] // self._segment != self._places[at - 1] // self._segment
