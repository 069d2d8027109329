"""Messages, and choices that are kept."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from instrument.ui.window import Window


def test_messages_do_not_move_anything_and_the_kind_of_recording_is_kept(qtbot: QtBot, window: Window) -> None:
    before = [part.geometry() for part in (window.roll, window.transport, window.footer)]
    window.banner.notify("Something that takes more than one line. " * 12)
    qtbot.waitUntil(window.banner.isVisible)
    QApplication.processEvents()
    assert [part.geometry() for part in (window.roll, window.transport, window.footer)] == before
    assert window.banner.height() > 30
    qtbot.keyClick(window.transport.kind, Qt.Key.Key_Down)
    kind = window.transport.kind.currentText()
    window.appearance.zoom(1)
    assert window.transport.kind.currentText() == kind
    window.appearance.zoom(0)
