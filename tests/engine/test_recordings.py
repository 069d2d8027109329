"""Recording: it goes on after a crash, says where its files went, and waits for no disk."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
import soundfile

from instrument.engine.ipc.messages import Play, Record, Stop
from instrument.engine.offline.render import differences
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.takes import load_take
from instrument.engine.recording import FILE, Recordings
from instrument.errors import HocketError
from instrument.paths import state_dir
from tests.support.engine import kill, start_engine
from tests.support.jack import wait_for
from tests.support.players import open_scale

__all__ = ["start_engine"]  # the fixture


class Failing:
    """A recorder whose disk is full."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def update(self) -> None:
        raise HocketError(f"no room for {self.path.name}")

    def close(self) -> None:
        self.update()


class Hanging(Failing):
    """A recorder whose disk does not answer."""

    answers = threading.Event()

    def update(self) -> None:
        self.answers.wait(30)


def performance() -> Performance:
    return Performance(Patch(players=(PlayerPatch("scale"),)), open_scale)


def test_a_recording_goes_on_beside_the_first_file_when_the_engine_was_killed(start_engine, tmp_path):
    engine = start_engine()
    take, sound = tmp_path / "a.take.json", tmp_path / "a.wav"
    for path in (take, sound):
        engine.client.ask(Record(str(path)))
    engine.client.ask(Play())
    engine.hear(3)
    engine.until(lambda: engine.telemetry.recording_s > 1, what="a second of recording")
    kill(engine.client.process.pid)
    engine.until(lambda: not engine.client.alive)
    again = start_engine()
    further = [tmp_path / "a (2).take.json", tmp_path / "a (2).wav"]
    again.until(lambda: again.telemetry.recording == ", ".join(map(str, further)))
    for before, after in zip((take, sound), further, strict=True):
        said = f"recording goes on in {after}; what was recorded before the crash is in {before}"
        again.until(lambda said=said: said in again.telemetry.banners)
    again.client.ask(Play())
    again.hear(3)
    again.client.ask(Stop())
    again.client.ask(Record(""))
    again.until(lambda: any(f" to {further[1]}" in b and b.startswith("recorded 0:0") for b in again.telemetry.banners))
    assert load_take(take).heard_count >= 3
    assert differences(load_take(further[0]), open_scale) == []
    assert all(soundfile.info(path).frames > 0 for path in (sound, further[1]))
    assert not (state_dir() / FILE).exists()


@pytest.mark.parametrize("kind", ["fifo", "folder"])
def test_what_is_no_plain_file_is_refused_and_holds_nobody_up(hocket_home, tmp_path, kind):
    path = tmp_path / "a.mid"
    os.mkfifo(path) if kind == "fifo" else path.mkdir()
    recordings = Recordings(Failing, state_dir())
    with pytest.raises(HocketError, match="it is no plain file"):
        recordings.start(str(path), performance).result(10)
    assert not recordings.text


def test_problems_of_several_files_are_all_told(hocket_home, tmp_path):
    recordings = Recordings(Failing, state_dir())
    for name in ("a.wav", "b.wav"):
        recordings.start(str(tmp_path / name), performance).result(10)
    recordings.update()
    wait_for(lambda: not recordings.text)
    assert recordings.problems == ("no room for a.wav", "no room for b.wav")
    recordings.start(str(tmp_path / "a.wav"), performance).result(10)
    assert recordings.problems == ("no room for b.wav",), "it is tried again"
    with pytest.raises(HocketError, match=r"no room for a\.wav"):
        recordings.close().result(10)


def test_a_disk_that_does_not_answer_holds_nobody_up(hocket_home, tmp_path):
    recordings = Recordings(Hanging, state_dir())
    recordings.start(str(tmp_path / "a.wav"), performance).result(10)
    playing = performance()
    for _ in range(3):
        recordings.update()
        recordings.finish(playing)
    later = recordings.start(str(tmp_path / "b.mid"), lambda: playing)
    assert not later.done()
    assert recordings.text.endswith("a.wav")
    Hanging.answers.set()
    later.result(10)
    recordings.close().result(10)
    assert (tmp_path / "b.mid").exists()
