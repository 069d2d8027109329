"""Sound and MIDI of one note leave JACK's ports together."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from instrument.engine.ipc.messages import Play, Quit, Stop
from instrument.engine.sound.mixer import BLOCK, Mixer
from instrument.engine.voices.opening import open_voice
from instrument.midi_spec import DRUM_CHANNEL, note_on, parse
from tests.support.engine import StartEngine, end, start_engine
from tests.support.jack import JackProbe, JackServer, Recording, wait_for
from tests.support.soloists import CLAVES
from tests.support.undisturbed import run_undisturbed

__all__ = ["start_engine"]

RATE = 48_000
ATTACK = 0.3  # of the peak: where a click is taken to begin
CLICKS = 16
MOST_MS = 1.0


def onsets(sound: NDArray[np.float32]) -> NDArray[np.int64]:
    """The frames at which clicks begin, by the same mark for each."""
    level = np.abs(sound).max(axis=1)
    loud = np.flatnonzero(level > ATTACK * level.max())
    return loud[np.diff(loud, prepend=-RATE) > RATE // 20]


def attack_s() -> float:
    """How long the sample takes from its note to `ATTACK`."""
    voice = open_voice(RATE)
    mixer = Mixer(RATE, voice)
    mixer.post(RATE // 10, note_on(DRUM_CHANNEL, CLAVES, 110))
    sound = np.concatenate([mixer.render(BLOCK) for _ in range(RATE // 2 // BLOCK)])
    voice.close()
    return (int(onsets(sound)[0]) - RATE // 10) / RATE


def record(start_engine: StartEngine, folder: Path) -> tuple[Recording, int]:
    """What a probe heard at the ports of an engine that clicks, and how many cycles the server lost meanwhile."""
    engine = start_engine(audio="", midi="virtual", players="tests.support.soloists:open_soloist", model="clicks")
    with JackProbe() as probe:
        wait_for(lambda: "Hocket:out" in probe.ports(), what="the engine's port")
        probe.connect("Hocket:out", "probe:midi_in")
        probe.listen("Hocket audio")
        began = time.perf_counter_ns()
        engine.client.ask(Play())
        engine.hear(CLICKS)
        engine.client.ask(Stop())
        engine.until(lambda: not engine.telemetry.playing)
        lost = probe.xruns_since(began)
        engine.client.ask(Quit())
        assert engine.client.process
        end(engine.client.process)
        return probe.finish(folder), lost


def apart(start_engine: StartEngine, folder: Path) -> tuple[NDArray[np.float64], dict[str, int]]:
    """A trial: by how much (ms) the MIDI of each note leaves after its sound. Only cycles lost on the way can excuse
    notes that are far apart."""
    recording, lost = record(start_engine, folder)
    sent = np.array([ns for ns, message in recording.events if parse(message).starts])
    first = onsets(recording.sound)
    block = np.searchsorted(recording.blocks[:, 0], first, side="right") - 1
    sounded = recording.blocks[block, 2] + (first - recording.blocks[block, 0]) * 1e9 / RATE - attack_s() * 1e9
    found = np.array([min(sent - ns, key=abs) for ns in sounded]) / 1e6
    well = len(sent) >= CLICKS - 1 and len(sounded) >= CLICKS - 2 and abs(np.median(found)) < MOST_MS
    return found, {"xruns": 0 if well else lost}


def test_sound_and_midi_of_a_note_leave_together(
    jack_with_long_periods: JackServer, start_engine: StartEngine, tmp_path: Path
) -> None:
    found = run_undisturbed(lambda: apart(start_engine, tmp_path))
    print(f"MIDI after sound, ms: median {np.median(found):.2f}, {found.min():.2f} to {found.max():.2f}")
    assert len(found) >= CLICKS - 2
    assert abs(np.median(found)) < MOST_MS
