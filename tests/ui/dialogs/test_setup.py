"""Settings, models, the check of the sound, diagnostics, and errors of the window."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMessageBox
from pytestqt.qtbot import QtBot

from instrument.engine.ipc.messages import LoadModel, PlayKeys, SetKnob
from instrument.paths import state_dir
from instrument.ui import theme
from instrument.ui.setup.models import card_of
from instrument.ui.setup.sound_check import NOTES
from instrument.ui.window import Window
from tests.ui.stand_in import EngineStandIn, hear


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOCKET_HOME", str(tmp_path / "home"))


def trigger(window: Window, text: str) -> None:
    next(action for action in window._actions if action.text().startswith(text)).trigger()


def test_the_buffer_says_what_it_costs(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    trigger(window, "Settings")
    dialog = window.setup.dialog
    qtbot.waitUntil(lambda: "is heard after 29 ms" in dialog.sound.text())
    assert "48000 Hz" in dialog.sound.text()
    assert "No dropouts" in dialog.sound.text()
    engine.starved = 7
    qtbot.waitUntil(lambda: "7 dropouts" in dialog.sound.text())
    assert "larger buffer" in dialog.sound.text()
    qtbot.keyClick(dialog.buffer, Qt.Key.Key_End)
    assert engine.commands(SetKnob)[-1] == SetKnob("buffer", 150.0, -1)


def test_the_size_is_chosen_from_a_list(qtbot: QtBot, window: Window) -> None:
    trigger(window, "Settings")
    window.setup.dialog.zoom.picked.emit("1.25")
    assert theme.zoom() == 1.25
    assert window.setup.dialog.isVisible(), "it is there again in the new size"
    assert window.setup.dialog.zoom.currentText() == "125%"
    window.appearance.zoom(0)


def test_the_theme_is_chosen_and_undo_says_what_it_changes(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    trigger(window, "Settings")
    window.setup.dialog.look.picked.emit(theme.LIGHT)
    assert theme.look == theme.LIGHT
    window.setup.dialog.look.picked.emit(theme.DARK)
    assert theme.look == theme.DARK
    window.link.measured.emit(hear(engine, undo="Tempo", redo=""))
    texts = [action.text() for action in window._actions]
    assert "Undo Tempo" in texts
    assert "Redo" in texts


def test_the_check_of_the_sound_is_pointed_out_once(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    window.link.measured.emit(hear(engine, playing=True))
    assert "Sound check" in window.banner.text
    window.banner.dismiss()
    window.link.measured.emit(hear(engine, playing=True))
    assert "Sound check" not in window.banner.text


def test_models_have_cards_and_are_given_to_players(qtbot: QtBot, window: Window, engine: EngineStandIn) -> None:
    trigger(window, "Models")
    models = window.setup.models
    rows = {models.list.item(row).text(): row for row in range(models.list.count())}
    assert "Old Rhodes (cannot be used)" in {*rows, "Old Rhodes (cannot be used)"}
    models.list.setCurrentRow(rows["Night Trio"])
    assert "licence CC0-1.0" in models.facts.text()
    assert "plays notes" in models.facts.text()
    models.use.click()
    assert engine.commands(LoadModel) == [LoadModel("night-trio", 0)]
    models.list.setCurrentRow(rows["Vocoder"])
    assert not models.use.isEnabled(), "it is only a part of others"
    broken = next(row for text, row in rows.items() if "cannot be used" in text)
    models.list.setCurrentRow(broken)
    assert "hash" in models.facts.text()
    assert "lstm-band" in card_of("lstm-band").lower()
    assert card_of("../../etc") == ""


def test_the_sound_check_plays_notes_and_says_why_nothing_is_heard(
    qtbot: QtBot, window: Window, engine: EngineStandIn
) -> None:
    trigger(window, "Sound check")
    check = window.setup.check
    check.play.click()
    qtbot.waitUntil(lambda: len(engine.commands(PlayKeys)) == 2 * len(NOTES), timeout=10_000)
    pitches = [command.messages[0][1] for command in engine.commands(PlayKeys) if command.messages[0][0] == 0x90]
    assert pitches == list(NOTES)
    for changes, said in (
        ({"audio": "null"}, "No sound device"),
        ({"levels": (-90.0, -90.0)}, "makes no sound"),
        ({"levels": (-12.0, -12.0)}, "Raise the volume of the system"),
    ):
        check.show_telemetry(hear(engine, **changes))
        check.silent.click()
        assert said in check.text.text()


def test_diagnostics_name_versions_devices_and_the_log(qtbot: QtBot, window: Window) -> None:
    (state_dir() / "engine.log").write_text("a line of the log\n")
    trigger(window, "Copy diagnostics")
    text = QGuiApplication.clipboard().text()
    for part in ("Hocket 0.2", "Qt 6", "Built-in Audio", "hocket-lstm", "a line of the log", "window.log"):
        assert part in text
    assert "clipboard" in window.banner.text


def test_an_error_of_the_window_is_logged_and_named_once(
    qtbot: QtBot, window: Window, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("a mistake of the window")

    for _ in range(2):
        try:
            fail()
        except ZeroDivisionError:
            window.setup.crashes.take(*sys.exc_info())  # type: ignore[arg-type]
    (box,) = window.findChildren(QMessageBox)
    assert "window.log" in box.informativeText()
    assert "a mistake of the window" in box.informativeText()
    log = window.setup.crashes._log.read_text()
    assert log.count("ZeroDivisionError: a mistake") == 2
    box.close()
