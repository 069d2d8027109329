"""A DAW records Hocket's notes and sound over JACK, while it leads and while it follows."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from instrument.engine.ipc.messages import Play, SetKnob, Stop
from tests.support.engine import StartEngine, Watcher, start_engine
from tests.support.jack import JackProbe, JackServer, serving, wait_for
from tests.trials.conftest import Keep
from tests.trials.daws.ardour import Ardour

__all__ = ["start_engine"]

pytestmark = [pytest.mark.trial, pytest.mark.timeout(300)]

PATCH = {"players": "", "patch": "Back room", "audio": "", "midi": "virtual", "midi-in": "virtual"}
BPM = 120.0
LATER = (24.0, 96.0)  # from this beat on, another tempo
FAR = (4000.0, 60.0)  # never played
CLOCKS = (132.0, 112.0)  # tempos of Hocket's clock, in a session of another tempo
TURN = 20.0  # beat at which the second is set
SETTLED = 5.0  # beats after a change in which Ardour has found the new tempo
BEATS = 40.0
NEAR = 0.2  # beats: a note of the same pitch that is further away is another
END = 2.0  # beats before the stop, in which notes may be cut off
LOUD = 0.01
METRONOME = Path(__file__).with_name("metronome.py")
PERIOD = 512
PERIOD_MS = 1000 * PERIOD / 48_000

StartArdour = Callable[..., Ardour]


@pytest.fixture
def jack(monkeypatch: pytest.MonkeyPatch) -> Iterator[JackServer]:
    """A server that bears with a client which others keep from the processors for seconds."""
    server = JackServer(period=PERIOD, patience_ms=20_000)
    try:
        with serving(server, monkeypatch):
            yield server
    finally:
        server.stop()


@pytest.fixture
def start_ardour(jack: JackServer, tmp_path: Path) -> Iterator[StartArdour]:
    started: list[Ardour] = []

    def start(*how: object) -> Ardour:
        started.append(Ardour(tmp_path, *how))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture
def probe(jack: JackServer) -> Iterator[JackProbe]:
    with JackProbe() as probe:
        yield probe


def joined(ardour: Ardour, start_engine: StartEngine, probe: JackProbe) -> Watcher:
    """An engine whose notes and sound go to the tracks of Ardour, which are armed."""
    engine = start_engine(**PATCH)
    wait_for(lambda: {"Hocket:out", "Hocket audio:out_1", "Hocket in:in"} <= set(probe.ports()), 60, "Hocket's ports")
    assert ardour.joined(), "JACK has put Ardour out, as it did not answer in time on this machine"
    ardour.ask("connect", "notes", "Hocket:out")
    ardour.ask("connect", "sound", "Hocket audio:out_0", "Hocket audio:out_1")
    ardour.ask("arm")
    return engine


def until_beat(engine: Watcher, beat: float) -> None:
    engine.until(lambda: engine.telemetry.playing and engine.telemetry.tick / 24 > beat, 90, f"beat {beat:g}")


def halted(ardour: Ardour) -> None:
    """Wait until Ardour stands, and what it recorded is there."""
    wait_for(lambda: not ardour.where()[1] and ardour.sounds() and ardour.notes(), 20, "what Ardour recorded")


def lateness(engine: Watcher, ardour: Ardour) -> tuple[float, NDArray[np.float64]]:
    """The share of Hocket's notes that Ardour recorded, and (n, 2): the beat of each, and how much later it lies in
    Ardour, in beats."""
    recorded = ardour.notes()
    until = max(note.begins for note in recorded) - END
    notes = sorted({(note.tick / 24 + note.micro / 192, note.pitch) for note in engine.committed})
    notes = [note for note in notes if note[0] < until]
    found = []
    for beat, pitch in notes:
        there = [each.begins - beat for each in recorded if each.pitch == pitch and abs(each.begins - beat) < NEAR]
        found += [(beat, min(there, key=abs))] if there else []
    return len(found) / len(notes), np.array(found)


@contextmanager
def metronome(ardour: Ardour) -> Iterator[None]:
    """The control: a process that strikes a key at each beat of the transport, recorded by another track."""
    command = [sys.executable, "-P", str(METRONOME), "metronome", str(BPM)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        ardour.ask("connect", "control", "metronome:out")
        yield
        process.communicate(b"end\n", 5)


def tempo(beat: float) -> float:
    """That of the session, in beats a minute."""
    return LATER[1] if beat >= LATER[0] else BPM


@pytest.mark.parametrize("starts", ["Ardour", "Hocket"])
def test_a_daw_gives_the_tempo_and_records(
    starts: str, start_ardour: StartArdour, start_engine: StartEngine, probe: JackProbe, page: Keep
) -> None:
    ardour = start_ardour(BPM, LATER)
    engine = joined(ardour, start_engine, probe)
    engine.client.ask(SetKnob("band/follow", "jack"), 60)
    engine.until(lambda: engine.telemetry.time.startswith("jack: stopped"), 20, "the transport")
    with metronome(ardour):
        if starts == "Ardour":
            ardour.ask("roll")
        else:
            engine.client.ask(Play(), 20)
        until_beat(engine, BEATS)
        if starts == "Ardour":
            ardour.ask("stop")
        else:
            engine.client.ask(Stop(), 20)
        engine.until(lambda: not engine.telemetry.playing, 20, "the stop")
        halted(ardour)
    share, late = lateness(engine, ardour)
    ms = np.array([each * 60_000 / tempo(beat) for beat, each in late])
    struck = np.array([note.begins for note in ardour.notes("control") if note.begins < LATER[0] - NEAR])
    control = np.median(struck - np.round(struck)) * 60_000 / BPM
    around = np.percentile(abs(ms - np.median(ms)), [90, 99])
    first, last = (np.median(ms[part]) for part in (late[:, 0] < LATER[0], late[:, 0] > LATER[0] + 4))
    page("daw", f"{starts} starts", {
        "notes recorded": f"{len(late)} ({share:.1%})", "median, ms": f"{first:+.1f}",
        "control, ms": f"{control:+.1f}", "p99 from the median, ms": f"{around[1]:.1f}",
        "after the change of tempo, ms": f"{last - first:+.2f}",
        "sound, s": f"{sum(length for _, length in ardour.sounds()) / 48_000:.1f}",
    })  # fmt: skip
    assert share > 0.97
    assert len(struck) > LATER[0] - 3
    assert abs(first - control) < 1, "what Ardour does to Hocket's notes it does to those of others"
    assert around[0] < 3
    assert abs(last - first) < 3
    loud = [float(np.abs(soundfile.read(file)[0]).max()) for file in ardour.files()]
    assert len(loud) == 2
    assert min(loud) > LOUD


def test_a_daw_follows_hocket_s_midi_clock_and_records(
    start_ardour: StartArdour, start_engine: StartEngine, probe: JackProbe, page: Keep
) -> None:
    ardour = start_ardour(BPM, FAR, "MIDI Clock")
    engine = joined(ardour, start_engine, probe)
    ardour.ask("clock", "Hocket:out")
    for knob, value in (("clock_out", "1"), ("tempo", CLOCKS[0])):
        engine.client.ask(SetKnob(f"band/{knob}", value), 60)
    assert not ardour.where()[1]
    engine.client.ask(Play(), 20)
    until_beat(engine, TURN)
    assert ardour.where()[1], "the start was followed"
    turned = engine.telemetry.tick / 24
    engine.client.ask(SetKnob("band/tempo", CLOCKS[1]), 60)
    until_beat(engine, BEATS)
    engine.client.ask(Stop(), 20)
    engine.until(lambda: not engine.telemetry.playing, 20, "the stop")
    halted(ardour)
    share, late = lateness(engine, ardour)
    beats = late[:, 0]
    parts = ((beats > SETTLED) & (beats < turned), beats > turned + SETTLED)
    ms = [late[part, 1] * 60_000 / bpm for part, bpm in zip(parts, CLOCKS, strict=True)]
    seen = [
        bpm * np.polyfit(beats[part], beats[part] + late[part, 1], 1)[0]
        for part, bpm in zip(parts, CLOCKS, strict=True)
    ]
    meanwhile = (beats > turned) & (beats < turned + SETTLED)
    error = abs(late[meanwhile, 1] * 60_000 / CLOCKS[1] - np.median(ms[1])).max()
    page("clock", "a session of 120 beats a minute", {
        "notes recorded": f"{len(late)} ({share:.1%})", "tempos seen": f"{seen[0]:.2f}, {seen[1]:.2f}",
        "median, ms": f"{np.median(ms[0]):+.1f}, {np.median(ms[1]):+.1f}",
        "p99 from the median, ms": ", ".join(f"{np.percentile(abs(each - np.median(each)), 99):.1f}" for each in ms),
        "most, right after the change, ms": f"{error:.0f}",
    })  # fmt: skip
    assert share > 0.97
    assert seen == pytest.approx(CLOCKS, rel=0.005)
    assert abs(np.median(ms[1]) - np.median(ms[0])) < 3
    assert all(abs(np.median(each)) < 2 * PERIOD_MS for each in ms)
    assert error < 60
