"""What the window remembers: its size and its zoom."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSettings

from instrument.errors import HocketError
from instrument.saved import Format

FORMAT = Format(version=1, migrations={})
FIRST = "1"  # version 0.1 wrote none


def open_settings(path: Path) -> tuple[QSettings, str]:
    """The settings in a file, brought up to date, and a notice: a file that cannot be read by this program is left as
    it is, and the settings are in another one."""
    settings = QSettings(str(path), QSettings.Format.IniFormat)
    try:
        _bring_up_to_date(settings, f"the file of the window's settings {path}")
    except (HocketError, ValueError) as error:
        own = path.with_stem(f"{path.stem}-{FORMAT.version}")
        return QSettings(str(own), QSettings.Format.IniFormat), str(error)
    return settings, ""


def _bring_up_to_date(settings: QSettings, what: str) -> None:
    version = str(settings.value("version", FIRST))
    fields = {key: settings.value(key) for key in settings.allKeys()}
    found = int(version) if version.isdecimal() else version
    for key, value in FORMAT.upgraded(fields | {"version": found}, what).items():
        if value != fields.get(key):
            settings.setValue(key, value)
