"""What must not end an evening, done to an engine that plays: how fast it is well again, and what sounds on."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from instrument.engine.ipc.messages import Play, Record, Stop
from instrument.errors import HocketError
from tests.support.engine import ROOT, StartEngine, end, kill, start_engine
from tests.support.jack import JackServer, wait_for
from tests.trials.conftest import Keep
from tests.trials.stage import WELL_S, Stage, control

__all__ = ["start_engine"]

Fault = Callable[[Stage, Path], float]
SUSPENDED_S = 5.0
STOLEN_S = 10.0


def server_killed(stage: Stage, _: Path) -> float:
    """JACK is killed; two seconds later it is started again."""
    stage.jack.kill()
    engine = stage.engine
    engine.until(lambda: any("is lost" in banner for banner in engine.telemetry.banners), what="a banner")
    time.sleep(2)
    stage.jack.start()
    began = time.perf_counter()
    stage.new_probe()
    return stage.well_again(began)


def killed(module: str) -> Fault:
    """A process of the engine is killed."""

    def fault(stage: Stage, _: Path) -> float:
        pid, began = stage.pid(module), time.perf_counter()
        kill(pid)
        wait_for(lambda: stage.pid(module) != pid, WELL_S, "another process in its place")
        return stage.well_again(began)

    return fault


def engine_killed(stage: Stage, _: Path) -> float:
    """The engine is killed, and its client starts another."""
    assert stage.engine.client.process
    began = time.perf_counter()
    kill(stage.engine.client.process.pid)
    end(stage.engine.client.process)
    stage.restart()
    return stage.well_again(began)


def notes_process_killed(stage: Stage, _: Path) -> float:
    """The notes process is killed; if the engine ends with it, its client starts another."""
    began, client = time.perf_counter(), stage.engine.client
    kill(stage.pid("instrument.engine.note_worker"))
    while client.alive and time.perf_counter() < began + 3:
        client.wait(0.1)
        stage.engine.reports += client.poll()
    if not client.alive:
        assert client.process
        end(client.process)
        stage.restart()
    return stage.well_again(began)


def window_killed(stage: Stage, _: Path) -> float:
    """A window of the engine is killed."""
    call = "from instrument.cli import main; main()"
    window = subprocess.Popen(
        [sys.executable, "-c", call, "play"],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(4)  # until it has drawn for a while
    assert window.poll() is None
    began = time.perf_counter()
    window.kill()
    window.wait(10)
    return stage.well_again(began)


def disk_full(stage: Stage, folder: Path) -> float:
    """Recordings to a full disk: a take, which begins to write at once, and sound, which is refused as it grows."""
    engine, told = stage.engine, []
    for suffix in (".take.json", ".wav"):
        full = folder / f"full{suffix}"
        full.symlink_to("/dev/full")
        try:
            engine.client.ask(Record(str(full)))
        except HocketError as error:
            told.append(str(error))
    began = time.perf_counter()
    engine.until(
        lambda: all(
            any(name in text for text in (*told, *engine.telemetry.banners)) for name in ("full.take", "full.wav")
        ),
        what="a line about each file",
    )
    with suppress(HocketError):
        engine.client.ask(Record(""))
    return stage.well_again(began)


def suspended(stage: Stage, _: Path) -> float:
    """The engine is stopped for five seconds, as by a sleeping laptop."""
    assert stage.engine.client.process
    os.kill(stage.engine.client.process.pid, signal.SIGSTOP)
    time.sleep(SUSPENDED_S)
    began = time.perf_counter()
    os.kill(stage.engine.client.process.pid, signal.SIGCONT)
    return stage.well_again(began)


def _burn() -> None:
    while True:
        pass


def cores_stolen(stage: Stage, _: Path) -> float:
    """For ten seconds a process for each core computes without rest."""
    thieves = [multiprocessing.Process(target=_burn, daemon=True) for _ in range(os.cpu_count() or 2)]
    for thief in thieves:
        thief.start()
    time.sleep(STOLEN_S)
    began = time.perf_counter()
    for thief in thieves:
        thief.kill()
        thief.join()
    return stage.well_again(began)


def started_and_stopped(stage: Stage, _: Path) -> float:
    """Twenty times played and stopped, at any moment."""
    chance = random.Random(1)
    for _ in range(20):
        stage.engine.client.ask(Stop())
        time.sleep(chance.uniform(0, 0.3))
        stage.engine.client.ask(Play())
        time.sleep(chance.uniform(0, 0.3))
    return stage.well_again(time.perf_counter())


FAULTS: dict[str, Fault] = {
    "JACK killed, and started again after 2 s": server_killed,
    "audio device process killed": killed("instrument.io.audio.device"),
    "MIDI port process killed": killed("instrument.io.midi.jack_child"),
    "engine killed, another started by its client": engine_killed,
    "notes process killed": notes_process_killed,
    "window killed": window_killed,
    "disk full while take and sound are recorded": disk_full,
    "engine suspended for 5 s": suspended,
    "all cores stolen for 10 s": cores_stolen,
    "20 times played and stopped": started_and_stopped,
}
NO_CONTROL = "JACK killed, and started again after 2 s"  # the control dies with it


@pytest.mark.trial
@pytest.mark.timeout(200)
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_survived(
    jack: JackServer, start_engine: StartEngine, tmp_path: Path, page: Keep, name: str
) -> None:
    stage = Stage(jack, start_engine)
    try:
        with control() as missed:
            took = FAULTS[name](stage, tmp_path)
            time.sleep(2)
            stuck = stage.stuck()
            stage.engine.until(lambda: not stage.engine.telemetry.playing)
            stage.count()
            beside = "–" if name == NO_CONTROL else str(missed())
        xruns = stage.probe.xruns()
    finally:
        stage.close()
    page("faults", name, {
        "well again, s": f"{took:.1f}", "stuck": str(stuck), "starved blocks": str(stage.starved),
        "of the control": beside, "xruns of the server": str(len(xruns)),
    })  # fmt: skip
    assert stuck == 0 or xruns, f"{stuck} notes sound on"
