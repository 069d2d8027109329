"""The features of a piece's form for training: the same as a player computes from a plan and the notes so far."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from instrument.models.notes.form_conditions import NO_ECHO, place_shares, rate_shares, recall_shares
from instrument.models.notes.plan_guidance import LOOK_AHEAD, moved
from instrument.music import codec
from instrument.music.notes import Part, order_keys
from instrument.music.timebase import TICKS_PER_BEAT
from training.data.notes.form.analysis import ENDING, LEFT, LIKENESS, SINCE, SOURCE, TICK, Form
from training.data.notes.harmony import Changes, chords_of

RATE_WINDOW = 384  # ticks over which the density of a part is taken


def form_features(
    notes: NDArray[np.int32], events: NDArray[np.int32], start: int, form: Form, changes: Changes
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """`form_row` before each of the notes (n, 6), (n, 35), and the `Echo` of the recalled bar there, (n, 4).

    events: of the notes; start: tick of the piece's start; form: of its bars; changes: its chords.
    """
    before = np.concatenate([[start], notes[:-1, 0]])
    bar = np.searchsorted(form[:, TICK], before, "right") - 1
    known = bar >= 0
    rows = form[np.maximum(bar, 0)] if len(form) else np.zeros((len(notes), 6), np.int32)
    since, left = (np.where(known, rows[:, column], np.nan).astype(np.float32) for column in (SINCE, LEFT))
    echoes, closeness, matched = recalled(notes, events, form, changes)
    shares = [
        place_shares(since, left, known & (rows[:, ENDING] > 0)),
        recall_shares(closeness, matched),
        rate_shares(part_rates(notes)),
    ]
    return np.concatenate(shares, 1), echoes


def part_rates(notes: NDArray[np.int32]) -> NDArray[np.float32]:
    """(n, 5): notes a beat of each part over the next bars from each note on, or as many as there are."""
    ticks = notes[:, 0]
    begins = np.clip(ticks, ticks[0], max(ticks[0], ticks[-1] - RATE_WINDOW))
    span = np.minimum(RATE_WINDOW, np.maximum(ticks[-1] - begins, TICKS_PER_BEAT))
    rates = np.empty((len(notes), len(Part)), np.float32)
    for part in Part:
        own = ticks[notes[:, 5] == part]
        rates[:, part] = np.searchsorted(own, begins + span) - np.searchsorted(own, begins)
    return rates * (TICKS_PER_BEAT / span[:, None]).astype(np.float32)


def recalled(
    notes: NDArray[np.int32], events: NDArray[np.int32], form: Form, changes: Changes
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.bool_]]:
    """Before each note: the `Echo` (n, 4), how closely the next recalled note is to be kept to (nan: there is none),
    and whether the last note was one that was recalled; as by `PlanGuidance`."""
    n, keys, ticks = len(notes), order_keys(notes), notes[:, 0].astype(np.int64)
    echoes = np.tile(np.array(NO_ECHO, np.int32), (n, 1))
    closeness, matched = np.full(n, np.nan, np.float32), np.zeros(n, bool)
    source, expected, bars = _expected(keys, form)
    if not len(source):
        return echoes, closeness, matched
    rows = _moved(keys[source] & 255, ticks[source], expected >> 8, changes)

    def next_of(after: NDArray[np.int64], known: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The first expected note in order after each, and whether there is one: soon, and already played, as one of
        the first `known` notes."""
        at = np.searchsorted(expected, after, "right")
        there = at < len(expected)
        at = np.minimum(at, len(expected) - 1)
        here = np.searchsorted(form[:, TICK], np.maximum(0, after >> 8), "right") - 1
        return at, there & (here >= 0) & (bars[at] <= here + LOOK_AHEAD) & (source[at] < known)

    played = np.arange(1, n)
    at, there = next_of(keys[:-1], played)
    gaps = (expected[at] >> 8) - ticks[:-1]
    echoes[1:, 0] = np.where(there & (gaps <= codec.ECHO_MAX_GAP), gaps, codec.NO_GAP)
    closeness[1:] = np.where(there, form[bars[at], LIKENESS] / 100, np.nan)
    above = np.where(ticks[1:] == ticks[:-1], keys[:-1] & 255, -1)
    at, there = next_of((ticks[1:] << 8) + above, played)
    there &= expected[at] >> 8 == ticks[1:]
    found = np.stack([rows[at], notes[source[at], 5], events[source[at], codec.DURATION]], 1)
    echoes[1:, 1:] = np.where(there[:, None], found, echoes[1:, 1:])
    matched[2:] = (echoes[1:-1, 1] == (keys[1:-1] & 255)) & there[:-1]
    return echoes, closeness, matched


def _expected(keys: NDArray[np.int64], form: Form) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """All notes that bars recall, in order: index of the note, its key where it falls in the bar, and the bar."""
    starts = form[:, TICK].astype(np.int64)
    bars = np.flatnonzero((form[:, SOURCE] >= 0) & (np.arange(len(form)) < len(form) - 1))
    if not len(bars):
        return bars, bars, bars
    sources = form[bars, SOURCE].astype(np.int64)
    own = starts[np.searchsorted(starts, sources) + 1]
    until = np.minimum(sources + starts[bars + 1] - starts[bars], own)
    first, end = (np.searchsorted(keys, tick << 8) for tick in (sources, until))
    counts = end - first
    bar = np.repeat(bars, counts)
    index = np.arange(counts.sum()) + np.repeat(first - np.cumsum(counts) + counts, counts)
    return index, keys[index] + ((starts[bar] - np.repeat(sources, counts)) << 8), bar


def _moved(
    rows: NDArray[np.int64], then: NDArray[np.int64], now: NDArray[np.int64], changes: Changes
) -> NDArray[np.int64]:
    """The rows of recalled notes, moved into the chords of now."""
    chords = [None, *chords_of(changes)]
    places = [np.searchsorted(changes[:, 0], ticks, "right") for ticks in (then, now)]
    out = rows.copy()
    for i in np.flatnonzero(places[0] != places[1]).tolist():
        out[i] = moved(int(rows[i]), chords[places[0][i]], chords[places[1][i]])
    return out
