"""The state of one player in a performance."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec.structs import replace

from instrument.engine.ipc.messages import Anchor, KnobInfo, Value
from instrument.engine.performance.anchors import fitting, on_pad
from instrument.engine.performance.arrangement import GENRE, SENDING
from instrument.engine.performance.expression.expression import Expression
from instrument.engine.performance.harmony.leading import read_lead
from instrument.engine.performance.harmony.plan_in_force import PlanInForce
from instrument.engine.performance.knobs import KnobTable, ask_from, checked, parts_on
from instrument.engine.performance.line import Line
from instrument.engine.performance.overload import Overload
from instrument.engine.performance.patches import PlayerPatch, part_name, parts_of
from instrument.engine.performance.roster import BundleInfo
from instrument.engine.performance.silent import SilentBundle
from instrument.engine.performance.sound_seats import FREEZE, NOTES, SEAT, kind, with_strip
from instrument.engine.performance.takes import FREELY, Input, Manner
from instrument.engine.voices.programs import NONE
from instrument.errors import HocketError, one_line
from instrument.models.notes.player import AsHeard, Ask, LatentPlayer, NotePlayer
from instrument.models.sound.base import SoundModel
from instrument.music.notes import Note, Part
from instrument.music.timebase import MetreMap

logger = logging.getLogger(__name__)

VELOCITY_DB = 40.0  # decibels of ten times the velocity, as General MIDI recommends


class Pad(NamedTuple):
    """The latent pad of a player: its model, and the anchors on it."""

    model: LatentPlayer
    anchors: tuple[Anchor, ...]


@dataclass(slots=True, eq=False)
class PlayerState:
    """One player: a note player has a `line`, a sound player has a `sound` model.

    plan, expression: of a player with a line; each has its own, as a change reaches one after another; parts: those
    that it plays;
    values: its knobs by id, in the order of the knob table; anchors: of its latent pad; resting: it is muted, so
    nothing is planned; problem: why nothing is planned as its model failed, else empty; given: number of prompted or
    live notes of a player without a line; kept: its settings in the patch while its model cannot be used; manner: how
    it plays beside a person; hushed: others are solo; lost: values of knobs that its present model has not, or does
    not allow; lost_anchors: by the slug of the model that had them.
    """

    bundle: BundleInfo
    sound: SoundModel | None = None
    line: Line | None = None
    parts: frozenset[int] = frozenset(Part)
    values: dict[str, Value] = field(default_factory=dict)
    anchors: tuple[Anchor, ...] = ()
    plan: PlanInForce | None = None
    expression: Expression | None = None
    overload: Overload = field(default_factory=Overload)
    resting: bool = False
    problem: str = ""
    given: int = 0
    kept: PlayerPatch | None = None
    manner: Manner = FREELY
    hushed: bool = False
    lost: dict[str, Value] = field(default_factory=dict)
    lost_anchors: dict[str, tuple[Anchor, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, patch: PlayerPatch, bundle: BundleInfo, model: NotePlayer | SoundModel) -> PlayerState:
        """A player of a patch, whose knobs and line are not set yet."""
        kept = patch if isinstance(bundle, SilentBundle) else None
        return cls(bundle, model if isinstance(model, SoundModel) else None, parts=parts_of(patch.parts), kept=kept)

    def seat(self, bundle: BundleInfo) -> None:
        """Give it another bundle. Its pad becomes empty."""
        self.kept = self.as_patch() if isinstance(bundle, SilentBundle) else None
        if self.anchors:
            self.lost_anchors[self.bundle.slug] = self.anchors
        self.bundle, self.anchors, self.problem = bundle, (), ""

    def carry_over(self, before: Iterable[KnobInfo], infos: Iterable[KnobInfo]) -> None:
        """Its knobs keep the values that are allowed. before, infos: the knobs of its last and its present bundle."""
        defaults = {info.id for info in before if self.values.get(info.id) == info.default}
        wanted = {**self.values, **{id: at for id, at in self.lost.items() if id in defaults or id not in self.values}}
        self.values = kept_values(infos, self.values)
        self.lost = {id: value for id, value in wanted.items() if self.values.get(id) != value}

    def remembered(self, infos: Iterable[KnobInfo]) -> dict[str, Value]:
        """What was lost of these knobs, by id, as far as it is allowed."""
        lost = kept_values((info for info in infos if info.id in self.lost), self.lost)
        return {id: value for id, value in lost.items() if value == self.lost[id]}

    def with_bundle(self, bundle: BundleInfo) -> PlayerPatch:
        """The player in a patch as it will be with another bundle."""
        infos = KnobTable([with_strip(bundle.knobs, self.kind)]).of(0)
        return replace(self.as_patch(), model=bundle.slug, knobs=kept_values(infos, self.values), anchors=())

    @property
    def awake(self) -> bool:
        """Whether notes are planned for it."""
        return self.line is not None and not self.resting and not self.problem

    def extend(self) -> tuple[int, Note]:
        """Plan one more note. After a HocketError the others play on; this player rests while it has its `problem`."""
        assert self.line is not None
        try:
            return self.line.number, self.line.extend()
        except HocketError as error:
            self.problem = str(error)
            raise
        except Exception as error:
            logger.exception("player %d (%s) failed", self.line.number, self.bundle.slug)
            self.problem = f"its model failed: {one_line(error)}"
            raise HocketError(self.problem) from error

    @property
    def kind(self) -> str:
        """The kind of player: "notes", "stream" or "voice"."""
        return kind(self.sound) if self.sound else NOTES

    @property
    def pad(self) -> Pad | None:
        """The latent pad, None if the model has no latent space."""
        model = self.line.player if self.line else None
        return Pad(model, self.anchors) if isinstance(model, LatentPlayer) else None

    @property
    def genre(self) -> str:
        """The genre that it plays, "none" where it has no such knob."""
        return str(self.values.get(GENRE, NONE))

    def begin(
        self, model: NotePlayer, number: int, seat: PlayerPatch, instrument: Mapping[str, Value], text: str,
        metres: MetreMap,
    ) -> None:  # fmt: skip
        """Give a note player its line. number: of the player; seat: in the patch; instrument: the instrument's knobs,
        by id; text: the typed progression. HocketError if that cannot be read."""
        self.anchors = fitting(model, seat.anchors)
        self.plan, self.expression = PlanInForce(instrument, text, metres), Expression(number)
        self.line = Line(
            model, int(instrument["seed"]), number, metres, self.ask(model, instrument, 0), self.plan.until
        )
        self.line.freeze(int(self.values[FREEZE]), metres)
        self.follow(instrument, metres, Input(number, 0, 0, progression=text))

    def ask(self, model: NotePlayer, instrument: Mapping[str, Value], floor: int) -> Ask:
        """The `Ask` for a `model` with the present knobs. instrument: the instrument's knobs, by id; floor: ticks."""
        knobs = {knob: value for knob, value in self.values.items() if knob not in SENDING | SEAT}
        ask = ask_from(instrument, on_pad(model, knobs, self.anchors), floor, self.parts)
        manner, parts = self.manner, ask.parts or self.parts
        if manner == FREELY:
            return ask
        if manner.melody == "rests":
            parts = parts - {Part.MELODY}
        low, high = max(ask.low, manner.low), min(ask.high, manner.high)
        if low > high:
            low, high = manner.low, manner.high
        on = ask.on | {Part.MELODY} if manner.melody == "answers" else ask.on - {Part.MELODY}
        return dataclasses.replace(ask, parts=parts, low=low, high=high, on=on)

    def follow(self, instrument: Mapping[str, Value], metres: MetreMap, event: Input) -> None:
        """Let plan, expression and rests follow other knobs, and the progression, chord and action on the form of an
        input, from its floor on: see `PlanInForce`."""
        if event.manner is not None:
            self.manner = event.manner
        if event.hushed is not None:
            self.hushed = event.hushed
        if self.plan and self.expression:
            if event.fresh or event.redrawn:
                self.plan.keep_seed(int(instrument["seed"]))
            self.plan.change(instrument, event.progression, metres, event.floor)
            if event.chord is not None:
                self.plan.lead(read_lead(event.chord), instrument, metres, event.floor)
            if event.laid:
                self.plan.remade(metres.locate(event.laid.start).bar)
            if event.manner is not None:
                self.plan.answer(event.manner.lag, metres, event.floor)
            if event.bars:
                self.plan.write(event.bars, metres, event.floor)
            if event.form:
                self.plan.act(event.form, metres, event.floor)
            self.expression.change(instrument, self.genre)
        self.resting = self.is_muted(instrument)

    def heard(self, note: Note, metres: MetreMap) -> Note:
        """Its next note as it is to be heard, with swing, accents, dynamics and its level."""
        if self.expression is None or self.line is None or isinstance(self.line.player, AsHeard):
            return note
        if note.tick != self.line.cue:  # the first note of an answer comes at once
            note = self.expression.shaped(note, metres, self.plan.until(note.tick) if self.plan else None)
        harder = 10 ** (float(self.values["volume"]) / VELOCITY_DB)
        return note if harder == 1 else note._replace(velocity=min(127, max(1, round(note.velocity * harder))))

    def is_muted(self, instrument: Mapping[str, Value]) -> bool:
        """Whether it is muted, others are solo, all parts that it can play are switched off, or its melody rests and it
        has nothing else."""
        parts = parts_on(instrument) & self.parts & (set(self.bundle.parts) or set(Part))
        if self.hushed or self.values["mute"]:
            return True
        return not parts - ({Part.MELODY} if self.manner.melody == "rests" else set())

    def as_patch(self) -> PlayerPatch:
        """The player as stored in a patch."""
        if self.kept:
            return self.kept
        parts = () if self.parts == frozenset(Part) else tuple(part_name(part) for part in sorted(self.parts))
        return PlayerPatch(self.bundle.slug, dict(self.values), self.anchors, parts)


def first_values(infos: Iterable[KnobInfo], given: Mapping[str, Value]) -> dict[str, Value]:
    """The first values of knobs: the given ones, by id, else the defaults. HocketError for a value out of range."""
    return {info.id: checked(info, given.get(info.id, info.default)) for info in infos}


def kept_values(infos: Iterable[KnobInfo], before: Mapping[str, Value]) -> dict[str, Value]:
    """The knob values after a change of model: the previous values where they are allowed, else the defaults."""
    values = {}
    for info in infos:
        try:
            values[info.id] = checked(info, before.get(info.id, info.default))
        except HocketError:
            values[info.id] = info.default
    return values
