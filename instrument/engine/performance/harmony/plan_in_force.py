"""The plan of a performance, bar by bar as far ahead as it is needed."""

from __future__ import annotations

import functools
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import replace
from itertools import takewhile

from instrument.engine.ipc.messages import Value
from instrument.engine.performance.harmony import form as forms
from instrument.engine.performance.harmony import leading
from instrument.engine.performance.harmony.form import FULLEST, FormEdits
from instrument.engine.performance.harmony.leading import Lead
from instrument.engine.performance.transport import bar_line
from instrument.errors import HocketError
from instrument.models.catalog import list_models, open_model
from instrument.models.manifest import Manifest
from instrument.models.plan.slots import GENRES
from instrument.models.plan.writer import ENDING_BARS, PlanWriter, Settings
from instrument.music.chords.names import Chord, chord_name
from instrument.music.harmony import KEYS
from instrument.music.notes import Part
from instrument.music.plan import Plan, PlanBar, PlannedChord, Recall
from instrument.music.progressions import ANY, REPEAT, named_progression, parse_progression, progressions
from instrument.music.timebase import Metre, MetreMap

FREE, TYPED = "free", "typed"
MODEL = "plan-band"  # the bundle that writes plans
MODELLED = {f"model {genre}": genre for genre in GENRES}
SOURCES = (FREE, TYPED, *MODELLED, *progressions())  # values of the knob "plan"
KNOBS = (
    "plan",
    "vary",
    "key",
    "scale",
    "metre",
    "loop",
    "fills",
)  # of the instrument; a plan depends on them, and on the seed
AHEAD = 16 * 96  # ticks; players look less far ahead
STEP = 8  # bars that are added at a time
FEWEST_BARS = 4  # of a section that ends with a fill


