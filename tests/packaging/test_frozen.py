"""The frozen program, from outside: it starts, plays, records and quits. Run by packaging/package.py, which names the
program in HOCKET_FROZEN."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import soundfile

from instrument import __version__
from instrument.engine.ipc.client import EngineClient
from instrument.engine.ipc.messages import Play, Record
from instrument.errors import HocketError
from instrument.music.midifile import read_midi
from tests.support.engine import Watcher, children
from tests.support.jack import JackProbe, JackServer, wait_for
from tests.support.xvfb import Xvfb, xvfb

__all__ = ["xvfb"]

PROGRAM = os.environ.get("HOCKET_FROZEN", "")
pytestmark = [
    pytest.mark.skipif(not PROGRAM, reason="make package builds the program and runs this"),
    pytest.mark.timeout(300),
]

Start = Callable[..., "subprocess.Popen[str]"]


def call(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [PROGRAM, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment(), check=False)


def environment(**more: str) -> dict[str, str]:
    """This one without the Python of the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return {**kept, **more}


@pytest.fixture
def start() -> Iterator[Start]:
    started = []

    def run(*arguments: object, **more: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [PROGRAM, *map(str, arguments)], env=environment(**more), stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.terminate()  # closes the window, and with it the engine
        process.communicate(timeout=60)


def connected() -> EngineClient:
    """A client of the engine that the program has started."""
    found: list[EngineClient] = []

    def connects() -> bool:
        try:
            found.append(EngineClient.connect(spawn=False))
        except HocketError:
            return False
        return True

    wait_for(connects, 60, "the engine")
    return found[0]


def test_it_is_this_version_and_has_the_models() -> None:
    assert call("--version").stdout.strip() == __version__
    models = json.loads(call("models", "--json").stdout)
    assert models
    assert [row["problem"] for row in models] == [""] * len(models)


def test_its_doctor_starts_probes() -> None:
    found = {check["name"]: check for check in json.loads(call("doctor", "--json").stdout)["checks"]}
    for name in ("python", "packages", "onnxruntime", "models", "sound library", "FluidSynth", "sound font"):
        assert found[name]["ok"], found[name]


def test_it_renders(tmp_path: Path) -> None:
    out = tmp_path / "a.wav"
    done = call("render", "--seconds", 8, "--seed", 1, "--out", out)
    assert done.returncode == 0, done.stderr
    sound, _ = soundfile.read(out)
    assert abs(sound).max() > 0.01


def test_it_plays_on_jack_in_a_window_records_and_quits(
    start: Start, jack: JackServer, xvfb: Xvfb, tmp_path: Path
) -> None:
    screen = {"DISPLAY": xvfb.display, "QT_QPA_PLATFORM": "xcb", "WAYLAND_DISPLAY": ""}
    window = start("play", "--midi", "virtual", **screen)
    client = connected()
    watcher = Watcher(client)
    take, notes, sound = (tmp_path / name for name in ("a.take.json", "a.mid", "a.wav"))
    client.ask(Play())
    for path in (take, notes, sound):
        client.ask(Record(str(path)))
    with JackProbe() as probe:
        probe.listen("Hocket audio")
        watcher.hear(20, 60)
        heard = probe.finish(tmp_path)
    assert abs(heard.sound).max() > 0.01, "sound on JACK"
    picture(xvfb.display)

    second = start("play", **screen)
    _, said = second.communicate(timeout=60)
    assert second.returncode == 0, said
    assert "comes to the front" in said
    assert window.poll() is None

    client.ask(Record(""))
    client.close()
    left = [window.pid, *children(window.pid)]
    window.terminate()  # closes the window, and with it the engine
    assert window.wait(60) == 0
    wait_for(lambda: not any(map(lives, left)), 20, "the end of every process")
    assert len(read_midi(notes).notes)
    assert abs(soundfile.read(sound)[0]).max() > 0.01
    done = call("render", "--take", take, "--verify")
    assert done.returncode == 0, done.stderr


def test_a_window_joins_a_headless_engine_and_leaves_it_playing(jack: JackServer, xvfb: Xvfb, start: Start) -> None:
    headless = start("play", "--headless", "--midi", "virtual")
    watcher = Watcher(connected())
    watcher.hear(5, 60)
    window = start("play", DISPLAY=xvfb.display, QT_QPA_PLATFORM="xcb", WAYLAND_DISPLAY="")
    seen = ["xdotool", "search", "--onlyvisible", "--class", "hocket"]
    shown = {**os.environ, "DISPLAY": xvfb.display}
    wait_for(lambda: not subprocess.run(seen, env=shown, capture_output=True, check=False).returncode, 60, "the window")
    window.terminate()
    assert window.wait(60) == 0
    watcher.hear(5, 60)
    assert headless.poll() is None
    watcher.client.close()


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def picture(display: str) -> None:
    """Keep a picture of the screen under artifacts/, where a program is there to take it."""
    if shutil.which("import"):
        folder = Path(__file__).resolve().parents[2] / "artifacts"
        folder.mkdir(exist_ok=True)
        command = ["import", "-display", display, "-window", "root", str(folder / "frozen.png")]
        subprocess.run(command, timeout=60, check=False)
