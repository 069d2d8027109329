"""The player's folders: where the platform has them, and found where version 0.1 had them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from instrument import paths
from instrument.errors import HocketError


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A home folder, without any of the variables that choose others."""
    for name in ("HOCKET_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def filled(folder: Path) -> Path:
    """A folder of version 0.1 with a file in it."""
    folder.mkdir(parents=True)
    (folder / "kept.json").write_text("{}")
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="the paths of Linux")
def test_on_linux_they_are_where_version_0_1_had_them(home, monkeypatch):
    assert paths.models_dirs()[-1] == home / ".local" / "share" / "hocket" / "models"
    assert paths.patches_dir() == home / ".local" / "share" / "hocket" / "patches"
    assert paths.state_dir() == home / ".local" / "state" / "hocket"
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "a"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "b"))
    assert paths.patches_dir() == home / "a" / "hocket" / "patches"
    assert paths.state_dir() == home / "b" / "hocket"


def test_one_variable_puts_them_all_in_one_place(home, monkeypatch):
    monkeypatch.setenv("HOCKET_HOME", str(home / "here"))
    assert paths.patches_dir() == home / "here" / "patches"
    assert paths.state_dir() == home / "here" / "state"


@pytest.mark.parametrize("state", ["old/state", "other"])
def test_folders_of_version_0_1_in_another_place_are_moved_once(home, monkeypatch, state):
    old = {"data": filled(home / "old"), "state": filled(home / state)}
    new = {"data": home / "data" / "new", "state": home / "state" / "new"}
    monkeypatch.setattr(paths, "_folders_0_1", lambda: old)
    monkeypatch.setattr(paths, "_folders", lambda: new)
    assert paths.state_dir() == new["state"]
    assert (new["state"] / "kept.json").is_file()
    assert (paths.patches_dir().parent / "kept.json").is_file()
    assert not old["data"].exists()
    filled(old["data"])
    assert paths.patches_dir() == new["data"] / "patches"
    assert (old["data"] / "kept.json").is_file(), "what is there stays as it is"


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_the_state_is_found_within_the_data(home, monkeypatch, platform):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv("LOCALAPPDATA", str(home / "Local"))
    before = paths._folders_0_1()
    filled(before["state"])
    monkeypatch.setattr(paths, "_folders", lambda: {"data": home / "new", "state": home / "new" / "state"})
    assert (paths.state_dir() / "kept.json").is_file()
    assert not before["data"].exists()


def test_on_macos_they_are_where_version_0_1_had_them(home, monkeypatch):
    from platformdirs.macos import MacOS

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("platformdirs.PlatformDirs", MacOS)
    assert paths._folders() == paths._folders_0_1()


def test_what_cannot_be_moved_is_named(home, monkeypatch):
    old, new = filled(home / "old"), home / "file" / "new"
    (home / "file").write_text("")
    monkeypatch.setattr(paths, "_folders_0_1", lambda: {"data": old, "state": old / "state"})
    monkeypatch.setattr(paths, "_folders", lambda: {"data": new, "state": new / "state"})
    with pytest.raises(HocketError, match=r"cannot move .*/old to .*/file/new \(.*\): move it by hand"):
        paths.models_dirs()


def test_a_home_that_cannot_be_written_has_a_private_folder_elsewhere(home, monkeypatch):
    (home / "file").write_text("")
    (home / "temporary").mkdir()
    monkeypatch.setenv("HOME", str(home / "file"))  # nothing can be made within, not even by root
    monkeypatch.setattr(paths.tempfile, "tempdir", str(home / "temporary"))
    state = paths.state_dir()
    assert state.parent == home / "temporary"
    assert str(state) in paths.read_only_home()
    assert state.stat().st_mode & 0o077 == 0 or sys.platform == "win32"
    assert not paths.patches_dir(make=False).exists()
    with pytest.raises(HocketError, match="cannot create the folder"):
        paths.patches_dir()
    state.chmod(0o755)
    if sys.platform != "win32":
        with pytest.raises(HocketError, match="is not private to you"):
            paths.state_dir()


def test_a_state_that_was_there_before_the_home_became_read_only_is_left(home, monkeypatch):
    usual = paths.state_dir()
    assert paths.read_only_home() == ""
    monkeypatch.setattr(paths.tempfile, "tempdir", str(home))
    monkeypatch.setattr(paths.os, "access", lambda path, mode: Path(path) != usual)
    assert paths.state_dir() != usual
