"""What a person does to the form while it plays: bars put in, sections left early, parts that rest, fills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from instrument.errors import HocketError
from instrument.models.plan.outline import ENDING_LABEL
from instrument.music.notes import Part
from instrument.music.plan import FREE, Plan, PlanBar, Recall
from instrument.music.progressions import parse_progression
from instrument.music.timebase import Metre

AGAIN, PREVIOUS, PIN, NEW, INTRO, FILL, BREAK, ENDING = ACTIONS = (
    "again",
    "previous",
    "pin",
    "new",
    "intro",
    "fill",
    "break",
    "ending",
)
PHRASE_BARS = 8  # taken for a section where the plan has none
MOTIF_BARS, MOTIF_CLOSENESS = 2, 0.8
ANSWER_CLOSENESS = 0.65  # of an answer to its question
LENGTHS = {INTRO: 4, FILL: 1, BREAK: 1}  # bars
SILENT, FULLEST = 0.0, 1.0
FULLNESS = {
    INTRO: {Part.MELODY: SILENT, Part.DRUMS: SILENT},
    BREAK: {Part.CHORDS: SILENT, Part.BASS: SILENT, Part.DRUMS: SILENT},
    FILL: {Part.DRUMS: FULLEST},
}
CADENCES = {"major": "IV | V7 | I | I", "minor": "iv | V7 | i | i"}


@dataclass
class FormEdits:
    """Edits by number of the bar.

    inserted: bars played before those that would come; skipped: bar -> how many bars of the form are left out there;
    fullness: of parts in a bar; motif: first bar of the pinned one; loop: the bar from which bars are looped, and how
    many; remade: bars of the loop that were made anew; answers:
    (bar, how many bars before it every bar from there on takes up, 0: none); ends: the bar before which the music ends;
    chords: text of those that a person wrote into a bar.
    """

    inserted: dict[int, PlanBar] = field(default_factory=dict)
    skipped: dict[int, int] = field(default_factory=dict)
    fullness: dict[int, dict[Part, float]] = field(default_factory=dict)
    motif: int | None = None
    loop: tuple[int, int] | None = None
    remade: list[int] = field(default_factory=list)
    answers: list[tuple[int, int]] = field(default_factory=list)
    ends: int | None = None
    chords: dict[int, str] = field(default_factory=dict)

    def position(self, number: int, first: int) -> int:
        """Which bar of a form that began at bar `first` is played in bar `number`."""
        left_out = sum(count for at, count in self.skipped.items() if first <= at <= number)
        return number - first + left_out - sum(first <= at < number for at in self.inserted)

    def answering(self, number: int, bar: PlanBar) -> PlanBar:
        """A bar that takes up another one, where it is part of an answer."""
        lag = next((lag for at, lag in reversed(self.answers) if at <= number), 0)
        return bar._replace(recall=Recall(number - lag, ANSWER_CLOSENESS)) if 0 < lag <= number else bar

    def source(self, number: int) -> int:
        """The bar that a bar of the loop repeats: as it was before the loop, or as it was last made anew."""
        assert self.loop
        first, count = self.loop
        again = [bar for bar in self.remade if bar < number and (number - bar) % count == 0]
        return max(again, default=first - count + (number - first) % count)

    def insert(self, bar: int, bars: Sequence[PlanBar]) -> None:
        """Insert bars before what would come from `bar` on."""
        self.inserted = {at + len(bars) * (at >= bar): each for at, each in self.inserted.items()}
        self.inserted |= dict(enumerate(bars, bar))
        self.skipped = {at + len(bars) * (at >= bar): count for at, count in self.skipped.items()}
        self.chords = {at + len(bars) * (at >= bar): text for at, text in self.chords.items()}

    def forget_from(self, bar: int) -> None:
        """Forget what was to come from `bar` on."""
        self.inserted = {at: each for at, each in self.inserted.items() if at < bar}
        self.skipped = {at: count for at, count in self.skipped.items() if at < bar}
        self.fullness = {at: each for at, each in self.fullness.items() if at < bar}
        self.chords = {at: text for at, text in self.chords.items() if at < bar}
        self.loop = self.ends = None

    def shaped(self, number: int, bar: PlanBar, closeness: float) -> PlanBar:
        """A bar with the fullness of its parts, and with the motif at the start of a section."""
        parts = self.fullness.get(number, {})
        bar = bar._replace(fullness=tuple(parts.get(part, bar.fullness[part]) for part in Part))
        if self.motif is not None and number >= self.motif + MOTIF_BARS and bar.begins:
            return bar._replace(recall=Recall(self.motif, max(closeness, MOTIF_CLOSENESS)))
        return bar


def section_start(plan: Plan, bar: int) -> int:
    """The first bar of the section that a bar is in; of plans without sections, of its phrase of eight bars."""
    if not any(each.begins or each.section for each in plan.bars[: bar + 1]):
        return bar - bar % PHRASE_BARS
    place = plan.place(plan.starts[bar])
    return bar - place.since if place else bar


def recalled(plan: Plan, first: int, last: int, closeness: float) -> list[PlanBar]:
    """The bars `first` to `last` - 1 of a plan once more."""
    return [
        plan.bars[bar]._replace(begins=bar == first, recall=Recall(bar, closeness), fullness=FREE)
        for bar in range(first, last)
    ]


def cadence(metre: tuple[int, int], key: tuple[int, str]) -> list[PlanBar]:
    """Four bars that end a piece in a key."""
    ticks = Metre(0, *metre).bar_ticks
    return [
        PlanBar(metre, ENDING_LABEL, not number, tuple(chord for chord in bar.chords if chord.offset < ticks))
        for number, bar in enumerate(parse_progression(CADENCES[key[1]], key=key).bars)
    ]


def check_action(action: str) -> None:
    """HocketError for an action that does not exist."""
    if action not in ACTIONS:
        raise HocketError(f"the form has no action {action!r}: choose one of {', '.join(ACTIONS)}")