class PlanInForce:
    """Writes a plan: a progression over and over, or what the plan model writes. It goes on when a knob or the text
    changes, and when a person acts on the form.

    A bar is a function of the knobs, the text, the actions and the ticks from which they hold, never of how far ahead
    it was asked for, so that a performance and its rendering have the same plan. text: the typed progression.
    """

    def __init__(self, values: Mapping[str, Value], text: str, metres: MetreMap) -> None:
        """values: the instrument's knobs, by id; text: the typed progression. HocketError if it cannot be read."""
        self.text = text
        self._plan: Plan | None = None
        self._state: object = None
        self._form: Plan | None = None
        self._first = 0  # the bar at which the form begins
        self._source = ("", "")
        self._writer: PlanWriter | None = None
        self._edits = FormEdits()
        self._hand = leading.OFF  # the knob "lead"
        self._leads: list[Lead] = []
        self._seeds: dict[int, int] = {}  # the seed of the plan where it is not that of the knob
        self._led: tuple[Plan, Plan] | None = None  # a plan, and the same with these
        self._changed: int | None = None  # tick from which leads and answers have changed since
        self.change(values, text, metres, 0)

    @property
    def ends(self) -> int | None:
        """The tick at which the music ends, None if it goes on."""
        ends = self._edits.ends
        return None if ends is None else self._metres.start_of(ends)

    def change(self, values: Mapping[str, Value], text: str | None, metres: MetreMap, floor: int) -> None:
        """Go on with other knobs, text (None: the same) or metres from the first bar line at or after the tick `floor`.
        Nothing happens where none of them is another. HocketError if the text cannot be read."""
        hand, self._hand = self._hand, str(values["lead"])
        if hand != self._hand == leading.OFF and self._leads:
            self.lead(None, values, metres, floor)
        text = self.text if text is None else text
        seed = self._seeds.get(int(values["seed"]), int(values["seed"]))
        state = (*(values[knob] for knob in KNOBS), seed, text, metres.metres)
        if state == self._state:
            return
        source = str(values["plan"]), text
        key = KEYS.index(str(values["key"])), "minor" if "min" in str(values["scale"]) else "major"
        form = _form(*source, key)
        writer = plan_writer() if source[0] in MODELLED else None
        self.until(floor)  # what was to be until then stays
        self._state, self.text = state, text
        self._writer, self._fills = writer, bool(values["fills"])
        self._settings = Settings(MODELLED.get(source[0], "pop"), seed=seed, vary=float(values["vary"]))
        bar = metres.locate(bar_line(metres, floor)).bar
        if source != self._source or len(form or ()) != len(self._form or ()):
            self._first = bar  # another form begins; in another key the same one goes on
            self._edits = FormEdits(motif=self._edits.motif)
        self._source, self._form, self._metres = source, form, metres
        self._closeness, self._key = 1.0 - float(values["vary"]), form.key if form and form.key else key
        self._loop(bar, int(values["loop"]))
        self._rewrite(bar)

    def keep_seed(self, seed: int) -> None:
        """Stay with the present seed where the knob comes to this one."""
        self._seeds = {seed: self._settings.seed}

    def lead(self, chord: Chord | None, values: Mapping[str, Value], metres: MetreMap, floor: int) -> None:
        """Follow a chord from the first place at or after the tick `floor` that the knob "turn" allows; None: go back
        to the plan."""
        tick = leading.on_grid(str(values["turn"]), metres, floor)
        self.until(floor)
        self._leads = [lead for lead in self._leads if lead.tick < tick] + [Lead(tick, chord)]
        self._metres = metres
        self._change(tick)
        if self._plan is None:
            self._rewrite(metres.locate(bar_line(metres, floor)).bar)

    def answer(self, lag: int, metres: MetreMap, floor: int) -> None:
        """From the bar of the tick `floor` on, let every bar take up that `lag` bars before it; 0: none any more."""
        before = self._edits.answers[-1][1] if self._edits.answers else 0
        if lag == before:
            return
        self.until(floor)
        self._metres = metres
        bar = metres.locate(floor).bar
        self._edits.answers.append((bar, lag))
        self._change(metres.start_of(bar))
        if self._plan is None:
            self._rewrite(bar)

    @property
    def loop(self) -> tuple[int, int] | None:
        """The bar from which bars are looped, and how many; None while there is no loop."""
        return self._edits.loop

    def remade(self, bar: int) -> None:
        """A bar was made anew: where it is one of a loop, its next rounds repeat it as it is now."""
        loop = self._edits.loop
        if loop and bar >= loop[0]:
            self.until(self._metres.start_of(bar))  # as far ahead as the bar
            self._edits.remade.append(bar)
            self._rewrite(bar + 1)

    def write(self, bars: Mapping[int, str], metres: MetreMap, floor: int) -> None:
        """Write chords into bars, by number; an empty text: those of the plan again."""
        self.until(floor)
        self._metres = metres
        kept = {bar: text for bar, text in self._edits.chords.items() if bar not in bars}
        self._edits.chords = kept | {bar: text for bar, text in bars.items() if text}
        if self._plan is None or min(bars) < len(self._plan):
            self._rewrite(min(bars))

    @property
    def led(self) -> str:
        """The name of the chord that a person leads with, "" while the plan's own hold."""
        chord = self._leads[-1].chord if self._leads else None
        return chord_name(chord) if chord else ""

    @property
    def written_chords(self) -> Mapping[int, str]:
        """The chords that a person wrote into bars, by number."""
        return self._edits.chords

    def act(self, action: str, metres: MetreMap, floor: int) -> None:
        """Act on the form from the first bar line at or after the tick `floor` on, by one of `form.ACTIONS`.
        HocketError for another."""
        forms.check_action(action)
        self._metres = metres
        bar = metres.locate(bar_line(metres, floor)).bar
        plan = self.until(floor) or self._free_plan(bar)
        start = forms.section_start(plan, max(0, bar - 1))
        edits = self._edits
        if action == forms.AGAIN:
            edits.insert(bar, forms.recalled(plan, start, bar, 1.0))
        elif action == forms.PREVIOUS and start:
            edits.insert(bar, forms.recalled(plan, forms.section_start(plan, start - 1), start, 1.0))
        elif action == forms.PIN:
            edits.motif = max(0, bar - forms.MOTIF_BARS)
        elif action == forms.NEW:
            edits.forget_from(bar)
            edits.skipped[bar] = self._to_another_section(plan, bar)
        elif action == forms.ENDING:
            edits.forget_from(bar)
            ending = self._ending(plan, bar)
            edits.insert(bar, ending)
            edits.ends = bar + len(ending)
        elif action in forms.LENGTHS:
            for number in range(bar, bar + forms.LENGTHS[action]):
                edits.fullness[number] = dict(forms.FULLNESS[action])
        self._rewrite(bar)

    def until(self, tick: int) -> Plan | None:
        """The plan, written at least `AHEAD` ticks beyond a tick; None while the players are free."""
        while self._plan is not None and self._plan.end <= tick + AHEAD:
            plan = self._plan
            for _ in range(1 if self._writer else STEP):
                plan = self._with_fill(plan.extended([self._next(plan)]))
            self._plan = plan
        return self._with_leads()

    @property
    def written(self) -> Plan | None:
        """The plan as far as it was asked for. It may be read in any thread."""
        led = self._led
        return led[1] if led and (self._leads or self._edits.answers) else self._plan

    def _with_leads(self) -> Plan | None:
        """The plan, with the chords that a person leads with, and with answers."""
        if self._plan is None or not (self._leads or self._edits.answers):
            return self._plan
        base, led = self._led or (Plan((), self._key), Plan((), self._key))
        if base is not self._plan or self._changed is not None:
            same = takewhile(lambda pair: pair[0] is pair[1], zip(base.bars, self._plan.bars, strict=False))
            kept = sum(1 for _ in same)
            if self._changed is not None:
                kept = min(kept, bisect_right(self._plan.starts, self._changed) - 1)
            led = leading.led(self._plan, self._leads, led.bars[:kept])
            led = led.replaced(kept, [self._edits.answering(at, bar) for at, bar in enumerate(led.bars[kept:], kept)])
            self._led, self._changed = (self._plan, led), None
        return led

    def _change(self, tick: int) -> None:
        self._changed = tick if self._changed is None else min(tick, self._changed)

    def _rewrite(self, bar: int) -> None:
        """Write the plan anew from a bar on."""
        edits = self._edits
        if self._form is None and self._writer is None and edits == FormEdits(motif=edits.motif) and not self._leads:
            self._plan = None
            return
        kept = self._plan.bars[:bar] if self._plan else ()
        self._plan = Plan((*kept, *self._free_plan(bar).bars[len(kept) :]), self._key)

    def _free_plan(self, bars: int) -> Plan:
        return Plan(tuple(PlanBar(_metre(self._metres, number)) for number in range(bars)), self._key)

    def _next(self, plan: Plan) -> PlanBar:
        """The bar after a plan."""
        number, edits = len(plan), self._edits
        metre = _metre(self._metres, number)
        if number in edits.inserted:
            bar = _fitted(edits.inserted[number], metre)
        elif edits.loop and number >= edits.loop[0]:
            source = edits.source(number)
            begins = not (number - edits.loop[0]) % edits.loop[1]
            bar = _fitted(forms.recalled(plan, source, source + 1, 1.0)[0], metre)._replace(begins=begins)
        elif self._writer:
            (bar,) = self._writer.bars(
                plan, 1, replace(self._settings, metre=metre, new_section=number in edits.skipped)
            )
        elif self._form:
            bar = self._bar(number)
        else:
            bar = PlanBar(metre)
        bar = edits.shaped(number, bar, self._closeness)
        if text := edits.chords.get(number):
            before = plan.bars[-1].chords[-1:] if plan.bars else ()
            bar = bar._replace(chords=_chords_of(text, bar.metre, self._key, before), recall=None)
        return bar

    def _bar(self, number: int) -> PlanBar:
        """A bar of the form, played over and over."""
        assert self._form is not None
        form, since = self._form.bars, self._edits.position(number, self._first)
        bar = form[since % len(form)]
        recalled = since % len(form) if since >= len(form) else None
        if bar.recall is not None:
            recalled = bar.recall.bar
        there = None if recalled is None else self._number_of(recalled, number)
        recall = Recall(there, self._closeness) if there is not None and self._closeness > 0 else None
        begins = bar.begins or since % len(form) == 0 or number in self._edits.skipped
        return _fitted(bar, _metre(self._metres, number))._replace(recall=recall, begins=begins)

    def _number_of(self, position: int, before: int) -> int | None:
        """The first bar, before another, in which a bar of the form was played; None if it was left out."""
        edits, first = self._edits, self._first
        return next(
            (n for n in range(first, before) if n not in edits.inserted and edits.position(n, first) == position), None
        )

    def _with_fill(self, plan: Plan) -> Plan:
        """The plan with a fill before its last bar, if fills are wanted and a section begins there."""
        number = len(plan) - 1
        if not self._fills or not plan.bars[number].begins or number < FEWEST_BARS:
            return plan
        if any(bar.begins for bar in plan.bars[number - FEWEST_BARS + 1 : number]):
            return plan  # the section was a short one
        before = plan.bars[number - 1]
        if before.fullness[Part.DRUMS] is not None:
            return plan
        full = tuple(FULLEST if part == Part.DRUMS else before.fullness[part] for part in Part)
        return plan.replaced(number - 1, (before._replace(fullness=full), plan.bars[number]))

    def _loop(self, bar: int, count: int) -> None:
        """Loop the last bars before `bar` from there on, or end the loop, after which the form goes on."""
        edits, loop = self._edits, self._edits.loop
        if count == (loop[1] if loop else 0):
            return
        if loop and self._plan:
            edits.loop = None
            edits.insert(loop[0], self._plan.bars[loop[0] : bar])
        if count:
            edits.loop, edits.remade = (max(bar, count), count), []

    def _to_another_section(self, plan: Plan, bar: int) -> int:
        """How many bars of the form lie before its next section with another label than that before `bar`."""
        if self._form is None:
            return 0
        form, at = self._form.bars, self._edits.position(bar, self._first)
        label = plan.bars[bar - 1].section if bar else ""
        ahead = ((count, form[(at + count) % len(form)]) for count in range(len(form)))
        return next((count for count, each in ahead if each.begins and each.section != label), 0)

    def _ending(self, plan: Plan, bar: int) -> tuple[PlanBar, ...]:
        if self._writer:
            settings = replace(self._settings, metre=_metre(self._metres, bar), ending=True)
            return self._writer.bars(Plan(plan.bars[:bar], plan.key), ENDING_BARS, settings)
        return tuple(forms.cadence(_metre(self._metres, bar), self._key))


