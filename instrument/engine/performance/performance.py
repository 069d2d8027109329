"""A performance: players, knobs, and all that happened to them. The engine plays it and the renderer too, so
that what is heard live and what is rendered come out of the same code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import ceil
from typing import Any

from instrument.engine.ipc.messages import Anchor, Value
from instrument.engine.performance.anchors import fitting, on_pad
from instrument.engine.performance.knobs import (
    INSTRUMENT,
    RESTARTING,
    UNHEEDED,
    KnobTable,
    ask_from,
    checked,
    knob_name,
    parts_on,
)
from instrument.engine.performance.line import Line
from instrument.engine.performance.patches import MOST_PLAYERS, Patch, PlayerPatch
from instrument.engine.performance.roster import (
    BundleInfo,
    Opened,
    OpenPlayer,
    check_input,
    expect_bundle,
    named,
)
from instrument.engine.performance.sound_seats import Cast, Scene, Seat, kind, moved_up, with_strip, without
from instrument.engine.performance.takes import Header, Input, Joined, Left, Released, Stopped, Take, Turn
from instrument.engine.performance.transport import bar_line, changed_metres, metre_map
from instrument.errors import HocketError
from instrument.models.notes.player import Ask, LatentPlayer, NotePlayer
from instrument.models.sound.base import SoundModel
from instrument.music.notes import Note, Part

EARLIEST = 0.5  # ticks by which microtiming may bring a note forward

# What is done about a model that is too slow, by how often its plan ran dry:
# (least ticks between its onsets, ticks of rest before it comes in again).
THINNING = ((0, 0), (0, 1), (1, 2), (6, 6), (12, 12), (24, 24), (24, 96))
RECOVERED = 144  # ticks: a player planned this far ahead plays one step less thinly

Played = tuple[int, Note]  # a player and his note


class Performance:
    """Everything from one Play to the next Stop, in ticks from 0.

    The engine's loop: `extend` while there is time, `advance` as the music moves and send what it returns,
    `set` and `load` when a knob or a model changes. Before the first `advance` all this is possible too, and
    there is already a plan to show. One thread; others may read `take`, `values` and `table`.
    """

    def __init__(self, patch: Patch, open_player: OpenPlayer) -> None:
        """Seat the players of `patch`. open_player: slug -> (manifest, model), another model each time.

        HocketError for an unknown slug or a value out of range; knobs no model has are passed over.
        """
        self.patch = patch
        self.lines: list[Line] = []  # of those who play notes
        self.sounds: dict[int, SoundModel] = {}  # of those who sound by themselves, by player
        self._open = open_player
        self._floor = 0
        self._due: list[Played] = []
        self._held: dict[tuple[int, int], Played] = {}  # live notes by pitch and part
        self._given: Counter[int] = Counter()  # notes of those who play none by themselves

        opened = [open_player(seat.model) for seat in patch.players]
        self._bundles = [bundle for bundle, _ in opened]
        self._kinds = [kind(model) for _, model in opened]
        self._list_knobs()
        given = {knob_name(INSTRUMENT, knob): value for knob, value in patch.knobs.items()}
        for number, seat in enumerate(patch.players):
            given |= {knob_name(number, knob): value for knob, value in seat.knobs.items()}
        self.values: dict[str, Value] = {
            name: checked(info, given.get(name, info.default)) for name, info in self.table.infos.items()
        }
        self.metres = metre_map(str(self.values[knob_name(INSTRUMENT, "metre")]))
        self._anchors: list[tuple[Anchor, ...]] = [()] * len(opened)
        for number, (_, model) in enumerate(opened):
            if isinstance(model, SoundModel):
                self.sounds[number] = model
                continue
            self._anchors[number] = fitting(model, patch.players[number].anchors)
            ask = self._ask(model, number, 0)
            self.lines.append(Line(model, self.seed, number, self.metres, ask))
        self.cast = Cast(dict(self.sounds), [])
        self._thinning = {line.number: 0 for line in self.lines}  # index into THINNING, by player
        self._resting = {line.number: self._is_muted(line.number) for line in self.lines}
        self.take = Take(Header(self.current_patch(), tuple(map(named, self._bundles))))

    @property
    def bundles(self) -> Sequence[BundleInfo]:
        """The models of the players, as they are now."""
        return self._bundles

    @property
    def kinds(self) -> tuple[str, ...]:
        """What each player does: "notes", "stream" or "voice"."""
        return tuple(self._kinds)

    @property
    def scene(self) -> Scene:
        """The players who sound by themselves, as they are now."""
        seats = [Seat(player, model, self._values_of(player)) for player, model in self.sounds.items()]
        return Scene.of(seats, self._values_of(INSTRUMENT))

    @property
    def pads(self) -> tuple[tuple[Anchor, ...] | None, ...]:
        """The anchors of each player, None for one without a latent space."""
        spacious = {line.number for line in self.lines if isinstance(line.player, LatentPlayer)}
        return tuple(anchors if number in spacious else None for number, anchors in enumerate(self._anchors))

    def latent(self, player: int = 0) -> LatentPlayer:
        """Who plays there. HocketError for one without a latent space."""
        line = self.line(player)
        if line is None or not isinstance(line.player, LatentPlayer):
            raise HocketError(f"player {player} has no latent pad: give it a model with one")
        return line.player

    def pad(self, player: int = 0) -> tuple[Anchor, ...]:
        """The anchors of a player. HocketError for one without a latent space."""
        self.latent(player)
        return self._anchors[player]

    @property
    def seed(self) -> int:
        """The seed of all draws."""
        return int(self.values[knob_name(INSTRUMENT, "seed")])

    @property
    def floor(self) -> int:
        """The commit horizon: everything before this tick has been committed."""
        return self._floor

    @property
    def thinned(self) -> bool:
        """Whether a model is too slow for all that it would play."""
        return any(THINNING[level][0] for level in list(self._thinning.values()))

    def current_patch(self) -> Patch:
        """The patch with the knobs and models as they are now."""
        return Patch(
            name=self.patch.name,
            knobs=self._values_of(INSTRUMENT),
            players=tuple(
                PlayerPatch(bundle.slug, self._values_of(i), self._anchors[i]) for i, bundle in enumerate(self._bundles)
            ),
            voices=self.patch.voices,
            routing=self.patch.routing,
        )

    def extend(self, until: float) -> Played | None:
        """Plan one note more, for the player who is planned the least far; None when all are planned up to
        the tick `until`. It takes as long as the model does for a note. HocketError if the model fails."""
        lines = [line for line in self.lines if line.known < until and not self._resting[line.number]]
        if not lines:
            return None
        line = min(lines, key=lambda line: line.known)
        return line.number, line.extend()

    def advance(self, horizon: float, overdue: float | None = None) -> list[Played]:
        """Commit what is due and return it, by onset: the whole onset ticks that may sound before `horizon`
        (transport ticks at now + lead; microtiming is allowed for).

        An onset tick the model has not finished is left to it until `overdue` (default: the horizon), the
        last moment at which a note can still be in time. Then it is committed as it is, and the model, whose
        plan ran dry, is given a later floor and thinned out.
        """
        self._floor = max(self._floor, ceil(horizon + EARLIEST))
        late = self._floor if overdue is None else min(self._floor, ceil(overdue + EARLIEST))
        for line in self.lines:
            self._play(line, line.commit(self._floor))
            if self._resting[line.number]:
                continue
            level = self._thinning[line.number]
            if line.known < late:
                self._thin(line, min(level + 1, len(THINNING) - 1), late)
            elif level and line.known >= self._floor + RECOVERED:
                self._thin(line, level - 1, self._floor)
        due, self._due = self._due, []
        return sorted(due, key=lambda played: played[1].order)

    def set(self, knob: str, value: Value, player: int = 0, tick: float | None = None) -> Value:
        """Turn a knob of `player`, or of the instrument where that player has none of this name. Planned
        notes are dropped and planned anew from `floor`; the value as it was taken is returned.

        tick: from where a knob holds that changes no note (tempo, level), default `floor`; the caller changes
        its tempo map at the same tick. HocketError for an unknown knob or a value it cannot take.
        """
        info = self.table.find(knob, player)
        value = checked(info, value)
        name = knob_name(info.player, info.id)
        if self.values[name] == value:
            return value
        self.values[name] = value
        of_all = info.player == INSTRUMENT
        heeding = [line.number for line in self.lines if of_all or line.number == info.player]
        if not heeding or (of_all and info.id in UNHEEDED):
            at = float(self._floor if tick is None else tick)
            self.take.entries.append(Turn(at, info.id if of_all else name, value))
            if of_all and info.id == "metre":
                self.metres = changed_metres(self.metres, str(value), ceil(at))
        else:
            for number in heeding:
                self._input(number, self._floor, knobs={info.id: value})
        return value

    def load(self, slug: str, player: int = 0) -> None:
        """Give a player another model of its kind, or a sound model a seat behind all others; knobs of the same name
        keep their values. HocketError if the model is unknown or cannot take that seat."""
        opened = self._open(slug)
        bundle, model = opened
        if isinstance(model, SoundModel):
            if player not in self.sounds and player != len(self._bundles):
                raise HocketError(f"{slug} plays no notes: give it a seat of its own, {len(self._bundles)}")
            self._join(player, bundle, model, float(self._floor))
        else:
            self._check_player(player)
            if player in self.sounds:
                raise HocketError(f"player {player} is a sound: {slug} cannot take its place while it plays")
            self._input(player, self._floor, opened, bundle=named(bundle))

    def leave(self, player: int, tick: float | None = None) -> None:
        """Let a sound player go; those behind move up. HocketError for players of notes, who keep their seats."""
        self._check_player(player)
        behind = range(player, len(self._bundles))
        if any(number not in self.sounds or self._given[number] for number in behind):
            raise HocketError(f"player {player} cannot leave while it plays: it has notes, or one behind it has")
        self.take.entries.append(Left(player, float(self._floor if tick is None else tick)))
        for each in (self._bundles, self._kinds, self._anchors):
            del each[player]
        seats = without(self.scene.seats, player)
        self.sounds = {seat.player: seat.model for seat in seats}
        kept = {moved_up(name, player): value for name, value in self.values.items()}
        self._list_knobs()
        self.values = {name: kept[name] for name in self.table.infos}

    def anchor(self, anchors: Sequence[Anchor], player: int = 0) -> None:
        """Give a player's latent pad these anchors. HocketError if it has no such pad, or one does not fit."""
        self._check_player(player)
        if tuple(anchors) != self._anchors[player]:
            self._input(player, self._floor, anchors=tuple(anchors))

    def prompt(self, notes: Sequence[Note], player: int = 0) -> None:
        """Have a player begin with `notes` (in order, from tick 0) and go on from the next bar line, where the
        others come in. The notes come out of `advance` like all others, so only before the first one."""
        self._check_player(player)
        floor = bar_line(self.metres, max((note.tick + 1 for note in notes), default=0))
        for number in sorted({player, *(line.number for line in self.lines)}):
            self._input(number, floor, prompt=tuple(notes) if number == player else ())

    def listen(self, notes: Sequence[Note], player: int = 0) -> None:
        """A person plays, now or a moment ago: the player hears it and plans anew. The notes sound already, so
        they do not come out of `advance`, but they are in the take."""
        self._check_player(player)
        self._input(player, self._floor, live=tuple(notes))
        self._held |= {(note.pitch, note.part): (player, note) for note in notes}

    def release(self, pitch: int, part: int, tick: float) -> Note | None:
        """A live note ended: as it sounded. None if it was not held."""
        if (pitch, part) not in self._held:
            return None
        player, note = self._held.pop((pitch, part))
        note = note._replace(duration=max(1, round(tick - note.tick)))
        self.take.entries.append(Released(player, note.tick, pitch, Part(part), note.duration))
        return note

    def stop(self, tick: float) -> None:
        """The transport stopped: the take is complete."""
        for pitch, part in list(self._held):
            self.release(pitch, part, tick)
        self.take.entries.append(Stopped(float(tick)))

    def planned(self, until: float) -> list[Played]:
        """The planned notes with onsets before `until`, player by player."""
        return [(line.number, note) for line in self.lines for note in line.plan if note.tick < until]

    def join(self, joined: Joined) -> None:
        """Let a sound player come in as it is told. HocketError if its model is not the one it was, or cannot."""
        bundle, model = self._open(joined.bundle.slug)
        expect_bundle(joined.bundle, bundle)
        if not isinstance(model, SoundModel):
            raise HocketError(f"{bundle.slug} makes no sound by itself: the take is damaged")
        self._join(joined.player, bundle, model, joined.tick)

    def apply(self, event: Input, opened: Opened | None = None) -> None:
        """Let `event` happen to its player, who has committed just `event.count` notes, and record it.

        opened: the model of `event.bundle`, if it is open already. HocketError if it is not the one it was.
        """
        self._check_player(event.player)
        line = self.line(event.player)
        if line is None:
            self._give(event)
            return
        check_input(event, line)
        bundle, player = None, None
        if event.bundle:
            bundle, model = opened or self._open(event.bundle.slug)
            expect_bundle(event.bundle, bundle)
            if isinstance(model, SoundModel):
                raise HocketError(f"{bundle.slug} plays no notes: the take is damaged")
            player = model
        seated = player or line.player
        turned = [(self.table.find(knob, event.player), value) for knob, value in event.knobs.items()]
        turned = [(info, checked(info, value)) for info, value in turned]

        self.take.entries.append(event)  # before its notes: a take that breaks off is then still whole
        restart = player is not None
        if bundle:
            self._seat(event.player, bundle)
        for info, value in turned:
            self.values[knob_name(info.player, info.id)] = value
            restart |= info.player == INSTRUMENT and info.id in RESTARTING
            if info.player == INSTRUMENT and info.id == "metre":
                self.metres = changed_metres(self.metres, str(value), event.floor)
        self._resting[event.player] = self._is_muted(event.player)
        if event.anchors is not None:
            self._anchors[event.player] = event.anchors
        line.change(self._ask(seated, event.player, event.floor), event.spacing)
        if restart:
            line.restart(player, self.seed, self.metres)
        if event.prompt:
            line.hear(event.prompt)
            self._play(line, event.prompt)
        if event.live:
            line.listen(event.live)
        for note in event.live:
            self.take.hear(event.player, note)

    def play(self, player: int, count: int) -> None:
        """Have a player play on until `count` notes are committed, whatever the time: to replay a take."""
        if line := self.line(player):
            self._play(line, line.take(max(0, count - line.count)))

    def line(self, player: int) -> Line | None:
        """The notes of a player, None for one who plays none."""
        return next((line for line in self.lines if line.number == player), None)

    def _check_player(self, player: int) -> None:
        if not 0 <= player < len(self._bundles):
            raise HocketError(f"there is no player {player}: give 0 to {len(self._bundles) - 1}")

    def _input(self, player: int, floor: int, opened: Opened | None = None, **what: Any) -> None:
        """Commit what lies before `floor`, then let a change happen there."""
        count, spacing = self._given[player], 0
        if line := self.line(player):
            floor = max(floor, line.ask.floor)  # a model that was given a rest has it
            self._play(line, line.commit(floor, whole=True))
            count, spacing = line.count, THINNING[self._thinning[player]][0]
        self.apply(Input(player, count, floor, spacing, **what), opened)

    def _give(self, event: Input) -> None:
        """Notes for a player who plays none by itself: they are in the take, and the outputs play them."""
        if event.bundle or event.knobs or event.anchors is not None or event.count != self._given[event.player]:
            raise HocketError(f"player {event.player} plays no notes by itself: the take is damaged")
        self.take.entries.append(event)
        self._given[event.player] = event.heard
        for note in event.live:
            self.take.hear(event.player, note)
        for note in event.prompt:
            self.take.hear(event.player, note)
            self._due.append((event.player, note))

    def _join(self, player: int, bundle: BundleInfo, model: SoundModel, tick: float) -> None:
        """Seat a sound model, behind all others or in the place of one."""
        if player == MOST_PLAYERS:
            raise HocketError(f"there are {MOST_PLAYERS} players already, and no more can be: remove one first")
        if player == len(self._bundles):
            self._bundles.append(bundle)
            self._kinds.append(kind(model))
            self._anchors.append(())
        elif player not in self.sounds:
            raise HocketError(f"there is no sound player {player}: the take is damaged")
        self._kinds[player] = kind(model)
        self.sounds[player] = model
        self.cast.joined.append(model)
        self._seat(player, bundle)
        self.take.entries.append(Joined(player, tick, named(bundle), self._values_of(player)))

    def _thin(self, line: Line, level: int, floor: int) -> None:
        """Go to a level of THINNING, from `floor` on."""
        before, self._thinning[line.number] = self._thinning[line.number], level
        if level > before:
            self._input(line.number, floor + THINNING[level][1])
        elif THINNING[level][0] != THINNING[before][0]:
            self._input(line.number, floor)

    def _play(self, line: Line, notes: Iterable[Note]) -> None:
        for note in notes:
            self.take.hear(line.number, note)
            self._due.append((line.number, note))

    def _ask(self, player: NotePlayer, number: int, floor: int) -> Ask:
        told = on_pad(player, self._values_of(number), self._anchors[number])
        return ask_from(self._values_of(INSTRUMENT), told, floor)

    def _values_of(self, player: int) -> dict[str, Value]:
        return {info.id: self.values[knob_name(player, info.id)] for info in self.table.of(player)}

    def _is_muted(self, player: int) -> bool:
        """Whether all that a player could play is switched off."""
        return not parts_on(self._values_of(INSTRUMENT)) & (set(self._bundles[player].parts) or set(Part))

    def _list_knobs(self) -> None:
        knobs = [with_strip(bundle.knobs, does) for bundle, does in zip(self._bundles, self._kinds, strict=True)]
        self.table = KnobTable(knobs)

    def _seat(self, player: int, bundle: BundleInfo) -> None:
        """List the knobs anew for another bundle, keeping the values it can take; its pad is empty."""
        self._bundles[player] = bundle
        self._anchors[player] = ()
        self._list_knobs()
        values = {}
        for name, info in self.table.infos.items():
            try:
                values[name] = checked(info, self.values.get(name, info.default))
            except HocketError:
                values[name] = info.default
        self.values = values
