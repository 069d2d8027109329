"""A second start brings the first window to the front instead of opening another."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from instrument.errors import HocketError
from instrument.ui import one_window
from instrument.ui.one_window import claim, come_forward
from tests.support.engine import ROOT

CLAIM = """
import sys; from pathlib import Path; from instrument.ui.one_window import claim
claimed = claim(Path(sys.argv[1])); print("claimed" if claimed else "handed over", flush=True)
if claimed: sys.stdin.read()
"""


def start(state: Path) -> subprocess.Popen[str]:
    """Another process that claims the window."""
    return subprocess.Popen(
        [sys.executable, "-c", CLAIM, str(state)],
        env={**os.environ, "PYTHONPATH": str(ROOT), one_window.TOKEN: "a token"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_second_start_calls_the_first_window(qtbot: QtBot, tmp_path: Path) -> None:
    first = claim(tmp_path)
    assert first is not None
    first.listen()
    with qtbot.waitSignal(first.called, timeout=30_000) as called:
        second = start(tmp_path)
    assert called.args == ["a token"]
    assert second.communicate(timeout=30)[0] == "handed over\n"
    first.close()
    third = claim(tmp_path)
    assert third is not None
    third.close()


def test_a_window_that_was_killed_has_no_claim(qtbot: QtBot, tmp_path: Path) -> None:
    killed = start(tmp_path)
    assert killed.stdout is not None
    assert killed.stdout.readline() == "claimed\n"
    killed.kill()
    killed.communicate(timeout=30)
    after = claim(tmp_path)
    assert after is not None
    after.listen()
    with qtbot.waitSignal(after.called, timeout=30_000):
        second = start(tmp_path)
    assert second.communicate(timeout=30)[0] == "handed over\n"
    after.close()


def test_a_window_that_does_not_answer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot) -> None:
    hanging = start(tmp_path)  # without an event loop, so it never answers
    assert hanging.stdout is not None
    assert hanging.stdout.readline() == "claimed\n"
    monkeypatch.setattr(one_window, "WAIT_MS", 200)
    with pytest.raises(HocketError, match=rf"process {hanging.pid}.*does not answer"):
        claim(tmp_path)
    hanging.kill()
    hanging.communicate(timeout=30)


def test_a_minimised_window_comes_forward(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    window.showMinimized()
    come_forward(window)
    assert window.isVisible()
    assert not window.isMinimized()
