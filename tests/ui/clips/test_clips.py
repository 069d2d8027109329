"""Clips and plans of players are dragged out of a real window into another program, as MIDI files."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from pytestqt.qtbot import QtBot

from instrument.engine.ipc.messages import NoteReport, Press
from instrument.engine.performance.transport import metre_map
from instrument.music.midifile import read_midi, write_midi
from instrument.music.notes import Part
from instrument.paths import clips_dir
from instrument.ui.clips.tray import ClipButton, ClipTray, plan_piece
from instrument.ui.window import Window
from tests.support.engine import ROOT
from tests.support.xvfb import Xvfb
from tests.ui.conftest import engine, engines, look, window
from tests.ui.stand_in import EngineStandIn
from tests.ui.test_real_window import Program

__all__ = ["engine", "engines", "look", "window"]

NOTES = [NoteReport(0, 96 + 24 * i, 0, 60 + i, 12, 90, Part.MELODY) for i in range(4)]


def make_clip(name: str = "2026-01-31 12.00.00 2 bars") -> Path:
    path = clips_dir() / f"{name}.mid"
    write_midi(plan_piece(NOTES, 100, metre_map("4/4")), path)
    return path


def test_a_plan_begins_with_its_bar_in_the_tempo_and_metre(tmp_path: Path) -> None:
    path = tmp_path / "plan.mid"
    write_midi(plan_piece(NOTES, 100, metre_map("3/4")), path)
    piece = read_midi(path, aligned=False)
    assert [int(row[0]) for row in piece.notes] == [24, 48, 72, 96]  # bars of 72 ticks: the second begins at 72
    assert piece.tempos[0][1] == pytest.approx(100)
    assert (piece.metres[0].numerator, piece.metres[0].denominator) == (3, 4)


def test_the_buttons_ask_the_engine_to_keep_bars(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    window.clips.kept.emit("clip/4")
    qtbot.waitUntil(lambda: Press("clip/4") in engine.sent, timeout=5000)


def test_a_clip_appears_when_it_was_kept_and_its_menu_plays_it_and_opens_its_folder(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[QUrl] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    tray = ClipTray(clips_dir())
    qtbot.addWidget(tray)
    assert tray.clips == []
    path = make_clip()
    qtbot.waitUntil(lambda: len(tray.clips) == 1, timeout=10_000)
    played: list[str] = []
    tray.played.connect(played.append)
    assert isinstance(tray.clips[0], ClipButton)
    play, folder = tray.clips[0].menu_of_clip().actions()
    assert not play.isEnabled(), "a clip without its take"
    folder.trigger()
    path.with_suffix(".take.json").touch()
    tray.clips[0].menu_of_clip().actions()[0].trigger()
    assert played == [str(path.with_suffix(".take.json"))]
    assert [url.toLocalFile() for url in opened] == [str(path.parent)]


def test_a_player_that_plans_nothing_says_so(qtbot: QtBot) -> None:
    tray = ClipTray(clips_dir())
    qtbot.addWidget(tray)
    with qtbot.waitSignal(tray.failed, timeout=5000) as failed:
        assert tray._write_plan(2) is None
    assert failed.args == ["player 3 plans nothing at present"]


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[tuple[Program, Callable[[], list[str]], tuple[int, int]]]:
    """Hocket's window, a drop target in another process beside it, and where that is."""
    if not shutil.which("Xvfb") or not shutil.which("xdotool"):
        pytest.skip("Xvfb or xdotool is not installed")
    make_clip()
    server = Xvfb("1600x860")
    target = subprocess.Popen(
        [sys.executable, "-m", "tests.ui.clips.drop_target", "1350", "100"],
        cwd=ROOT,
        env={**os.environ, "DISPLAY": server.display, "QT_QPA_PLATFORM": "xcb"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert target.stdout is not None

    def hear() -> list[str]:
        assert target.stdout is not None
        if not select.select([target.stdout], [], [], 20)[0]:
            return []
        return list(json.loads(target.stdout.readline()))

    try:
        assert target.stdout.readline() == "ready\n"
        program = Program(server, tmp_path, 1)
        yield program, hear, (1450, 200)
        program.close()
    finally:
        target.kill()
        target.communicate()
        server.stop()


@pytest.mark.parametrize("name", ["12.00.00 2 bars", "Plan 1"])
def test_a_file_is_dropped_on_another_program(
    screen: tuple[Program, Callable[[], list[str]], tuple[int, int]], name: str
) -> None:
    program, hear, (to_x, to_y) = screen
    for _ in range(3):  # on a busy machine the window may miss a hand that is too quick
        x, y = program.at(name)
        program.xdotool("mousemove", x, y, "mousedown", 1)
        for part in range(1, 11):  # in steps, as a hand moves: each has to be seen
            program.xdotool("mousemove", round(x + (to_x - x) * part / 10), round(y + (to_y - y) * part / 10))
            time.sleep(0.1)
        program.xdotool("mousemove", to_x + 3, to_y, "mousemove", to_x, to_y)
        time.sleep(0.2)
        program.xdotool("mouseup", 1)
        if dropped := hear():
            break
    (path,) = dropped
    assert Path(path).suffix == ".mid"
    assert len(read_midi(path, aligned=False).notes)
