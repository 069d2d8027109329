"""Real-time scheduling of the engine's process, where the system grants it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from instrument.engine.ipc.messages import LoadModel, Play
from instrument.io.child import spawn
from instrument.io.priority import COMPUTE_PRIORITY, DEADLINE_PRIORITY, jack_lacks_realtime
from instrument.processes import PROCESSES
from tests.support.engine import Watcher, children, command_line, start_engine
from tests.support.jack import JackServer

__all__ = ["start_engine"]  # the fixture


def granted() -> bool:
    """Whether this process may have a real-time priority."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(DEADLINE_PRIORITY))
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    except (AttributeError, OSError):
        return False
    return True


@pytest.mark.skipif(not granted(), reason="no real-time priority is granted here: a limit rtprio is missing")
def test_every_thread_has_priority_and_those_with_deadlines_more(start_engine: Callable[..., Watcher]) -> None:
    engine = start_engine(players="tests.support.sound.players:open_any")
    engine.until(lambda: engine.plan, what="ghosts")
    engine.client.ask(LoadModel("sines", 1))
    engine.client.ask(Play())
    engine.until(lambda: engine.telemetry.player_levels[1:] > ((-60.0, -60.0),), what="the stream")
    process = engine.client.process
    assert process is not None
    threads = [int(task.name) for task in Path(f"/proc/{process.pid}/task").iterdir()]
    policies = {os.sched_getscheduler(thread) for thread in threads}
    assert policies == {os.SCHED_RR}
    priorities = Counter(os.sched_getparam(thread).sched_priority for thread in threads)
    assert priorities[DEADLINE_PRIORITY] == 2, "the scheduler's and the mixer's"
    assert set(priorities) == {COMPUTE_PRIORITY, DEADLINE_PRIORITY}
    (notes,) = [pid for pid in children(process.pid) if "note_worker" in command_line(pid)]
    assert {os.sched_getscheduler(int(task.name)) for task in Path(f"/proc/{notes}/task").iterdir()} == {os.SCHED_RR}


@pytest.mark.skipif(not granted(), reason="no real-time priority is granted here: a limit rtprio is missing")
def test_what_is_started_by_a_thread_with_priority_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROCESSES, "timeit", "timeit")
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(COMPUTE_PRIORITY))
    try:
        process = spawn("timeit", "-n", "1", "import time; time.sleep(60)")
        policies = os.sched_getscheduler(process.pid), os.sched_getscheduler(0)
        process.kill()
        process.wait()
        assert policies == (os.SCHED_OTHER, os.SCHED_RR)
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@pytest.mark.skipif(not granted(), reason="no real-time priority is granted here: a limit rtprio is missing")
def test_beside_a_jack_server_without_priority_nobody_has_any(start_engine: Callable[..., Watcher]) -> None:
    assert not jack_lacks_realtime()
    server = JackServer()
    server.realtime = False
    server.start()
    try:
        assert jack_lacks_realtime()
        engine = start_engine()
        engine.client.ask(Play())
        engine.hear(2)
        process = engine.client.process
        assert process is not None
        for pid in (process.pid, *children(process.pid)):
            threads = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]
            assert {os.sched_getscheduler(thread) for thread in threads} == {os.SCHED_OTHER}
    finally:
        server.stop()
