"""A note model while playing: one step of its backbone for each note, then a head for each field, with constraints.

Each note is one event of several fields, decided one after the other given those before, as in Notochord (Shepardson,
Armitage and Magnusson, 2022). Echoes of 1 to 8 bars ago are features, as in Magenta's Lookback RNN (Waite, 2016).

Graphs of a bundle: `step` (event, condition, states -> a hidden vector for each head) and one for each field of
`codec.FIELDS` (hidden vector and context -> logits). Shapes have a free number of lanes; playing uses one or two.
How a family keeps the state of the notes is the matter of its `Backbone`.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from instrument.models.bundle import Bundle
from instrument.models.notes.backbone import Backbone
from instrument.models.notes.conditions import chord_number, plan_row
from instrument.models.notes.draw import Draw, StepResult, draws_after
from instrument.models.notes.form_conditions import NO_PART, form_row, learned
from instrument.models.notes.key_sense import inside
from instrument.models.notes.plan_guidance import COPIED, EXACT, PlanGuidance
from instrument.models.notes.player import Ask
from instrument.models.notes.priming import Primers
from instrument.models.notes.steering import History, Steering
from instrument.models.sampling import drawn, noise
from instrument.music import codec
from instrument.music.codec import DRUM_ROW, FLAT, ROWS
from instrument.music.notes import Note, Part
from instrument.music.plan import Plan
from instrument.music.timebase import TICKS_PER_BEAT, MetreMap

HIGHEST_BASS = 60  # MIDI pitch; under a plan the bass stays below
LONGEST_REST = 192  # ticks without an onset while playing freely
PRIMER_COUNTER = 1 << 40  # of draws; outside the counters of notes, which are bars
Floats = NDArray[np.float32]
STYLED_FIELDS = (0, 1, 2, 3)  # fields with guidance: all but velocity and microtiming


class EventPlayer:
    """A `NotePlayer` of a bundle whose graphs decide event by event. HocketError where the bundle does not fit."""

    def __init__(self, bundle: Bundle, backbone: Backbone) -> None:
        self.bundle, self._backbone = bundle, backbone
        manifest = bundle.manifest
        self.genres = manifest.condition_genres
        self.primers = Primers.of(bundle)
        self._heads = [bundle.session(field) for field in codec.FIELDS]
        self.learned = learned(manifest)
        self.reset(0, 0, MetreMap())

    @property
    def count(self) -> int:
        """Notes fed so far."""
        return len(self._notes) - sum(count for _, count in self._primed)

    def reset(self, seed: int, player: int, metres: MetreMap) -> None:
        """Forget everything; draws come from `seed` and `player` from now on."""
        self._seed, self._player, self._metres = seed, player, metres
        self._notes: list[Note] = []  # with those of primers, as in all lists by note
        self._primed: list[tuple[int, int]] = []  # (notes fed before a primer, notes of the primer)
        self._keys: list[int] = []
        self._seen: list[tuple[int, ...]] = [self._start(0)]
        self._histories = [History()]  # _histories[i]: after i notes
        self._step: StepResult | None = None
        self._asked = Ask()
        self._guide: PlanGuidance | None = None
        self._steer = Steering(self.bundle.manifest, self._asked)
        self._backbone.reset()

    def feed(self, note: Note) -> None:
        """Take `note` as played."""
        self._ensure_step(self._asked)
        self._backbone.advance()
        self._append(note)

    def _append(self, note: Note) -> None:
        """Append `note` to all lists but the backbone's state."""
        history = self._history()
        last = self._notes[-1].tick if self._notes else 0
        if self._notes and history.start == len(self._notes):
            last = min(last, note.tick)  # a primer may begin before the last note
        time, part, _, duration, velocity, micro = codec.encode_note(note, last)
        row = note.order & 255
        position, metre, bar = codec.tick_context(note.tick, self._metres)
        echoes = codec.echo_notes(self._keys, note.tick, bar, history.start)
        matches = [int(j >= 0 and self._keys[j] & 255 == row) for j in echoes]
        self._notes.append(note)
        self._keys.append(note.order)
        self._seen.append((row, time, duration, velocity, part, micro, position, metre, *matches))
        self._step = None
        gap = note.tick - last if len(self._notes) > 1 else 0
        self._histories.append(history.after(note, gap, matches))

    def rewind(self, count: int) -> None:
        """Go back to the state after `count` notes."""
        if not 0 <= count <= self.count:
            raise ValueError(f"cannot rewind to {count} of {self.count} notes")
        while self._primed and self._primed[-1][0] >= count:
            self._primed.pop()
        count = self._index_after(count)
        self._backbone.rewind(count)
        del self._notes[count:], self._keys[count:], self._seen[count + 1 :], self._histories[count + 1 :]
        self._step = None

    def forget_before(self, count: int) -> None:
        """As `NotePlayer.forget_before`."""
        self._backbone.forget_before(self._index_after(count))

    def propose(self, ask: Ask) -> Note:
        """The next note, not yet fed."""
        return self._note(self._begin_draw(ask))

    def log_likelihood(self, note: Note, ask: Ask) -> float:
        """As `Scoring.log_likelihood`."""
        draw = self._begin_draw(ask)
        time, part, _, duration, velocity, micro = codec.encode_note(note, draw.last.tick if draw.last else 0)
        draw.known = time, part, note.order & 255, duration, min(velocity, FLAT - 1), micro
        self._note(draw)
        return draw.likelihood

    def fork(self) -> Self:
        """As `Scoring.fork`."""
        other = copy.copy(self)
        other._backbone = self._backbone.fork()
        for name in ("_notes", "_primed", "_keys", "_seen", "_histories"):
            setattr(other, name, list(getattr(self, name)))
        return other

    def reseed(self, seed: int) -> None:
        """As `Scoring.reseed`."""
        self._seed = seed

    def _note(self, draw: Draw) -> Note:
        self._draw_time(draw)
        part = self._draw_part(draw)
        row = self._draw_row(draw, part)
        return self._draw_rest(draw, part, row)

    # --- the fields of a note, one after another

    def _begin_draw(self, ask: Ask) -> Draw:
        shares = self._ensure_step(ask)
        steer, history = self._steer, self._history()
        last = self._notes[-1] if self._notes else None
        last_tick = last.tick if last else 0
        guide = self._guidance(ask)
        return Draw(
            ask,
            shares,
            history,
            last,
            draws_after(self._notes, self._seed, self._player, self._metres),
            float(ask.knobs.get("temperature", 1.0)) * steer.temperature_scale(history, last_tick),
            float(ask.knobs.get("top_p", 1.0)),
            guide,
            guide.expected(self._keys, last.order if last else -1) if guide else None,
        )

    def _draw_time(self, draw: Draw) -> None:
        """Decide the tick, and with it where the note is in its bar, its echoes, and the rows that may sound."""
        ask, last, expected = draw.ask, draw.last, draw.expected
        last_tick = last.tick if last else 0
        above = (last.order & 255) + 1 if last else 0
        where = self._metres.locate(last_tick)
        gaps = codec.echo_gaps(self._keys, where.metre.bar_ticks if where.metre else 0, draw.history.start)
        gaps = draw.gaps(gaps, self.learned.form)
        times = np.arange(codec.FIELDS["time"]) <= LONGEST_REST
        if last is not None and not self._rows(ask, last_tick)[above:].any():
            times[0] = False
        if draw.guide and self._steer.parts == {Part.BASS}:
            times[0] = False
        after = np.arange(len(times)) + last_tick >= ask.floor
        if ask.latest is not None:
            after &= np.arange(len(times)) + last_tick <= max(ask.latest, ask.floor)
        logits = self._logits(0, draw.shares, gaps) + self._steer.time_bias(draw.history)
        if expected and expected.tick - last_tick < len(logits):
            logits[expected.tick - last_tick] += expected.rhythm
        time = draw.choose(0, logits, draw.temperature, draw.top_p, times, after)
        draw.tick = tick = max(ask.floor, last_tick + 1) if time < 0 else last_tick + time
        draw.rows = self._rows(ask, tick)
        if last is not None and tick == last_tick:
            draw.rows[:above] = False
        position, metre, bar = codec.tick_context(tick, self._metres)
        draw.context = [min(tick - last_tick, codec.MAX_GAP), position, metre]
        draw.take_echoes(self._keys, bar, self.learned.form)

    def _draw_part(self, draw: Draw) -> int:
        rows, tick = draw.rows, draw.tick
        playable = bool(rows[:DRUM_ROW].any()), bool(rows[DRUM_ROW:].any())
        allowed = np.array([p in self._steer.parts and playable[p == Part.DRUMS] for p in Part])
        if draw.guide and allowed.sum() > 1 and self._bass_sounds_at(tick):
            allowed[Part.BASS] = False
        recalled = [self._notes[draw.expected.source].part if draw.expected else NO_PART] * self.learned.form
        logits = self._logits(1, draw.shares, [*draw.context, *draw.echo_rows, *recalled])
        logits = logits + self._steer.part_bias(draw.history, tick)
        if draw.expected:
            logits[self._notes[draw.expected.source].part] += draw.expected.rhythm
        part = drawn(draw.choose(1, logits, draw.temperature, 1.0, allowed))
        if draw.expected and self._notes[draw.expected.source].part != part:
            draw.expected = None  # what returns there is for another part
            if not self.learned.form:  # one that has learnt to recall is told the part
                draw.echoes, draw.echo_rows = [-1] * len(draw.echoes), [codec.NO_NOTE] * len(draw.echoes)
        return part

    def _draw_row(self, draw: Draw, part: int) -> int:
        drums = part == Part.DRUMS
        draw.rows[: DRUM_ROW if drums else 0] = False
        if not drums:
            draw.rows[DRUM_ROW:] = False
        if draw.guide and part == Part.BASS and draw.rows[: HIGHEST_BASS + 1].any():
            draw.rows[HIGHEST_BASS + 1 :] = False
        plan = self._followed(draw.ask)
        chord = [chord_number(plan.chord_at(draw.tick) if plan else None)] * self.learned.plan
        free = [*draw.context, part, chord_number(None), *draw.echo_rows]
        logits = self._logits(2, draw.shares, [*draw.context, part, *chord, *draw.echo_rows], free)
        if draw.expected:
            logits[draw.expected.row] += draw.expected.pitch
        else:
            logits = logits + self._steer.echo_bias(draw.history, draw.echo_rows)
        if drums and not draw.expected:
            logits = logits + self._steer.drum_bias(draw.echo_rows[0])
        if not drums:
            logits = logits + self._steer.pitch_bias(draw.history)
        if part == Part.MELODY and not draw.expected:
            logits = logits + self._steer.interval_bias(draw.history, draw.tick)
        if draw.guide and (bias := draw.guide.pitch_bias(draw.tick, part, draw.history.last[Part.BASS])) is not None:
            logits = logits + bias
        temperature = draw.temperature * self._steer.cooling(part)
        return drawn(draw.choose(2, logits, temperature, draw.top_p, draw.rows))

    def _draw_rest(self, draw: Draw, part: int, row: int) -> Note:
        """Duration, velocity and microtiming."""
        expected = draw.expected if draw.expected and row == draw.expected.row else None
        copied = self._seen[expected.source + 1] if expected and expected.closeness >= EXACT else None
        lengths = [self._seen[j + 1][2] if j >= 0 else codec.NO_DURATION for j in draw.echoes]
        logits = self._logits(3, draw.shares, [*draw.context, part, row, *draw.echo_rows, *lengths])
        if expected:
            logits[lengths[-1]] += expected.rhythm
        duration = draw.choose(3, logits, draw.temperature, draw.top_p)
        if draw.guide:
            duration = draw.guide.duration(draw.tick, part, row & 127, duration + 1) - 1
        # temperature is not for velocity and microtiming: unlikely ones sound like mistakes
        logits = self._logits(4, draw.shares, [*draw.context, part, row, duration])[:FLAT]
        if copied:
            logits[min(copied[3], FLAT - 1)] += COPIED
        velocity = draw.choose(4, logits, 1.0, draw.top_p)
        logits = self._logits(5, draw.shares, [*draw.context[:2], part, row, velocity])
        if copied:
            logits[copied[5]] += COPIED
        micro = draw.choose(5, logits, 1.0, draw.top_p)
        return codec.decode_note((0, part, row & 127, duration, velocity, micro), draw.tick)

    def _bass_sounds_at(self, tick: int) -> bool:
        """Whether the bass has a note at a tick already: it is played one note at a time."""
        return any(n.part == Part.BASS for n in itertools.takewhile(lambda n: n.tick == tick, reversed(self._notes)))

    # --- inside

    def _index_after(self, count: int) -> int:
        """The number of notes, with those of primers, after `count` notes fed; without a primer right after these."""
        return count + sum(primed for at, primed in self._primed if at < count)

    def _history(self) -> History:
        """The history, for going on in the genre of the last `Ask`."""
        return self._histories[-1].in_genre(
            self._steer.genre, len(self._notes), self._notes[-1].tick if self._notes else 0
        )

    def _ensure_step(self, ask: Ask) -> list[Floats]:
        """The hidden vectors of the step on the last event, run unless it was run with the same condition already.

        After a switch of genre, the context is a primer of the new genre, or without one the start of a piece.
        """
        steer = self._steering(ask)
        if self._step is not None and self._step.steer is steer and self._step.plan is ask.plan:
            return self._step.shares
        if self._primed and self._primed[-1][0] == self.count and self._histories[-1].genre != steer.genre:
            self.rewind(self.count)  # take back the primer of a genre that was left before a note was played
        history = self._history()
        if self._notes and history.start == len(self._notes) and self.primers.has(steer.genre):
            history = self._prime(ask, history)
        step = self._step
        last_tick = self._notes[-1].tick if self._notes else 0
        style = steer.style(history, last_tick)
        guidance = steer.guidance if self._followed(ask) else 1.0
        conditions = self._with_plan(steer.conditions(history, style), ask, last_tick, guidance)
        context = len(self._notes) - history.start
        if step is not None and step.context == context and np.array_equal(step.conditions, conditions):
            shares = step.shares
        else:
            seen = self._seen[-1]
            if self._notes and not context:
                seen = self._start(self._notes[-1].tick)
            shares = self._backbone.step(seen, conditions, context)
        self._step = StepResult(steer, ask.plan, context, conditions, style, guidance, shares)
        return shares

    def _prime(self, ask: Ask, history: History) -> History:
        """After a switch of genre, take in a primer of it as the context. Returns the history after it."""
        floor = max(ask.floor, self._notes[-1].tick + 1)
        draw = math.exp(-math.exp(-float(noise(self._seed, self._player, (PRIMER_COUNTER, floor, 0), 1)[0])))
        notes = self.primers.before(self._steer.genre, floor, ask, history.histogram, self._metres, draw)
        if notes:
            self._primed.append((self.count, len(notes)))
            self._prefill(notes)
        return self._history()

    def _prefill(self, notes: Sequence[Note]) -> None:
        """Feed several notes at once, without a proposal between them."""
        seen, conditions, context = [], [], len(self._notes) - self._history().start
        for note in notes:
            history = self._history()
            at_start = self._notes and history.start == len(self._notes)
            seen.append(self._start(note.tick) if at_start else self._seen[-1])
            conditions.append(self._with_plan(self._steer.condition(history)[None], Ask(), 0)[0])
            self._append(note)
        self._backbone.prefill(seen, conditions, context)

    def _start(self, tick: int) -> tuple[int, ...]:
        """The event before the first note of a piece that begins at `tick`."""
        return (*codec.START, *codec.tick_context(tick, self._metres)[:2], 0, 0, 0, 0)

    def _logits(self, head: int, shares: list[Floats], context: list[int], free: list[int] | None = None) -> Floats:
        """free: the context without the plan, where it is another."""
        assert self._step is not None
        share = shares[head] if head in STYLED_FIELDS else shares[head][:1]
        last = free if free and self._step.guidance != 1 else context
        contexts = [*[context] * (len(share) - 1), last]
        feeds: dict[str, NDArray[Any]] = {"share": share, "context": np.array(contexts, np.int64)[:, None]}
        return self._steer.guided(self._heads[head].run(feeds)[0][:, 0], self._step.style, self._step.guidance)

    def _steering(self, ask: Ask) -> Steering:
        """The steering for `ask`, made again only if more than its floor has changed."""
        if ask.at(self._asked.floor) != self._asked or ask.knobs is not self._asked.knobs:
            self._steer = Steering(self.bundle.manifest, ask)
        self._asked = ask
        return self._steer

    def _followed(self, ask: Ask) -> Plan | None:
        """The plan that the network is conditioned on; None where there is none, or it has not learnt to follow one."""
        return ask.plan if self.learned.plan and ask.harmony > 0 else None

    def _with_plan(self, conditions: Floats, ask: Ask, tick: int, guidance: float = 1.0) -> Floats:
        """Conditions (lanes, size), followed by those of the plan that the network has learnt to follow; to exaggerate
        its chords, with a lane more that has none."""
        if not self.learned.plan:
            return conditions
        rows = [plan_row(self._followed(ask), tick)] * len(conditions)
        if guidance != 1:
            conditions, rows = np.concatenate([conditions, conditions[:1]]), [*rows, plan_row(None, tick)]
        found = [conditions, np.stack(rows)]
        if self.learned.form:
            guide = self._guidance(ask)
            closeness, matched = guide.recalling(self._keys) if guide else (np.nan, False)
            form = form_row(ask.plan, tick, closeness, matched, self._steer.wanted_rates)
            found.append(np.tile(form, (len(conditions), 1)))
        return np.concatenate(found, 1)

    def _guidance(self, ask: Ask) -> PlanGuidance | None:
        """How the plan guides the next note; None where there is no plan."""
        if ask.plan is None:
            return None
        guide = self._guide
        if guide is None or guide.plan is not ask.plan or guide.harmony != ask.harmony:
            guide = self._guide = PlanGuidance(ask.plan, ask.harmony, self.learned)
        return guide

    def _rows(self, ask: Ask, tick: int) -> NDArray[np.bool_]:
        """Which of the 256 rows (pitches, then drums) may sound at `tick`. Pitches outside the scale may sound off the
        beat only, and only if `Ask.chromatic` is above 0."""
        parts = self._steer.parts
        rows = np.zeros(ROWS, bool)
        rows[DRUM_ROW:] = Part.DRUMS in parts
        if parts - {Part.DRUMS}:
            pitched = rows[:DRUM_ROW]
            pitched[max(0, ask.low) : min(127, ask.high) + 1] = True
            if ask.scale != "chromatic":
                steps = inside(ask.key, ask.scale)
                if not (pitched & steps).any():  # a range narrower than the scale's steps: its nearest step
                    middle = (ask.low + ask.high) / 2
                    pitched[int(np.argmin(np.where(steps, np.abs(np.arange(DRUM_ROW) - middle), 999)))] = True
                if not ask.chromatic or self._metres.locate(tick).offset % TICKS_PER_BEAT == 0:
                    guide = self._guidance(ask)
                    tones = guide.allowed(tick) if guide else None
                    pitched &= steps if tones is None else steps | tones[np.arange(DRUM_ROW) % 12]
        return rows
