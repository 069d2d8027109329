"""A note model while playing: one step of its backbone a note, then a head a field, each constrained.

Graphs of a bundle: `step` (event, condition, and what the family remembers -> the heads' shares) and one a
field of `codec.FIELDS` (share and context -> logits). Shapes have a free number of lanes; playing uses one.
What a family remembers of the notes is its `Backbone`'s matter.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.models.bundle import Bundle
from instrument.models.conditions import (
    DENSITIES,
    REGISTERS,
    TONES,
    condition_size,
    density_at,
    density_knob,
    knob_share,
    parts_share,
    remember_tone,
    tone_share,
)
from instrument.models.keysense import IN_KEY, LEAST_ENTROPY, evened, inside, key_logits
from instrument.models.manifest import Traits
from instrument.models.players import Ask
from instrument.models.sampling import choose, noise
from instrument.music import codec
from instrument.music.codec import DRUM_ROW, FLAT, ROWS
from instrument.music.notes import Note, Part
from instrument.music.timebase import TICKS_PER_BEAT, MetreMap

LONGEST_REST = 192  # ticks without an onset while playing freely
SIZES = (
    *(codec.FIELDS[f] for f in ("time", "part")),
    ROWS,
    codec.FIELDS["duration"],
    FLAT,
    codec.FIELDS["micro"],
)
DRAWS = tuple(int(n) for n in np.cumsum((0, *SIZES)))
PACE_MEMORY = 384.0  # ticks over which the player's own density is taken
PACE_LEAST, PACE_MOST = 0.25, 2.0  # how far it is told to make up for what it strayed
BORED_AFTER = 8  # bars of unbroken repetition after which echoes are not listened to for a bar
TOO_MANY = 1.5  # times the notes wanted, from where
HASTE_HELD = 3.0  # logits are shifted, for each factor of e, to gaps towards a beat:
HASTE = np.minimum(np.arange(codec.FIELDS["time"]) / TICKS_PER_BEAT, 1).astype(np.float32)
PATIENCE, IMPATIENCE, MOST_IMPATIENT = 4, 0.5, 4.0  # bars a part may rest; logits a bar beyond; at most
OUTSIDER = 3.0  # logits by which parts that do not belong to the band are held back
KEY_SENSE = 0.15  # share of a genre's faith to its key that the player adds to what the network hears of it
OFF_BEAT_LOGIT = 6.0  # how far chromatic steps are held back as their strength goes to 0


class Memory(NamedTuple):
    """What a player keeps in mind beside the network's state, which in training never saw more than
    a thousand notes: left alone for ten minutes it would lose its key or repeat itself for ever.

    tones: (12,) how much each pitch class was heard of late; since: for each echo, the bar since which the music
    repeats it; deaf: the bar up to which echoes are not listened to; played, span: notes and ticks of late;
    last: the tick of each part's last onset.
    """

    tones: NDArray[np.float64]
    since: tuple[int, ...]
    deaf: int
    played: float
    span: float
    last: tuple[int, ...]


class Backbone(Protocol):
    """What a family's network remembers, and its step."""

    def reset(self) -> None:
        """Forget everything."""
        ...

    def step(self, seen: Sequence[int], condition: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The heads' shares after what was seen last, under `condition`; nothing is remembered of it yet, so
        it may be asked again under another."""
        ...

    def advance(self) -> None:
        """Remember what the last `step` was about."""
        ...

    def rewind(self, count: int) -> None:
        """Back to after `count` advances; ValueError if that was forgotten."""
        ...

    def forget_before(self, count: int) -> None:
        """There is no way back before `count` advances from now on."""
        ...


class EventPlayer:
    """A `NotePlayer` on a bundle whose graphs decide event by event."""

    def __init__(self, bundle: Bundle, backbone: Backbone) -> None:
        self.bundle, self._backbone = bundle, backbone
        manifest = bundle.manifest
        self.genres = manifest.condition_genres
        self.can_play = frozenset(manifest.parts) or frozenset(int(p) for p in Part)
        self._heads = [bundle.session(field) for field in codec.FIELDS]
        told = {p.name: p.shape[-1] for p in manifest.graph("step").inputs}.get("condition")
        if told != condition_size(len(self.genres)):
            raise HocketError(
                f"bundle {manifest.slug!r} is told {told} conditions, this Hocket tells "
                f"{condition_size(len(self.genres))}: install it again, or train it anew"
            )
        self.reset(0, 0, MetreMap())

    @property
    def count(self) -> int:
        """Notes fed so far."""
        return len(self._notes)

    def reset(self, seed: int, player: int, metres: MetreMap) -> None:
        """Forget everything; draws come from `seed` and `player` from now on."""
        self._seed, self._player, self._metres = seed, player, metres
        self._notes: list[Note] = []
        self._keys: list[int] = []
        self._seen: list[tuple[int, ...]] = [(*codec.START, *codec.tick_context(0, metres)[:2], 0, 0, 0, 0)]
        # _memory[i]: after i notes
        self._memory = [Memory(np.zeros(TONES), (0,) * len(codec.ECHO_BARS), -1, 0.0, 0.0, (0,) * len(Part))]
        self._stepped: tuple[NDArray[np.float32], list[NDArray[np.float32]]] | None = None
        self._asked = Ask()
        self._backbone.reset()

    def feed(self, note: Note) -> None:
        """Take `note` as played."""
        self._need_step(self._asked)
        self._backbone.advance()
        self._hear(note)

    def _hear(self, note: Note) -> None:
        """Remember all of `note` that is not the backbone's matter."""
        last = self._notes[-1].tick if self._notes else 0
        time, part, _, duration, velocity, micro = codec.encode_note(note, last)
        row = note.order & 255
        position, metre, bar = codec.tick_context(note.tick, self._metres)
        echoes = codec.echo_notes(self._keys, note.tick, bar)
        matches = [int(j >= 0 and self._keys[j] & 255 == row) for j in echoes]
        self._notes.append(note)
        self._keys.append(note.order)
        self._seen.append((row, time, duration, velocity, part, micro, position, metre, *matches))
        self._stepped = None
        self._memory.append(self._remembered(note, matches))

    def rewind(self, count: int) -> None:
        """Go back to the state after `count` notes."""
        if not 0 <= count <= len(self._notes):
            raise ValueError(f"cannot rewind to {count} of {len(self._notes)} notes")
        self._backbone.rewind(count)
        del self._notes[count:], self._keys[count:], self._seen[count + 1 :], self._memory[count + 1 :]
        self._stepped = None

    def forget_before(self, count: int) -> None:
        """What was before `count` notes will not be asked for again."""
        self._backbone.forget_before(count)

    def propose(self, ask: Ask) -> Note:
        """The next note, not yet fed."""
        self._asked = ask
        shares = self._need_step(ask)
        temperature = float(ask.knobs.get("temperature", 1.0))
        top_p = float(ask.knobs.get("top_p", 1.0))
        last = self._notes[-1] if self._notes else None
        last_tick = last.tick if last else 0
        draws = self._draws(last_tick)
        above = (last.order & 255) + 1 if last else 0

        # time
        where = self._metres.locate(last_tick)
        bar = where.metre.bar_ticks if where.metre else 0
        listened_to = self._keys if where.bar > self._memory[-1].deaf else []
        gaps = codec.echo_gaps(listened_to, bar)
        times = np.ones(codec.FIELDS["time"], bool)
        times[LONGEST_REST + 1 :] = False
        if last is not None and not self._rows(ask, last_tick)[above:].any():
            times[0] = False
        after = np.arange(len(times)) + last_tick >= ask.floor
        if ask.latest is not None:
            after &= np.arange(len(times)) + last_tick <= max(ask.latest, ask.floor)
        logits = self._logits(0, shares, gaps) + np.float32(self._haste(ask)) * HASTE
        time = choose(logits, draws[0], temperature, top_p, times, after)
        tick = max(ask.floor, last_tick + 1) if time < 0 else last_tick + time
        rows = self._rows(ask, tick)
        if last is not None and tick == last_tick:
            rows[:above] = False
        time = min(tick - last_tick, codec.MAX_GAP)

        # part
        position, metre, bar = codec.tick_context(tick, self._metres)
        echoes = codec.echo_notes(listened_to, tick, bar)
        echo_rows = [self._keys[j] & 255 if j >= 0 else codec.NO_NOTE for j in echoes]
        parts = self._parts(ask)
        allowed = np.array(
            [
                p in parts and bool(rows[DRUM_ROW:].any() if p == Part.DRUMS else rows[:DRUM_ROW].any())
                for p in range(5)
            ]
        )
        logits = self._logits(1, shares, [time, position, metre, *echo_rows]) + self._part_bias(ask, tick)
        part = choose(logits, draws[1], temperature, 1.0, allowed)

        # pitch
        drums = part == Part.DRUMS
        rows[: DRUM_ROW if drums else 0] = False
        if not drums:
            rows[DRUM_ROW:] = False
        logits = self._logits(2, shares, [time, position, metre, part, *echo_rows])
        if not drums:
            logits = logits + self._key_bias(ask)
        row = choose(logits, draws[2], temperature, top_p, rows)

        # duration, velocity, micro
        lengths = [self._seen[j + 1][2] if j >= 0 else codec.NO_DURATION for j in echoes]
        context = [time, position, metre, part, row, *echo_rows, *lengths]
        duration = choose(self._logits(3, shares, context), draws[3], temperature, top_p)
        context = [time, position, metre, part, row, duration]
        # the touch is no matter of adventure: temperature leaves it alone
        velocity = choose(self._logits(4, shares, context)[:FLAT], draws[4], 1.0, top_p)
        micro = choose(
            self._logits(5, shares, [time, position, part, row, velocity]), draws[5], 1.0, top_p
        )
        return codec.decode_note((0, part, row & 127, duration, velocity, micro), tick)

    # --- inside

    def _need_step(self, ask: Ask) -> list[NDArray[np.float32]]:
        """Run the step on what was seen last, unless it was run already under the same condition."""
        condition = self._condition(ask)
        if self._stepped is None or not np.array_equal(self._stepped[0], condition):
            self._stepped = condition, self._backbone.step(self._seen[-1], condition)
        return self._stepped[1]

    def _logits(
        self, head: int, shares: list[NDArray[np.float32]], context: list[int]
    ) -> NDArray[np.float32]:
        feeds: dict[str, NDArray[Any]] = {
            "share": shares[head],
            "context": np.array(context, np.int64).reshape(1, 1, -1),
        }
        return self._heads[head].run(feeds)[0][0, 0]  # type: ignore[no-any-return]

    def _draws(self, last_tick: int) -> list[NDArray[np.float32]]:
        ordinal = 0
        while ordinal < len(self._notes) and self._notes[-1 - ordinal].tick == last_tick:
            ordinal += 1
        where = self._metres.locate(last_tick)
        flat = noise(self._seed, self._player, (where.bar, where.offset, ordinal), DRAWS[-1])
        return [flat[a:b] for a, b in itertools.pairwise(DRAWS)]

    def _traits(self, ask: Ask) -> Traits | None:
        return self.bundle.manifest.traits.get(str(ask.knobs.get("genre", "none")))

    def _band(self, ask: Ask) -> frozenset[int]:
        """The parts that are told to play: those asked for that the genre has; none if neither tells."""
        parts, traits = self._parts(ask), self._traits(ask)
        usual = frozenset(traits.parts) if traits else frozenset()
        return (parts & usual) or (parts if parts != self.can_play else frozenset())

    def _part_bias(self, ask: Ask, tick: int) -> NDArray[np.float32]:
        """What is added to the logits of the parts: who does not belong to the band is held back, who was
        silent for long comes in the likelier."""
        band = self._band(ask)
        bias = np.zeros(len(Part), np.float32)
        for part in Part if band else ():
            bars = (tick - self._memory[-1].last[part]) / (4 * TICKS_PER_BEAT)
            waited = min(max((bars - PATIENCE) * IMPATIENCE, 0.0), MOST_IMPATIENT)
            bias[part] = waited if part in band else -OUTSIDER
        return bias

    def _condition(self, ask: Ask) -> NDArray[np.float32]:
        """What the model is told. Density and parts that are free are told as the genre has them: a model
        left to itself would stray from them in ten minutes."""
        traits = self._traits(ask)
        in_key, least = (traits.in_key, traits.entropy) if traits else (IN_KEY, LEAST_ENTROPY)
        genre = np.zeros(1 + len(self.genres), np.float32)
        told = ask.knobs.get("genre", "none")
        genre[self.genres.index(told) + 1 if told in self.genres else 0] = 1
        density = self._density(ask)
        if density >= 1:
            wanted = density_at(density)
            density = density_knob(wanted * min(max(1 / self._strayed(wanted), PACE_LEAST), PACE_MOST))
        return np.concatenate(
            [
                genre,
                knob_share(density, DENSITIES),
                knob_share(float(ask.knobs.get("register", 0.0)), REGISTERS),
                parts_share(self._band(ask)),
                tone_share(evened(self._memory[-1].tones, in_key, least)),
            ]
        )

    def _density(self, ask: Ask) -> float:
        """The place 1..8 on the density knob that is wanted, the genre's where the knob is free; less than 1
        where neither tells."""
        density, traits = float(ask.knobs.get("density", 0.0)), self._traits(ask)
        return density + (1 - density) * density_knob(traits.density) if density < 1 and traits else density

    def _strayed(self, wanted: float) -> float:
        """The density of late over the one that is wanted, in notes a beat."""
        memory = self._memory[-1]
        if memory.span <= PACE_MEMORY:
            return 1.0
        return memory.played * TICKS_PER_BEAT / memory.span / wanted

    def _haste(self, ask: Ask) -> float:
        """By how many logits a gap of a beat is favoured over none, because there are far too many notes."""
        density = self._density(ask)
        too_many = self._strayed(density_at(density)) if density >= 1 else 1.0
        return HASTE_HELD * max(0.0, float(np.log(too_many / TOO_MANY)))

    def _remembered(self, note: Note, matches: list[int]) -> Memory:
        """The memory after `note`."""
        tones, since, deaf, played, span, parts = self._memory[-1]
        if note.part != Part.DRUMS:
            tones = remember_tone(tones, note.pitch)
        bar = self._metres.locate(note.tick).bar
        since = tuple(start if match else bar + 1 for start, match in zip(since, matches, strict=True))
        if deaf < bar and bar - min(since) >= BORED_AFTER:
            deaf = bar + 1
        gap = note.tick - self._notes[-2].tick if len(self._notes) > 1 else 0
        fade = 0.5 ** (gap / PACE_MEMORY)
        last = tuple(note.tick if part == note.part else tick for part, tick in enumerate(parts))
        return Memory(tones, since, deaf, played * fade + 1, span * fade + gap, last)

    def _parts(self, ask: Ask) -> frozenset[int]:
        return (self.can_play & ask.parts) or self.can_play

    def _rows(self, ask: Ask, tick: int) -> NDArray[np.bool_]:
        """Which of the 256 rows (pitches, then drums) may sound at `tick`. Steps outside the scale may only
        off the beat, and only if `chromatic` lets them."""
        parts = self._parts(ask)
        rows = np.zeros(ROWS, bool)
        rows[DRUM_ROW:] = Part.DRUMS in parts
        if parts - {Part.DRUMS}:
            pitched = rows[:DRUM_ROW]
            pitched[max(0, ask.low) : min(127, ask.high) + 1] = True
            if ask.scale != "chromatic":
                steps = inside(ask.key, ask.scale)
                if not (pitched & steps).any():  # a range narrower than the scale's steps: its nearest step
                    middle = (ask.low + ask.high) / 2
                    pitched[int(np.argmin(np.where(steps, np.abs(np.arange(DRUM_ROW) - middle), 999)))] = (
                        True
                    )
                if not ask.chromatic or self._metres.locate(tick).offset % TICKS_PER_BEAT == 0:
                    pitched &= steps
        return rows

    def _key_bias(self, ask: Ask) -> NDArray[np.float32]:
        """What is added to the logits of steps outside the scale, or where none is set, outside the keys
        that the last notes may be in: the less, the freer `chromatic` is."""
        bias = np.zeros(ROWS, np.float32)
        if ask.scale == "chromatic":
            traits = self._traits(ask)
            in_key = max(1.0, KEY_SENSE * (traits.in_key if traits else IN_KEY))
            heard = key_logits(self._memory[-1].tones, in_key)
            bias[:DRUM_ROW] = (1 - ask.chromatic) * heard[np.arange(DRUM_ROW) % 12]
        else:
            bias[:DRUM_ROW][~inside(ask.key, ask.scale)] = -OFF_BEAT_LOGIT * (1 - ask.chromatic)
        return bias
