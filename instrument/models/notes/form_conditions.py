"""What a plan says beyond its chords, as a condition, for note models that have learnt it: the place in the section,
the bar that is recalled, and how densely each part plays.

The condition is [none, 11 bars since the section began] + [none, 9 bars left of it] + [ending] + [none, 4 closenesses,
match] + [none, 5 parts], appended to that of `conditions`. The note that the recalled bar has next is a fifth echo of
the heads: `Echo`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.models.manifest import Manifest
from instrument.models.notes.conditions import condition_size, share
from instrument.models.plan.outline import ENDING_LABEL
from instrument.music import codec
from instrument.music.notes import Part
from instrument.music.plan import Plan

SINCE = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 12.0, 16.0)  # bars of the section before this one
LEFT = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)  # and after it; a plan is always written so far
LONGEST_SECTION = 32  # bars; in a longer one the place is unknown
CLOSENESS = (0.25, 0.5, 0.75, 1.0)  # of a recalled bar
NO_PART = len(Part)
PLACE_SIZE = 1 + len(SINCE) + 1 + len(LEFT) + 1
RECALL_SIZE = 1 + len(CLOSENESS) + 1
RATES_SIZE = 1 + len(Part)
PLACE = slice(0, PLACE_SIZE)
RECALL = slice(PLACE.stop, PLACE_SIZE + RECALL_SIZE)
RATES = slice(RECALL.stop, RECALL.stop + RATES_SIZE)
FORM_SIZE = RATES.stop


class Learned(NamedTuple):
    """What of a plan a network takes as conditions: its chords; and its form, which comes with them."""

    plan: bool = False
    form: bool = False

    def size(self, genres: int) -> int:
        """Length of its condition vector."""
        return condition_size(genres, self.plan) + FORM_SIZE * self.form


NOTHING = Learned()


def learned(manifest: Manifest) -> Learned:
    """What the network of a bundle takes. HocketError if its condition is none of these."""
    genres = len(manifest.condition_genres)
    expected = {port.name: port.shape[-1] for port in manifest.graph("step").inputs}.get("condition")
    for each in (Learned(True, True), Learned(True), Learned()):
        if expected == each.size(genres):
            return each
    raise HocketError(
        f"bundle {manifest.slug!r} expects a condition vector of {expected} values, this Hocket gives "
        f"{Learned().size(genres)}: install the bundle again, or train it again"
    )


class Echo(NamedTuple):
    """The note that a recalled bar has next, as heads take it: its gap in ticks from the last note, row, part and
    duration."""

    gap: int = codec.NO_GAP
    row: int = codec.NO_NOTE
    part: int = NO_PART
    duration: int = codec.NO_DURATION


NO_ECHO = Echo()


def place_shares(
    since: NDArray[np.float32], left: NDArray[np.float32], ending: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """(..., 23) of the bars of a section before and after the present one, nan where they are not known, and whether
    the piece ends with it."""
    unknown = np.isnan(since) | (since > LONGEST_SECTION)
    known = [np.where(unknown, np.nan, bars).astype(np.float32) for bars in (since, left)]
    last = (ending & ~unknown).astype(np.float32)
    return np.concatenate([share(known[0], SINCE), share(known[1], LEFT), last[..., None]], -1)


def recall_shares(closeness: NDArray[np.float32], matched: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(..., 6) of how closely the next recalled note is to be kept to, nan: there is none; and whether the last note
    was one that was recalled."""
    return np.concatenate([share(closeness, CLOSENESS), matched.astype(np.float32)[..., None]], -1)


def rate_shares(rates: NDArray[np.float32]) -> NDArray[np.float32]:
    """(..., 6) of the notes a beat of the parts (..., 5), the logarithm of 1 more; nan where they are not known."""
    unknown = np.isnan(rates).any(-1, keepdims=True)
    return np.concatenate([unknown, np.where(unknown, 0, np.log2(1 + rates))], -1).astype(np.float32)


def form_row(
    plan: Plan | None, tick: int, closeness: float, matched: bool, rates: NDArray[np.float64] | None
) -> NDArray[np.float32]:
    """(35,) at the onset `tick` of the last note. closeness, matched: as in `recall_shares`; rates: notes a beat of
    each part where the plan leaves it free, None if they are not known."""
    place = plan.place(tick) if plan else None
    if place is None or plan is None:
        since, left, ending, known = np.nan, np.nan, False, rates
    else:
        since, left, ending = float(place.since), float(place.left), place.section == ENDING_LABEL
        full = [1.0 if value is None else value for value in plan.bars[place.bar].fullness]
        known = None if rates is None else rates * full
    wanted = np.full(len(Part), np.nan) if known is None else known
    return np.concatenate(
        [
            place_shares(np.array(since, np.float32), np.array(left, np.float32), np.array(ending)),
            recall_shares(np.array(closeness, np.float32), np.array(matched)),
            rate_shares(wanted.astype(np.float32)),
        ]
    )


NO_FORM = form_row(None, 0, np.nan, False, None)
