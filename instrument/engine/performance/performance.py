"""A performance: players, knobs and their changes. The engine and the renderer share this code, so a rendered take has
the same notes as the live performance."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from math import ceil
from typing import Any

from instrument.engine.ipc.messages import Anchor, KnobInfo, Value
from instrument.engine.performance.acts.company import Company
from instrument.engine.performance.acts.cutting import Cutting
from instrument.engine.performance.acts.hearing import Hearing
from instrument.engine.performance.acts.led_band import LedBand
from instrument.engine.performance.acts.remaking import Remaking
from instrument.engine.performance.acts.waiting import EARLY, Change, place
from instrument.engine.performance.anchors import fitting
from instrument.engine.performance.arrangement import GENRE, SENDING
from instrument.engine.performance.expression.genres import genre_values
from instrument.engine.performance.knobs import INSTRUMENT, NO_NOTES, RESTARTING, checked, knob_name
from instrument.engine.performance.line import Line
from instrument.engine.performance.live_notes import HeldNotes, LiveNote
from instrument.engine.performance.patches import MAX_PLAYERS, Patch
from instrument.engine.performance.player_state import PlayerState
from instrument.engine.performance.roster import (
    BundleInfo,
    Opened,
    OpenPlayer,
    bundle_ref,
    check_input,
    expect_bundle,
    planner_ref,
)
from instrument.engine.performance.sound_seats import FREEZE, SoundModels
from instrument.engine.performance.takes import Header, Input, Joined, Left, Released, Stopped, Take, Turn
from instrument.engine.performance.transport import bar_line, changed_metres
from instrument.errors import HocketError
from instrument.models.sound.base import SoundModel
from instrument.music.notes import Note, Part

logger = logging.getLogger(__name__)

EARLIEST = 0.5  # ticks by which microtiming may bring a note forward

Played = tuple[int, Note]  # the number of a player, and its note


class Performance(LedBand):
    """Everything from one Play to the next Stop, in ticks from 0.

    The loop of the engine: `extend` while there is time, `advance` as the transport moves and play what it returns,
    `set` and `load` on changes, also before the first `advance`. For one thread; others may read `take`, `table` and
    the properties.

    held: live notes; sound_models: of the sound players; remaking: the bar that is made anew;
    company: of the person who plays; cutting: what was cut for that person.
    """

    def __init__(self, patch: Patch, open_player: OpenPlayer) -> None:
        """Open the models of `patch`. open_player: slug -> (manifest, model), a new model each time.

        HocketError for an unknown slug or a value out of range; knobs that no model has are ignored.
        """
        super().__init__(patch, open_player)
        self._due: list[Played] = []
        self.held = HeldNotes()
        self.company = Company(self)
        self.remaking = Remaking(self)
        self._hearing = Hearing(self)
        self.sound_models = SoundModels(self._sounds, [])
        bundles = tuple(bundle_ref(player.bundle) for player in self.players)
        self.take = Take(Header(self.current_patch(), bundles, planner_ref()))
        self.cutting = Cutting(self.take)

    @property
    def thinned(self) -> bool:
        """Whether a player plays fewer notes because its model is too slow."""
        return any(player.overload.spacing for player in self.players)

    @property
    def next_stop(self) -> int | None:
        """The tick at which something happens to the players next without a person; None if nothing does."""
        ticks = self.waiting.tick, self.company.tick, self._hearing.tick
        return min((tick for tick in ticks if tick is not None), default=None)

    def extend(self, until: float) -> Played | None:
        """Plan one more note, for the player that is planned the least far. None if all are planned up to the tick
        `until`. Takes as long as one step of the model. HocketError if its model fails; then call it for the others."""
        lines = [player.line for player in self.players if player.line and player.awake and player.line.known < until]
        return self.players[min(lines, key=lambda line: line.known).number].extend() if lines else None

    def retry(self) -> None:
        """Let players whose model failed try again, from the floor on."""
        for number, player in enumerate(self.players):
            if player.problem:
                player.problem = ""
                self._input(number, self._floor)

    def advance(self, horizon: float, overdue: float | None = None) -> list[Played]:
        """Commit all complete onset ticks that may sound before `horizon` and return their notes, sorted by onset.

        horizon: transport ticks at now + lead; microtiming is allowed for. overdue: an onset tick that the model has
        not finished waits until this tick (default: the horizon), the last at which a note can still be in time. Then
        it is committed as it is, and the player gets a later floor and plays fewer notes. A change that waits ends the
        advance where it takes effect (`next_stop`): call it again for the rest.
        """
        self.company.update()
        if self.ends is not None:
            horizon = min(horizon, self.ends - EARLIEST)
        if self.next_stop is not None:
            horizon = min(horizon, self.next_stop - EARLIEST)
        self._floor = max(self._floor, ceil(horizon + EARLIEST))
        late = self._floor if overdue is None else min(self._floor, ceil(overdue + EARLIEST))
        for number, player in enumerate(self.players):
            if player.line is None:
                continue
            self._play(player.line, player.line.commit(self._floor, whole=bool(player.problem)))
            if not player.awake:
                continue
            changes_at = player.overload.update(player.line.known, late, self._floor)
            if changes_at is not None:
                logger.info("player %d: thinning level %d from tick %d", number, player.overload.level, changes_at)
                self._input(number, changes_at)
        self._make_changes()
        self.company.update()
        self._hearing.update()
        due, self._due = self._due, []
        return sorted(due, key=lambda played: played[1].order)

    def set(self, knob: str, value: object, player: int = 0, tick: float | None = None) -> Value:
        """Turn a knob of `player`, or of the instrument if that player has none of this name. As `turn`; HocketError
        for an unknown knob."""
        return self.turn(self.table.find(knob, player), value, tick)

    def turn(self, info: KnobInfo, value: object, tick: float | None = None) -> Value:
        """Turn a knob. Planned notes are dropped and planned again from `floor`. Returns the value within the knob's
        range and on its steps.

        tick: from which a knob that changes no note (tempo, level) holds, default `floor`; the caller changes its
        tempo map at the same tick. HocketError for a value out of range.
        """
        value = checked(info, value)
        if info.player == INSTRUMENT:
            self._of_genre.discard(info.id)
        values = self._values(info.player)
        if values[info.id] == value:
            return value
        of_all = info.player == INSTRUMENT
        affected = [line.number for line in self.lines if of_all or line.number == info.player]
        if not affected or info.id in (NO_NOTES if of_all else SENDING):
            values[info.id] = value
            at = float(self._floor if tick is None else tick)
            self.take.entries.append(Turn(at, knob_name(info.player, info.id), value))
            if of_all and info.id == "metre":
                self.metres = changed_metres(self.metres, str(value), ceil(at))
        else:
            for number in affected:  # it is turned by the input, after the notes before
                self._input(number, self._floor, knobs={info.id: value})
        if info.id == "solo":
            self._hush()
        if info.id == GENRE and info.player == 0 and not self.take.heard_count:
            self._follow_genre()
        return value

    def load(self, slug: str, player: int = 0, waits: bool = False) -> None:
        """Give a player another model of its kind, or add a sound player after the last; knobs of the same name keep
        their values, and a model that comes back has those and the anchors that it had. waits: notes of the model come
        from the place on that the knob "changes" gives it. HocketError if the model is unknown or of another kind."""
        name = f"{player}/model"
        self.waiting.drop(name)
        opened = self._open(slug)
        bundle, model = opened
        if isinstance(model, SoundModel):
            if player not in self._sounds and player != len(self.players):
                raise HocketError(f"{slug} plays no notes: add it as player {len(self.players)}")
            self._join(player, bundle, model, float(self._floor))
            self._remember(player)
        elif self.player(player).line is None:
            raise HocketError(f"player {player} makes sound: it cannot play the notes of {slug}; add a player")
        else:

            def act() -> None:
                self.put(player, opened, bundle=bundle_ref(bundle))
                self._remember(player)

            tick = place(str(self._instrument["changes"]), self.metres, self._floor) if waits else self._floor
            if tick == self._floor:
                act()
            else:
                self.waiting.add(name, Change(tick, act, {}, {player: self.players[player].with_bundle(bundle)}))

    def remember(self, last: Performance) -> None:
        """Take from the performance before this one, of the same patch, what its players had lost with their models."""
        for player, before in zip(self.players, last.players, strict=False):
            player.lost, player.lost_anchors = before.lost, before.lost_anchors

    def _remember(self, number: int) -> None:
        """Turn the knobs of a player back to what they were when it had this model last, and set its anchors."""
        player = self.players[number]
        for id, value in player.remembered(self.table.of(number)).items():
            self.set(id, value, number)
        if player.line and (anchors := fitting(player.line.player, player.lost_anchors.get(player.bundle.slug, ()))):
            self.anchor(anchors, number)

    def leave(self, player: int, tick: float | None = None) -> None:
        """Remove a sound player; the numbers of those behind it go down by one. HocketError for a note player, and for
        a player before one, as the numbers of note players must not change."""
        self.player(player)
        if any(behind.line or behind.given for behind in self.players[player:]):
            raise HocketError(f"player {player} cannot leave a performance: it or a player behind it has notes")
        self.take.entries.append(Left(player, float(self._floor if tick is None else tick)))
        self.players = [*self.players[:player], *self.players[player + 1 :]]
        self._list_knobs()

    def anchor(self, anchors: Sequence[Anchor], player: int = 0) -> None:
        """Set the anchors of a player's latent pad. HocketError if it has no pad, or an anchor does not fit."""
        if tuple(anchors) != self.player(player).anchors:
            self._input(player, self._floor, anchors=tuple(anchors))

    def prompt(self, notes: Sequence[Note], player: int = 0) -> None:
        """Let a player begin with `notes` (in order, from tick 0) and continue from the next bar line, where the others
        come in. `advance` returns these notes like all others, so call it before the first `advance`."""
        self.player(player)
        floor = bar_line(self.metres, max((note.tick + 1 for note in notes), default=0))
        for number in sorted({player, *(line.number for line in self.lines)}):
            self._input(number, floor, prompt=tuple(notes) if number == player else ())

    def listen(self, struck: Sequence[LiveNote], player: int = 0) -> None:
        """Add live notes as context of a player, which then plans again. They sound already, so `advance` does not
        return them, but they are in the take."""
        self.player(player)
        self._input(player, self._floor, live=tuple(note for _, note in struck))
        self.held.strike(player, struck)
        self.company.struck(note for _, note in struck)

    def release(self, channel: int, pitch: int, tick: float) -> Note | None:
        """End a live note. Returns it with its true duration, None if it was not held."""
        if (released := self.held.release(channel, pitch, tick)) is None:
            return None
        player, note = released
        self.company.released(tick)
        self.take.entries.append(Released(player, note.tick, pitch, Part(note.part), note.duration))
        return note

    def stop(self, tick: float) -> None:
        """Complete the take, as the transport stopped at `tick`. What waits has its place here."""
        self._make_changes(at_once=True)
        for channel, pitch in self.held.keys:
            self.release(channel, pitch, tick)
        self.take.entries.append(Stopped(float(tick)))

    def planned(self, until: float) -> list[Played]:
        """The planned notes with onsets before `until`, player by player."""
        return [(line.number, note) for line in self.lines for note in line.plan if note.tick < until]

    def join(self, joined: Joined) -> None:
        """Add a sound player from a take. HocketError if the installed bundle is another, or makes no sound."""
        bundle, model = self._open(joined.bundle.slug)
        expect_bundle(joined.bundle, bundle)
        if not isinstance(model, SoundModel):
            raise HocketError(f"{bundle.slug} makes no sound by itself: the take is damaged")
        self._join(joined.player, bundle, model, joined.tick)

    def apply(self, event: Input, opened: Opened | None = None) -> None:
        """Apply an input to its player, which has committed exactly `event.count` notes, and record it.

        opened: the model of `event.bundle`, if it is already open. HocketError if the installed bundle is another.
        """
        player = self.player(event.player)
        line = player.line
        if line is None:
            self._give(event, player)
            return
        check_input(event, line)
        bundle, replacement = None, None
        if event.bundle:
            bundle, model = opened or self._open(event.bundle.slug)
            expect_bundle(event.bundle, bundle)
            if isinstance(model, SoundModel):
                raise HocketError(f"{bundle.slug} plays no notes: the take is damaged")
            replacement = model
        turned = [(self.table.find(knob, event.player), value) for knob, value in event.knobs.items()]
        turned = [(info, checked(info, value)) for info, value in turned]

        self.take.entries.append(event)  # before its notes, so that a take that breaks off can be replayed
        if bundle:
            self._seat(event.player, bundle)
        for info, value in turned:
            self._values(info.player)[info.id] = value
            if info.player == INSTRUMENT and info.id == "metre":
                self.metres = changed_metres(self.metres, str(value), event.floor)
        self._progression = self._progression if event.progression is None else event.progression
        player.follow(self._instrument, self.metres, event)
        if event.anchors is not None:
            player.anchors = event.anchors
        line.change(player.ask(replacement or line.player, self._instrument, event.floor), event.spacing)
        if replacement or any(info.player == INSTRUMENT and info.id in RESTARTING for info, _ in turned):
            line.restart(replacement, self.seed, self.metres, event.fresh)
        if FREEZE in event.knobs:
            line.freeze(int(player.values[FREEZE]), self.metres)
        if event.manner is not None:
            line.cue = event.floor if event.manner.melody == "answers" else None
        if event.laid:
            line.lay(event.laid, event.ahead)
        self._hand(event, line)

    def play(self, player: int, count: int) -> None:
        """Plan and commit until a player has committed `count` notes, to replay a take."""
        if line := self.line(player):
            self._play(line, line.take(max(0, count - line.count)))

    def put(self, number: int, opened: Opened | None = None, **what: Any) -> None:
        """Apply an input (fields of `Input`) to a player here. opened: the model of its bundle, if it is open."""
        self._input(number, self._floor, opened, **what)

    def _input(self, number: int, floor: int, opened: Opened | None = None, **what: Any) -> None:
        """Commit the notes before `floor`, then apply a change there."""
        player = self.players[number]
        count, spacing = player.given, 0
        if line := player.line:
            floor = max(floor, line.ask.floor)  # an earlier, longer rest of the player is kept
            self._play(line, line.commit(floor, whole=True))
            count, spacing = line.count, player.overload.spacing
        self.apply(Input(number, count, floor, spacing, **what), opened)

    def _make_changes(self, at_once: bool = False) -> None:
        """Make the changes that wait, a little before their place, so that their first notes are in time; the notes
        before it are then committed. at_once: all of them, here."""
        while (tick := self.waiting.tick) is not None:
            ready = all(player.line.known >= tick for player in self.players if player.line and player.awake)
            if not at_once and self._floor < (tick - EARLY if ready else tick):
                return
            if not at_once:
                self._floor = max(self._floor, tick)
            for act in self.waiting.take(tick):
                try:
                    act()
                except HocketError as error:
                    logger.warning("a change that waited was not made: %s", error)

    def _hand(self, event: Input, line: Line) -> None:
        """Hand the notes of an input to the player."""
        if event.overheard:
            line.insert(event.overheard, own=False)
        if event.prompt:
            line.append(event.prompt)
            self._give_notes(event.player, event.prompt)
        if event.live:
            line.insert(event.live)
            self.cutting.strike(event.player, event.live)
            for note in event.live:
                self.take.add_note(event.player, note)

    def _hush(self) -> None:
        """Let those rest that are not solo while others are."""
        for number, hushed in enumerate(self.hushed):
            if self.players[number].line and self.players[number].hushed != hushed:
                self.put(number, hushed=hushed)

    def _give(self, event: Input, player: PlayerState) -> None:
        """Add notes to a player without a line: they are recorded in the take and played by the outputs."""
        if event.bundle or event.knobs or event.anchors is not None or event.count != player.given:
            raise HocketError(f"player {event.player} plays no notes by itself: the take is damaged")
        self.take.entries.append(event)
        player.given = event.count_after
        for note in event.live:
            self.take.add_note(event.player, note)
        self._give_notes(event.player, event.prompt)

    def _join(self, number: int, bundle: BundleInfo, model: SoundModel, tick: float) -> None:
        """Add a sound player after the last, or give one another model."""
        if number == MAX_PLAYERS:
            raise HocketError(f"there are {MAX_PLAYERS} players already, which is the maximum: remove one first")
        if number == len(self.players):
            self.players = [*self.players, PlayerState(bundle, model)]
        elif number not in self._sounds:
            raise HocketError(f"there is no sound player {number}: the take is damaged")
        player = self.players[number]
        player.sound = model
        self.sound_models.joined.append(model)
        self._seat(number, bundle)
        self.take.entries.append(Joined(number, tick, bundle_ref(bundle), dict(player.values)))

    def _play(self, line: Line, notes: Iterable[Note]) -> None:
        player = self.players[line.number]
        self._give_notes(line.number, (player.heard(note, self.metres) for note in notes))

    def _give_notes(self, player: int, notes: Iterable[Note]) -> None:
        """Record notes in the take and have `advance` return them."""
        for note in notes:
            self.take.add_note(player, note)
            self._due.append((player, note))

    def _follow_genre(self) -> None:
        """Before the first note, set tempo, swing and dynamics to the genre's, where nobody has set them."""
        for knob in sorted(self._of_genre):
            self.turn(self.table.find(knob, INSTRUMENT), genre_values(self.genre)[knob])
            self._of_genre.add(knob)
