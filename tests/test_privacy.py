"""Nothing is told to anybody: libraries that would do so are kept from it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = (
    "from instrument.models.catalog import open_player; open_player('lstm-band')",
    "from instrument.probes import onnxruntime; onnxruntime()",
    "import training.core.graphs",
)
KEPT_FROM_IT = ("CI", "GITHUB_ACTIONS", "TF_BUILD")  # where these are set, onnxruntime reports nothing anyway


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_library_keeps_what_it_would_report(program: str, tmp_path: Path) -> None:
    """onnxruntime has a database of its reports in the cache folder."""
    environment = {
        name: value for name, value in os.environ.items() if name not in KEPT_FROM_IT and not name.startswith("ORT_")
    }
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert [path for path in tmp_path.rglob("*") if "icrosoft" in str(path)] == []
