"""What becomes of the music when things die: on a real JACK server, with a real synth at the port."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from instrument.engine.ipc.messages import LoadModel, Play, Quit, Stop
from instrument.engine.offline.render import Options, render
from instrument.paths import assets_dir
from tests.support.engine import children, command_line, end, kill, start_engine, there
from tests.support.jack import JackProbe, wait_for
from tests.support.players import open_scale
from tests.support.soloists import SLOW_S
from tests.support.undisturbed import run_undisturbed

__all__ = ["start_engine"]  # the fixture

SYNTH = "fluidsynth-midi"  # its client on JACK
PERIOD_NS = 256 / 48_000 * 1e9  # FluidSynth takes what comes in a period at its start
TICKS_A_SECOND = 300 / 60 * 24  # of the patch that engines play here
SOLOISTS = {"players": "tests.support.soloists:open_soloist", "model": "clicks"}


def left_on(events):
    """When (ns) each note, (channel, key), began that was started and not ended, of (ns, message) in order."""
    sounding = {}
    for ns, message in events:
        kind, note = message[0] & 0xF0, (message[0] & 15, message[1])
        if kind == 0x90 and message[2]:
            sounding[note] = ns
        elif kind in (0x80, 0x90):
            sounding.pop(note, None)
    return sounding


def wait_for_releases(probe, seconds, since=0, what="the release of every note"):
    """Wait until nothing sounds of what came after the first `since` events. Returns what may have lost a release: the
    cycles that the server lost after the last note began that sounds on. Without any, the test fails."""
    end = time.monotonic() + seconds
    while held := left_on(probe.events()[since:]):
        if time.monotonic() > end:
            lost = probe.xruns_since(max(held.values()))
            assert lost, f"waited {seconds:g} s in vain for {what}: {sorted(held)} sound on"
            return {"xruns": lost}
        time.sleep(0.01)
    return {}


def note_ons(events):
    return [(ns, m) for ns, m in events if m[0] & 0xF0 == 0x90]


@pytest.fixture
def probe(jack):
    with JackProbe() as probe:
        yield probe


def lost(engine):
    return [banner for banner in engine.telemetry.banners if "is lost" in banner]


def device_processes(engine):
    """Those of audio and MIDI; others look around for a moment."""

    def there_now():
        return [pid for pid in children(engine.client.process.pid) if "instrument.io" in command_line(pid)]

    wait_for(lambda: len(there_now()) == 2, what="the two device processes")
    return there_now()


def listen(probe, client="Hocket"):
    wait_for(lambda: f"{client}:out" in probe.ports(), what="the engine's port")
    probe.connect(f"{client}:out", "probe:midi_in")


def record_a_synth(start_engine, folder):
    """A trial: what a probe heard of the engine's notes, and of FluidSynth that played them."""
    engine = start_engine(midi="virtual", trace=str(folder / "trace.json"), **SOLOISTS)
    font = next(assets_dir().rglob("*.sf3"), Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"))
    with JackProbe() as probe:
        listen(probe)
        synth = subprocess.Popen(
            ["fluidsynth", "-si", "-a", "jack", "-m", "jack", "-r", "48000", "-R", "0", "-C", "0", str(font)],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            wait_for(lambda: SYNTH + ":right" in probe.ports(), 30)
            probe.connect("Hocket:out", SYNTH + ":midi_00")
            probe.connect(SYNTH + ":left", "probe:in_0")
            probe.connect(SYNTH + ":right", "probe:in_1")
            began = time.perf_counter_ns()  # what came before, as clients connected, disturbed nothing
            engine.client.ask(Play())
            engine.hear(16)
            engine.client.ask(Stop())
            engine.client.ask(Quit())
            end(engine.client.process)
            disturbances = {"xruns": probe.xruns_since(began)}
            return probe.finish(folder), disturbances
        finally:
            synth.kill()
            synth.wait()


def test_notes_are_on_their_frames_and_a_synth_sounds_them(jack, start_engine, tmp_path):
    """The port is connected to FluidSynth; the onsets of the recorded sound are those of the notes sent."""
    recording = run_undisturbed(lambda: record_a_synth(start_engine, tmp_path))
    sent = np.array([ns for ns, _ in note_ons(recording.events)])
    assert len(sent) >= 15
    assert not left_on(recording.events)
    heard = onsets_ns(recording)
    assert len(heard) == len(sent)
    late = heard - sent
    way = np.median(late)  # from FluidSynth's port to its output
    print(f"ms from port to sound: {way / 1e6:.2f}, off by at most {np.abs(late - way).max() / 1e6:.2f}")
    assert -PERIOD_NS <= way < 40e6
    assert np.abs(late - way).max() < PERIOD_NS


def onsets_ns(recording):
    """When the recorded clicks begin, by JACK's own time."""
    level = np.abs(recording.sound).max(axis=1)
    loud = np.flatnonzero(level > 0.1 * level.max())
    first = loud[np.diff(loud, prepend=-100_000) > 2400]  # silent for 50 ms before
    block = np.searchsorted(recording.blocks[:, 0], first, side="right") - 1
    into = first - recording.blocks[block, 0]
    return recording.blocks[block, 2] + into * 1e9 / 48_000


def survive_the_server(jack, start_engine, folder):
    """A trial: the sound of an engine whose server died and came back."""
    engine = start_engine(audio="", midi="virtual")
    pid = engine.client.process.pid
    with JackProbe() as probe:
        listen(probe)
        engine.client.ask(Play())
        wait_for(lambda: len(note_ons(probe.events())) >= 4, what="notes")
        jack.kill()
    engine.until(lambda: len(lost(engine)) == 2, what="two banners")
    before = engine.telemetry.tick
    engine.until(lambda: engine.telemetry.tick > before + 24, what="time to go on")
    jack.start()
    engine.until(lambda: not lost(engine), 20, "devices to be back")
    assert engine.client.process.pid == pid
    assert "jack" in engine.telemetry.midi
    assert engine.telemetry.audio != "null"
    with JackProbe("later") as later:
        wait_for(lambda: "Hocket:out" in later.ports())
        later.connect("Hocket:out", "later:midi_in")
        later.listen("Hocket audio")
        wait_for(lambda: len(note_ons(later.events())) >= 4, what="notes again")
        engine.client.ask(Stop())
        disturbances = wait_for_releases(later, 3)
        sound = later.finish(folder).sound
        engine.client.ask(Quit())
        end(engine.client.process)
    return sound, disturbances


def test_the_server_dies_and_comes_back(jack, start_engine, tmp_path):
    """The engine goes on, releases what it held, and sounds again, by sound and by MIDI."""
    sound = run_undisturbed(lambda: survive_the_server(jack, start_engine, tmp_path))
    assert np.abs(sound).max() > 0.001


def survive_its_devices(probe, start_engine):
    """A trial: the device processes that were killed, and what the port sent after that."""
    engine = start_engine(audio="", midi="virtual")
    listen(probe)
    count = len(probe.events())
    engine.client.ask(Play())
    wait_for(lambda: len(note_ons(probe.events()[count:])) >= 3)
    first = device_processes(engine)
    count = len(probe.events())
    for child in first:
        kill(child)
    engine.until(
        lambda: len(set(device_processes(engine)) - set(first)) == 2 and not lost(engine),
        20, "two new processes",
    )  # fmt: skip
    wait_for(lambda: len(note_ons(probe.events()[count:])) >= 8, what="notes from the port that came back")
    anew = [message for _, message in probe.events()[count:]]
    engine.client.ask(Stop())
    disturbances = wait_for_releases(probe, 3, count)
    engine.client.ask(Quit())
    assert end(engine.client.process) == 0
    return (first, anew), disturbances


def test_the_device_and_port_processes_die(probe, start_engine):
    """Each is replaced, and the music goes on; what its receiver held is released."""
    first, anew = run_undisturbed(lambda: survive_its_devices(probe, start_engine))
    assert {m[0] & 15 for m in anew if m[0] & 0xF0 == 0xB0 and m[1] == 123} == set(range(16))
    assert not any(map(there, first))


def kill_in_mid_play(probe, start_engine):
    """A trial: the number of an engine that was killed; nothing sounds on."""
    engine = start_engine(midi="virtual")
    listen(probe)
    count = len(probe.events())
    engine.client.ask(Play())
    wait_for(lambda: len(note_ons(probe.events()[count:])) >= 5)
    kill(engine.client.process.pid)
    engine.until(lambda: not engine.client.alive)
    disturbances = wait_for_releases(probe, 3, count, "the port to release what the dead engine held")
    wait_for(lambda: "Hocket:out" not in probe.ports())
    return engine.client.process.pid, disturbances


def test_the_engine_dies_and_its_client_starts_another(probe, start_engine):
    pid = run_undisturbed(lambda: kill_in_mid_play(probe, start_engine))
    again = start_engine(midi="virtual")
    assert again.client.process.pid != pid
    listen(probe)
    count = len(probe.events())
    again.client.ask(Play())
    wait_for(lambda: len(note_ons(probe.events()[count:])) >= 3)
    again.client.ask(Quit())
    end(again.client.process)


def test_stopped_at_any_moment_nothing_sounds_on(probe, start_engine):
    engine = start_engine(midi="virtual")
    listen(probe)
    chance = random.Random(3)

    def play_a_moment():
        count = len(probe.events())
        engine.client.ask(Play())
        time.sleep(chance.uniform(0, 0.6))  # the moment is what is tested
        engine.client.ask(Stop())
        return None, wait_for_releases(probe, 2, count)

    for _ in range(8):
        run_undisturbed(play_a_moment)
    ended = len(note_ons(probe.events()))
    time.sleep(0.2)  # what would come late
    assert len(note_ons(probe.events())) == ended > 0


def end_in_mid_play(probe, start_engine, how):
    """A trial: nothing sounds on, and no process is left."""
    engine = start_engine(audio="", midi="virtual")
    pid = engine.client.process.pid
    listen(probe)
    count = len(probe.events())
    engine.client.ask(Play())
    wait_for(lambda: left_on(probe.events()[count:]), what="a note that sounds")
    assert device_processes(engine)
    family = [pid, *children(pid)]
    if how == "quit":
        engine.client.ask(Quit())
    else:
        kill(pid, signal.Signals[how])
    end(engine.client.process)
    wait_for(lambda: not any(map(there, family)), 5, "the end of all processes")
    return None, wait_for_releases(probe, 1, count, "the last releases to be told us")


@pytest.mark.parametrize("how", ["quit", "SIGTERM", "SIGKILL"])
def test_ended_in_mid_play_nothing_sounds_on_and_nobody_is_left(probe, start_engine, how):
    run_undisturbed(lambda: end_in_mid_play(probe, start_engine, how))


def test_the_window_dies_and_the_music_goes_on(start_engine, tmp_path):
    """A client that vanishes without a word while it plays."""
    engine = start_engine(linger="30")
    engine.client.ask(Play())
    engine.hear(2)
    process, engine.client.process = engine.client.process, None
    engine.client.close()
    again = start_engine()
    assert again.client.process is None
    again.until(lambda: again.telemetry.playing)
    again.hear(2)
    again.client.ask(Quit())
    assert end(process) == 0


def test_a_model_that_is_too_slow_thins_out_and_never_holds_time_up(start_engine):
    engine = start_engine(players=SOLOISTS["players"], model="slow")
    engine.client.ask(Play(), 15)
    engine.hear(6, 20)
    engine.until(lambda: engine.telemetry.tick > 300, 20, "the end of what was planned before")
    began, first, heard = time.monotonic(), engine.telemetry.tick, len(engine.committed)
    engine.until(lambda: engine.telemetry.tick > first + 600, 20)
    took, ticks = time.monotonic() - began, engine.telemetry.tick - first
    assert ticks / took == pytest.approx(TICKS_A_SECOND, rel=0.1)
    notes = engine.committed
    assert [n.tick for n in notes] == sorted(n.tick for n in notes)
    at_leisure = [note.tick for _, note in render(Options("scale", bars=7), open_scale).played]
    print(f"{len(notes) - heard} notes, {len(at_leisure)} at leisure, in {took:.2f} s")
    assert 3 <= len(notes) - heard <= took / SLOW_S + 1 < len(at_leisure) / 2
    engine.client.ask(Stop(), 5)
    engine.until(lambda: engine.telemetry.sounding == 0)


def test_a_model_that_fails_is_told_and_another_can_take_over(start_engine):
    engine = start_engine(players=SOLOISTS["players"], model="fainting")
    engine.client.ask(Play())
    engine.until(lambda: any("network gives no number" in b for b in engine.telemetry.banners), 20)
    engine.until(lambda: engine.telemetry.sounding == 0, 30, "what sounds to end")
    engine.client.ask(LoadModel("clicks"))
    engine.until(lambda: not any("network" in banner for banner in engine.telemetry.banners), 10, "the next bar")
    engine.hear(2)
    assert engine.telemetry.playing
    assert not engine.telemetry.banners


def test_after_the_machine_slept_the_music_goes_on_where_it_was(start_engine):
    engine = start_engine()
    engine.client.ask(Play())
    engine.hear(3)
    before = engine.telemetry.tick
    os.kill(engine.client.process.pid, signal.SIGSTOP)
    time.sleep(1.5)  # that is what is tested: time that passes without the engine
    os.kill(engine.client.process.pid, signal.SIGCONT)
    engine.reports.clear()
    engine.hear(1)
    assert engine.telemetry.tick - before < 1.4 * TICKS_A_SECOND
