"""The doctor names what is missing and the remedy within its time, and never raises."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
import time
from pathlib import Path

import pytest

from instrument import doctor, paths, probes, system
from instrument.errors import HocketError


def test_all_checks_run_in_time() -> None:
    doctor.check("models")  # the first time it runs the models, and remembers the outcome
    began = time.perf_counter()
    found = doctor.checks()
    assert time.perf_counter() - began < doctor.TIMEOUT_S + 4
    assert [check.name for check in found] == list(doctor.CHECKS)
    for check in found:
        assert check.detail, check
        assert check.ok == (not check.fix), check


def test_what_this_environment_has_is_ok() -> None:
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


def run_code(monkeypatch: pytest.MonkeyPatch, code: str) -> tuple[bool, str]:
    """What the doctor makes of a probe that runs this code."""
    monkeypatch.setattr(doctor, "command", lambda *_: [sys.executable, "-c", code])
    return doctor.run_child("jack")


def test_a_hanging_child_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "TIMEOUT_S", 0.2)
    assert run_code(monkeypatch, "import time; time.sleep(60)") == (False, "no answer within 0.2 s")


def test_a_child_gives_its_last_line_of_output(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_code(monkeypatch, "print('one'); print('two')") == (True, "two")
    assert run_code(monkeypatch, "raise RuntimeError('no such device')") == (False, "RuntimeError: no such device")
    assert run_code(monkeypatch, "import os; os.abort()") == (False, "ended with status -6")


def test_a_probe_that_finds_nothing_says_why_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nothing() -> str:
        raise LookupError("no output device")

    monkeypatch.setitem(probes.PROBES, "audio", nothing)
    assert probes.main(["audio"]) == 1
    assert capsys.readouterr() == ("", "no output device\n")


def test_a_check_that_raises_is_a_failed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> tuple[str, str]:
        raise OSError("oh")

    monkeypatch.setitem(doctor.CHECKS, "machine", broken)
    assert doctor.check("machine") == doctor.Check("machine", False, "OSError: oh", doctor.REINSTALL)


@pytest.mark.parametrize(
    ("system_name", "machine", "needed"),
    [("linux", "x86_64", "onnxruntime-gpu"), ("linux", "aarch64", "onnxruntime"), ("darwin", "x86_64", "onnxruntime")],
)
def test_two_onnxruntimes_are_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, system_name: str, machine: str, needed: str
) -> None:
    versions = {"onnxruntime": "1.22.0", "onnxruntime-gpu": "1.23.2"}
    monkeypatch.setattr(importlib.metadata, "version", versions.__getitem__)
    monkeypatch.setattr(sys, "platform", system_name)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    found = doctor.check("onnxruntime")
    assert not found.ok
    assert (
        found.detail
        == "onnxruntime 1.22.0 and onnxruntime-gpu 1.23.2 are both installed and overwrite each other's files"
    )
    pip = f"{sys.executable} -m pip"
    assert found.fix == f"{pip} uninstall --yes onnxruntime onnxruntime-gpu, then {pip} install {needed}"


def test_the_end_of_the_engines_log_is_shown(hocket_home: str) -> None:
    assert doctor.check("engine log").detail == "none: the engine has not been started yet"
    log = paths.state_dir() / "engine.log"
    log.touch()
    assert doctor.check("engine log") == doctor.Check("engine log", True, f"{log} is empty")
    log.write_bytes(b"x" * doctor.LOG_BYTES + b"\n" + b"".join(b"line %d\n" % i for i in range(12)) + b"\xff")
    found = doctor.check("engine log")
    assert found.ok
    assert found.detail.splitlines() == [
        f"the end of {log}:",
        *(f"line {i}" for i in range(3, 12)),
        "\N{REPLACEMENT CHARACTER}",
    ]


def test_a_log_that_cannot_be_read_is_a_detail(hocket_home: str) -> None:
    (paths.state_dir() / "engine.log").mkdir()
    found = doctor.check("engine log")
    assert found.ok
    assert found.detail.startswith("cannot be read: ")


def test_a_broken_bundle_is_named(hocket_home: str) -> None:
    folder = Path(hocket_home, "models", "torn")
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"slug":')
    found = doctor.check("models")
    assert not found.ok
    assert str(folder) in found.detail


def test_a_model_that_computes_other_values_here_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def compared(folders: list[Path]) -> dict[Path, str]:
        return {folder: "lstm-band computes other values here" * (folder.name == "lstm-band") for folder in folders}

    monkeypatch.setattr("instrument.models.probed.compared", compared)
    found = doctor.check("models")
    assert not found.ok
    assert found.detail == "lstm-band computes other values here"


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
