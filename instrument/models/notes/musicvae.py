"""MusicVAE (Roberts and others, 2018) while playing: phrases decoded, step by step, from a path through latent space.

The music is divided into phrases of the model's bars. Each phrase has a point (`latent.LatentSpace.point`), and its
tokens are drawn one after another, each conditioned on those before. Tokens of notes that were fed, the model's own or
live ones, are forced; the rest is drawn. So a knob, a moved point or a live note changes only what is not yet fed.
Every token is a function of the notes before it, the `Ask` and counter-based draws keyed by its step.

Graphs: `encoder` (tokens -> mean, standard deviation), `conductor` (z -> context and first states of each segment),
`step` (token before, place in the segment, context, states -> logits, states).
"""

from __future__ import annotations

import copy
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.models.bundle import Bundle
from instrument.models.latent import LatentPath, LatentSpace, Point
from instrument.models.manifest import Manifest
from instrument.models.notes.key_sense import inside, pitch_folding
from instrument.models.notes.pacing import PathCache, pace
from instrument.models.notes.phrase_decoder import PhraseDecoder
from instrument.models.notes.plan_guidance import PlanGuidance
from instrument.models.notes.player import Ask
from instrument.models.sampling import FLOOR, choose, noise
from instrument.music import phrases
from instrument.music.notes import Note, Part
from instrument.music.phrases import DRUM_KEYS, HOLD, KIND_OF, OFF, SETS, STEP_TICKS, STEPS_A_BAR, Shape
from instrument.music.timebase import TICKS_PER_BEAT, MetreMap

THEME_BARS = 8  # melodies return to the first point of their section after so many bars, drums after each phrase
LONGEST_REST = 132  # ticks without an onset while playing freely
VELOCITY_DEVIATION = 4.0  # standard deviation of velocities about the mean of their step
MAX_PHRASES_AHEAD = 64  # that are searched for the next note
CACHED_PHRASES = 6  # whose decoder is kept
OUT_OF_SCALE_LOGIT = 6.0  # subtracted from the logits of pitches outside the scale when `chromatic` is 0


class Step(NamedTuple):
    """A sixteenth step of a phrase. tick: its onset; place: its number in the model's phrase, 0..steps - 1; bar: in the
    music; offset: its number in that bar."""

    tick: int
    place: int
    bar: int
    offset: int


