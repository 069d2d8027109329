"""The actions of undo and redo say what they would change."""

from __future__ import annotations

from PySide6.QtGui import QAction

from instrument.engine.ipc.messages import Telemetry
from instrument.ui.link import EngineLink


def name_steps(link: EngineLink, undo: QAction, redo: QAction) -> None:
    """Let the two actions follow what the engine reports."""

    def show(report: Telemetry) -> None:
        for action, verb, what in ((undo, "Undo", report.undo), (redo, "Redo", report.redo)):
            if (text := f"{verb} {what}".strip()) != action.text():
                action.setText(text)

    link.measured.connect(show)
