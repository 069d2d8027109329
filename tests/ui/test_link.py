from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from pytestqt.qtbot import QtBot

from instrument.engine.ipc.messages import (
    AnyCommand,
    Description,
    Hello,
    KnobInfo,
    Panic,
    Play,
    PlayKeys,
    Quit,
    SetKnob,
    Stop,
    Telemetry,
)
from instrument.errors import HocketError
from instrument.ui.link import RESTARTS, RESTARTS_WITHIN_S, EngineLink, LinkState
from tests.ui.stand_in import EngineStandIn


class Bench:
    """A link polled by hand, its engines, and all it said."""

    def __init__(self, qtbot: QtBot) -> None:
        self.now = 0.0
        self.engines: list[EngineStandIn] = []
        self.firsts: list[bool] = []
        self.failure = ""
        self.silent = False  # engines say nothing of themselves at first
        self.states: list[LinkState] = []
        self.failures: list[str] = []
        self.refusals: list[str] = []
        self.described: list[Description] = []
        self.measured: list[Telemetry] = []
        self._qtbot = qtbot
        self.link = EngineLink(self._connect, clock=lambda: self.now)
        self.link._timer.setInterval(1_000_000)
        self.link.changed.connect(self.states.append)
        self.link.failed.connect(self.failures.append)
        self.link.refused.connect(lambda error, _: self.refusals.append(error))
        self.link.described.connect(self.described.append)
        self.link.measured.connect(self.measured.append)

    def _connect(self, first: bool) -> EngineStandIn:
        self.firsts.append(first)
        if self.failure:
            raise HocketError(self.failure)
        self.engines.append(EngineStandIn())
        if self.silent:
            self.engine.poll()
        return self.engines[-1]

    @property
    def engine(self) -> EngineStandIn:
        return self.engines[-1]

    def until(self, condition: Callable[[], bool]) -> None:
        def polled() -> bool:
            self.link.poll()
            return condition()

        self._qtbot.waitUntil(polled, timeout=5000)

    def run(self) -> Bench:
        self.link._open(first=True)
        self.until(lambda: self.link.state == LinkState.RUNNING)
        return self

    def die(self) -> None:
        self.engine.die()
        self.link.poll()


@pytest.fixture
def bench(qtbot: QtBot) -> Bench:
    return Bench(qtbot)


def test_it_connects_and_passes_reports_on(bench: Bench) -> None:
    bench.run()
    bench.link.poll()
    assert bench.states == [LinkState.RUNNING]
    assert bench.firsts == [True]
    assert bench.described[0].players == ("hocket-lstm",)
    assert not bench.measured[0].playing


def test_what_is_pressed_while_the_engine_starts_is_kept(bench: Bench) -> None:
    bench.link.send(Play())
    bench.link.turn(0, "temperature", 0.5)
    bench.link.send(PlayKeys((b"\x90\x3c\x40",)))
    bench.run()
    assert bench.engine.sent == [Play(), SetKnob("temperature", 0.5, 0), PlayKeys((b"\x90\x3c\x40",))]
    bench.die()
    bench.link.send(PlayKeys((b"\x90\x3c\x40",)))
    bench.until(lambda: len(bench.engines) == 2 and bench.link.state == LinkState.RUNNING)
    assert not bench.engine.commands(PlayKeys), "of a dead engine nothing is kept"


def test_turned_knobs_are_passed_on_as_a_whole_description(bench: Bench) -> None:
    bench.run()
    bench.link.poll()
    first = bench.described[-1]
    bench.link.send(SetKnob("temperature", 0.25))
    bench.link.poll()
    changed = {"values": {**first.values, "0/temperature": 0.25}, "patch_changed": True}
    assert first.values["0/temperature"] == 1.0
    assert bench.described[-1] == msgspec.structs.replace(first, **changed)
    bench.engine.describe()  # it says the same
    bench.link.poll()
    assert bench.described[-1] == bench.described[-2]


def test_knobs_of_an_engine_that_has_not_described_itself_are_passed_over(bench: Bench) -> None:
    bench.silent = True
    bench.run()
    bench.engine.send(SetKnob("temperature", 0.25))
    bench.link.poll()
    assert not bench.described
    bench.engine.describe()
    bench.link.poll()
    assert bench.described[-1].values["0/temperature"] == 0.25


def test_it_says_why_the_engine_did_not_start(bench: Bench) -> None:
    bench.failure = "unknown model 'x': choose one of hocket-lstm"
    bench.link._open(first=True)
    bench.until(lambda: bool(bench.failures))
    assert bench.failures == [bench.failure]
    assert bench.link.state == LinkState.LOST


def test_a_dead_engine_is_replaced_silenced_and_played_on(bench: Bench) -> None:
    bench.run().link.send(Play())
    bench.link.poll()
    bench.die()
    assert bench.link.state == LinkState.RESTARTING
    bench.until(lambda: bench.link.state == LinkState.RUNNING)
    assert bench.firsts == [True, False]
    assert bench.engines[0].closed
    assert bench.engine.sent == [Panic(), Play()]


