"""What a bundle costs: time a note and bytes."""

from __future__ import annotations

import time

import numpy as np

from instrument.models.manifest import Manifest
from instrument.models.notes.musicvae import MusicVaePlayer
from instrument.models.notes.player import Ask, NotePlayer
from instrument.music.timebase import MetreMap
from training.evaluation.generation import COMMON_TIME, default_knobs

WARM_UP, NOTES = 30, 300
PHRASES = 24


def time_notes(player: NotePlayer, manifest: Manifest) -> dict[str, float]:
    """Milliseconds a note in one thread (network, heads, masks, sampling), on this machine as busy as
    it is: `p50` and `p99` over notes that come after a start of their own."""
    player.reset(1, 0, MetreMap(COMMON_TIME))
    ask = Ask(knobs=default_knobs(manifest), scale="major", low=24, high=100)
    taken = []
    for _ in range(WARM_UP + NOTES):
        began = time.perf_counter_ns()
        player.feed(player.propose(ask))
        taken.append(time.perf_counter_ns() - began)
        player.forget_before(player.count)
    return {f"p{p}": round(float(np.percentile(taken[WARM_UP:], p)) / 1e6, 3) for p in (50, 99)}


def time_phrases(player: MusicVaePlayer, manifest: Manifest) -> dict[str, float]:
    """Milliseconds to decode a whole phrase, in one thread: `phrase_p50` and `phrase_p99` over points of `PHRASES`
    seeds."""
    ask = Ask(knobs=default_knobs(manifest))
    taken = []
    for seed in range(PHRASES):
        player.reset(seed, 0, MetreMap(COMMON_TIME))
        z = player.point(0, ask)
        began = time.perf_counter_ns()
        player.decode(z, ask)
        taken.append(time.perf_counter_ns() - began)
    return {f"phrase_p{p}": round(float(np.percentile(taken, p)) / 1e6, 2) for p in (50, 99)}
