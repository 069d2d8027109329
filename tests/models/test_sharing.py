"""Models as files: out, in again, and what is refused."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from instrument.errors import HocketError
from instrument.models import sharing
from instrument.models.catalog import find_model
from instrument.models.sharing import export_model, import_model
from instrument.paths import models_dirs

SLUG = "musicvae-drums2"


@pytest.fixture
def shared(tmp_path) -> Path:
    """A model that ships, as a file."""
    return export_model(SLUG, tmp_path / "drums.hocket")


@pytest.fixture
def elsewhere(shared, tmp_path, monkeypatch) -> Path:
    """A machine where nothing is installed: its folder of models."""
    mine = tmp_path / "elsewhere" / "models"
    for module in (sharing, "instrument.models.catalog"):
        monkeypatch.setattr(f"{getattr(module, '__name__', module)}.models_dirs", lambda: [mine])
    return mine


def rewritten(file: Path, change) -> Path:
    """A copy whose members are changed: a function of a name and its bytes gives the new (name, bytes) pairs."""
    out = file.with_name("changed.hocket")
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            for new, data in change(name, source.read(name)):
                target.writestr(new, data)
    return out


def test_a_model_goes_out_and_comes_in_with_card_and_licence(shared, elsewhere):
    folder = import_model(shared)
    assert folder == elsewhere / SLUG
    entry = find_model(SLUG)
    assert entry.path == folder
    assert not entry.problem
    assert "CC BY-SA" in (folder / "LICENCE.txt").read_text()
    assert (folder / "CARD.md").is_file()
    assert import_model(shared) == folder  # again: it is there
    assert [path.name for path in elsewhere.iterdir()] == [SLUG]


def test_the_same_model_gives_the_same_file(shared, tmp_path):
    assert export_model(SLUG, tmp_path / "again.hocket").read_bytes() == shared.read_bytes()


def test_what_is_installed_is_not_replaced(shared, elsewhere):
    folder = import_model(shared)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["knobs"][0]["default"] = "none" if manifest["knobs"][0]["default"] != "none" else "rock"
    manifest["codec"] = {"steps": 7}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(HocketError, match="another model 'musicvae-drums2' is installed"):
        import_model(shared)
    assert json.loads((folder / "manifest.json").read_text()) == manifest


def test_a_file_in_the_way_stays(shared):
    before = shared.read_bytes()
    with pytest.raises(HocketError, match="exists: move it away"):
        export_model(SLUG, shared)
    assert shared.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda name, data: [(f"../{name}", data)], "a member '../"),
        (lambda name, data: [(f"/{name}", data)], "a member '/"),
        (lambda name, data: [(name, data), (f"other/{Path(name).name}", data)], "2 folders"),
        (lambda name, data: [(name, data), (f"{name}.d/x", b"")], "a member"),
        (lambda name, data: [(name.replace(SLUG, "renamed"), data)], "its folder is 'renamed'"),
        (lambda name, data: [] if name.endswith("manifest.json") else [(name, data)], "manifest"),
        (lambda name, data: [(name, data[:-9] if name.endswith(".onnx") else data)], "damaged"),
        (lambda name, data: [(name, data + b" " if name.endswith("golden.npz") else data)], "damaged"),
        (lambda name, data: [(name, b"no JSON" if name.endswith("manifest.json") else data)], "manifest"),
    ],
)
def test_a_strangers_file_is_refused_with_the_reason(shared, elsewhere, change, reason):
    with pytest.raises(HocketError, match=reason):
        import_model(rewritten(shared, change))
    assert list(elsewhere.iterdir()) == []  # nothing is left behind


def test_what_is_no_zip_or_too_large_is_refused(shared, elsewhere, monkeypatch, tmp_path):
    (tmp_path / "text.hocket").write_text("hello")
    for file, reason in ((tmp_path / "text.hocket", "no model"), (tmp_path / "none.hocket", "there is no file")):
        with pytest.raises(HocketError, match=reason):
            import_model(file)
    cut = tmp_path / "cut.hocket"
    cut.write_bytes(shared.read_bytes()[:-1000])
    with pytest.raises(HocketError, match="damaged"):
        import_model(cut)
    monkeypatch.setattr(sharing, "MOST_BYTES", 1000)
    with pytest.raises(HocketError, match="unpacks to over"):
        import_model(shared)
    assert not models_dirs()[-1].joinpath(SLUG).exists()
    shutil.rmtree(elsewhere)