def test_a_dead_engine_that_did_not_play_stays_still(bench: Bench) -> None:
    bench.run().die()
    bench.until(lambda: bench.link.state == LinkState.RUNNING)
    assert bench.engine.sent == [Panic()]


def test_an_engine_that_keeps_dying_is_given_up_until_asked(bench: Bench) -> None:
    bench.run()
    for _ in range(RESTARTS):
        bench.die()
        bench.until(lambda: bench.link.state == LinkState.RUNNING)
    bench.die()
    assert bench.link.state == LinkState.LOST
    assert len(bench.engines) == RESTARTS + 1
    bench.link.send(Play())  # goes nowhere, harms nobody
    bench.link.retry()
    bench.until(lambda: bench.link.state == LinkState.RUNNING)
    assert len(bench.engines) == RESTARTS + 2


def test_deaths_far_apart_are_forgiven(bench: Bench) -> None:
    bench.run()
    for _ in range(2 * RESTARTS):
        bench.now += RESTARTS_WITHIN_S / RESTARTS + 1
        bench.die()
        bench.until(lambda: bench.link.state == LinkState.RUNNING)
    assert bench.failures == []


def test_a_replacement_that_fails_is_offered_again(bench: Bench) -> None:
    bench.run()
    bench.failure = "no engine"
    bench.die()
    bench.until(lambda: bench.link.state == LinkState.LOST)
    assert bench.failures == ["no engine"]
    bench.failure = ""
    bench.link.retry()
    bench.until(lambda: bench.link.state == LinkState.RUNNING)


def test_an_engine_asked_to_quit_by_another_is_not_brought_back_unasked(bench: Bench) -> None:
    bench.run().engine.depart("asked to quit")
    bench.link.poll()
    assert bench.link.state == LinkState.LOST
    assert bench.failures == ["The engine was asked to quit."]


def test_an_engine_that_ended_for_another_reason_is_replaced(bench: Bench) -> None:
    bench.run().engine.depart("the notes thread failed: out of memory")
    bench.link.poll()
    assert bench.link.state == LinkState.RESTARTING
    bench.until(lambda: bench.link.state == LinkState.RUNNING)


def test_a_knob_goes_out_at_once_and_then_once_a_frame(bench: Bench) -> None:
    bench.run()
    for value in (1.1, 1.2, 1.3):
        bench.link.turn(0, "temperature", value)
    bench.link.turn(-1, "level", -3.0)
    assert bench.engine.sent == [SetKnob("temperature", 1.1), SetKnob("level", -3.0, -1)]
    bench.link.poll()
    assert bench.engine.sent[2:] == [SetKnob("temperature", 1.3)]
    bench.link.turn(0, "temperature", 1.4)  # that frame has had its message
    assert len(bench.engine.sent) == 3
    bench.link.poll()
    bench.link.poll()
    bench.link.turn(0, "temperature", 1.5)
    assert bench.engine.sent[3:] == [SetKnob("temperature", 1.4), SetKnob("temperature", 1.5)]


def test_a_knob_is_pending_until_it_is_answered(bench: Bench) -> None:
    bench.run().engine.answers = False
    bench.link.turn(0, "temperature", 1.5)
    bench.link.poll()
    assert bench.link.pending(0, "temperature")
    assert not bench.link.pending(0, "density")
    bench.engine.answers = True
    bench.link.turn(0, "density", 2.0)
    bench.link.poll()
    assert not bench.link.pending(0, "density")


def test_answers_and_refusals_are_told_apart(bench: Bench) -> None:
    done: list[AnyCommand] = []
    bench.run().link.answered.connect(done.append)
    bench.link.turn(0, "temperature", 0.5)
    bench.link.turn(0, "temperature_of_the_room", 20.0)
    bench.link.poll()
    assert done == [SetKnob("temperature", 0.5)]
    assert bench.refusals == ["unknown knob 'temperature_of_the_room' of player 0"]


@pytest.mark.parametrize("quits", [True, False])
def test_closing_quits_the_engine_or_leaves_it(bench: Bench, quits: bool) -> None:
    bench.run().link.close(quit=quits)
    assert (Quit(alone=True) in bench.engine.sent) == quits
    assert bench.engine.closed
    bench.link.poll()
    assert bench.link.state == LinkState.RUNNING  # a closed link restarts nothing
    assert len(bench.engines) == 1


def test_an_engine_that_comes_after_closing_is_sent_away(qtbot: QtBot) -> None:
    bench = Bench(qtbot)
    bench.link.close(quit=True)
    bench.link._open(first=True)
    qtbot.waitUntil(lambda: bool(bench.engines) and bench.engine.closed, timeout=5000)
    assert bench.engine.sent == [Quit(alone=True)]


def test_the_stand_in_takes_what_the_client_takes() -> None:
    engine = EngineStandIn()
    numbers = [engine.send(command) for command in (Hello(), Play(), Stop())]
    assert numbers == [1, 2, 3]
    assert all(isinstance(info, KnobInfo) for info in engine.knobs)
