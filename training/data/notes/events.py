"""From pieces to the integer features that note models train on, and endless streams of them.

The same features as `instrument.models` builds note by note while playing (`instrument.music.codec`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from instrument.models.notes.conditions import (
    FARTHEST_CHANGE,
    chord_number,
    chord_row,
    density_of,
    distance_shares,
    histogram_condition,
    parts_share,
    pitch_class_histograms,
    register_of,
)
from instrument.music import codec
from instrument.music.notes import Part, Piece, order_keys, tidy
from training.core.ranges import AtLeastTwo, Count, NotNegative, Semitones, Share
from training.data.notes.form.analysis import NO_FORM, Form, PieceForm
from training.data.notes.form.features import form_features
from training.data.notes.harmony import NO_CHANGES, Changes, PieceChords, chords_of, transposed
from training.data.notes.shards import PieceInfo, Shards

ECHOES = len(codec.ECHO_BARS)


@dataclass(frozen=True, slots=True)
class Features:
    """A piece as n prediction steps. Step i sees note i - 1 (the start of the piece for i = 0) and
    predicts note i.

    seen: int32 (n, 12): pitch index 0..256, time, duration, velocity 0..32, part 0..5, micro,
    position, metre, and a match with each of four echoes (0/1) of the last note;
    gaps: int32 (n, 4) `codec.echo_gaps`; place: int32 (n, 2) position and metre of the note predicted;
    echo_pitch, echo_duration: int32 (n, 4) of its echoes; target: int32 (n, 6) columns as
    `codec.FIELDS` but with pitch 0..255 and velocity 0..32; flat: bool (n,) whether the velocity may
    still be FLAT; mute: bool (n,) whether the velocity is random, and not to be learnt;
    local: float32 (n, 2) density (notes a beat) and register (mean pitch) of what follows; parts: float32
    (n, 6) `parts_share` of the whole; tones: float32 (n, 12) `histogram_condition` of what was before; plan:
    float32 (n, 58) `plan_row` at the note seen; chord: int32 (n,) `chord_number` at the note predicted; form: float32
    (n, 35) `form_row` at the note seen; recalled: int32 (n, 4) `Echo` of the recalled bar.
    """

    seen: NDArray[np.int32]
    gaps: NDArray[np.int32]
    place: NDArray[np.int32]
    echo_pitch: NDArray[np.int32]
    echo_duration: NDArray[np.int32]
    target: NDArray[np.int32]
    flat: NDArray[np.bool_]
    mute: NDArray[np.bool_]
    local: NDArray[np.float32]
    parts: NDArray[np.float32]
    tones: NDArray[np.float32]
    plan: NDArray[np.float32]
    chord: NDArray[np.int32]
    form: NDArray[np.float32]
    recalled: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.target)


def features(
    piece: Piece, dynamic: bool = False, mute: bool = False, changes: Changes = NO_CHANGES, form: Form = NO_FORM
) -> Features:
    """The features of a piece with at least one note. dynamic: its velocities are known to vary, as while
    playing, so none is FLAT. mute: they are random. changes, form: its chords and its bars, as a plan would have
    them."""
    notes = codec.to_grid(piece.notes)
    n = len(notes)
    first = int(notes[0, 0])
    start = first - int(codec.bar_context(notes[:1, 0], piece.metres)[0, 0]) if piece.metres else first
    start = max(start, first - codec.MAX_GAP)
    keys = order_keys(notes)
    events = codec.encode(notes, start)
    pitch = (keys & 255).astype(np.int32)
    context = codec.bar_context(np.concatenate([[start], notes[:, 0]]).astype(np.int32), piece.metres)

    target = events.copy()
    target[:, codec.PITCH] = pitch
    velocity = events[:, codec.VELOCITY]
    constant = np.cumsum(velocity != velocity[0]) == 0
    flat = np.concatenate([[True], constant[:-1]])
    if dynamic:
        constant, flat = np.zeros(n, bool), np.zeros(n, bool)
    target[constant, codec.VELOCITY] = codec.FLAT

    gaps = np.full((n, ECHOES), codec.NO_GAP, np.int32)
    echoes = np.full((n, ECHOES), -1, np.int32)
    gaps[1:] = codec.all_echo_gaps(keys, context[1:, 2])[:-1]
    echoes[1:] = codec.all_echo_notes(keys, context[1:, 2])
    echo_pitch = np.where(echoes < 0, codec.NO_NOTE, pitch[echoes]).astype(np.int32)
    echo_duration = np.where(echoes < 0, codec.NO_DURATION, events[echoes, codec.DURATION]).astype(np.int32)
    matches = (echo_pitch == pitch[:, None]).astype(np.int32)

    seen = np.zeros((n, 12), np.int32)
    seen[0, :8] = *codec.START, *context[0, :2]
    seen[1:, 0] = pitch[:-1]
    seen[1:, 1] = events[:-1, codec.TIME]
    seen[1:, 2] = events[:-1, codec.DURATION]
    seen[1:, 3] = target[:-1, codec.VELOCITY]
    seen[1:, 4] = events[:-1, codec.PART]
    seen[1:, 5] = events[:-1, codec.MICRO]
    seen[1:, 6:8] = context[1:-1, :2]
    seen[1:, 8:] = matches[:-1]
    local = np.stack([density_of(notes), register_of(notes)], 1)
    parts = np.tile(parts_share(np.unique(notes[:, 5])), (n, 1))
    return Features(
        seen,
        gaps,
        context[1:, :2],
        echo_pitch,
        echo_duration,
        target,
        flat,
        np.full(n, mute),
        local,
        parts,
        histogram_condition(pitch_class_histograms(notes)),
        *plan_features(changes, np.concatenate([[start], notes[:, 0]])),
        *form_features(notes, events, start, form, changes),
    )


def plan_features(changes: Changes, ticks: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """`plan_row` at each tick but the last, (n, 58), and `chord_number` at each but the first, (n,)."""
    chords = [None, *chords_of(changes), None]  # before the first change, and after the last
    begins = changes[:, 0]
    at = np.searchsorted(begins, ticks, "right")
    distance = np.append(begins, np.iinfo(np.int32).max)[at] - ticks
    following = np.where(distance > FARTHEST_CHANGE, len(chords) - 1, at + 1)
    rows = np.stack([chord_row(chord) for chord in chords])
    shares = distance_shares(np.where(distance > FARTHEST_CHANGE, np.nan, distance).astype(np.float32))
    plan = np.concatenate([rows[at], rows[following], shares], 1)[:-1]
    return plan, np.array([chord_number(chord) for chord in chords], np.int32)[at[1:]]


def with_random_velocities(piece: Piece, rng: np.random.Generator) -> Piece:
    """A copy with velocities from a random walk, for a piece written without any. While playing, a model
    reads its own velocities, which say nothing about the notes."""
    notes = np.array(piece.notes)
    wander = np.cumsum(rng.normal(0, 3, len(notes)))
    wander -= np.linspace(0, wander[-1], len(notes))
    velocity = rng.uniform(50, 100) + 12 * np.tanh(wander / 12) + rng.normal(0, 5, len(notes))
    notes[:, 4] = np.clip(np.rint(velocity), 1, 127)
    return Piece(notes, piece.metres)


def vary(
    piece: Piece, rng: np.random.Generator, transpose: int = 6, changes: Changes = NO_CHANGES
) -> tuple[Piece, Changes]:
    """A transposed copy of a piece and its chords (by -transpose .. transpose - 1 semitones, drums as they are); what
    has no beat grid is stretched in time by up to 10 % too. Metered music is in ticks, which do not depend on tempo."""
    notes = np.array(piece.notes)
    pitched = notes[:, 5] != Part.DRUMS
    if transpose and pitched.any():
        low, high = notes[pitched, 2].min(), notes[pitched, 2].max()
        shift = int(np.clip(rng.integers(-transpose, transpose), -low, 127 - high))
        notes[pitched, 2] += shift
        changes = transposed(changes, shift)
    if not piece.metres:
        stretch = rng.uniform(0.9, 1.1)
        changes = changes.copy()
        changes[:, 0] = np.rint((changes[:, 0] - notes[0, 0]) * stretch)
        notes[:, 0] = np.rint((notes[:, 0] - notes[0, 0]) * stretch)
        notes[:, 3] = np.maximum(1, np.rint(notes[:, 3] * stretch))
        notes = tidy(notes)
    return Piece(notes, piece.metres), changes


@dataclass(frozen=True, slots=True)
class Sampling:
    """How pieces are drawn.

    balance: 0 = genres evenly, 1 = by their number of notes; full_weight_notes: notes from which a genre gets its full
    weight, so that a handful of pieces is not repeated hundreds of times; max_notes: longest excerpt; transpose: up or
    down by at most this many semitones; realised: weight of machine-made accompaniments; drums_only: weight of pieces
    of drums alone.
    """

    balance: Share = 0.0
    full_weight_notes: Count = 100_000
    max_notes: AtLeastTwo = 1024
    transpose: Semitones = 6
    realised: NotNegative = 0.0
    drums_only: NotNegative = 0.0


class NoteStream:
    """Endless batches of features: `batch_size` parallel sequences of excerpts.

    Every excerpt is determined by (seed, index, its number) alone, so `state` is two integers a lane and a
    resumed run sees just what an unbroken one would.
    """

    def __init__(
        self,
        shards: Shards,
        pieces: list[PieceInfo],
        genres: tuple[str, ...],
        batch_size: int,
        seed: int,
        sampling: Sampling,
        first: int = 0,
    ) -> None:
        """first: number of the first of these sequences, where another process has those before it."""
        self.first = first
        self.shards, self.genres, self.seed, self.sampling = shards, genres, seed, sampling
        self.by_genre: dict[str, tuple[list[PieceInfo], NDArray[np.float64]]] = {}
        shares = []
        for genre in genres:
            own = [p for p in pieces if p.genre == genre]
            weights = np.array([self._weight(p) for p in own], np.float64)
            own = [p for p, w in zip(own, weights, strict=True) if w > 0]
            weights = weights[weights > 0]
            if not own:
                shares.append(0.0)
                continue
            self.by_genre[genre] = own, weights / weights.sum()
            lengths = np.array([min(p.count, sampling.max_notes) for p in own])
            # What weighs more than one is drawn more often within its genre, and makes the genre no larger.
            notes = float(sum(p.count * min(w, 1.0) for p, w in zip(own, weights, strict=True)))
            share = min(1.0, notes / sampling.full_weight_notes) * notes**sampling.balance
            shares.append(share / float((lengths * self.by_genre[genre][1]).sum()))
        self.shares = np.array(shares) / sum(shares)
        self.excerpt = [0] * batch_size
        self.offset = [0] * batch_size
        self._current: list[tuple[Features, int] | None] = [None] * batch_size

    def _weight(self, piece: PieceInfo) -> float:
        weight = piece.weight
        if piece.drums_only:
            weight *= self.sampling.drums_only
        if piece.realised:
            weight *= self.sampling.realised
        return weight

    def _draw(self, index: int, number: int) -> tuple[Features, int]:
        rng = np.random.default_rng((self.seed, index, number))
        genre = int(rng.choice(len(self.genres), p=self.shares))
        pieces, weights = self.by_genre[self.genres[genre]]
        info = pieces[int(rng.choice(len(pieces), p=weights))]
        piece = self.shards.piece(info)
        longest = self.sampling.max_notes
        if len(piece) > longest:
            begin = int(rng.integers(0, len(piece) - longest // 2)) if rng.random() < 0.6 else 0
            piece = Piece(piece.notes[begin : begin + longest], piece.metres)
        piece, changes = vary(piece, rng, self.sampling.transpose, self.chords.of(info))
        dynamic = bool(rng.random() < 0.5)
        mute = dynamic and info.velocity_constant
        form = self.form.of(info) if piece.metres else NO_FORM  # without bars it was stretched
        return features(with_random_velocities(piece, rng) if mute else piece, dynamic, mute, changes, form), genre

    @cached_property
    def chords(self) -> PieceChords:
        """The chords of the pieces."""
        return PieceChords(self.shards)

    @cached_property
    def form(self) -> PieceForm:
        """The form of the pieces."""
        return PieceForm(self.shards)

    @property
    def state(self) -> dict[str, list[int]]:
        """What `restore` needs."""
        return {"excerpt": list(self.excerpt), "offset": list(self.offset)}

    def restore(self, state: dict[str, list[int]]) -> None:
        """Go on where `state` was taken."""
        self.excerpt, self.offset = list(state["excerpt"]), list(state["offset"])
        self._current = [None] * len(self.excerpt)

    def next(self, steps: int) -> dict[str, NDArray]:
        """The next `steps` prediction steps of every sequence: arrays (batch, steps, ...) named as in
        `Features`, and `genre` (batch, steps)."""
        rows = [self._row(index, steps) for index in range(len(self.excerpt))]
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def _row(self, index: int, steps: int) -> dict[str, NDArray]:
        parts: list[dict[str, NDArray]] = []
        need = steps
        while need:
            current = self._current[index]
            if current is None:
                current = self._current[index] = self._draw(self.first + index, self.excerpt[index])
            piece, genre = current
            begin = min(self.offset[index], len(piece) - 1)  # shorter than it was, if the recipe changed
            self.offset[index] = begin
            take = min(need, len(piece) - begin)
            chunk = {name: getattr(piece, name)[begin : begin + take] for name in Features.__slots__}
            chunk["genre"] = np.full(take, genre, np.int32)
            parts.append(chunk)
            need -= take
            self.offset[index] += take
            if self.offset[index] >= len(piece):
                self.excerpt[index] += 1
                self.offset[index] = 0
                self._current[index] = None
        return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
