"""Chord recognition, beat by beat: a small network gives probabilities of the chords of each beat from the notes in it
and around it, and Viterbi's algorithm finds the best sequence. `training.chord_model.learning` trains the network."""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.music.chords.names import KINDS, NO_CHORD, QUALITIES, TYPICAL, Chord, chord
from instrument.music.chords.profiles import WEAK, Beats, Profiles, beats_of, profiles
from instrument.music.notes import Piece
from instrument.music.timebase import TICKS_PER_BEAT
from instrument.paths import assets_dir

TABLE = Path("chordmodel") / "model.npz"  # in assets/
KIND_COUNT = len(KINDS) - 1  # without N
STATES = 12 * KIND_COUNT + 1  # for each root its kinds, then N
SILENT = STATES - 1

NEAR = (-2, -1, 0, 1, 2)  # offsets of single beats
NEXT = (-1, 0, 1)  # offsets by which onsets, half bars and bars are looked at
WINDOWS = (8, 32)  # beats to both sides
PLANES = 2 * len(NEAR) + 5 * len(NEXT) + len(WINDOWS) + 2
SCALARS = 6
# Weight of the transitions against the network's emissions; chosen on the validation pieces.
TRANSITION_WEIGHT = 0.08

# Kinds that are too coarse -> the qualities that are distinguished in them.
_FINER = {"dim": ("dim", "hdim7", "dim7"), "sus": ("sus4", "sus2", "7sus4")}
_CLEAR_BASS = 0.6  # share of half a bar in which another tone than the root must be lowest to be the bass
_ACCOMPANIED = 1.5  # mean voices from which the lowest note is a bass; a melody alone has none