def _chords_of(
    text: str, metre: tuple[int, int], key: tuple[int, str] | None, before: tuple[PlannedChord, ...]
) -> tuple[PlannedChord, ...]:
    """The chords written into a bar. before: the last chord before it."""
    if text == REPEAT:
        return tuple(planned._replace(offset=0) for planned in before)
    if text == ANY:
        return ()
    return parse_progression(text, key=key, metre=metre).bars[0].chords


def _metre(metres: MetreMap, bar: int) -> tuple[int, int]:
    metre = metres.locate(metres.start_of(bar)).metre
    return (metre.numerator, metre.denominator) if metre else (4, 4)


def _fitted(bar: PlanBar, metre: tuple[int, int]) -> PlanBar:
    """A bar in another metre: its chords keep their share of it."""
    if bar.metre == metre:
        return bar
    ticks, wanted = bar.ticks, Metre(0, *metre).bar_ticks
    chords = {round(planned.offset * wanted / ticks): planned.chord for planned in bar.chords}
    return bar._replace(
        metre=metre, chords=tuple(PlannedChord(at, chord) for at, chord in chords.items() if at < wanted)
    )


@functools.cache
def planner() -> Manifest | None:
    """The manifest of the plan model that is installed, None if there is none that can be used."""
    return next((entry.manifest for entry in list_models() if entry.slug == MODEL and not entry.problem), None)


@functools.cache
def plan_writer() -> PlanWriter:
    """The plan model that is installed. HocketError if there is none, or it cannot be used."""
    return PlanWriter(open_model(MODEL))


@functools.lru_cache(32)
def _form(source: str, text: str, key: tuple[int, str]) -> Plan | None:
    """The form that a plan repeats; None where the players are free, or a model writes the plan."""
    if source == FREE or source in MODELLED or (source == TYPED and not text.strip()):
        return None
    return parse_progression(text, key=key) if source == TYPED else named_progression(source).plan(key[0])


def check_text(text: str) -> None:
    """HocketError for a progression that cannot be read, in one line that names the symbol or bar."""
    try:
        _form(TYPED, text, (0, "major"))
    except HocketError as error:
        raise HocketError(f"this progression cannot be used: {error}") from error


def check_chords(text: str, metre: tuple[int, int], key: tuple[int, str] | None) -> None:
    """HocketError for chords of one bar that cannot be read."""
    try:
        _chords_of(text, metre, key or (0, "major"), ())
    except HocketError as error:
        raise HocketError(f"these chords cannot be used: {error}") from error
