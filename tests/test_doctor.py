"""The doctor names what is missing and the way out, soon, and never faints."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from instrument import doctor, paths, system
from instrument.errors import HocketError


def test_everything_is_looked_at_in_time() -> None:
    began = time.perf_counter()
    found = doctor.checks()
    assert time.perf_counter() - began < doctor.TIMEOUT_S + 4
    assert [check.name for check in found] == list(doctor.CHECKS)
    for check in found:
        assert check.detail, check
        assert check.ok == (not check.fix), check


def test_what_this_environment_has_is_well() -> None:
    for name in ("python", "packages", "onnxruntime", "sound library", "folders"):
        found = doctor.check(name)
        assert found.ok, found


def test_a_missing_library_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = system.Library("libnothing.so.9", "libnothing9", "sound")
    monkeypatch.setattr(system, "LIBRARIES", (*system.LIBRARIES, gone))
    found = doctor.check("sound library")
    assert not found.ok
    assert "libnothing.so.9" in found.detail
    assert "libnothing9" in found.fix


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", (*doctor.PACKAGES, "no_such_module"))
    found = doctor.check("packages")
    assert not found.ok
    assert "no_such_module" in found.detail


def test_a_hanging_driver_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "TIMEOUT_S", 0.2)
    assert doctor.run_child("import time; time.sleep(60)") == (False, "no answer within 0.2 s")


def test_a_child_tells_the_last_line_it_said() -> None:
    assert doctor.run_child("print('one'); print('two')") == (True, "two")
    assert doctor.run_child("raise RuntimeError('no such device')") == (False, "RuntimeError: no such device")
    assert doctor.run_child("import os; os.abort()") == (False, "ended with status -6")


def test_a_look_that_fails_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def faint() -> tuple[str, str]:
        raise OSError("oh")

    monkeypatch.setitem(doctor.CHECKS, "machine", faint)
    assert doctor.check("machine") == doctor.Check("machine", False, "OSError: oh", doctor.REINSTALL)


def test_a_broken_bundle_is_named(hocket_home: str) -> None:
    folder = Path(hocket_home, "models", "torn")
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"slug":')
    found = doctor.check("models")
    assert not found.ok
    assert str(folder) in found.detail


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="displays are named so on Linux")
def test_without_a_display_the_way_is_headless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    found = doctor.check("window")
    assert not found.ok
    assert found.fix == "hocket play --headless"


def test_a_folder_that_cannot_be_made_is_a_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOCKET_HOME", str(tmp_path / "file" / "home"))
    found = doctor.check("folders")
    assert not found.ok
    assert "HOCKET_HOME" in found.fix
    with pytest.raises(HocketError, match="HOCKET_HOME"):
        paths.state_dir()


def test_the_players_folders_follow_hocket_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOCKET_HOME", str(tmp_path))
    assert paths.models_dirs()[-1] == tmp_path / "models"
    assert paths.patches_dir() == tmp_path / "patches"
    assert paths.state_dir() == tmp_path / "state"
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="XDG is Linux's rule")
def test_the_players_folders_follow_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HOCKET_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert paths.patches_dir() == tmp_path / "data" / "hocket" / "patches"
    assert paths.state_dir() == tmp_path / "state" / "hocket"
