"""The installer: what it asks of apt and pip, and that a second run asks nothing."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the installer serves Linux first")


@pytest.fixture
def install() -> ModuleType:
    """The script as a module of its own, fresh for each test."""
    spec = importlib.util.spec_from_file_location("hocket_install", ROOT / "packaging" / "install.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with a stand-in for apt-get alone; every call is a line of the file returned."""
    log = tmp_path / "calls"
    log.touch()
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "apt-get").write_text(f'#!/bin/sh\necho "$*" >> {log}\n')
    (folder / "apt-get").chmod(0o755)
    (folder / "env").symlink_to("/usr/bin/env")
    monkeypatch.setenv("PATH", str(folder))
    return log


def test_nothing_missing_calls_nothing(install: ModuleType, commands: Path) -> None:
    install.apt_install([])
    assert commands.read_text() == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="asked as root")
def test_root_updates_then_installs_without_questions(
    install: ModuleType, commands: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install.apt_install(["libportaudio2", "xvfb"])
    update, installation = commands.read_text().splitlines()
    assert update.endswith("update")
    assert installation.endswith("install -y --no-install-recommends libportaudio2 xvfb")
    assert capsys.readouterr().out == "hocket: installing system packages: libportaudio2 xvfb\n"


def test_neither_root_nor_sudo_is_one_line(
    install: ModuleType, commands: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit) as stop:
        install.apt_install(["libportaudio2"])
    message = str(stop.value)
    assert message.startswith("hocket: ")
    assert "libportaudio2" in message
    assert "\n" not in message
    assert commands.read_text() == ""


def test_a_failing_apt_shows_its_last_words(
    install: ModuleType, commands: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (commands.parent / "bin" / "apt-get").write_text("#!/bin/sh\necho E: no such package; exit 100\n")
    with pytest.raises(SystemExit, match="no such package"):
        install.apt_install(["libportaudio2"])


@pytest.mark.parametrize(
    ("version", "expected"),
    [((3, 10), False), ((3, 11), True), ((3, 13), True), ((3, 14), False), ((), False)],
)
def test_pythons_in_range(install: ModuleType, version: tuple[int, ...], expected: bool) -> None:
    assert install.in_range(version) is expected


def test_the_range_is_the_projects(install: ModuleType) -> None:
    first, last = install.FIRST, install.LAST
    wanted = f'requires-python = ">={first[0]}.{first[1]},<{last[0]}.{last[1] + 1}"'
    assert wanted in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_a_python_out_of_range_says_what_to_do(install: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "version", lambda python: (3, 10))
    with pytest.raises(SystemExit, match=r"Python 3\.11 to 3\.13 is needed"):
        install.find_python()


def test_compilers_are_wanted_only_where_there_is_no_wheel(
    install: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "COMPILING", {"/no/such/file": "build-essential"})
    monkeypatch.setattr(install, "version", lambda python: (3, 12))
    assert install.python_packages(sys.executable) == []
    monkeypatch.setattr(install, "version", lambda python: (3, 13))
    assert "build-essential" in install.python_packages(sys.executable)


def test_a_stamp_holds_for_these_extras_or_fewer_until_pyproject_changes(
    install: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "STAMP", tmp_path / "hocket.json")
    monkeypatch.setattr(install, "venv_python", lambda: sys.executable)
    assert not install.stamped([])
    install.STAMP.write_text(json.dumps({"key": install.key(), "extras": ["training", "dev"]}))
    assert install.stamped([])
    assert install.stamped(["training", "dev"])
    install.STAMP.write_text(json.dumps({"key": install.key(), "extras": []}))
    assert not install.stamped(["dev"])
    install.STAMP.write_text(json.dumps({"key": "of another day", "extras": ["training", "dev"]}))
    assert not install.stamped([])
    install.STAMP.write_text("damaged")
    assert not install.stamped([])


def test_a_second_start_calls_neither_apt_nor_pip(
    install: ModuleType, commands: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "STAMP", tmp_path / "hocket.json")
    monkeypatch.setattr(install, "venv_python", lambda: sys.executable)
    monkeypatch.setattr(install, "pip_install", lambda extras: pytest.fail("pip was called"))
    monkeypatch.setattr(sys, "argv", ["install.py", "play"])
    install.STAMP.write_text(json.dumps({"key": install.key(), "extras": []}))
    install.main()
    assert commands.read_text() == ""


def test_an_unknown_target_is_one_line() -> None:
    command = [sys.executable, str(ROOT / "packaging" / "install.py"), "everything"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert done.stderr == "hocket: needs one argument: python3 packaging/install.py play|test\n"


def test_a_wheel_carries_what_ships(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="a wheel is built without the network by hatchling alone")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=100)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
    shipped = {path.relative_to(ROOT) for room in ("assets", "models_onnx") for path in (ROOT / room).rglob("*")}
    assert {f"instrument/{path.as_posix()}" for path in shipped if (ROOT / path).is_file()} <= names
    assert {"instrument/paths.py", "training/__init__.py"} <= names
    assert not any(name.startswith(("tests/", "packaging/")) for name in names)
