"""The engine's log: what happened, and why an engine did not start."""

import re

import pytest

from instrument import __version__
from instrument.engine.ipc.client import EngineClient
from instrument.engine.ipc.messages import Quit, Record, SetKnob
from instrument.errors import HocketError
from instrument.paths import state_dir
from tests.support.engine import OPTIONS, children, end, start_engine

__all__ = ["start_engine"]  # the fixture


def test_the_log_says_what_happened(start_engine, tmp_path, monkeypatch):
    monkeypatch.setenv("HOCKET_LOG", "debug")
    log = state_dir() / "engine.log"
    log.write_text("of the engine before\n")
    engine = start_engine()
    with pytest.raises(HocketError, match="unknown knob"):
        engine.client.ask(SetKnob("loudness", 1.0))
    engine.client.ask(Record(str(tmp_path / "music.mid")))
    engine.client.ask(Record(""))
    workers = children(engine.client.process.pid)
    engine.client.ask(Quit())
    end(engine.client.process)
    text = log.read_text()
    assert text.startswith("of the engine before\n")
    pid = engine.client.process.pid
    assert f" INFO instrument.engine.process [MainThread]: Hocket {__version__}, process {pid}, Python 3." in text
    assert "audio: now playing to null\n" in text
    assert re.search(r"\[opening_\d\]: opened the model scale in \d+\.\d\d s\n", text)
    started = re.search(r"started the process of the note models: (\d+)\n", text)
    assert int(started[1]) in workers
    assert f"process {started[1]}: INFO instrument.engine.note_worker.worker: loaded scale as player 1 in " in text
    assert " WARNING instrument.engine.control [" in text
    assert "refused SetKnob(knob='loudness', value=1.0, player=0): unknown knob 'loudness'" in text
    assert f"recording to {tmp_path / 'music.mid'}\n" in text
    assert re.search(rf"recorded 0:\d\d to {re.escape(str(tmp_path / 'music.mid'))}\n", text)
    assert "DEBUG instrument.engine.control [MainThread]: the state was saved for the next start\n" in text
    assert "ending: asked to quit\n" in text
    assert "ended with status 0\n" in text


def test_an_engine_that_cannot_start_says_why_and_not_what_the_last_one_said(monkeypatch):
    (state_dir() / "engine.log").write_text("an old line\n")
    monkeypatch.setenv("HOCKET_LOG", "loud")
    with pytest.raises(
        HocketError, match=r"^the engine did not start: log level 'loud' is not known: choose one of debug"
    ):
        EngineClient.connect(options=OPTIONS)
