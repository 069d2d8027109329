"""Everything about the setup of the instrument: its dialogs, and the actions that open them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QSettings, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QWidget

from instrument.engine.ipc.messages import Describe, Description, Telemetry
from instrument.log import ENGINE_LOG
from instrument.paths import clips_dir, models_dirs, patches_dir, state_dir
from instrument.ui.fitting import Appearance
from instrument.ui.link import EngineLink
from instrument.ui.setup.crash import WINDOW_LOG, CrashReports
from instrument.ui.setup.diagnostics import diagnostics
from instrument.ui.setup.dialog import SettingsDialog
from instrument.ui.setup.models import ModelBrowser
from instrument.ui.setup.sound_check import SoundCheck

_TOLD = "sound/told"  # key of the settings: the check of the sound was pointed out
_DIAGNOSTICS = "Put versions, devices and the ends of the logs on the clipboard, for a report of a problem"


class Setup(QObject):
    """The dialogs."""

    def __init__(self, window: QWidget, link: EngineLink, settings: QSettings, appearance: Appearance) -> None:
        """settings: remember that the check of the sound was pointed out; appearance: of the window."""
        super().__init__(window)
        self._window, self._link, self._settings, self._appearance = window, link, settings, appearance
        self._studio: QWidget | None = None
        self._say: Callable[[str], object] = lambda text: None
        self._description: Description | None = None
        self._report: Telemetry | None = None
        self.crashes = CrashReports(window, state_dir() / WINDOW_LOG, self.diagnostics)
        self._build()
        link.described.connect(self._described)
        link.measured.connect(self._measured)

    @property
    def actions(self) -> tuple[tuple[str, str, Callable[[], object]], ...]:
        """Rows of the window's table of actions: name, keys, what it does."""
        return (
            ("Settings\u2026", "Ctrl+,", lambda: self._show(self.dialog)),
            ("Models\u2026", "Ctrl+M", self._show_models),
            ("Sound check\u2026", "Ctrl+Shift+K", self._show_check),
            ("Copy diagnostics", "Ctrl+Shift+D", self.copy_diagnostics),
        )

    def show_in(self, studio: QWidget, say: Callable[[str], object]) -> None:
        """Take the parts of the window that were made anew. studio: the panel of clocks, ports and MIDI maps; say:
        shows a text to the user."""
        self._studio, self._say = studio, say

    def rebuild(self) -> None:
        """Make the dialogs anew, for another zoom."""
        shown = self.dialog.isVisible()
        for dialog in (self.dialog, self.models, self.check):
            dialog.deleteLater()
        self._build()
        if self._description is not None:
            self._described(self._description)
        if shown:
            self._show(self.dialog)

    def diagnostics(self) -> str:
        """The text of the diagnostics."""
        logs = state_dir() / ENGINE_LOG, state_dir() / WINDOW_LOG
        return diagnostics(self._description, self._report, logs)

    def copy_diagnostics(self) -> None:
        """Put the diagnostics on the clipboard."""
        QGuiApplication.clipboard().setText(self.diagnostics())
        self._say("Diagnostics are on the clipboard: versions, devices, and the ends of the logs.")

    def _build(self) -> None:
        self.models = ModelBrowser(self._window)
        self.models.asked.connect(self._link.send)
        self.check = SoundCheck(self._window)
        self.check.asked.connect(self._link.send)
        folders = (
            ("Patches", "Your patches", patches_dir),
            ("Models", "Models that you installed", lambda: models_dirs()[-1]),
            ("Clips", "Clips that you kept", clips_dir),
            ("Logs", "The logs, and what is kept between two starts", state_dir),
        )
        rows = (
            (
                "MIDI and sound",
                (
                    ("Ports, clocks, MIDI maps\u2026", "Open the studio panel", self._show_studio),
                    ("Sound check\u2026", "Play four notes, and find out why they are not heard", self._show_check),
                    ("Models\u2026", "What is installed, with cards and licences", self._show_models),
                ),
            ),
            ("Folders", [(text, f"{help}: open the folder", partial(_open, place)) for text, help, place in folders]),
            ("Help", [("Copy diagnostics", _DIAGNOSTICS, self.copy_diagnostics)]),
        )
        self.dialog = SettingsDialog(self._window, rows)
        self.dialog.turned.connect(self._link.turn)
        self.dialog.buffer.gripped.connect(self._link.grip)
        self.dialog.zoomed.connect(self._appearance.zoom_to)
        self.dialog.looked.connect(self._appearance.change_look)

    def _show_studio(self) -> None:
        if self._studio is not None:
            self._studio.show()

    def _show_models(self) -> None:
        self._show(self.models)

    def _show_check(self) -> None:
        self._show(self.check)

    def _show(self, dialog: QWidget) -> None:
        self._link.send(Describe())
        dialog.show()
        dialog.raise_()
        dialog.activateWindow()

    def _described(self, description: Description) -> None:
        self._description = description
        self.models.show_description(description)
        self.dialog.show_description(description)

    def _measured(self, report: Telemetry) -> None:
        self._report = report
        if report.playing and not self._settings.value(_TOLD):
            self._settings.setValue(_TOLD, 1)
            self._say("Do you hear nothing? Sound check, in the menu, finds out why (Ctrl+Shift+K).")
        if self.check.isVisible():
            self.check.show_telemetry(report)
        if self.dialog.isVisible():
            self.dialog.show_telemetry(report)


def _open(place: Callable[[], Path]) -> None:
    folder = place()
    folder.mkdir(parents=True, exist_ok=True)
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
