"""The device process against a real JACK server, heard from outside, and what becomes of it when things die."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from instrument.errors import HocketError
from instrument.io.audio import output as audio_module
from instrument.io.audio.output import DeviceAudio, NullAudio, list_devices, open_audio
from instrument.io.clocks import ManualClock
from tests.support.feeding import CODES, Feeder, coded, decode
from tests.support.jack import JackProbe, JackServer, Recording, alive, wait_for
from tests.support.undisturbed import run_undisturbed

CLIENT = "Hocket audio"


@contextmanager
def opened() -> Iterator[DeviceAudio]:
    audio = DeviceAudio()
    audio.start()
    yield audio
    audio.close()


@pytest.fixture
def device(jack: JackServer) -> Iterator[DeviceAudio]:
    with opened() as audio:
        yield audio


def blocks_heard(recording: Recording, period: int) -> np.ndarray:
    """The first number of every block that holds consecutive coded frames throughout, and its place."""
    numbers = decode(recording.sound)
    found = []
    for first, frame, ns in recording.blocks:
        block = numbers[first : first + period]
        if np.array_equal(block, (block[0] + np.arange(len(block))) % CODES) and block[0] >= 0:
            found.append((block[0], frame, ns))
    return np.array(found, np.int64).reshape(-1, 3)


def hear_two_seconds(folder: Path) -> tuple[tuple[Recording, dict[int, int], int], dict[str, int]]:
    """A trial: what a probe heard of a device; by frame, when the mixer was told that it is heard; and the latency."""
    with opened() as device, JackProbe() as probe, Feeder(device):
        probe.listen(CLIENT)
        began = time.perf_counter_ns()  # clients that come may cost a cycle
        told: dict[int, int] = {}
        while (frame := device.status().written) < 96_000:
            told[frame] = device.heard_ns(frame)
            time.sleep(0.02)
        wait_for(lambda: device.status().played > 96_000, what="two seconds of sound")
        status = device.status()
        disturbances = {"starved blocks": status.starved, "xruns": probe.xruns_since(began)}
        recording = probe.finish(folder)
    return (recording, told, status.latency_ns), disturbances


def test_what_is_written_is_what_an_outside_recorder_hears(jack_with_long_periods: JackServer, tmp_path: Path) -> None:
    period = jack_with_long_periods.period
    recording, told, latency_ns = run_undisturbed(lambda: hear_two_seconds(tmp_path))
    sounding = recording.sound[recording.sound.all(axis=1)]  # the channels were connected one after the other
    assert len(sounding) > 48_000
    numbers = decode(sounding)  # nothing at all is missing: one run of frames, sample for sample
    assert np.array_equal(numbers, (numbers[0] + np.arange(len(numbers))) % CODES)
    heard = blocks_heard(recording, period)
    assert len(heard) * period >= len(sounding) - 2 * period

    # A frame is heard when JACK says, plus what JACK says lies between the port and the ear.
    errors = []
    for frame, ns in [*told.items()][len(told) // 2 :]:
        inside = heard[(heard[:, 0] <= frame % CODES) & (frame % CODES < heard[:, 0] + period)]
        expected = [t + (frame % CODES - n) * 1e9 / 48_000 + latency_ns for n, _, t in inside]
        errors += [min((abs(ns - e) for e in expected), default=np.inf)]
    print(f"ms off: p50 {np.median(errors) / 1e6:.3f}, max {max(errors) / 1e6:.3f}")
    assert np.median(errors) < 2_000_000


def test_a_killed_device_process_is_replaced(device: DeviceAudio) -> None:
    with Feeder(device) as feeder:
        wait_for(lambda: device.status().played > 9600)
        before = device.status()
        pid = device.pid
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: device.status().state == "lost")
        assert "status -9" in device.status().detail
        wait_for(lambda: feeder.reopened == 1)
        reopened = device.status().played
        wait_for(lambda: device.status().played > reopened + 9600)
        status = device.status()
    assert (status.state, status.detail) == ("running", "")
    assert status.written >= status.played > before.played
    assert device.pid not in (0, pid)
    assert not alive(pid)


def test_a_hung_device_process_is_replaced(device: DeviceAudio) -> None:
    with Feeder(device) as feeder:
        wait_for(lambda: device.status().played > 0)
        pid = device.pid
        os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: device.status().state == "lost")
        assert "hangs" in device.status().detail
        wait_for(lambda: feeder.reopened == 1)
    assert not alive(pid)


def test_music_goes_on_without_the_server_and_sounds_when_it_is_back(
    device: DeviceAudio, jack: JackServer, tmp_path: Path
) -> None:
    with Feeder(device) as feeder:
        wait_for(lambda: device.status().played > 9600)
        jack.kill()
        wait_for(lambda: device.status().state == "lost")
        lost, since = device.status(), time.monotonic()
        ahead = device.heard_ns(lost.written) - time.perf_counter_ns()
        assert -50_000_000 < ahead < 200_000_000
        wait_for(lambda: device.status().played > lost.played + 24_000, what="real time to go on")
        assert 0.3 < time.monotonic() - since < 3
        assert device.status().state == "lost"

        jack.start()
        wait_for(lambda: feeder.reopened == 1)
        with JackProbe() as probe:
            probe.listen(CLIENT)
            played = device.status().played
            wait_for(lambda: device.status().played > played + 24_000)
            recording = probe.finish(tmp_path)
        assert device.status().state == "running"
    assert len(blocks_heard(recording, jack.period)) > 20


def test_the_device_process_ends_with_its_parent(jack: JackServer) -> None:
    code = "from instrument.io.audio.output import *; a = open_audio(None); print(a.pid, flush=True); input()"
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    pid = int(parent.stdout.readline())
    assert alive(pid)
    parent.kill()
    parent.wait(5)
    wait_for(lambda: not alive(pid), 5, "the end of the device process")


def test_closing_leaves_nothing(jack: JackServer) -> None:
    audio = open_audio(None)
    assert isinstance(audio, DeviceAudio)
    pid = audio.pid
    audio.close()
    audio.close()
    assert not alive(pid)
    assert audio.status().state == "stopped"
    assert audio.poll() is False


def starve(folder: Path) -> tuple[Recording, dict[str, int]]:
    """A trial: two pieces of sound, with nothing between them."""
    with opened() as device, JackProbe() as probe:
        probe.listen(CLIENT)
        device.write(np.full((1000, 2), 0.5, np.float32))
        wait_for(lambda: device.status().starved > 5)
        device.write(np.full((1000, 2), 0.5, np.float32))
        wait_for(lambda: device.status().played == 2000)
        wait_for(lambda: device.status().starved > 15)
        recording = probe.finish(folder)
    return recording, {"xruns": recording.xruns}


def test_starving_is_counted_and_does_not_click(jack: JackServer, tmp_path: Path) -> None:
    sound = run_undisturbed(lambda: starve(tmp_path)).sound[:, 0]
    steps = np.abs(np.diff(sound[np.flatnonzero(sound)[0] :]))
    assert steps.max() < 0.02  # it falls and rises within 64 frames; a click would be a step of 0.5
    assert np.isclose(sound.max(), 0.5)


def test_devices_are_found_by_name(jack: JackServer) -> None:
    assert list_devices() == ["system"]
    for name in ("system", "SYS"):
        audio = open_audio(name)
        assert audio.status().device == "system"
        audio.close()
    with pytest.raises(HocketError, match=r"'Klavier' is not .* use 'system' or null"):
        open_audio("Klavier")


def test_a_device_keeps_its_name_while_others_look_around(jack: JackServer) -> None:
    """A patchbay knows us by it: to the server, a list is no second player."""
    with ThreadPoolExecutor(4) as looking:
        lists = [looking.submit(list_devices) for _ in range(12)]
        for _ in range(3):
            audio = DeviceAudio()
            audio.start()
            with JackProbe() as probe:
                assert f"{CLIENT}:out_0" in probe.ports()
            audio.close()
        assert all(there.result() for there in lists)


def test_no_device_is_a_named_error_and_real_time_goes_on(jack: JackServer) -> None:
    jack.stop()
    if list_devices():
        pytest.skip("this machine has a sound card")
    audio = DeviceAudio()
    with pytest.raises(HocketError, match="no audio output device"):
        audio.start()
    assert audio.status().state == "lost"
    with Feeder(audio) as feeder:
        wait_for(lambda: audio.status().played > 4800)
        jack.start()
        wait_for(lambda: feeder.reopened == 1, what="the device that came later")
    assert audio.status().state == "running"
    audio.close()


def test_without_portaudio_the_package_to_install_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for ask in (list_devices, lambda: open_audio(None)):
        with pytest.raises(HocketError, match="libportaudio2") as caught:
            ask()
        assert "\n" not in str(caught.value)


def test_a_device_process_that_breaks_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sounddevice.py").write_text("def query_hostapis(): raise RuntimeError('two\\nlines')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(HocketError, match="RuntimeError: two lines"):
        open_audio(None)


def test_a_device_question_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sounddevice.py").write_text("import time; time.sleep(60)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    whole = audio_module.ask
    monkeypatch.setattr(audio_module, "ask", lambda *words: whole(*words, seconds=0.5))
    with pytest.raises(HocketError, match="hangs"):
        list_devices()


def test_the_null_device_takes_blocks_as_time_passes() -> None:
    clock = ManualClock()
    audio = NullAudio(clock, rate=48_000, block=256, keep=True)
    audio.start()
    assert audio.free(1024) == 1024
    audio.write(coded(0, 1024))
    assert audio.free(1024) == 0
    clock.advance(10_666_667)  # two blocks
    assert audio.free(1024) == 512
    assert audio.status().played == 512
    clock.advance(21_333_334)  # four, of which two were written
    status = audio.status()
    assert (status.played, status.blocks, status.starved) == (1024, 6, 2)
    assert abs(audio.heard_ns(1024) - clock.now()) < 100  # what is written now is heard now
    assert np.array_equal(audio.recorded, coded(0, 1024))


def test_the_null_device_misses_nothing_before_the_first_frame() -> None:
    clock = ManualClock()
    audio = NullAudio(clock)
    audio.start()
    clock.advance(1_000_000_000)
    assert audio.status().starved == 0
    assert audio.free(512) == 512


def test_a_lead_shorter_than_the_block_is_lengthened() -> None:
    audio = NullAudio(ManualClock(), block=1024)
    audio.start()
    assert audio.free(256) == 2048
