"""The command line as other programs call it: exit status, standard output, one line where something is wrong."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile

from instrument import cli
from instrument.engine.ipc.client import EngineClient
from instrument.engine.ipc.messages import SetKnob, Telemetry
from instrument.engine.performance.takes import load_take
from instrument.errors import HocketError
from instrument.music.midifile import read_midi
from tests.support.engine import ROOT, children, command_line, start_engine, there
from tests.support.jack import wait_for

__all__ = ["start_engine"]

MODEL = "lstm-band"
NULL = ("--audio", "null", "--midi", "null")


@pytest.fixture
def hocket(monkeypatch, capsys):
    """Run a command line in this process: (exit status, standard output, standard error)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["hocket", *map(str, arguments)])
        try:
            cli.main()
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1 if end.code else 0
            if isinstance(end.code, str):
                print(end.code, file=sys.stderr)
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def start(monkeypatch):
    """Start `hocket` as a process; it and what it started are gone in the end."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    started = []

    def run(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", "from instrument.cli import main; main()", *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def one_line(text):
    return text.startswith("hocket: ") and text.count("\n") == 1 and "Traceback" not in text


def test_help_and_version(hocket):
    status, out, _ = hocket("--version")
    assert status == 0
    assert out.strip().count(".") == 2
    status, out, _ = hocket("--help")
    assert status == 0
    assert all(command in out for command in ("play", "render", "models", "doctor", "bench"))
    for command, options in {
        "play": "--model --patch --headless --seconds --audio --midi --midi-in --midi-offset --record",
        "render": "--model --seconds --bars --tempo --seed --patch --take --verify --set --at --prompt --out",
        "models": "--json", "doctor": "--json", "bench": "--json --seconds",
    }.items():  # fmt: skip
        status, out, _ = hocket(command, "--help")
        assert status == 0
        assert all(option in out for option in options.split()), command


def test_a_model_travels_as_one_file(hocket, tmp_path):
    file = tmp_path / "drums.hocket"
    status, out, _ = hocket("models", "export", "musicvae-drums2", "--out", file)
    assert (status, file.is_file()) == (0, True)
    assert out.startswith(str(file))
    status, out, _ = hocket("models", "import", file)  # it is installed: its folder is named
    assert (status, Path(out.strip()).name) == (0, "musicvae-drums2")
    status, _, err = hocket("models", "import", tmp_path / "no.hocket")
    assert (status, err.strip()) == (1, f"hocket: there is no file {tmp_path / 'no.hocket'}")


def test_models_lists_what_is_there(hocket):
    status, out, err = hocket("models", "--json")
    assert (status, err) == (0, "")
    rows = json.loads(out)
    row = next(row for row in rows if row["slug"] == MODEL)
    assert {"slug", "family", "name", "version", "bytes"} <= set(row)
    assert row["family"] == "lstm"
    assert 0 < row["bytes"] < 4.5 * 2**20
    status, out, _ = hocket("models")
    assert status == 0
    assert MODEL in out


def test_a_broken_bundle_is_listed_with_its_problem(hocket, hocket_home):
    broken = Path(hocket_home) / "models" / "broken"
    broken.mkdir(parents=True)
    (broken / "manifest.json").write_text("{")
    status, out, _ = hocket("models", "--json")
    assert status == 0
    assert any(row["problem"] for row in json.loads(out) if row["slug"] == "broken")


def test_doctor_names_what_it_found(hocket):
    status, out, err = hocket("doctor", "--json")
    assert (status, err) == (0, "")
    table = json.loads(out)
    assert {"name", "ok", "detail", "fix"} == set(table["checks"][0])
    assert table["ok"] == all(check["ok"] for check in table["checks"])


@pytest.mark.parametrize("command", ["play", "render"])
def test_an_unknown_log_level_is_a_bad_argument(hocket, command):
    status, _, err = hocket(command, "--log-level", "loud")
    assert status == 2
    assert "log level 'loud' is not known: choose one of debug, info, warning, error" in " ".join(err.split())


def test_render_is_the_same_for_a_seed_and_silent_on_standard_output(hocket, tmp_path):
    options = ("--model", MODEL, "--seconds", "6", "--set", "genre=jazz", "--at", "4:temperature=1.2")
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert hocket("render", *options, "--seed", seed, "--out", tmp_path / f"{name}.mid") == (0, "", "")
    a, b, c = ((tmp_path / f"{name}.mid").read_bytes() for name in "abc")
    assert a == b != c
    assert len(read_midi(tmp_path / "a.mid"))


def test_render_says_what_it_did_as_json(hocket, tmp_path):
    out_file = tmp_path / "a.wav"
    status, out, err = hocket("render", "--model", MODEL, "--bars", 2, "--tempo", 240, "--out", out_file, "--json")
    assert (status, err) == (0, "")
    report = json.loads(out)
    assert report["out"] == str(out_file)
    assert report["notes"] > 0
    assert report["seconds"] == pytest.approx(2)
    assert soundfile.info(out_file).duration == pytest.approx(2, abs=0.01)


def test_a_prompt_is_gone_on_from(hocket, tmp_path):
    first, second = tmp_path / "first.mid", tmp_path / "second.mid"
    assert hocket("render", "--model", MODEL, "--bars", 2, "--seed", 4, "--out", first)[0] == 0
    assert hocket("render", "--model", MODEL, "--bars", 2, "--prompt", first, "--out", second)[0] == 0
    assert len(read_midi(second)) > len(read_midi(first))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("render", "--model", "nothing", "--seconds", "1", "--out", "a.mid"), MODEL),
        (("render", "--model", MODEL, "--tempo", "5000", "--out", "a.mid"), "20 to 400"),
        (("render", "--model", MODEL, "--seconds", "-1", "--out", "a.mid"), "-1"),
        (("render", "--model", MODEL, "--set", "genre=polka", "--out", "a.mid"), "jazz"),
        (("render", "--model", MODEL, "--set", "nothing=1", "--out", "a.mid"), "temperature"),
        (("render", "--model", MODEL, "--at", "x:density=1", "--out", "a.mid"), "BEAT:KNOB=VALUE"),
        (("render", "--model", MODEL, "--out", "a.mp3"), ".wav"),
        (("render", "--model", MODEL, "--out", "nowhere/a.mid"), "nowhere"),
        (("render", "--model", MODEL, "--prompt", "missing.mid", "--out", "a.mid"), "missing.mid"),
        (("render", "--model", MODEL, "--prompt", "noise.mid", "--out", "a.mid"), "noise.mid"),
        (("render", "--take", "missing.take.json", "--out", "a.mid"), "missing.take.json"),
        (("render", "--take", "noise.mid", "--verify"), "noise.mid"),
        (("render", "--patch", "nothing", "--out", "a.mid"), "First light"),
        (("play", "--headless", "--model", "nothing", *NULL), MODEL),
        (("play", "--headless", "--patch", "nothing", *NULL), "First light"),
        (("play", "--headless", "--record", "a.mp3", *NULL), ".take.json"),
        (("play", "--headless", "--record", "nowhere/a.mid", *NULL), "nowhere"),
    ],
)
def test_what_cannot_be_is_one_named_error(hocket, monkeypatch, tmp_path, arguments, words):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    Path("noise.mid").write_bytes(os.urandom(500))
    status, out, err = hocket(*arguments)
    assert (status, out) == (1, "")
    assert one_line(err), err
    assert words in err
    assert not Path("a.mid").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("frob",), ("render",), ("render", "--seconds", "x", "--out", "a.mid"), ("render", "--nonsense"),
        ("render", "--verify"), ("play", "--headless", "--seconds", "-3"), ("play", "extra"),
        ("models", "--seconds", "3"), ("bench", "--seconds", "0"), ("play", "--midi-offset", "900"),
    ],
)  # fmt: skip
def test_bad_arguments_are_status_2(hocket, arguments):
    status, out, err = hocket(*arguments)
    assert (status, out) == (2, "")
    assert "Traceback" not in err


def test_live_equals_rendered(start, hocket, tmp_path):
    """A headless performance with knobs turned by a client, recorded as a take, renders to the same notes."""
    take = tmp_path / "live.take.json"
    playing = start("play", "--headless", "--seconds", 6, "--record", take, "--model", MODEL, *NULL)
    client = connected()
    turns = [("temperature", 1.3), ("genre", "jazz"), ("density", 5), ("key", "D"), ("scale", "major"),
             ("tempo", 150), ("register", 6), ("drums", 0), ("high", 80), ("seed", 99)]  # fmt: skip
    for knob, value in turns:
        client.ask(SetKnob(knob, value))
        client.wait(0.4)
        time.sleep(0.3)  # a performance takes its time
    out, err = playing.communicate(timeout=30)
    client.close()
    assert (playing.returncode, out) == (0, "")
    assert "playing at" in err
    heard = load_take(take)
    assert heard.heard_count > 8
    assert len(heard.entries) >= len(turns) - 1  # one may have come too late
    status, out, err = hocket("render", "--take", take, "--verify", "--json")
    assert json.loads(out) == {"verified": True, "differences": []}, err
    assert status == 0
    notes = tmp_path / "live.mid"
    assert hocket("render", "--take", take, "--out", notes)[0] == 0
    assert len(read_midi(notes)) > 5


def test_a_take_that_was_tampered_with_is_told(start, hocket, tmp_path):
    take = tmp_path / "live.take.json"
    playing = start("play", "--headless", "--seconds", 3, "--record", take, "--model", MODEL, *NULL)
    playing.communicate(timeout=30)
    lines = take.read_text().splitlines()
    number = next(i for i, line in enumerate(lines) if line.startswith("["))
    note = json.loads(lines[number])
    note[3] = (note[3] + 1) % 128
    lines[number] = json.dumps(note)
    take.write_text("\n".join(lines) + "\n")
    status, out, err = hocket("render", "--take", take, "--verify", "--json")
    assert status == 1
    assert json.loads(out)["verified"] is False
    assert one_line(err)


def connected(seconds=20.0):
    """A second client of the engine that a command starts."""
    end = time.monotonic() + seconds
    while True:
        try:
            client = EngineClient.connect(spawn=False)
            break
        except HocketError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
    while time.monotonic() < end:
        client.wait(0.1)
        if any(isinstance(r, Telemetry) and r.playing for r in client.poll()):
            return client
    pytest.fail("it does not play")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_everything_in_order(start, tmp_path, number):
    midi = tmp_path / "until.mid"
    playing = start("play", "--headless", "--record", midi, *NULL)
    client = connected()
    client.close()
    family = [playing.pid, *children(playing.pid)]
    assert len(family) >= 2
    playing.send_signal(number)
    out, err = playing.communicate(timeout=20)
    assert (playing.returncode, out) == (0, "")
    assert "Traceback" not in err
    wait_for(lambda: not any(map(there, family)), 5, "the end of all processes")
    assert midi.exists()


def test_the_engine_of_a_killed_headless_player_ends_too(start):
    playing = start("play", "--headless", *NULL)
    connected().close()
    family = children(playing.pid)
    assert family
    playing.kill()
    wait_for(lambda: not any(map(there, family)), 15, "the end of the engine")


def test_a_service_manager_is_told_of_readiness_and_life(start_engine, start, monkeypatch, tmp_path):
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(60)
        start_engine()
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        playing = start("play", "--headless", "--seconds", 3)
        told = []
        while not told or told[-1] != "STOPPING=1":
            told.append(manager.recv(100).decode())
        playing.communicate(timeout=20)
    assert told.count("READY=1") == 1
    assert 2 <= told.count("WATCHDOG=1") <= 6


def test_an_engine_that_dies_is_started_again(start):
    playing = start("play", "--headless", "--seconds", 60, *NULL)
    connected().close()
    engine = next(pid for pid in children(playing.pid) if "engine.process" in command_line(pid))
    os.kill(engine, signal.SIGKILL)
    client = connected()
    client.close()
    playing.send_signal(signal.SIGINT)
    _, err = playing.communicate(timeout=20)
    assert playing.returncode == 0
    assert "starting it again" in err


def test_without_a_display_it_says_so_and_plays_headless(start, monkeypatch):
    for variable in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(variable, raising=False)
    playing = start("play", "--seconds", 1, *NULL)
    _, err = playing.communicate(timeout=30)
    assert playing.returncode == 0
    assert "playing headless" in err
    assert "playing at" in err
