"""Writes a plan with the plan model: sections first, then their chords, bar by bar.

What comes next is a function of the bundle, the settings and the plan so far. Random draws are keyed by the number of
the section, or by bar and slot. So an edited plan is continued from its current bars, and the bars are the same whether
they are requested one at a time or all at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.models.bundle import Bundle
from instrument.models.plan.form import ANSWERS, END, KNOWN, NEW, FormTracker
from instrument.models.plan.outline import ENDING_LABEL, Outline, classes_of, outline_of
from instrument.models.plan.slots import (
    CLASSES,
    ENDING,
    GENRES,
    INTRO,
    NEAREST,
    NO_CHORD_CLASS,
    PLAIN,
    TONICS,
    WIDTH,
    Section,
    Tracker,
    chord_of,
    slots_in_bar,
)
from instrument.models.sampling import choose, noise
from instrument.music.plan import Plan, PlanBar, PlannedChord, Recall

PLAN_PLAYER = 1 << 40  # number of the plan in random draws: no note player has it
WHICH, LENGTH, KIND, CHORD = range(4)  # what is drawn
TOP_P = 0.95
ENDING_BARS = 4  # length of a requested ending
CHANGED_CLOSENESS = 0.5  # closeness of a recalled bar whose chords differ, as a share of that with the same chords
FORM_OF = {"classical": "folk", "chorale": "folk"}
"""Genre -> genre whose forms are used instead: classical plans seldom mark repeats, chorales mark no sections."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to write a plan.

    genre: one of the band's; metre: of the bars to come; temperature: above 0, at most 10; vary: 0 (recall bars as they
    were) .. 1 (freely); ending: write an ending now; new_section: begin a section now; endless: never end by itself,
    else the model draws the end. Raises HocketError for an unknown genre and for values out of range.
    """

    genre: str = "pop"
    metre: tuple[int, int] = (4, 4)
    seed: int = 0
    temperature: float = 1.0
    vary: float = 0.3
    ending: bool = False
    new_section: bool = False
    endless: bool = True

    def __post_init__(self) -> None:
        if self.genre not in GENRES and self.genre not in NEAREST:
            raise HocketError(f"no plans of genre {self.genre!r}: choose one of {', '.join((*GENRES, *NEAREST))}")
        if not 0 < self.temperature <= 10:
            raise HocketError(f"a plan's temperature is {self.temperature:g}: give one above 0, at most 10")
        if not 0 <= self.vary <= 1:
            raise HocketError(f"a plan varies by {self.vary:g}: give 0 to 1")

    @property
    def nearest(self) -> str:
        """The genre of the training plans that is used for this one."""
        return NEAREST.get(self.genre, self.genre)


@dataclass(slots=True)
class _Context:
    """The state of the chord network after the bars of a plan. inputs: what of the plan it depends on."""

    inputs: tuple[Any, ...]
    tracker: Tracker
    hidden: NDArray[np.float32]


class PlanWriter:
    """A bundle of family plan, ready to write."""

    def __init__(self, bundle: Bundle) -> None:
        """Raises HocketError if the bundle is of another family, of another version, or incomplete."""
        if bundle.manifest.family != "plan":
            raise HocketError(f"model {bundle.manifest.slug!r} is a {bundle.manifest.family}: it writes no plans")
        self.bundle = bundle
        self._chord, self._form, self._details = (bundle.session(id) for id in ("chord", "form", "details"))
        if self._chord.inputs["row"][0] != (-1, WIDTH):
            raise HocketError(f"model {bundle.manifest.slug!r} was made for another version of Hocket: update it")
        self._context: _Context | None = None

    def bars(self, plan: Plan, count: int, settings: Settings) -> tuple[PlanBar, ...]:
        """The next `count` bars of a plan, fewer if it ends before. A plan without a key is in C major.

        Raises HocketError for an impossible metre."""
        written = plan
        for _ in range(count):
            outline = self._outline(written, settings)
            if outline is None:
                break
            written = written.extended([self._write(written, settings, outline)])
        return written.bars[len(plan) :]

    # --- the form

    def _outline(self, plan: Plan, settings: Settings) -> Outline | None:
        """The outline of a plan up to the end of the section that holds its next bar; None at the end of the piece."""
        outline = outline_of(plan)
        closing = bool(outline.labels) and outline.labels[-1] == ENDING_LABEL
        if settings.ending and not closing:
            section = Section(outline.id_of(ENDING_LABEL), ENDING_BARS, ENDING)
            return outline.with_section(section, ENDING_LABEL, len(plan))
        if outline.sections and not settings.new_section:
            length = ENDING_BARS if closing else self._length(outline, settings)
            if outline.sections[-1].bars < length:
                return outline.lasting(length)
            if closing and settings.ending:
                return None
        drawn = self._draw_section(outline, settings)
        return None if drawn is None else outline.with_section(drawn, outline.label_of(drawn), len(plan))

    def _draw_section(self, outline: Outline, settings: Settings) -> Section | None:
        """The next section, None if the piece ends."""
        number, known = len(outline.sections), outline.known
        tracker, answers, context = self._run_form(known, settings)
        allowed = np.ones(ANSWERS, bool)
        allowed[END] = not settings.endless and len(known) > 1
        allowed[NEW] = tracker.distinct < KNOWN
        answer = self._draw(answers, settings, (number, WHICH, 0), allowed)
        if answer == END:
            return None
        new = answer == NEW
        length, kinds = self._run_details(context, answer, 0 if new else tracker.length_before(answer))
        bars = 1 + self._draw(length, settings, (number, LENGTH, 0))
        if not new:
            return Section(answer, bars, next(section.kind for section in known if section.id == answer))
        opens = not number and self._draw(kinds, settings, (number, KIND, 0)) == INTRO
        return Section(tracker.distinct, bars, INTRO if opens else PLAIN)

    def _length(self, outline: Outline, settings: Settings) -> int:
        """The final length of the last section in bars: as drawn when it began, but no shorter than it is. An unknown
        section is complete."""
        last = outline.sections[-1]
        if last.id < 0:
            return last.bars
        tracker, _, context = self._run_form(outline.known[:-1], settings)
        length, _ = self._run_details(context, tracker.answer(last), tracker.length_before(last.id))
        return max(last.bars, 1 + self._draw(length, settings, (len(outline.sections) - 1, LENGTH, 0)))

    def _run_form(
        self, sections: list[Section], settings: Settings
    ) -> tuple[FormTracker, NDArray[np.float32], NDArray[np.float32]]:
        genre = FORM_OF.get(settings.nearest, settings.nearest)
        tracker = FormTracker(GENRES.index(genre))
        hidden = np.zeros((1, self._form.inputs["hidden"][0][1]), np.float32)
        for section in sections:
            _, _, hidden = self._form.run({"row": tracker.row()[None], "hidden": hidden})
            tracker.push(section)
        answers, context, _ = self._form.run({"row": tracker.row()[None], "hidden": hidden})
        return tracker, answers[0], context

    def _run_details(
        self, context: NDArray[np.float32], answer: int, before: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        feeds: dict[str, NDArray[Any]] = {"heard": context, "answer": np.array([answer]), "before": np.array([before])}
        length, kinds = self._details.run(feeds)
        return length[0], kinds[0]

    # --- chords

    def _write(self, plan: Plan, settings: Settings, outline: Outline) -> PlanBar:
        """The bar after a plan, in the last section of the outline."""
        section, label, number = outline.sections[-1], outline.labels[-1], len(plan)
        since = number - outline.starts[-1]
        left = section.bars - since - 1
        bar = PlanBar(settings.metre, label, since == 0)
        context = self._context_after(plan, settings, outline)
        count = slots_in_bar(settings.metre, settings.nearest)
        context.tracker.begin_bar(count, settings.metre[0], section.id, since, left)
        closing = label == ENDING_LABEL and left == 0
        allowed = np.arange(CLASSES) == _tonic_triad(plan) if closing else np.arange(CLASSES) != NO_CHORD_CLASS
        drawn: list[int] = []
        for slot in range(count):
            logs, context.hidden = self._chord.run({"row": _row(context.tracker), "hidden": context.hidden})
            drawn.append(self._draw(logs[0], settings, (number, CHORD, slot), allowed))
            context.tracker.push(drawn[-1])
        tonic = plan.key[0] if plan.key else 0
        chords = tuple(
            PlannedChord(bar.ticks * slot // count, chord_of(chord, tonic, settings.nearest))
            for slot, chord in enumerate(drawn)
            if not slot or chord != drawn[slot - 1]
        )
        bar = bar._replace(chords=chords)
        context.inputs = _inputs_of((*plan.bars, bar), plan.key, settings, outline)
        self._context = context
        return bar._replace(recall=_recall(plan, bar, outline, settings.vary))

    def _context_after(self, plan: Plan, settings: Settings, outline: Outline) -> _Context:
        """The state of the network after a plan: kept if it wrote the plan itself, else computed from the first bar."""
        inputs = _inputs_of(plan.bars, plan.key, settings, outline)
        if self._context is not None and self._context.inputs == inputs:
            return self._context
        tracker = Tracker(settings.nearest, _minor(plan))
        context = _Context(inputs, tracker, np.zeros((1, *self._chord.inputs["hidden"][0][1:]), np.float32))
        places = [(section, since) for section in outline.sections for since in range(section.bars)]
        for bar, (section, since) in zip(plan.bars, places, strict=False):
            count = slots_in_bar(bar.metre, settings.nearest)
            tracker.begin_bar(count, bar.metre[0], section.id, since, section.bars - since - 1)
            for chord in classes_of(bar, count, plan.key[0] if plan.key else 0):
                _, context.hidden = self._chord.run({"row": _row(tracker), "hidden": context.hidden})
                tracker.push(chord)
        return context

    def _draw(
        self,
        logs: NDArray[np.float32],
        settings: Settings,
        counters: tuple[int, int, int],
        allowed: NDArray[np.bool_] | None = None,
    ) -> int:
        draws = noise(settings.seed, PLAN_PLAYER, counters, len(logs))
        return choose(logs, draws, settings.temperature, TOP_P, allowed)


def _row(tracker: Tracker) -> NDArray[np.int64]:
    return tracker.row()[None].astype(np.int64)


def _inputs_of(
    bars: tuple[PlanBar, ...], key: tuple[int, str] | None, settings: Settings, outline: Outline
) -> tuple[Any, ...]:
    """What of a plan the chord network depends on: genre, key, bars, and their sections."""
    sections = tuple(
        section for section, start in zip(outline.sections, outline.starts, strict=True) if start < len(bars)
    )
    return settings.nearest, key, sections, tuple((bar.metre, bar.chords) for bar in bars)


def _minor(plan: Plan) -> bool:
    return plan.key is not None and plan.key[1] == "minor"


def _tonic_triad(plan: Plan) -> int:
    """The class of the triad on the tonic. The first two kinds are major and minor."""
    return TONICS * int(_minor(plan))


def _recall(plan: Plan, bar: PlanBar, outline: Outline, vary: float) -> Recall | None:
    """The bar at the same place in the section's last appearance, recalled more closely if metre and chords agree."""
    *earlier, section = outline.sections
    found = [i for i, other in enumerate(earlier) if other.id == section.id >= 0]
    since = len(plan) - outline.starts[-1]
    if not found or since >= earlier[found[-1]].bars:
        return None
    number = outline.starts[found[-1]] + since
    there = plan.bars[number]
    alike = there.metre == bar.metre and there.chords == bar.chords
    return Recall(number, (1 - vary) * (1.0 if alike else CHANGED_CLOSENESS))
