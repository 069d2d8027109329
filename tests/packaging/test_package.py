"""The files of the .deb and of the frozen program agree with the program. (`make package` builds and tests both.)"""

from __future__ import annotations

import configparser
import importlib.util
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType

import pytest
import typer

from instrument import __version__, cli, system
from instrument.engine.performance.takes import SUFFIX

ROOT = Path(__file__).resolve().parents[2]
DEBIAN = ROOT / "packaging" / "debian"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(name).stem, ROOT / "packaging" / name)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sections(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  (names keep their capitals)
    parser.read(DEBIAN / name, encoding="utf-8")
    return parser


def test_the_man_page_names_every_command_and_option_of_play() -> None:
    page = (DEBIAN / "hocket.1").read_text(encoding="utf-8").replace("\\-", "-")
    commands = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
    for name in commands:
        assert re.search(rf"^\.(B|BR) {name}\b", page, re.MULTILINE), name
    ordinary = {"--help", "--log-level"}
    for parameter in commands["play"].params:
        for option in set(parameter.opts) - ordinary:
            assert option in page or option.upper() in page, option


def test_the_desktop_entry_opens_files_of_the_types_that_are_defined() -> None:
    entry = sections("hocket.desktop")["Desktop Entry"]
    assert entry["Exec"] == "hocket play %f"
    assert entry["Icon"] == entry["StartupWMClass"] == "hocket"  # as QApplication.setDesktopFileName says in ui/app.py
    space = "{http://www.freedesktop.org/standards/shared-mime-info}"
    types = ElementTree.parse(DEBIAN / "hocket.xml").getroot().findall(f"{space}mime-type")
    assert entry["MimeType"].rstrip(";").split(";") == [kind.attrib["type"] for kind in types]
    globs = [glob.attrib["pattern"] for kind in types for glob in kind.findall(f"{space}glob")]
    assert f"*{SUFFIX}" in globs


def test_the_service_starts_a_command_that_exists() -> None:
    service = sections("hocket.service")["Service"]
    words = service["ExecStart"].split()
    assert words[:2] == ["/usr/bin/hocket", "play"]
    options = {option for made in typer.main.get_command(cli.app).commands["play"].params for option in made.opts}  # type: ignore[attr-defined]
    assert set(words[2:]) <= options
    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) >= 10


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a .deb is made on Debian")
def test_the_control_file_asks_for_every_library(monkeypatch: pytest.MonkeyPatch) -> None:
    package = script("package.py")
    monkeypatch.setattr(package, "output", lambda _: "amd64")
    control = dict(line.split(": ", 1) for line in package.control_text(3 << 20).splitlines() if line[0] != " ")
    assert control["Version"] == __version__
    assert control["Installed-Size"] == "3072"
    needed = control["Depends"].split(", ")
    assert len(needed) == len(set(needed))
    assert {library.package for library in system.LIBRARIES} < set(needed)


@pytest.mark.parametrize(
    ("target", "source", "out"),
    [
        ("libonnxruntime_providers_cuda.so", "/venv/onnxruntime/capi/libonnxruntime_providers_cuda.so", True),
        ("PySide6/Qt/lib/libQt6Quick.so.6", "/venv/PySide6/Qt/lib/libQt6Quick.so.6", True),
        ("PySide6/Qt/lib/libQt6Widgets.so.6", "/venv/PySide6/Qt/lib/libQt6Widgets.so.6", False),
        ("libjack.so.0", "/lib/x86_64-linux-gnu/libjack.so.0", True),
        ("libasound.so.2", "/usr/lib/x86_64-linux-gnu/libasound.so.2", True),
        ("libpython3.11.so.1.0", "/lib/x86_64-linux-gnu/libpython3.11.so.1.0", False),
        ("instrument/models_onnx/lstm-band/step.onnx", "/usr/lib/hocket/models_onnx/lstm-band/step.onnx", False),
        ("PySide6\\plugins\\sqldrivers\\qsqlite.dll", "C:\\venv\\PySide6\\plugins\\sqldrivers\\qsqlite.dll", True),
    ],
)
def test_what_is_left_out(target: str, source: str, out: bool) -> None:
    assert script("frozen/contents.py").left_out(target, source) == out


def test_nothing_that_is_left_out_is_imported() -> None:
    excluded = "|".join(re.escape(name) for name in script("frozen/contents.py").EXCLUDED_MODULES)
    found = re.compile(rf"^\s*(?:import|from) (?:{excluded})\b", re.MULTILINE)
    assert [path for path in (ROOT / "instrument").rglob("*.py") if found.search(path.read_text("utf-8"))] == []


def test_the_spec_is_python() -> None:
    """It is run by PyInstaller alone."""
    path = ROOT / "packaging" / "frozen" / "hocket.spec"
    compile(path.read_text(encoding="utf-8"), path, "exec")
