"""Chord recognition by templates, half bar by half bar: a baseline without training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.music.chords.analysis import halves
from instrument.music.chords.names import Chord, chord
from instrument.music.chords.profiles import Beats, Profiles, beats_of, profiles
from instrument.music.notes import Piece

# Quality -> penalty on its score, so that rare chords need a better fit.
PRIORS = {
    "maj": 0.0, "min": 0.0, "7": 0.03, "maj7": 0.03, "min7": 0.03, "dim": 0.06, "aug": 0.1, "hdim7": 0.06,
    "dim7": 0.08, "sus4": 0.06,
}  # fmt: skip
COVERED = 0.5  # weight of the share of a chord's tones that sound
ENOUGH = 0.15  # share of the time from which a tone counts fully
ROOT_LOWEST = 0.15
STAYING = 0.12

_CHORDS = [chord(root, quality) for root in range(12) for quality in PRIORS]


def template_chords(piece: Piece) -> tuple[Beats, list[Chord]]:
    """The beats of a piece and the chord of each, over its root. It is constant in each half bar, or in each bar that
    has no middle beat.

    Score: share of the time sounding within the chord + .5 x how many of its tones are there + .15 if the lowest note
    is the root - `PRIORS`; Viterbi's algorithm with .12 for staying. Raises HocketError for a piece without notes.
    """
    if not len(piece):
        raise HocketError("a piece without notes has no chords: give one with notes")
    beats = beats_of(piece)
    half = halves(beats)
    starts = np.flatnonzero(np.diff(half, prepend=-1))
    path = _path(template_scores(profiles(piece, np.append(beats.edges[starts], beats.edges[-1]))))
    return beats, [_CHORDS[state] for state in path[half - half[0]]]


def template_scores(profile: Profiles) -> NDArray[np.float32]:
    """How well each chord (12 roots x `PRIORS`) fits n spans: (n, chords); 0 in silence."""
    sounding = profile.sounding.sum(1)
    share = profile.sounding / np.maximum(sounding, 1e-6)[:, None]
    bass = profile.lowest.argmax(1)
    scores = np.zeros((len(sounding), len(_CHORDS)), np.float32)
    for state, each in enumerate(_CHORDS):
        tones = sorted(each.tones)
        covered = (share[:, tones].clip(max=ENOUGH) / ENOUGH).mean(1)
        scores[:, state] = share[:, tones].sum(1) + COVERED * covered + ROOT_LOWEST * (bass == each.root)
        scores[:, state] -= PRIORS[each.quality]
    scores[sounding == 0] = 0
    return scores


def _path(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """The best sequence of states. All changes cost the same, so that one maximum a step is enough."""
    backpointers = np.zeros(scores.shape, np.int64)
    score = scores[0]
    states = np.arange(scores.shape[1])
    for step in range(1, len(scores)):
        best = int(score.argmax())
        stays = score + STAYING >= score[best]
        backpointers[step] = np.where(stays, states, best)
        score = np.where(stays, score + STAYING, score[best]) + scores[step]
    path = np.zeros(len(scores), np.int64)
    path[-1] = score.argmax()
    for step in range(len(scores) - 1, 0, -1):
        path[step - 1] = backpointers[step, path[step]]
    return path