@dataclass(slots=True)
class PlayedTokens:
    """The tokens of the notes fed in a phrase.

    ticks: of its steps; tokens: one for each step; last: the step of the last onset, -1 before the first; stop: of a
    melody, the step at which the last note ends; note_count: how many of the notes fed were taken into account.
    """

    phrase: int
    ticks: list[int]
    tokens: list[int]
    last: int = -1
    stop: int = -1
    note_count: int = 0

    def add(self, note: Note, drums: bool) -> None:
        """Set the tokens of the next note."""
        at = bisect_left(self.ticks, note.tick - STEP_TICKS // 2)
        self.last = at = min(at, len(self.ticks) - 1)
        if drums:
            kind = int(KIND_OF[note.pitch])
            self.tokens[at] |= 1 << kind if kind >= 0 else 0
            return
        if at < self.stop < len(self.tokens):
            self.tokens[self.stop] = HOLD  # the last note is cut short
        self.tokens[at] = note.pitch
        self.stop = max(at + 1, bisect_left(self.ticks, note.tick + note.duration - STEP_TICKS // 2))
        if self.stop < len(self.tokens):
            self.tokens[self.stop] = OFF


def shape_of(manifest: Manifest) -> Shape:
    """The shape of the phrases of a bundle of this family."""
    return Shape("drums" if manifest.codec.get("drums") else "melody", manifest.codec.get("bars", 0))


def towards_chord(scores: NDArray[np.float32], guide: PlanGuidance, tick: int, part: int) -> None:
    """Raise the tones of the plan's chord among the scores of tokens, by as much as in players of events. That a note
    begins becomes no likelier."""
    bias = guide.pitch_bias(tick, part, -1)
    if bias is not None:
        before = np.logaddexp.reduce(scores[:OFF])
        scores[:OFF] += bias[:OFF]
        scores[:OFF] += before - np.logaddexp.reduce(scores[:OFF])


class MusicVaePlayer:
    """A `LatentPlayer` of a bundle of the family musicvae."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle, manifest = bundle, bundle.manifest
        self.shape, self._segments = shape_of(manifest), manifest.codec.get("segments", 0)
        if not 1 <= self.shape.bars <= 64 or not self._segments or self.shape.steps % self._segments:
            raise HocketError(f"bundle {manifest.slug!r} has no valid bars and segments in its codec: reinstall it")
        self.space = LatentSpace.of(bundle)
        self.part = Part(manifest.parts[0]) if manifest.parts else (Part.DRUMS if self.shape.drums else Part.MELODY)
        self._paces = PathCache(lambda a, b: pace(self.bundle, self.shape, self._segments, a, b))
        self.reset(0, 0, MetreMap())

    # --- a `NotePlayer`

    @property
    def count(self) -> int:
        """Notes fed so far."""
        return len(self._notes)

    def reset(self, seed: int, player: int, metres: MetreMap) -> None:
        """Forget everything; draws come from `seed` and `player` from now on."""
        self._seed, self._player, self._metres = seed, player, metres
        self._notes: list[Note] = []
        self._played: PlayedTokens | None = None
        self._decoders: dict[tuple[int, bytes], PhraseDecoder] = {}
        self._encodings: dict[bytes, Point] = {}
        self._grids: dict[int, list[Step]] = {}
        self._noise: dict[int, NDArray[np.float32]] = {}

    def feed(self, note: Note) -> None:
        """Take `note` as played."""
        self._notes.append(note)

    def rewind(self, count: int) -> None:
        """Go back to the state after `count` notes."""
        if not 0 <= count <= len(self._notes):
            raise ValueError(f"cannot rewind to {count} of {len(self._notes)} notes")
        del self._notes[count:]
        self._played = None

    def forget_before(self, count: int) -> None:
        """Nothing to drop: only the notes themselves are kept for each note."""

    def fork(self) -> Self:
        """As `Scoring.fork`."""
        other = copy.copy(self)
        other.reset(self._seed, self._player, self._metres)
        other._notes = list(self._notes)
        return other

    def reseed(self, seed: int) -> None:
        """As `Scoring.reseed`."""
        notes = self._notes
        self.reset(seed, self._player, self._metres)
        self._notes = notes

    def log_likelihood(self, note: Note, ask: Ask) -> float:
        """0: what follows is decoded from another point of the latent space, whatever came before."""
        return 0.0

    def propose(self, ask: Ask) -> Note:
        """The next note, not yet fed."""
        last = self._notes[-1].tick if self._notes else 0
        first = self._metres.locate(max(last, ask.floor)).bar // self.shape.bars
        for phrase in range(first, first + MAX_PHRASES_AHEAD):
            note = self._next(phrase, ask)
            if note is not None:
                return note
        raise HocketError("no note may sound: widen the range, or let more parts play")

    # --- the latent space

    def encode(self, notes: Sequence[Note], metres: MetreMap) -> Point:
        """As `LatentPlayer.encode`."""
        own = [n for n in notes if (n.part == Part.DRUMS) == self.shape.drums]
        if not own:
            raise HocketError(f"there are no {'drums' if self.shape.drums else 'pitches'} in it: choose another phrase")
        begin = own[0].tick - metres.locate(own[0].tick).offset
        rows = np.array(own, np.int32)
        return self._mean(phrases.tokens(rows, begin, self.shape.steps, self.shape.drums))

    def decode(self, z: Point, ask: Ask, phrase: int = 0) -> list[Note]:
        """All notes of phrase number `phrase` at the point z, decoded without live notes."""
        alone = copy.copy(self)
        alone.reset(self._seed, self._player, self._metres)
        while note := alone._next(phrase, ask, z):
            alone.feed(note)
        return alone._notes

    def pace(self, a: Point, b: Point) -> LatentPath:
        """As `LatentPlayer.pace`."""
        return self._paces.between(a, b)

    def point(self, phrase: int, ask: Ask) -> Point:
        """The point of phrase number `phrase`."""
        previous = None
        if float(ask.knobs.get("follow", 0.0)) > 0 and phrase:
            before = self._played_tokens(phrase - 1).tokens
            tokens = np.full(self.shape.steps, self.shape.rest, np.int16)
            tokens[[step.place for step in self._grid(phrase - 1)]] = before
            if self.shape.onsets(tokens).any():
                previous = self._encoded(tokens)
        theme = self.shape.bars if self.shape.drums else THEME_BARS
        return self.space.point(ask.knobs, self._seed, self._player, phrase, self.shape.bars, theme, previous)

    def _encoded(self, tokens: NDArray[np.int16]) -> Point:
        key = tokens.tobytes()
        if key not in self._encodings:
            if len(self._encodings) > CACHED_PHRASES:
                self._encodings.clear()
            self._encodings[key] = self._mean(tokens)
        return self._encodings[key]

    def _mean(self, tokens: NDArray[np.int16]) -> Point:
        (mean, _) = self.bundle.session("encoder").run({"tokens": tokens[None].astype(np.int64)})
        point: Point = mean[0]
        return point

    # --- a phrase

    def _grid(self, phrase: int) -> list[Step]:
        """The steps of a phrase. Bars shorter than the model's leave the last steps out; longer ones repeat the first
        ones."""
        if phrase not in self._grids:
            if len(self._grids) > CACHED_PHRASES:
                self._grids.clear()
            grid = []
            for number in range(self.shape.bars):
                bar = phrase * self.shape.bars + number
                begin, end = self._metres.start_of(bar), self._metres.start_of(bar + 1)
                grid += [
                    Step(tick, number * STEPS_A_BAR + i % STEPS_A_BAR, bar, i)
                    for i, tick in enumerate(range(begin, end, STEP_TICKS))
                ]
            self._grids[phrase] = grid
        return self._grids[phrase]

    def _played_tokens(self, phrase: int) -> PlayedTokens:
        """The tokens of the notes fed in a phrase, kept for the last phrase."""
        played = self._played
        if played is None or played.phrase != phrase:
            grid = self._grid(phrase)
            played = self._played = PlayedTokens(phrase, [step.tick for step in grid], [self.shape.rest] * len(grid))
            played.note_count = len(self._notes)
            while played.note_count and self._notes[played.note_count - 1].tick >= played.ticks[0] - STEP_TICKS // 2:
                played.note_count -= 1
        for note in self._notes[played.note_count :]:
            if note.tick < played.ticks[-1] + STEP_TICKS and (note.part == Part.DRUMS) == self.shape.drums:
                played.add(note, self.shape.drums)
        played.note_count = len(self._notes)
        return played

    def _next(self, phrase: int, ask: Ask, z: Point | None = None) -> Note | None:
        """The next note in this phrase at z (by default the phrase's point), None if there is none."""
        grid = self._grid(phrase)
        point = self.point(phrase, ask) if z is None else z
        key = (phrase, point.tobytes())
        if key not in self._decoders:
            if len(self._decoders) > CACHED_PHRASES:
                self._decoders.clear()
            places = [step.place for step in grid]
            segment = self.shape.steps // self._segments
            self._decoders[key] = PhraseDecoder(self.bundle, point, places, segment, self.shape.vocabulary)
        search = self._next_drum if self.shape.drums else self._next_pitch
        return search(ask, grid, self._decoders[key], self._played_tokens(phrase))

    def _next_pitch(self, ask: Ask, grid: list[Step], decoder: PhraseDecoder, played: PlayedTokens) -> Note | None:
        begin = max(0, played.stop)
        decoder.force(played.tokens[:begin])
        sounding = begin > 0
        found: tuple[Step, int] | None = None
        for at in range(begin, len(grid)):
            step = grid[at]
            ending = at == played.stop
            token = self._pitch_token(ask, step, decoder.logits(at), sounding, ending, found is None)
            if found is None and token < OFF:
                found = step, token
            elif found is not None and token != HOLD:
                return self._ending(ask, *found, step.tick)
            sounding = token < OFF or (sounding and token == HOLD)
            decoder.put(at, token)
        return self._ending(ask, *found, grid[-1].tick + STEP_TICKS) if found else None

    def _ending(self, ask: Ask, step: Step, pitch: int, end: int) -> Note:
        """A note that ends at the tick `end`, or with its chord if it is no tone of the next one."""
        guide = self._guidance(ask)
        length = end - step.tick
        return self._note(
            step, pitch, step.tick + (guide.duration(step.tick, self.part, pitch, length) if guide else length)
        )

    def _guidance(self, ask: Ask) -> PlanGuidance | None:
        return PlanGuidance(ask.plan, ask.harmony) if ask.plan else None

    def _pitch_token(
        self, ask: Ask, step: Step, logits: NDArray[np.float32], sounding: bool, ending: bool, waiting: bool
    ) -> int:
        """The token of a step. sounding: a note may end here; ending: a note that was fed ends here; waiting: no onset
        was found yet."""
        on_beat = step.offset * STEP_TICKS % TICKS_PER_BEAT == 0
        pitches, to = pitch_folding(ask.key, ask.scale, ask.low, ask.high, on_beat or not ask.chromatic)
        scores = logits.copy()
        if ask.scale != "chromatic":
            scores[:OFF][~inside(ask.key, ask.scale) & pitches] -= OUT_OF_SCALE_LOGIT * (1 - ask.chromatic)
        if not pitches.all():  # the probability of a pitch that may not sound goes to the one that replaces it
            np.logaddexp.at(scores, to[~pitches], scores[:OFF][~pitches])
        if (guide := self._guidance(ask)) is not None:
            towards_chord(scores, guide, step.tick, self.part)
        allowed, after = np.ones(len(scores), bool), np.ones(len(scores), bool)
        allowed[:OFF] = pitches
        allowed[OFF] = sounding
        after[HOLD] = not ending
        if waiting:
            can, must = self._onset(ask, step)
            after[:OFF] = can
            allowed[OFF:] &= not must
        token = self._choose(ask, scores, step, allowed, after)
        return token if token >= 0 else (OFF if ending else HOLD)

    def _next_drum(self, ask: Ask, grid: list[Step], decoder: PhraseDecoder, played: PlayedTokens) -> Note | None:
        newest = self._notes[-1] if self._notes else None
        begin = max(0, played.last)
        decoder.force(played.tokens[:begin])
        for at in range(begin, len(grid)):
            step, above, token = grid[at], -1, played.tokens[at]
            if at == played.last and newest and newest.tick == step.tick >= ask.floor and newest.part == Part.DRUMS:
                above = newest.pitch  # further drums may be struck with it
            elif at == played.last:
                above = DRUM_KEYS[-1]
            if above < DRUM_KEYS[-1]:
                token = self._drum_token(ask, step, decoder.logits(at), token, above)
            decoder.put(at, token)
            new = [key for kind, key in enumerate(DRUM_KEYS) if token >> kind & 1 and key > above]
            if new:
                return self._note(step, new[0], step.tick + STEP_TICKS)
        return None

    def _drum_token(self, ask: Ask, step: Step, logits: NDArray[np.float32], played: int, above: int) -> int:
        """The set of drums of a step. played: those that were fed; they are final up to key `above`."""
        settled = np.array(DRUM_KEYS) <= above
        allowed, after = (SETS[:, settled] == SETS[played, settled]).all(1), np.ones(len(SETS), bool)
        if above < 0:
            can, must = self._onset(ask, step)
            after[1:] = can
            allowed[0] = not must
        return max(0, self._choose(ask, logits, step, allowed, after))

    # --- a token, a note

    def _choose(
        self, ask: Ask, scores: NDArray[np.float32], step: Step, allowed: NDArray[np.bool_], after: NDArray[np.bool_]
    ) -> int:
        draws = self._draws(step)[: len(scores)]
        temperature, top_p = (float(ask.knobs.get(name, 1.0)) for name in ("temperature", "top_p"))
        return choose(np.maximum(scores, FLOOR), draws, temperature, top_p, allowed, after)

    def _draws(self, step: Step) -> NDArray[np.float32]:
        """Gumbel draws of a step: one for each token, then two for each row of `touch`. Made a bar at a time."""
        if step.bar not in self._noise:
            if len(self._noise) > CACHED_PHRASES * self.shape.bars:
                self._noise.clear()
            begin, end = self._metres.start_of(step.bar), self._metres.start_of(step.bar + 1)
            width = self.shape.vocabulary + 2 * len(self.space.touch)
            steps = -(-(end - begin) // STEP_TICKS)
            flat = noise(self._seed, self._player, (step.bar, 0, 0), steps * width)
            self._noise[step.bar] = flat.reshape(steps, width)
        draws: NDArray[np.float32] = self._noise[step.bar][step.offset]
        return draws

    def _onset(self, ask: Ask, step: Step) -> tuple[bool, bool]:
        """Whether the next onset can be at this step, and whether it must."""
        last = self._notes[-1].tick if self._notes else None
        can = step.tick >= ask.floor and (last is None or step.tick >= last + (not self.shape.drums))
        late = step.tick - (ask.floor if last is None else last) >= LONGEST_REST
        return can, can and (late or (ask.latest is not None and step.tick + STEP_TICKS > ask.latest))

    def _note(self, step: Step, pitch: int, end: int) -> Note:
        row = int(KIND_OF[pitch]) if self.shape.drums and len(self.space.touch) > 1 else 0
        up, down = self._draws(step)[self.shape.vocabulary :].reshape(-1, 2)[row]
        velocity = self.space.touch[row, step.place % STEPS_A_BAR] + VELOCITY_DEVIATION * (up - down) / 1.8
        return Note(step.tick, 0, pitch, end - step.tick, int(np.clip(np.rint(velocity), 1, 127)), int(self.part))
