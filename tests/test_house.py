"""Rules of the repository: import contracts, lint, small files and folders, one version."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

from instrument import __version__
from instrument.engine.surface.naming import document
from instrument.models.catalog import list_models

ROOT = Path(__file__).resolve().parents[1]
LARGEST = 5 * 2**20
LINES = 400
"""Most lines of a file of code."""
MODULES = 16
"""Most modules of a folder, `__init__` not counted."""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)


def tracked(*patterns: str) -> list[Path]:
    done = run("git", "ls-files", "-z", *patterns)
    if done.returncode:
        pytest.skip("not a checkout")
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def test_imports_run_downhill() -> None:
    done = run(tool("lint-imports"), "--no-cache")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("package", ["instrument", "training"])
def test_imports_have_no_circle(package: str) -> None:
    """Imports in functions and for type checking alone are counted."""
    graph = grimp.build_graph(package, cache_dir=None)
    assert graph.modules
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_ruff_finds_nothing() -> None:
    done = run(tool("ruff"), "check", "--no-cache", ".")
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_tracked_file_is_large() -> None:
    large = [path.name for path in tracked() if path.stat().st_size > LARGEST]
    assert not large, f"over {LARGEST >> 20} MiB: {large}"


def test_no_file_of_code_is_long() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in tracked("*.py")
        if (lines := path.read_text(encoding="utf-8").count("\n")) > LINES
    }
    assert not long, f"over {LINES} lines: {long}"


@pytest.mark.parametrize("folder", ["instrument", "training", "tests"])
def test_no_folder_holds_many_modules(folder: str) -> None:
    counts = Counter(path.parent for path in tracked(f"{folder}/*.py") if path.name != "__init__.py")
    assert counts
    full = {str(room.relative_to(ROOT)): count for room, count in counts.items() if count > MODULES}
    assert not full, f"over {MODULES} modules: {full}"


@pytest.mark.parametrize("folder", ["instrument", "training"])
def test_every_folder_of_code_is_a_package(folder: str) -> None:
    folders = {path.parent for path in tracked(f"{folder}/*.py")}
    assert folders
    assert all((path / "__init__.py").is_file() for path in folders)


def test_packaging_is_no_package() -> None:
    assert not (ROOT / "packaging" / "__init__.py").exists(), "it would hide the packaging that pip knows"


@pytest.mark.parametrize(
    ("file", "pattern"), [("CHANGELOG.md", r"^## (\d+\.\d+\.\d+)\b"), ("CITATION.cff", r"^version: (\S+)$")]
)
def test_the_version_is_the_same_everywhere(file: str, pattern: str) -> None:
    found = re.search(pattern, (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    assert found[1] == __version__, (
        "the topmost version of CHANGELOG.md, CITATION.cff and instrument/__init__.py are one"
    )


def test_the_page_of_names_is_that_of_the_tables() -> None:
    page = (ROOT / "docs" / "control.md").read_text(encoding="utf-8")
    assert page == document(list_models()), "write it again: hocket names --markdown > docs/control.md"
