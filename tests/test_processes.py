"""The table of child processes: it is whole, it is the only way to start one, and a frozen program can use it."""

import importlib
import re
import sys
from pathlib import Path

import pytest

import instrument
from instrument import cli, processes
from instrument.processes import PROCESSES, command

SOURCES = Path(instrument.__file__).parent


@pytest.mark.parametrize("name", PROCESSES)
def test_every_process_has_a_module_with_a_main(name):
    module = importlib.import_module(PROCESSES[name])
    assert callable(module.main)
    text = Path(module.__file__).read_text("utf-8")
    assert 'if __name__ == "__main__":' in text
    assert "main(sys.argv[1:])" in text


def test_nothing_else_starts_a_module_or_runs_python_code():
    starters = [path for path in SOURCES.rglob("*.py") if re.search(r"""["']-[mc]["']""", path.read_text("utf-8"))]
    assert starters == [SOURCES / "processes.py"]


def test_a_frozen_program_starts_itself(monkeypatch):
    assert command("engine", "--midi", "null") == [
        sys.executable, "-m", "instrument.engine.process", "--midi", "null"
    ]  # fmt: skip
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert command("engine", "--midi", "null") == [sys.executable, "--process", "engine", "--midi", "null"]


def test_the_command_line_becomes_the_process_that_it_names(monkeypatch):
    given = []
    ended = []
    monkeypatch.setattr("instrument.models.probe.main", lambda arguments: given.append(arguments) or 3)
    monkeypatch.setattr(sys, "argv", ["hocket", "--process", "bundle-probe", "some folder"])

    def leave(status):
        ended.append(status)
        raise SystemExit(status)

    monkeypatch.setattr(processes.os, "_exit", leave)
    with pytest.raises(SystemExit):
        cli.main()
    assert (given, ended) == ([["some folder"]], [3])


def test_an_unknown_process_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["hocket", "--process", "nothing"])
    with pytest.raises(SystemExit, match="unknown process 'nothing': give one of engine, note-worker"):
        cli.main()