@dataclass(frozen=True, eq=False)  # no slots: `moves` is cached
class ChordModel:
    """The trained tables.

    hidden (PLANES * 12 + SCALARS, units), hidden_bias (units), output (units, KIND_COUNT + 1), output_bias: the
    network of a beat's features, with pitch classes counted from one root; change (3): how often chords change at a
    beat, by its place in the bar; succession (KIND_COUNT + 1, STATES): log probability of what follows a kind when it
    changes, with roots counted from its own.
    """

    hidden: NDArray[np.float32]
    hidden_bias: NDArray[np.float32]
    output: NDArray[np.float32]
    output_bias: NDArray[np.float32]
    change: NDArray[np.float32]
    succession: NDArray[np.float32]

    def __post_init__(self) -> None:
        units = self.hidden_bias.shape
        expected = ((PLANES * 12 + SCALARS, *units), units, (*units, KIND_COUNT + 1), (KIND_COUNT + 1,), (3,))
        found = tuple(getattr(self, field.name).shape for field in fields(self))
        if found != (*expected, (KIND_COUNT + 1, STATES)):
            raise HocketError(f"the chord tables have the wrong shapes {found}: train them again")

    def probabilities(self, planes: NDArray[np.float32], scalars: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log probabilities (n, STATES) of the chords of n beats, given their `features`."""
        turned = (np.arange(12)[:, None] + np.arange(12)) % 12
        rows = PLANES * 12
        common = scalars @ self.hidden[rows:] + self.hidden_bias
        logits = np.empty((len(planes), 12, KIND_COUNT + 1), np.float32)
        for root in range(12):  # one root at a time, because a long piece would need much memory
            seen = planes[:, :, turned[root]].reshape(len(planes), rows)
            logits[:, root] = np.maximum(seen @ self.hidden[:rows] + common, 0) @ self.output + self.output_bias
        states = np.concatenate(
            (
                logits[:, :, :KIND_COUNT].reshape(len(planes), -1),
                logits[:, :, KIND_COUNT].mean(1, keepdims=True),
            ),
            1,
        )
        states -= states.max(1, keepdims=True)
        return np.asarray(states - np.log(np.exp(states).sum(1, keepdims=True)), np.float32)

    @functools.cached_property
    def moves(self) -> NDArray[np.float32]:
        """Log transition probabilities (3, STATES, STATES) from one chord to the next at a beat, by its place."""
        after = np.array([[relative(a, b) for b in range(STATES)] for a in range(STATES)])
        kinds = np.array([KIND_COUNT if a == SILENT else a % KIND_COUNT for a in range(STATES)])
        moves = np.log(self.change)[:, None, None] + self.succession[kinds[:, None], after]
        moves[:, np.arange(STATES), np.arange(STATES)] = np.log1p(-self.change)[:, None]
        return np.asarray(moves, np.float32)


def load_model(path: Path | None = None) -> ChordModel:
    """The tables that ship, or those of a file. Raises HocketError if they cannot be read."""
    path = assets_dir() / TABLE if path is None else path
    try:
        with np.load(path, allow_pickle=False) as tables:
            return ChordModel(**{field.name: tables[field.name].astype(np.float32) for field in fields(ChordModel)})
    except (OSError, KeyError, ValueError, BadZipFile) as error:
        reason = getattr(error, "strerror", None) or error
        raise HocketError(f"cannot read the chord tables {path} ({reason}): install Hocket again") from error


def recognise(piece: Piece, model: ChordModel | None = None) -> tuple[Beats, list[Chord]]:
    """The beats of a piece and the chord of each.

    Qualities are those of `KINDS`, with sus2, sus4 and 7sus4 and the three diminished chords distinguished. The
    bass is the root, or another tone of the chord that is lowest for most of half a bar. Raises HocketError for a piece
    without notes.
    """
    if not len(piece):
        raise HocketError("a piece without notes has no chords: give one with notes")
    model = model or _shipped()
    beats = beats_of(piece)
    profile = profiles(piece, beats.edges)
    states = viterbi(model.probabilities(*features(profile, beats)), beats, model)
    return beats, _spelt(states, profile, beats)


@functools.cache
def _shipped() -> ChordModel:
    return load_model()


def viterbi(emissions: NDArray[np.float32], beats: Beats, model: ChordModel) -> NDArray[np.int64]:
    """The likeliest states (n) of beats, given their log probabilities `emissions` (n, STATES)."""
    moves = TRANSITION_WEIGHT * model.moves
    backpointers = np.zeros(emissions.shape, np.int64)
    score = emissions[0]
    for beat in range(1, len(emissions)):
        reached = score[:, None] + moves[beats.places[beat]]
        backpointers[beat] = reached.argmax(0)
        score = reached.max(0) + emissions[beat]
    states = np.zeros(len(emissions), np.int64)
    states[-1] = score.argmax()
    for beat in range(len(emissions) - 1, 0, -1):
        states[beat - 1] = backpointers[beat, states[beat]]
    return states


def state_of(chord: Chord) -> int:
    """The state 0..STATES - 1 of a chord: root and kind."""
    return SILENT if chord.root is None else chord.root * KIND_COUNT + KINDS.index(chord.kind)


def features(profile: Profiles, beats: Beats) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The network's features of n beats: planes (n, PLANES, 12), shares of pitch classes in the beat and around it; and
    scalars (n, SCALARS), the place in the bar and how many tones sound."""
    durations, lowest, struck = profile
    planes = [_share(_shifted(values, step)) for values in (durations, lowest) for step in NEAR]
    planes += [_share(_shifted(struck, step)) for step in NEXT]
    for groups in (halves(beats), beats.bars):
        for values in (durations, lowest):
            sums = _summed(values, groups)
            planes += [_share(_shifted(sums, step))[groups] for step in NEXT]
    total = np.concatenate((np.zeros((1, 12), np.float32), durations.cumsum(0)))
    index = np.arange(len(beats))
    for width in WINDOWS:
        low, high = np.maximum(index - width, 0), np.minimum(index + width + 1, len(beats))
        planes.append(_share(total[high] - total[low]))
    planes += [np.broadcast_to(_share(values.sum(0)), durations.shape) for values in (durations, lowest)]
    voices = durations.sum(1, keepdims=True) * TICKS_PER_BEAT / np.diff(beats.edges)[:, None]
    scalars = (
        np.eye(3)[beats.places],
        np.log1p(voices),
        np.broadcast_to(np.log1p(voices.mean()), voices.shape),
        np.log1p((durations > 0).sum(1, keepdims=True)),
    )
    return np.stack(planes, 1).astype(np.float32), np.concatenate(scalars, 1).astype(np.float32)


def halves(beats: Beats) -> NDArray[np.int64]:
    """The half bar of each beat, counted from 0; the bar where it has no middle beat."""
    return np.asarray(np.maximum(np.cumsum(beats.places != WEAK) - 1, 0), np.int64)


def _spelt(states: NDArray[np.int64], profile: Profiles, beats: Beats) -> list[Chord]:
    """The chords of states. Bass and finer qualities come from the notes of each state within half a bar."""
    half = halves(beats)
    starts = np.flatnonzero((np.diff(states, prepend=-1) != 0) | (np.diff(half, prepend=-1) != 0))
    found: list[Chord] = []
    for start, end in zip(starts, [*starts[1:], len(states)], strict=True):
        spelt = _spell(int(states[start]), profile.sounding[start:end].sum(0), profile.lowest[start:end].sum(0))
        found += [spelt] * int(end - start)
    return found


def _spell(state: int, sounding: NDArray[np.float32], lowest: NDArray[np.float32]) -> Chord:
    if state == SILENT:
        return NO_CHORD
    root, kind = state // KIND_COUNT, KINDS[state % KIND_COUNT]
    share = np.roll(sounding, -root) / (sounding.sum() + 1e-6)
    qualities = _FINER.get(kind, (TYPICAL[kind],))
    quality = max(qualities, key=lambda quality: share[list(QUALITIES[quality])].sum() - 0.05 * len(QUALITIES[quality]))
    bass = int(lowest.argmax())
    accompanied = sounding.sum() >= _ACCOMPANIED * lowest.sum() > 0
    clear = accompanied and lowest[bass] >= _CLEAR_BASS * lowest.sum() and (bass - root) % 12 in QUALITIES[quality]
    return chord(root, quality, bass if clear else root)


def relative(before: int, after: int) -> int:
    """The state `after` with its root counted from that of `before`; unchanged if one of them has no root."""
    if SILENT in (before, after):
        return after
    return (after // KIND_COUNT - before // KIND_COUNT) % 12 * KIND_COUNT + after % KIND_COUNT


def _share(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Square roots of shares of the sum, near 0 where almost nothing sounds."""
    return np.asarray(np.sqrt(values / (values.sum(-1, keepdims=True) + 0.05)), np.float32)


def _shifted(values: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """The rows `step` later, zero beyond the end."""
    result = np.zeros_like(values)
    if step > 0:
        result[:-step] = values[step:]
    elif step < 0:
        result[-step:] = values[:step]
    else:
        result[:] = values
    return result


def _summed(values: NDArray[np.float32], groups: NDArray[np.int64]) -> NDArray[np.float32]:
    return np.stack([np.bincount(groups, values[:, c]) for c in range(12)], 1).astype(np.float32)
