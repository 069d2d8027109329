"""The notes thread, which alone changes the performance and the transport. It plans notes ahead and commits those that
the outputs are about to need."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from msgspec.structs import replace

from instrument import last_resort
from instrument.engine.calls import Calls, Result
from instrument.engine.ipc.messages import Anchor, KnobInfo
from instrument.engine.midi.following import Following
from instrument.engine.midi.output import Output
from instrument.engine.note_worker.client import ProcessEnded
from instrument.engine.performance.acts.asking import BUTTON_ACTIONS, ask_for
from instrument.engine.performance.acts.live_input import LiveInput
from instrument.engine.performance.acts.waiting import place
from instrument.engine.performance.knobs import INSTRUMENT
from instrument.engine.performance.overload import RECOVERED
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.performance import EARLIEST, Performance, Played
from instrument.engine.performance.sound_seats import NOTES
from instrument.engine.performance.takes import Input, Take
from instrument.engine.performance.transport import Transport
from instrument.engine.pool.model_pool import ModelPool
from instrument.engine.pool.revival import Revival
from instrument.engine.staging import Coming, Staged
from instrument.engine.state_view import StateView
from instrument.engine.surface.buttons import Buttons, value_after_press
from instrument.engine.surface.midi_learn import MidiLearn
from instrument.engine.surface.transport_buttons import connect_transport
from instrument.errors import HocketError
from instrument.io.ports import Clock
from instrument.music.timebase import MICRO_STEPS, ns_per_tick

logger = logging.getLogger(__name__)

MARGIN_NS = 3_000_000  # notes are committed this long before an output takes them
START_NS = 20_000_000  # from Play to the first tick, in addition to the lead of the outputs
SUSPEND_NS = 500_000_000  # if the loop stood still for longer, the machine slept, and the music is moved
LATEST = 3 / MICRO_STEPS  # ticks by which microtiming may delay a note
AHEAD_NS = 2_000_000_000  # least time planned ahead; at least two bars, too
MOST_FAILED_TURNS = 20  # in a row
THREAD = "the notes thread"
_TURN_S = 0.004  # at most between two turns of the loop, when there is nothing to plan
_REST_S = 0.2  # the same while stopped


class NoteThread:
    """Plans notes, commits them and passes them to its outputs. Other threads use it through `call`.

    For other threads to read: transport, view, ms_per_note, timings (ns of the last notes planned), problems, previous
    (the performance before this one, once it has been played).
    ended: called with a performance that has stopped.
    """

    def __init__(self, clock: Clock, models: ModelPool, patch: Patch, outputs: Sequence[Output]) -> None:
        """HocketError if a model of the patch is not installed."""
        self.models = models
        self.transport = Transport()
        self.performance, self._seated = Staged.of(patch, models)
        self.coming: Coming | None = None  # the next performance
        self.previous: Performance | None = None
        self.view = StateView(self.performance, clock)
        self.midi_learn = MidiLearn(self, clock)
        self.live_input = LiveInput(self)
        self.following = Following(self, clock)
        self.buttons = Buttons()
        connect_transport(self.buttons, self)
        for name, act in BUTTON_ACTIONS.items():
            self.buttons.on(name, partial(self.act, act))
        self._revival = Revival(self)
        self.ms_per_note = 0.0
        self.timings: deque[int] = deque(maxlen=20_000)
        self._failed_turns = 0
        self.ended: Callable[[Performance], None] = lambda performance: None
        self._clock = clock
        self._outputs = outputs
        self._calls = Calls(THREAD)
        self._last_turn_ns = clock.now()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="notes", daemon=True)
        self._set_time()
        self._state_changed()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop the music and end the thread."""
        if self._thread.is_alive():
            self.call(self._end)
            self.call(partial(setattr, self, "_closed", True))
            self._thread.join(5)

    def call(self, do: Callable[[], Result]) -> Future[Result]:
        """Run a function in the notes thread, between two notes."""
        return self._calls.call(do)

    @property
    def problems(self) -> tuple[str, ...]:
        """Which players are silent as their models failed, and why, in one line each."""
        return tuple(
            f"player {number} ({player.bundle.slug}) is silent: {player.problem}"
            for number, player in enumerate(self.performance.players)
            if player.problem
        ) + ((remaking,) if (remaking := self.performance.remaking.problem) else ())

    @property
    def patch_name(self) -> str:
        """The name of the patch that plays, or that begins next."""
        coming = self.coming
        return coming.staged.performance.patch.name if coming else self.view.snapshot.patch.name

    # What follows is for the notes thread, through `call`.

    def play(self) -> None:
        """Start the transport: the first tick, or in its own time the count-in, is heard as soon as possible."""
        if not self.transport.playing and not self.following.rolls():
            self._start(0 if self.following.heard else int(self.performance.setting("count_in")))

    def start_at(self, tick: int, ns: float, counted: int = 0) -> None:
        """Start, or start again, so that `tick` of an outside transport is heard at `ns`, or later by the bars that are
        `counted` first. The performance begins in the first bar, at the same place in it."""
        self._end()
        place = self.performance.metres.locate(tick)
        if place.offset:
            self._begin(None)
            for line in self.performance.lines:  # they rest up to there
                self.performance.apply(Input(line.number, line.count, place.offset))
        self.live_input.begin()
        self._plan(place.offset + 24)
        self._last_turn_ns = self._clock.now()
        self.transport = self.transport.started(ns, place.offset, place.bar, counted)
        self._retime()
        self.following.started(tick - place.offset, place.offset)

    def steer(self, bpm: float, tick: float) -> None:
        """Take another tempo from outside, from `tick` on."""
        self.performance.set("tempo", bpm, INSTRUMENT, tick)
        self.view.update(self.performance, by_itself=True)
        self.transport = self.transport.with_tempo(bpm, tick)
        self._retime()

    def stop(self) -> None:
        """Stop the transport, release all notes, and prepare a new performance from bar 0."""
        self.following.stops()
        self._end()

    def panic(self) -> None:
        """Silence everything; the transport goes on."""
        for output in self._outputs:
            output.panic()

    def turn(self, info: KnobInfo, value: object) -> int:
        """Turn a knob, at the place that it has. Returns the time (ns) from which all notes that start were made with
        the new value, if it is not to wait. HocketError for a value out of range."""
        if info.id == "tempo" and self.following.holds:
            raise HocketError("the tempo is that of the clock outside: follow no clock to set another")
        ask_for(self.performance, info, value)
        self._follow_knobs()
        playing = self.transport.playing
        return int(self.transport.ns(self.performance.floor - 1 + LATEST)) if playing else self._clock.now()

    def _follow_knobs(self) -> None:
        """Take tempo and metres from the performance, whose knobs may have been turned."""
        bpm = self.performance.bpm  # a genre may bring its own
        if bpm != self.transport.bpm and self.following.holds:
            self.performance.set("tempo", self.transport.bpm, INSTRUMENT)
        elif bpm != self.transport.bpm:
            self.transport = self.transport.with_tempo(bpm, self.performance.floor)
            self._retime()
        self.transport = self.transport.with_metres(self.performance.metres)
        self._state_changed()

    def press(self, name: str, ns: int) -> None:
        """Press a button, or a knob, by its name; ns: when. HocketError for an unknown name."""
        if info := self.performance.table.infos.get(name):
            self.turn(info, value_after_press(info, self.performance.values[name]))
        else:
            self.buttons.press(name, ns)

    def load(self, slug: str, player: int = 0) -> None:
        """Give a player another model (load it first by `ModelPool.load`), or add a player after the last one. What
        cannot change while playing begins a new performance. HocketError for an impossible player number."""
        kinds, players, kind = self.performance.kinds, self.view.snapshot.patch.players, self.models.kind(slug)
        if player < len(players) and self.performance.players[player].kept and players[player].model == slug:
            self.use(self.view.snapshot.patch)  # its settings were kept
            return
        if not 0 <= player <= len(kinds):
            raise HocketError(f"there is no player {player}: give 0 to {len(kinds)}")
        for_sound = player == len(kinds) or kinds[player] != NOTES
        if for_sound == (kind != NOTES):
            self.performance.load(slug, player, waits=True)
            self._state_changed()
        else:
            seated = (*players[:player], PlayerPatch(slug), *players[player + 1 :])
            self.use(replace(self.view.snapshot.patch, players=seated))

    def remove(self, player: int) -> None:
        """Remove a player; the numbers of those behind it go down by one, in MIDI learn too. Removing a note player, or
        one before a note player, begins a new performance. HocketError if there is no such player."""
        patch = self.view.snapshot.patch
        if not 0 <= player < len(patch.players):
            raise HocketError(f"there is no player {player}: give 0 to {len(patch.players) - 1}")
        bindings = self.midi_learn.without(player)
        try:
            self.performance.leave(player)
        except HocketError:
            self.use(replace(patch, players=(*patch.players[:player], *patch.players[player + 1 :])))
        self.midi_learn.bind(bindings)

    def anchor(self, change: Callable[[Sequence[Anchor]], Sequence[Anchor]], player: int = 0) -> None:
        """Change the anchors of a player's latent pad. HocketError if it has no pad, or if `change` raises one."""
        self.performance.anchor(change(self.performance.pad(player).anchors), player)
        self._state_changed()

    def act(self, act: Callable[[Performance], None], _: int = 0) -> None:
        """Act on the performance."""
        act(self.performance)
        self._state_changed()

    def cut(self, played: Sequence[Played]) -> None:
        """End committed notes on all outputs."""
        for output in self._outputs:
            output.cut(played)

    def set_fields(self, **fields: Any) -> None:
        """Set fields of the patch on which no note depends: name, routing, voices."""
        self.performance.patch = replace(self.performance.patch, **fields)
        self._state_changed()

    def use(self, patch: Patch, take: Take | None = None) -> None:
        """Begin a new performance with a patch, or of a take with its patch; keep playing if it plays. After a
        HocketError nothing has changed."""
        staged = Staged.again(take, patch, self.models) if take else Staged.of(patch, self.models)
        if playing := self.transport.playing:
            self.performance.stop(self.transport.position(self._clock.now()))
        self._begin(staged)
        if playing and not self.following.rolls():
            self._start(0)

    def use_in_time(self, patch: Patch) -> None:
        """As `use`, at the place that the knob "changes" gives it. In the time of others it is at once."""
        when, floor = str(self.performance.values["band/changes"]), self.performance.floor
        tick = place(when, self.performance.metres, floor + 1)
        if not self.transport.playing or self.following.holds or tick == floor + 1:
            self.use(patch)
        else:
            staged = Staged.of(patch, self.models)
            self.drop_coming()
            self.coming = Coming(staged, tick)

    def lead_ns(self) -> int:
        """How long (ns) before it is heard a note is taken, the maximum of the outputs."""
        return max((output.lead_ns() for output in self._outputs), default=0)

    def _start(self, counted: int) -> None:
        if not self.following.heard:
            self.live_input.begin()
        self._plan(24)
        self.start_at(*self.following.first_tick(self._clock.now() + self.lead_ns() + START_NS), counted)

    def drop_coming(self) -> None:
        """Forget the patch that is to begin, if there is one."""
        if self.coming:
            self.models.take_back(self.coming.staged.players)
        self.coming = None

    def _begin_coming(self) -> None:
        """Begin the next performance, if its time has come: its tick 0 is heard at the tick where it was to begin."""
        coming, tempo, lead = self.coming, self.transport.tempo, self.lead_ns() + START_NS
        if coming is None or tempo is None or self._clock.now() + lead < tempo.ns(coming.tick):
            return
        self.coming = None
        self.performance.stop(coming.tick)
        self._begin(coming.staged)
        self.live_input.begin()
        self._plan(24)
        self.start_at(0, max(tempo.ns(coming.tick), self._clock.now() + self.lead_ns()))

    def _end(self) -> None:
        if self.transport.playing:
            self.performance.stop(self.transport.position(self._clock.now()))
            self._begin(None)

    def _begin(self, staged: Staged | None) -> None:
        """Replace the performance, by default with a new one of the same patch."""
        if staged is None and self.coming:
            staged, self.coming = self.coming.staged, None
        self.drop_coming()
        last, played = self.performance, self.transport.playing
        self.transport = self.transport.stopped()
        self._retime()
        self._silence()
        if played:
            self.ended(last)
            self.previous = last
        self.models.take_back(self._seated)
        self.performance, self._seated = staged or Staged.after(last, self.models)
        self._set_time()
        self._state_changed(by_itself=staged is None)

    def _state_changed(self, by_itself: bool = False) -> None:
        """Something other than the notes changed: update the view and the outputs, and retry after a failure."""
        self.performance.retry()
        self.view.update(self.performance, by_itself)
        for output in self._outputs:
            output.arrange(self.performance)

    def _set_time(self) -> None:
        """Take tempo and metres from the performance."""
        self.transport = self.transport.with_tempo(self.performance.bpm, 0).with_metres(self.performance.metres)

    def _run(self) -> None:
        last_resort.keep_going(THREAD, self._turn, lambda: self._closed)

    def _turn(self) -> None:
        """A turn of the loop. After several that failed, a new performance begins, without what made them fail."""
        self._failed_turns += 1
        if self._failed_turns > MOST_FAILED_TURNS:
            self._failed_turns = 0
            self.use(self.view.snapshot.patch)
        self._commit_due()
        worked = self._plan_one()
        self.view.show_plan(self.performance)
        due = self.transport.ns(self.performance.floor - EARLIEST) - self.lead_ns() - MARGIN_NS  # the next tick
        pause_s = min(_TURN_S, max(0.0, (due - self._clock.now()) / 1e9)) if self.transport.playing else _REST_S
        self._calls.run(0 if worked else pause_s)
        self._failed_turns = 0

    def _commit_due(self) -> None:
        """Commit the notes that the outputs are about to need."""
        now = self._clock.now()
        if self.transport.tempo and now - self._last_turn_ns > SUSPEND_NS:
            gap_s = (now - self._last_turn_ns) / 1e9
            logger.warning("the machine stood still for %.1f s: the music continues where it was", gap_s)
            self._silence()
            self.transport = self.transport.resumed(now, now - self._last_turn_ns)
            self._retime()
        self._last_turn_ns = now
        self._begin_coming()
        if (tempo := self.transport.tempo) is None:
            return
        overdue, made = now + self.lead_ns(), self.performance.waiting.done
        if played := self.performance.advance(tempo.tick(overdue + MARGIN_NS), tempo.tick(overdue)):
            for output in self._outputs:
                output.strike(played)
            self.view.add(played)
        if self.performance.waiting.done != made:
            self._follow_knobs()
        if (ends := self.performance.ends) is not None and tempo.tick(now) >= ends:
            self.stop()

    def _plan_one(self) -> bool:
        """Plan one note. Returns False if everything is planned."""
        floor, metres = self.performance.floor, self.performance.metres
        bar = metres.locate(floor).bar
        two_bars = metres.start_of(bar + 2) - metres.start_of(bar)
        ahead = max(two_bars, AHEAD_NS / ns_per_tick(self.transport.bpm), RECOVERED + 24)
        if self._plan(floor + ahead, most=1) or self.performance.remaking.step():
            return True
        return self.coming is not None and self.coming.prepare()

    def _plan(self, until: float, most: int = 100) -> bool:
        """Plan up to `most` notes before the tick `until`. Returns False if there are none to plan."""
        for _ in range(most):
            began = time.perf_counter_ns()
            try:
                if self.performance.extend(until) is None:
                    return False
            except ProcessEnded as error:
                failed = [i for i, player in enumerate(self.performance.players) if player.problem == str(error)]
                self._revival.lost(failed[-1])
                return False
            except HocketError:
                continue  # that player is silent, the others go on
            took = time.perf_counter_ns() - began
            self.timings.append(took)
            self.ms_per_note += 0.1 * (took / 1e6 - self.ms_per_note)
            self.view.plan_changed()
        return True

    def _silence(self) -> None:
        for output in self._outputs:
            output.silence()

    def _retime(self) -> None:
        for output in self._outputs:
            output.retime(self.transport.tempo)
