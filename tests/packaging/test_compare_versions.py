"""The comparison of two versions: what it calls the same, and what it says of what is not."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import mido
import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[2]
MODELS = [{"slug": "a", "hash": "1", "knobs": ["x"]}, {"slug": "b", "hash": "2", "knobs": []}]


@pytest.fixture
def script() -> ModuleType:
    path = ROOT / "packaging" / "compare_versions.py"
    spec = importlib.util.spec_from_file_location("hocket_compare_versions", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def midi(path: Path, onset: int = 10) -> Path:
    times = (("note_on", onset), ("note_off", 20))
    messages = [mido.Message(kind, note=60, velocity=64, time=time) for kind, time in times]
    mido.MidiFile(tracks=[mido.MidiTrack(messages)]).save(path)
    return path


def sound(path: Path, frames: int = 100, changed: float = 0.0) -> Path:
    samples = np.full((frames, 2), 0.25)
    samples[48, 1] += changed
    soundfile.write(path, samples, 48_000, subtype="PCM_24")
    return path


def models(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def test_equal_files_are_the_same(script: ModuleType, tmp_path: Path) -> None:
    assert script.difference(midi(tmp_path / "a.mid"), midi(tmp_path / "b.mid")) == ""
    assert script.difference(sound(tmp_path / "a.wav"), sound(tmp_path / "b.wav")) == ""
    assert script.difference(models(tmp_path / "a.json", MODELS), models(tmp_path / "b.json", MODELS)) == ""


def test_a_moved_note_is_a_difference(script: ModuleType, tmp_path: Path) -> None:
    before, after = midi(tmp_path / "a.mid", 10), midi(tmp_path / "b.mid", 11)
    size = before.stat().st_size  # header and head of the track are 22 bytes, then comes the note's delta time
    expected = f"byte 22 is the first that differs; {size} bytes before, {size} after"
    assert script.difference(before, after) == expected


def test_a_file_that_goes_on_differs_where_the_other_ends(script: ModuleType, tmp_path: Path) -> None:
    before, after = midi(tmp_path / "a.mid"), tmp_path / "b.mid"
    after.write_bytes(before.read_bytes() + b"\0")
    assert script.difference(before, after).startswith(f"byte {before.stat().st_size} is the first")


def test_a_changed_sample_is_found_down_to_the_last_bit(script: ModuleType, tmp_path: Path) -> None:
    before, after = sound(tmp_path / "a.wav"), sound(tmp_path / "b.wav", changed=2**-23)
    found = script.difference(before, after)
    assert found.startswith("sample 48 of channel 1 (0.001 s) is the first that differs; 1 do")
    assert "1.19e-07" in found


def test_a_shorter_sound_is_a_difference(script: ModuleType, tmp_path: Path) -> None:
    found = script.difference(sound(tmp_path / "a.wav"), sound(tmp_path / "b.wav", frames=99))
    assert found == "(100, 2) samples at 48000 Hz before, (99, 2) at 48000 Hz after"


def test_a_missing_file_is_a_difference(script: ModuleType, tmp_path: Path) -> None:
    there, missing = midi(tmp_path / "a.mid"), tmp_path / "b.mid"
    assert script.difference(there, missing) == "there is no file after"
    assert script.difference(missing, there) == "there is no file before"


def test_a_changed_or_missing_key_of_a_model_is_named(script: ModuleType, tmp_path: Path) -> None:
    changed = [{"slug": "a", "hash": "9", "knobs": ["x"]}, {"slug": "b", "hash": "2"}]
    found = script.difference(models(tmp_path / "a.json", MODELS), models(tmp_path / "b.json", changed))
    assert found == "a: hash was '1', is '9'; b: knobs was [], is missing"


def test_a_model_that_is_gone_is_named(script: ModuleType, tmp_path: Path) -> None:
    found = script.difference(models(tmp_path / "a.json", MODELS), models(tmp_path / "b.json", MODELS[:1]))
    assert found == "the models were a, b, are a"


def test_what_cannot_be_made_is_a_difference_and_not_an_end(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def make(checkout: object, name: str, arguments: object, results: Path) -> None:
        if results.name == "after" and name == "take.mid":
            raise script.Failed("no such knob")
        (results / name).write_text("[]")

    monkeypatch.setattr(script.Checkout, "make", make)
    monkeypatch.setattr(script.Checkout, "models", lambda *_: "[]")
    monkeypatch.setattr(script, "written_take", lambda _: "")
    monkeypatch.setattr(script, "samples_difference", script.bytes_difference)
    folders = [tmp_path / "before", tmp_path / "after"]
    for folder in folders:
        folder.mkdir()
    checkouts = [script.Checkout(ROOT, Path("python")) for _ in folders]
    assert script.compare(*checkouts, *folders, 1, 1) == ["take.mid"]
    lines = capsys.readouterr().out.splitlines()
    assert "take.mid: DIFFERENT: no such knob" in lines
    assert "take.wav: same" in lines


def test_a_command_that_fails_is_told_in_one_line(script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project.scripts]\nhocket = "played.cli:main"\n')
    (tmp_path / "played").mkdir()
    (tmp_path / "played" / "cli.py").write_text("def main():\n    raise ValueError('no such knob')\n")
    checkout = script.Checkout(tmp_path, Path(sys.executable))
    with pytest.raises(script.Failed) as failed:
        checkout.hocket(tmp_path, "models")
    assert str(failed.value) == f"{tmp_path} failed: ValueError: no such knob"


def test_a_checkout_without_its_package_does_not_run_another(script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project.scripts]\nhocket = "instrument.cli:main"\n')
    with pytest.raises(script.Failed, match="has no package instrument"):
        script.Checkout(tmp_path, Path(sys.executable)).hocket(tmp_path, "models", "--json")
