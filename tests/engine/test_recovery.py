"""What becomes of the music when things die: on a real JACK server, with a real synth at the port."""

import os
import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from instrument.engine.ipc.messages import Play, Quit, Stop, Telemetry
from instrument.paths import assets_dir
from tests.support.engine import children, command_line, end, kill, start_engine, there
from tests.support.jack import JackProbe, wait_for

__all__ = ["start_engine"]  # the fixture

SYNTH = "fluidsynth-midi"  # its client on JACK
PERIOD_NS = 256 / 48_000 * 1e9  # FluidSynth takes what comes in a period at its start
SOLOISTS = {"players": "tests.support.soloists:open_soloist", "model": "clicks"}


def left_on(events):
    """(channel, key) of the notes that were started more often than ended, of (ns, message) in order."""
    sounding = Counter()
    for _, message in events:
        kind, channel = message[0] & 0xF0, message[0] & 15
        if kind == 0x90 and message[2]:
            sounding[channel, message[1]] = 1
        elif kind in (0x80, 0x90):
            sounding[channel, message[1]] = 0
    return [note for note, on in sounding.items() if on]


def wait_for_releases(probe, seconds, since=0, what="the release of every note"):
    """Until nothing sounds of what came after the first `since` events; a cycle that the server lost, and with it
    what was on its way, is no fault of ours."""
    wait_for(lambda: not left_on(probe.events()[since:]) or probe.xruns(), seconds, what)


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


def test_notes_are_on_their_frames_and_a_synth_sounds_them(probe, start_engine, tmp_path):
    """The port is connected to FluidSynth; the onsets of the recorded sound are those of the notes sent."""
    engine = start_engine(midi="virtual", trace=str(tmp_path / "trace.json"), **SOLOISTS)
    listen(probe)
    font = next(assets_dir().rglob("*.sf3"), Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"))
    synth = subprocess.Popen(
        ["fluidsynth", "-si", "-a", "jack", "-m", "jack", "-r", "48000", "-R", "0", "-C", "0", str(font)],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(lambda: SYNTH + ":right" in probe.ports(), 30)
        probe.connect("Hocket:out", SYNTH + ":midi_00")
        probe.connect(SYNTH + ":left", "probe:in_0")
        probe.connect(SYNTH + ":right", "probe:in_1")
        engine.client.ask(Play())
        engine.hear(16)
        engine.client.ask(Stop())
        engine.client.ask(Quit())
        end(engine.client.process)
        recording = probe.finish(tmp_path)
    finally:
        synth.kill()
        synth.wait()
    sent = np.array([ns for ns, _ in note_ons(recording.events)])
    assert len(sent) >= 15
    assert left_on(recording.events) == []
    heard = onsets_ns(recording)
    if not recording.xruns:
        assert len(heard) == len(sent)
    nearest = heard[np.abs(heard[:, None] - sent[None, :]).argmin(axis=0)] - sent
    way = np.median(nearest)  # from FluidSynth's port to its output
    assert -PERIOD_NS <= way < 40e6
    assert np.percentile(np.abs(nearest - way), 80) < PERIOD_NS  # the others lost a cycle of the server


def onsets_ns(recording):
    """When the recorded clicks begin, by JACK's own time."""
    level = np.abs(recording.sound).max(axis=1)
    loud = np.flatnonzero(level > 0.1 * level.max())
    first = loud[np.diff(loud, prepend=-100_000) > 2400]  # silent for 50 ms before
    block = np.searchsorted(recording.blocks[:, 0], first, side="right") - 1
    into = first - recording.blocks[block, 0]
    return recording.blocks[block, 2] + into * 1e9 / 48_000


def test_the_server_dies_and_comes_back(jack, probe, start_engine, tmp_path):
    """The engine goes on, releases what it held, and sounds again, by sound and by MIDI."""
    engine = start_engine(audio="", midi="virtual")
    pid = engine.client.process.pid
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
        wait_for_releases(later, 3)
        assert np.abs(later.finish(tmp_path).sound).max() > 0.001
        engine.client.ask(Quit())
        end(engine.client.process)


def test_the_device_and_port_processes_die(probe, start_engine):
    """Each is replaced, and the music goes on; what its receiver held is released."""
    engine = start_engine(audio="", midi="virtual")
    listen(probe)
    engine.client.ask(Play())
    wait_for(lambda: len(note_ons(probe.events())) >= 3)
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
    assert {m[0] & 15 for m in anew if m[0] & 0xF0 == 0xB0 and m[1] == 123} == set(range(16))
    engine.client.ask(Stop())
    wait_for_releases(probe, 3, count)
    engine.client.ask(Quit())
    assert end(engine.client.process) == 0
    assert not any(map(there, first))


def test_the_engine_dies_and_its_client_starts_another(probe, start_engine):
    engine = start_engine(midi="virtual")
    listen(probe)
    engine.client.ask(Play())
    wait_for(lambda: len(note_ons(probe.events())) >= 5)
    kill(engine.client.process.pid)
    engine.until(lambda: not engine.client.alive)
    wait_for_releases(probe, 3, what="the port to release what the dead engine held")
    wait_for(lambda: "Hocket:out" not in probe.ports())
    again = start_engine(midi="virtual")
    assert again.client.process.pid != engine.client.process.pid
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
    for _ in range(8):
        engine.client.ask(Play())
        time.sleep(chance.uniform(0, 0.6))  # the moment is what is tested
        engine.client.ask(Stop())
        wait_for_releases(probe, 2)
    ended = len(note_ons(probe.events()))
    time.sleep(0.2)  # what would come late
    assert len(note_ons(probe.events())) == ended > 0


@pytest.mark.parametrize("how", ["quit", "SIGTERM", "SIGKILL"])
def test_ended_in_mid_play_nothing_sounds_on_and_nobody_is_left(probe, start_engine, how):
    engine = start_engine(audio="", midi="virtual")
    pid = engine.client.process.pid
    listen(probe)
    engine.client.ask(Play())
    wait_for(lambda: left_on(probe.events()), what="a note that sounds")
    assert device_processes(engine)
    family = [pid, *children(pid)]
    if how == "quit":
        engine.client.ask(Quit())
    else:
        kill(pid, signal.Signals[how])
    end(engine.client.process)
    wait_for(lambda: not any(map(there, family)), 5, "the end of all processes")
    wait_for_releases(probe, 1, what="the last releases to be told us")


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
    engine.until(lambda: engine.telemetry.tick > 300, 20)
    notes = engine.committed
    assert [n.tick for n in notes] == sorted(n.tick for n in notes)
    engine.client.ask(Stop(), 5)
    engine.until(lambda: engine.telemetry.sounding == 0)


def test_a_model_that_fails_is_told_and_another_can_take_over(start_engine):
    engine = start_engine(players=SOLOISTS["players"], model="fainting")
    engine.client.ask(Play())
    engine.until(lambda: any("network gives no number" in b for b in engine.telemetry.banners), 20)
    engine.until(lambda: engine.telemetry.sounding == 0, 30, "what sounds to end")
    from instrument.engine.ipc.messages import LoadModel

    engine.client.ask(LoadModel("clicks"))
    engine.hear(2)
    assert isinstance(engine.telemetry, Telemetry)
    assert not any("network" in banner for banner in engine.telemetry.banners)


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
    assert engine.telemetry.tick - before < 300 / 60 * 24 * 1.4
