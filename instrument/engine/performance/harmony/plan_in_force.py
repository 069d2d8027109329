"""The plan of a performance, bar by bar as far ahead as it is needed."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace

from instrument.engine.ipc.messages import Value
from instrument.engine.performance.transport import bar_line
from instrument.errors import HocketError
from instrument.models.catalog import open_model
from instrument.models.plan.slots import GENRES
from instrument.models.plan.writer import PlanWriter, Settings
from instrument.music.harmony import KEYS
from instrument.music.plan import Plan, PlanBar, PlannedChord, Recall
from instrument.music.progressions import named_progression, parse_progression, progressions
from instrument.music.timebase import Metre, MetreMap

FREE, TYPED = "free", "typed"
MODEL = "plan-band"  # the bundle that writes plans
MODELLED = {f"model {genre}": genre for genre in GENRES}
SOURCES = (FREE, TYPED, *MODELLED, *progressions())  # values of the knob "plan"
KNOBS = ("plan", "vary", "key", "scale", "metre", "seed")  # of the instrument, on which a plan depends
AHEAD = 16 * 96  # ticks; players look less far ahead
STEP = 8  # bars that are added at a time


class PlanInForce:
    """Writes a plan: a progression over and over, or what the plan model writes. It goes on when a knob or the text
    changes.

    A bar is a function of the knobs, the text and the tick from which they hold, never of how far ahead it was asked
    for, so that a performance and its rendering have the same plan. text: the typed progression.
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
        self.change(values, text, metres, 0)

    def change(self, values: Mapping[str, Value], text: str | None, metres: MetreMap, floor: int) -> None:
        """Go on with other knobs, text (None: the same) or metres from the first bar line at or after the tick `floor`.
        Nothing happens where none of them is another. HocketError if the text cannot be read."""
        text = self.text if text is None else text
        state = (*(values[knob] for knob in KNOBS), text, metres.metres)
        if state == self._state:
            return
        source = str(values["plan"]), text
        key = KEYS.index(str(values["key"])), "minor" if "min" in str(values["scale"]) else "major"
        form = _form(*source, key)
        writer = plan_writer() if source[0] in MODELLED else None
        self.until(floor)  # what was to be until then stays
        self._state, self.text = state, text
        self._writer = writer
        self._settings = Settings(MODELLED.get(source[0], "pop"), seed=int(values["seed"]), vary=float(values["vary"]))
        bar = metres.locate(bar_line(metres, floor)).bar
        if form is None and writer is None:
            self._plan = None
        else:
            kept = self._plan.bars[:bar] if self._plan else ()
            free = tuple(PlanBar(_metre(metres, number)) for number in range(len(kept), bar))
            self._plan = Plan((*kept, *free), form.key if form else key)
        if source != self._source or len(form or ()) != len(self._form or ()):
            self._first = bar  # another form begins; in another key the same one goes on
        self._source, self._form, self._metres = source, form, metres
        self._closeness = 1.0 - float(values["vary"])

    def until(self, tick: int) -> Plan | None:
        """The plan, written at least `AHEAD` ticks beyond a tick; None while the players are free."""
        while self._plan is not None and self._plan.end <= tick + AHEAD:
            bars = len(self._plan)
            if self._writer:
                settings = replace(self._settings, metre=_metre(self._metres, bars))
                self._plan = self._plan.extended(self._writer.bars(self._plan, 1, settings))
            else:
                self._plan = self._plan.extended(self._bar(bar) for bar in range(bars, bars + STEP))
        return self._plan

    def _bar(self, number: int) -> PlanBar:
        """A bar of the form, played over and over."""
        assert self._form is not None
        form, since = self._form.bars, number - self._first
        bar = form[since % len(form)]
        recalled = since % len(form) if since >= len(form) else None
        if bar.recall is not None:
            recalled = bar.recall.bar
        recall = (
            Recall(self._first + recalled, self._closeness) if recalled is not None and self._closeness > 0 else None
        )
        begins = bar.begins or since % len(form) == 0
        return _fitted(bar, _metre(self._metres, number))._replace(recall=recall, begins=begins)


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
