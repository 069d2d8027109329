"""The part that each track of a piece plays, by its notes and its name. The name decides unless the notes are clear.

The score of a part is linear in the features of a track (multinomial logistic regression). The weights were fitted by
`python -m training.data.notes.label_weights FOLDER` on tracks with clear names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from instrument.music.notes import Part
from instrument.music.parts import features as part_features

LABELS = (Part.MELODY, Part.CHORDS, Part.BASS)
CLEAR = 0.9  # probability from which the notes overrule a name
LIKELY = 0.5  # probability below which a track without a name is OTHER
FEWEST = 8  # notes; with fewer the name decides
SINGLE = 0.1  # share of onsets with several notes up to which a track counts as a single line
BASS_PROGRAMS = range(32, 40)
OWN_NAMES = {part.name.capitalize(): part for part in Part}  # as `write_midi` names its tracks
PLAYER = ": "  # between such a name and that of the player

# Patterns of track names -> part; the first match decides. The soprano has the melody of a chorale.
NAME_RULES: tuple[tuple[re.Pattern[str], Part], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), part)
    for pattern, part in (
        (r"(?<!double )\bbass\b(?! (drum|clarinet|trombone|flute))|bass ?line|\bbase\b|slap bass", Part.BASS),
        (r"melod|vocal|\bvoice|voice\b|voix|gesang|\bcanto\b|\bchant\b|\bsopran|\bsolo\b", Part.MELODY),
        (r"(?<!synth )\blead\b(?! guitar)|\blead ?(voice|synth)|\bviolin[oe]? ?(1|i)\b", Part.MELODY),
        (r"chord|\bpads?\b|\bcomp(ing)?\b|\bstrum|rhythm guitar|\bacc\b|accomp|begleit", Part.CHORDS),
        (r"\b(alto|tenor)\b(?! sax)|\bviola\b|\bviolin[oe]? ?(2|ii)\b", Part.CHORDS),  # inner voices
        (r"^other$", Part.OTHER),
    )
)
# A track with such a name plays chords if another track of the piece is named as the melody.
ACCOMPANIST = re.compile(r"piano|klavier|guitar|gitarre|harp|organ|keyboard", re.IGNORECASE)

# Feature -> its weights for the scores of melody, chords, bass.
WEIGHTS: dict[str, tuple[float, float, float]] = {
    "constant": (0.76, 0.42, -1.19),
    "height": (0.67, 0.56, -1.23),
    "low": (1.74, -2.02, 0.28),
    "range": (0.31, 0.36, -0.66),
    "chord share": (0.55, 1.71, -2.26),
    "voices": (0.17, -0.73, 0.56),
    "density": (0.16, -0.26, 0.1),
    "length": (0.22, -0.15, -0.06),
    "steps": (-0.0, -0.11, 0.11),
    "repeats": (-0.57, -0.04, 0.62),
    "leaps": (-0.41, 1.36, -0.95),
    "even": (-0.67, -0.12, 0.79),
    "polyphony": (-0.93, 1.72, -0.78),
    "top": (2.55, -3.18, 0.63),
    "bottom": (-1.11, -2.11, 3.23),
    "coverage": (-1.14, 1.59, -0.46),
    "together": (0.23, -0.26, 0.03),
}


class Track(part_features.TrackNotes, Protocol):
    """A track of a MIDI file."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def program(self) -> int:
        """Its General MIDI program, 0..127."""

    @property
    def is_drum(self) -> bool:
        """Whether it plays drums."""


class Label(NamedTuple):
    """The part of a track, and why. named: the part by its name alone, or None; predicted: the likeliest part by its
    notes alone, None for drums."""

    part: Part
    named: Part | None
    predicted: Part | None


def label_tracks(tracks: Sequence[Track], resolution: int) -> list[Label]:
    """The labels of the tracks of a piece, all with notes. resolution: ticks per beat.

    If all names begin with one of `OWN_NAMES`, as in a file that Hocket wrote, these decide. Else a name, or the
    program of a bass, decides unless the notes clearly contradict it. Without either the likeliest part is taken, or
    OTHER if none is likely.
    """
    names = named_parts(tracks)
    pitched = [i for i, track in enumerate(tracks) if not track.is_drum]
    odds = dict(zip(pitched, probabilities([tracks[i] for i in pitched], resolution), strict=True))
    own_names = [track.name.partition(PLAYER)[0] for track in tracks]
    own = all(name in OWN_NAMES for name in own_names)
    found = []
    for i, (track, named) in enumerate(zip(tracks, names, strict=True)):
        if i not in odds:
            found.append(Label(Part.DRUMS, named, None))
            continue
        best = LABELS[int(odds[i].argmax())]
        hint = Part.BASS if named is None and track.program in BASS_PROGRAMS else named
        if own:
            part = OWN_NAMES[own_names[i]]
        elif hint is not None and (odds[i].max() < CLEAR or len(track.starts) < FEWEST):
            part = hint
        else:
            part = best if odds[i].max() >= LIKELY else Part.OTHER
        found.append(Label(part, named, best))
    return found


def named_parts(tracks: Sequence[Track]) -> list[Part | None]:
    """The parts of tracks by their names, None where a name gives none."""
    found = [_named(track.name) for track in tracks]
    if Part.MELODY not in found:
        return found
    return [
        Part.CHORDS if part is None and not track.is_drum and ACCOMPANIST.search(track.name) else part
        for track, part in zip(tracks, found, strict=True)
    ]


def probabilities(tracks: Sequence[part_features.TrackNotes], resolution: int) -> NDArray[np.float64]:
    """Probabilities (tracks, 3) of `LABELS` for pitched tracks with notes, by their notes. A track above middle C, or
    without other tracks, is never a bass. A single line without other tracks is a melody."""
    found = part_features.features(tracks, resolution)
    scores = found @ np.array([WEIGHTS[name] for name in part_features.FEATURES])
    height, chordal = (found[:, part_features.FEATURES.index(name)] for name in ("height", "chord share"))
    scores[(height > 0) | (len(tracks) == 1), LABELS.index(Part.BASS)] = -np.inf
    scores[(chordal <= SINGLE) & (len(tracks) == 1), LABELS.index(Part.CHORDS)] = -np.inf
    odds = np.exp(scores - scores.max(1, keepdims=True, initial=-1e9))
    return np.asarray(odds / odds.sum(1, keepdims=True))


def _named(name: str) -> Part | None:
    return next((part for pattern, part in NAME_RULES if pattern.search(name)), None)
