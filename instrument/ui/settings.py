"""The saved settings of the window: its size and its zoom factor."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSettings

from instrument.errors import HocketError
from instrument.saved import Format

FORMAT = Format(version=1, migrations={})
FIRST = "1"  # Hocket 0.1 wrote no version


def open_settings(path: Path) -> tuple[QSettings, str]:
    """The settings of a file, migrated to the present version, and a notice for the user or "".

    A file that this version cannot read is left unchanged. Then the settings are kept in another file, and the
    notice says why.
    """
    settings = QSettings(str(path), QSettings.Format.IniFormat)
    try:
        _migrate(settings, f"the file of the window's settings {path}")
    except (HocketError, ValueError) as error:
        own = path.with_stem(f"{path.stem}-{FORMAT.version}")
        return QSettings(str(own), QSettings.Format.IniFormat), str(error)
    return settings, ""


def _migrate(settings: QSettings, what: str) -> None:
    version = str(settings.value("version", FIRST))
    fields = {key: settings.value(key) for key in settings.allKeys()}
    found = int(version) if version.isdecimal() else version
    for key, value in FORMAT.upgraded(fields | {"version": found}, what).items():
        if value != fields.get(key):
            settings.setValue(key, value)
