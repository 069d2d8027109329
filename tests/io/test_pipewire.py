"""Hocket on PipeWire: with its JACK library it plays, connects and measures as on JACK."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator

import numpy as np
import pytest

from instrument import doctor
from instrument.engine.ipc.messages import Play, Stop
from instrument.io import jack_servers
from instrument.io.jack_servers import jack_is_running, library_path, pipewire_is_running
from tests.support.engine import StartEngine, start_engine
from tests.support.jack import JackProbe, wait_for

__all__ = ["start_engine"]  # the fixture

NEEDED = ("pipewire", "wireplumber", "pw-cli", "dbus-run-session")
SESSION = """
pipewire & pipewire=$!
until [ -S "$XDG_RUNTIME_DIR/pipewire-0" ]; do sleep 0.1; done
wireplumber & wireplumber=$!
sleep 1
pw-cli create-node adapter '{ factory.name=support.null-audio-sink node.name=card node.description=card
    media.class=Audio/Sink object.linger=true audio.position=[FL FR] }'
echo ready
read -r _
kill $wireplumber $pipewire
wait
"""


@pytest.fixture
def pipewire(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A session of its own with PipeWire and a card that is not there; its folder."""
    missing = [name for name in NEEDED if not shutil.which(name)]
    if missing or not jack_servers.pipewire_library():
        pytest.skip("PipeWire is not installed (Debian, Ubuntu: sudo apt install pipewire wireplumber pipewire-jack)")
    with tempfile.TemporaryDirectory(prefix="pw-", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        monkeypatch.setenv("JACK_DEFAULT_SERVER", "hocket-no-such-server")
        environment = {**os.environ, "HOME": folder, "XDG_STATE_HOME": folder, "XDG_CONFIG_HOME": folder}
        session = subprocess.Popen(
            ["dbus-run-session", "--", "bash", "-c", SESSION],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
        )
        assert session.stdout
        assert session.stdin
        try:
            while (line := session.stdout.readline()) and line.strip() != "ready":
                pass
            assert line, "the session ended"
            yield folder
        finally:
            session.stdin.close()
            try:
                session.wait(10)
            except subprocess.TimeoutExpired:
                session.kill()
                session.wait(5)


def test_it_plays_connects_and_measures_as_on_jack(
    pipewire: str, start_engine: StartEngine, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    assert pipewire_is_running()
    assert jack_is_running()
    found = doctor.check("JACK")
    assert found.ok
    assert found.detail.startswith("PipeWire: running at 48000 Hz")
    engine = start_engine(audio="", midi="virtual", **{"midi-in": "virtual"})
    engine.until(lambda: engine.telemetry.audio.startswith("card"), 20)
    assert engine.telemetry.midi == "Hocket:out (jack)"
    assert engine.telemetry.midi_in == "Hocket in:in (jack)"
    assert engine.telemetry.banners == ()
    monkeypatch.setenv("LD_LIBRARY_PATH", library_path()["LD_LIBRARY_PATH"])  # the probe is no part of Hocket
    with JackProbe() as probe:
        wait_for(lambda: "card:playback_FL" in probe.connections("Hocket audio:out_0"), what="the sound's connection")
        probe.listen("Hocket audio")
        probe.connect("Hocket:out", "probe:midi_in")
        engine.client.ask(Play())
        engine.hear(20, 20)
        wait_for(lambda: len([m for _, m in probe.events() if m[0] & 0xF0 == 0x90]) >= 10, 20, "notes")
        engine.client.ask(Stop())
        recording = probe.finish(tmp_path)
    assert np.abs(recording.sound).max() > 0.01
    assert engine.telemetry.latency_ms < 500


def test_without_its_jack_library_doctor_says_what_to_do(pipewire: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jack_servers, "has_pipewire_library", lambda: False)
    monkeypatch.setattr(doctor, "has_pipewire_library", lambda: False)
    monkeypatch.setattr(doctor, "library_path", dict)
    assert not jack_is_running()
    found = doctor.check("JACK")
    assert "its JACK library is missing" in found.detail
    assert "pipewire-jack" in found.fix
