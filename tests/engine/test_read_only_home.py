"""A home that cannot be written: Hocket plays, records and renders elsewhere."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from instrument.engine.ipc.messages import Play, Quit, Record
from instrument.engine.offline.bounce import bounce
from instrument.engine.offline.render import Options, render
from instrument.engine.performance.patches import list_patches
from tests.support.engine import StartEngine, end, start_engine
from tests.support.players import open_scale

__all__ = ["start_engine"]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="homes of POSIX")


@pytest.fixture(autouse=True)
def read_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A home in which nothing can be made, not even by root, and a folder for temporary files."""
    (tmp_path / "file").touch()
    for name in ("HOCKET_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    with tempfile.TemporaryDirectory(prefix="hocket-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        monkeypatch.setenv("TMPDIR", folder)
        yield


def test_the_engine_plays_and_records(start_engine: StartEngine, tmp_path: Path) -> None:
    engine = start_engine()
    engine.until(lambda: any("home cannot be written" in banner for banner in engine.telemetry.banners))
    engine.client.ask(Record(str(tmp_path / "a.mid")))
    engine.client.ask(Play())
    engine.hear(2)
    engine.client.ask(Quit())
    assert engine.client.process
    end(engine.client.process)
    assert (tmp_path / "a.mid").stat().st_size


def test_patches_are_found_and_rendered(tmp_path: Path) -> None:
    assert "First light" in list_patches()
    bounce(render(Options("scale", bars=1), open_scale), tmp_path / "b.mid")
    assert (tmp_path / "b.mid").stat().st_size
