"""The input of the plan model from a plan: its sections, and the chord classes of its bars on slots."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from instrument.models.plan.slots import ENDING, INTRO, NO_CHORD_CLASS, PLAIN, Section, class_of
from instrument.music.plan import Plan, PlanBar

ENDING_LABEL, INTRO_LABEL = "ending", "intro"
KINDS = {ENDING_LABEL: ENDING, INTRO_LABEL: INTRO}


class Outline(NamedTuple):
    """The sections of a plan, their labels, and the bars where they begin. Bars without a label form an unknown section
    of id -1."""

    sections: tuple[Section, ...]
    labels: tuple[str, ...]
    starts: tuple[int, ...]

    @property
    def known(self) -> list[Section]:
        """The sections that have a label."""
        return [section for section in self.sections if section.id >= 0]

    def id_of(self, label: str) -> int:
        """The id of the section with this label, or the next free id."""
        ids = {name: section.id for name, section in zip(self.labels, self.sections, strict=True) if name}
        return ids.get(label, len(ids))

    def label_of(self, section: Section) -> str:
        """The label of an earlier section. A new one is called intro, or gets the next free letter."""
        for earlier, label in zip(self.sections, self.labels, strict=True):
            if earlier.id == section.id:
                return label
        if section.kind == INTRO:
            return INTRO_LABEL
        letters = (f"{chr(65 + i % 26)}{i // 26 or ''}" for i in range(len(self.labels) + 1))
        return next(letter for letter in letters if letter not in self.labels)

    def lasting(self, bars: int) -> Outline:
        """The outline with its last section set to this many bars."""
        return self._replace(sections=(*self.sections[:-1], self.sections[-1]._replace(bars=bars)))

    def with_section(self, section: Section, label: str, start: int) -> Outline:
        """The outline with one more section."""
        return Outline((*self.sections, section), (*self.labels, label), (*self.starts, start))


def outline_of(plan: Plan) -> Outline:
    """The outline of a plan."""
    starts = [
        number
        for number, bar in enumerate(plan.bars)
        if number == 0 or bar.begins or bar.section != plan.bars[number - 1].section
    ]
    labels = [plan.bars[start].section for start in starts]
    names = [label for label in dict.fromkeys(labels) if label]
    sections = [
        Section(names.index(label) if label else -1, end - start, KINDS.get(label, PLAIN))
        for label, (start, end) in zip(labels, pairwise([*starts, len(plan)]), strict=True)
    ]
    return Outline(tuple(sections), tuple(labels), tuple(starts))


def classes_of(bar: PlanBar, count: int, tonic: int) -> list[int]:
    """The chord classes of a bar's `count` slots. A slot has the last chord at or before its start, N where the harmony
    is free."""
    found = []
    for slot in range(count):
        begun = [chord for at, chord in bar.chords if at * count <= bar.ticks * slot]
        found.append(class_of(begun[-1], tonic) if begun else NO_CHORD_CLASS)
    return found
