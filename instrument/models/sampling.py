"""Sampling from logits with counter-based noise.

Gumbel-max trick: the index of the largest logit + noise is a draw from the softmax. The noise is keyed by the value and
the position in the music. So masking values that were not chosen does not change the choice, and a small change of the
logits rarely does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError

FLOOR = np.float32(-1e30)
_WORD = (1 << 64) - 1


def noise(seed: int, player: int, counters: tuple[int, int, int], size: int) -> NDArray[np.float32]:
    """`size` Gumbel draws that depend on (seed, player, counters) alone (Philox, Salmon et al. 2011)."""
    key = np.array([seed & _WORD, player & _WORD], np.uint64)
    counter = np.array([0, *(c & _WORD for c in counters)], np.uint64)
    bits = np.random.Philox(key=key, counter=counter).random_raw((size + 1) // 2)
    words = np.asarray(bits, np.uint64).view(np.uint32)[:size]
    uniform = (words.astype(np.float64) + 0.5) / 2**32
    return (-np.log(-np.log(uniform))).astype(np.float32)


def choose(
    logits: NDArray[np.float32],
    draws: NDArray[np.float32],
    temperature: float = 1.0,
    top_p: float = 1.0,
    allowed: NDArray[np.bool_] | None = None,
    after: NDArray[np.bool_] | None = None,
) -> int:
    """Draw a value 0..len(logits) - 1, or -1 if none is left. logits, draws and masks: (n,).

    allowed: mask applied first; top_p: nucleus sampling (Holtzman and others, 2020) among these, the most likely values
    that together have this probability; after: mask applied last (the floor), so that it excludes no more than it must.
    """
    scores = logits / np.float32(max(temperature, 1e-3))
    if allowed is not None:
        scores = np.where(allowed, scores, FLOOR)
    if top_p < 1.0:
        likely = np.exp(scores - scores.max())
        ranked = np.sort(likely)[::-1]
        mass = np.cumsum(ranked)
        least = ranked[np.searchsorted(mass, top_p * mass[-1])]
        scores = np.where(likely >= least, scores, FLOOR)
    scores = scores + draws
    if after is not None:
        scores = np.where(after, scores, FLOOR)
    best = int(np.argmax(scores))
    return best if scores[best] > FLOOR / 2 else -1


def drawn(value: int) -> int:
    """A value that `choose` drew. HocketError if none was left."""
    if value < 0:
        raise HocketError("no note may sound: widen the range, or let more parts play")
    return value


def normal(seed: int, player: int, counters: tuple[int, int, int], size: int) -> NDArray[np.float32]:
    """`size` draws from the standard normal that depend on (seed, player, counters) alone (Box and Muller)."""
    gumbel = noise(seed, player, counters, 2 * size).astype(np.float64)
    uniform = np.exp(-np.exp(-gumbel))
    radius = np.sqrt(-2 * np.log(uniform[:size]))
    out: NDArray[np.float32] = (radius * np.cos(2 * np.pi * uniform[size:])).astype(np.float32)
    return out
