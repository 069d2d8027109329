"""The window's settings have a version."""

from __future__ import annotations

from PySide6.QtCore import QByteArray

from instrument.saved import Format
from instrument.ui import settings as saved
from instrument.ui.settings import open_settings


def test_what_was_set_comes_back(tmp_path, qapp):
    path = tmp_path / "window.ini"
    settings, notice = open_settings(path)
    settings.setValue("zoom", 1.25)
    settings.setValue("geometry", QByteArray(b"\x01\x02"))
    settings.sync()
    again, _ = open_settings(path)
    assert notice == ""
    assert (float(again.value("zoom")), again.value("geometry"), int(again.value("version"))) == (1.25, b"\x01\x02", 1)


def test_older_settings_are_brought_up_to_date(tmp_path, qapp, monkeypatch):
    path = tmp_path / "window.ini"
    path.write_text("[General]\nscale=1.5\n")
    monkeypatch.setattr(saved, "FORMAT", Format(2, {1: lambda fields: fields | {"zoom": fields["scale"]}}))
    settings, notice = open_settings(path)
    assert (settings.value("zoom"), settings.value("version"), notice) == ("1.5", 2, "")


def test_newer_settings_are_left_as_they_are_and_a_notice_names_both_versions(tmp_path, qapp):
    path = tmp_path / "window.ini"
    path.write_text("[General]\nversion=7\nzoom=1.5\n")
    settings, notice = open_settings(path)
    assert notice == (
        f"the file of the window's settings {path} has version 7, this Hocket reads up to version 1: update Hocket"
    )
    assert settings.value("zoom") is None
    settings.setValue("zoom", 2)
    settings.sync()
    assert path.read_text() == "[General]\nversion=7\nzoom=1.5\n"
    assert open_settings(path)[0].value("zoom") == 2
