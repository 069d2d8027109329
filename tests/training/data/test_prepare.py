"""`prepare`, with real files, real processes and real kills."""

import csv
import io
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import msgspec
import numpy as np
import pytest

from instrument.errors import HocketError
from instrument.music.midifile import read_midi, write_midi
from instrument.music.notes import Part, Piece, tidy
from training.data import sources
from training.data.licences import licence_allows_shipping
from training.data.notes import harmony, midi, prepare, writing
from training.data.notes.prepare import _read_batch
from training.data.notes.shards import INDEX_NAME, Shards, shard_name

FIXTURES = Path(__file__).parents[2] / "fixtures" / "midi"
COLUMNS = ("path", "dataset", "genre", "subgenre", "licence", "split", "drums_only", "realised")
ROWS = (
    ("lead/scarborough.mid", "lead", "folk", "ballad", "MIT", "train", "0", "0", "openewld_scarborough_fair.mid"),
    ("lead/copy.mid", "lead", "folk", "", "MIT", "train", "0", "0", "openewld_scarborough_fair.mid"),
    ("lead/pop.mid", "lead", "pop", "", "GPL-2.0", "valid", "0", "1", "pop909_098.mid"),
    ("drums/fill.mid", "drums", "jazz", "", "CC-BY-4.0", "test", "1", "0", "groove_jazz_fill.mid"),
    ("drums/broken.mid", "drums", "jazz", "", "CC-BY-4.0", "train", "0", "0", ""),
    ("drums/absent.mid", "drums", "jazz", "", "CC-BY-4.0", "train", "0", "0", None),
)  # fmt: skip


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """A folder with a manifest: one dataset in a zip, the other in plain files."""
    folder = tmp_path / "collection"
    (folder / "drums").mkdir(parents=True)
    with zipfile.ZipFile(folder / "lead.zip", "w") as archive:
        for path, dataset, *_, fixture in ROWS:
            if fixture is None:
                continue
            data = (FIXTURES / fixture).read_bytes() if fixture else b"MThd\0\0\0\6garbage"
            if dataset == "lead":
                archive.writestr(path, data)
            else:
                (folder / path).write_bytes(data)
    write_manifest(folder, [row[:-1] for row in ROWS])
    return folder


def write_manifest(folder: Path, rows: list[tuple[str, ...]]) -> None:
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])


def tune(path: Path, seed: int, count: int = 40) -> None:
    rng = np.random.default_rng(seed)
    notes = np.zeros((count, 6), np.int32)
    notes[:, 0] = np.arange(count) * 12
    notes[:, 2] = rng.integers(50, 80, count)
    notes[:, 3:] = 12, 80, Part.MELODY
    path.parent.mkdir(parents=True, exist_ok=True)
    write_midi(Piece(tidy(notes)), path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A plain folder of thirty tunes in two genres and one without."""
    for i in range(30):
        tune(tmp_path / "tunes" / ("polka", "waltz/slow", "")[i % 3] / f"{i:02}.mid", i)
    return tmp_path / "tunes"


def skipped(out: Path) -> dict[str, str]:
    with (out / "skipped.csv").open(newline="") as file:
        return {row["path"]: row["reason"] for row in csv.DictReader(file)}


def test_a_collection_with_a_manifest(collection, tmp_path):
    shards = prepare.prepare(collection, tmp_path / "out", jobs=2)
    by_path = {p.path: p for p in shards.pieces}
    assert list(by_path) == ["drums/fill.mid", "lead/copy.mid", "lead/pop.mid"]
    fill, tune_, pop = by_path.values()
    assert (fill.genre, fill.split, fill.drums_only, fill.realised) == ("jazz", "test", True, False)
    assert (pop.genre, pop.split, pop.licence, pop.realised) == ("pop", "valid", "GPL-2.0", True)
    assert tune_.velocity_constant is False
    assert {text.split()[0] for _, text in pop.markers} == {"chord", "key"}
    reasons = skipped(tmp_path / "out")
    assert reasons["lead/scarborough.mid"] == "has the notes of lead/copy.mid"
    assert "no MIDI file" in reasons["drums/broken.mid"]
    assert "No such file" in reasons["drums/absent.mid"]
    assert all(p.weight == 1 for p in shards.pieces)


def test_what_stands_before_damage_is_kept_with_a_warning(folder, tmp_path, capsys):
    prepare.prepare(folder, tmp_path / "out", jobs=1)
    assert not (tmp_path / "out" / "warnings.csv").exists()
    path = folder / "polka" / "00.mid"
    path.write_bytes(path.read_bytes()[:-20])
    shards = prepare.prepare(folder, tmp_path / "out", jobs=1)
    assert 0 < next(p.count for p in shards.pieces if p.path == "polka/00.mid") < 40
    with (tmp_path / "out" / "warnings.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == ["polka/00.mid"]
    assert "the last 20 of its" in rows[0]["warning"]
    assert "warnings.csv" in capsys.readouterr().err


def test_shards_give_back_the_pieces(collection, tmp_path):
    prepare.prepare(collection, tmp_path / "out", jobs=1)
    shards = Shards.open(tmp_path / "out")
    for info in shards.pieces:
        rows = shards.notes(info)
        assert isinstance(rows, np.memmap)
        assert rows.dtype == np.int32
        assert rows.shape == (info.count, 6)
        assert not rows.flags.writeable
    info = next(p for p in shards.pieces if p.genre == "folk")
    expected = read_midi(FIXTURES / "openewld_scarborough_fair.mid")
    piece = shards.piece(info)
    np.testing.assert_array_equal(piece.notes, expected.notes)
    assert piece.metres == expected.metres
    length = (piece.notes[:, 0] + piece.notes[:, 3]).max() - piece.notes[0, 0]
    assert info.seconds == pytest.approx(length / 24 / info.bpm * 60, abs=0.01)


def test_both_readers_agree():
    paths = sorted(FIXTURES.glob("*.mid"))
    assert paths
    for path in paths:
        bulk, _ = midi.read(path.read_bytes())
        single = read_midi(path)
        np.testing.assert_array_equal(bulk.notes, single.notes)
        assert bulk.metres == single.metres
        assert bulk.markers == single.markers
        np.testing.assert_allclose(bulk.tempos, single.tempos, rtol=1e-5)


def test_selection_and_licences(collection, tmp_path):
    shards = prepare.prepare(collection, tmp_path / "out", jobs=1)

    def paths(**chosen):
        return [p.path for p in shards.select(**chosen)]

    assert paths(split="test") == ["drums/fill.mid"]
    assert paths(genres=["pop", "folk"]) == ["lead/copy.mid", "lead/pop.mid"]
    assert paths(ship_only=True) == ["drums/fill.mid", "lead/copy.mid"]
    assert paths(drums_only=False, realised=False) == ["lead/copy.mid"]
    assert not licence_allows_shipping("LMMS repository licence GPL-2.0")
    assert licence_allows_shipping("Creative Commons Attribution-ShareAlike 4.0")


def test_the_chords_of_every_piece_are_kept(collection, tmp_path):
    shards = prepare.prepare(collection, tmp_path / "out", jobs=1)
    chords = harmony.PieceChords(shards)
    for info in shards.pieces:
        changes = chords.of(info)
        assert (len(changes) > 0) == (not info.drums_only)
        assert (np.diff(changes[:, 0]) > 0).all()
    before = (tmp_path / "out" / harmony.NAME).read_bytes()
    (tmp_path / "out" / harmony.NAME).unlink()
    prepare.prepare(collection, tmp_path / "out", jobs=1)  # complete but for the chords
    assert (tmp_path / "out" / harmony.NAME).read_bytes() == before
    none = {"places": np.zeros((0, 2), np.int64), "starts": np.zeros(1, np.int64), "changes": harmony.NO_CHANGES}
    np.savez(tmp_path / "out" / harmony.NAME, **none)
    with pytest.raises(HocketError, match="belongs to other pieces"):
        harmony.PieceChords(shards)


def test_pieces_can_be_weighed_and_left_out(collection, tmp_path):
    shards = prepare.prepare(
        collection, tmp_path / "out", jobs=1, drums_only=0, realised=0.5, licence="gpl", licence_weight=0.5
    )
    assert {p.path: p.weight for p in shards.pieces} == {"lead/copy.mid": 1, "lead/pop.mid": 0.25}
    assert skipped(tmp_path / "out")["drums/fill.mid"] == "weight 0"
    with pytest.raises(HocketError, match="no piece is left of 6 files"):
        prepare.prepare(collection, tmp_path / "none", jobs=1, licence=".", licence_weight=0)


def test_any_folder_will_do(folder, tmp_path):
    (folder / "polka" / "again.mid").write_bytes((folder / "polka" / "00.mid").read_bytes())
    (folder / "notes.txt").write_text("no music")
    shards = prepare.prepare(folder, tmp_path / "out", jobs=2)
    assert len(shards.pieces) == 30
    assert {p.genre for p in shards.pieces} == {"polka", "waltz", "none"}
    assert {p.split for p in shards.pieces} == {"train", "valid", "test"}
    assert list(skipped(tmp_path / "out")) == ["polka/again.mid"]
    # A piece keeps its split when the rest of the folder changes.
    splits = {p.path: p.split for p in shards.pieces}
    for i in range(30, 40):
        tune(folder / f"{i}.mid", i)
    more = {p.path: p.split for p in prepare.prepare(folder, tmp_path / "more", jobs=2).pieces}
    moved = [path for path, split in splits.items() if more[path] != split]
    assert len(moved) <= 2  # the ones that stood in for an empty split


def test_a_handful_of_files_has_every_split(tmp_path):
    for i in range(3):
        tune(tmp_path / "few" / f"{i}.mid", i)
    assert {p.split for p in prepare.prepare(tmp_path / "few", tmp_path / "out").pieces} == {
        "train",
        "valid",
        "test",
    }


def test_the_order_of_work_does_not_matter_and_finished_is_quick(folder, tmp_path, monkeypatch, capsys):
    first = prepare.prepare(folder, tmp_path / "a", jobs=1).data_hash
    monkeypatch.setattr(prepare, "BATCH_FILES", 8)
    assert prepare.prepare(folder, tmp_path / "b", jobs=3).data_hash == first
    monkeypatch.setattr(prepare, "_read_all", None)  # is not needed again
    assert prepare.prepare(folder, tmp_path / "b").data_hash == first
    assert "is complete: 30 pieces" in capsys.readouterr().err
    assert not (tmp_path / "b" / ".cache").exists()


def test_large_data_is_kept_in_several_shards(folder, tmp_path, monkeypatch):
    whole = prepare.prepare(folder, tmp_path / "a", jobs=1)
    monkeypatch.setattr(writing, "SHARD_NOTES", 300)
    parted = prepare.prepare(folder, tmp_path / "b", jobs=1)
    assert len({p.shard for p in parted.pieces}) > 2
    for one, other in zip(whole.pieces, parted.pieces, strict=True):
        np.testing.assert_array_equal(whole.notes(one), parted.notes(other))


def test_a_killed_run_goes_on(folder, tmp_path):
    out = tmp_path / "out"
    program = (
        "from pathlib import Path; from training.data.notes import prepare; prepare.BATCH_FILES = 3\n"
        f"if __name__ == '__main__': prepare.prepare(Path({str(folder)!r}), Path({str(out)!r}), jobs=1)"
    )
    script = tmp_path / "run.py"
    script.write_text(program)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    running = subprocess.Popen([sys.executable, script], env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(out.glob(".cache/*.json")):
        assert time.monotonic() < deadline, "no batch was read"
        assert running.poll() is None
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait(10)
    assert not (out / INDEX_NAME).exists()
    kept = list(out.glob(".cache/*.json"))
    assert 0 < len(kept) < 10
    subprocess.run([sys.executable, script], env=environment, check=True, timeout=120)
    assert Shards.open(out).data_hash == prepare.prepare(folder, tmp_path / "whole").data_hash


def deadly(folder: Path, batch: list[sources.Source], cache: Path) -> None:
    """A reader that one file crashes, as damaged files have done to parsers."""
    if any(s.path == "tunes/1.mid" for s in batch):
        os.kill(os.getpid(), signal.SIGSEGV)
    _read_batch(folder, batch, cache)


def test_a_file_that_crashes_the_reader_is_left_out_alone(tmp_path, monkeypatch):
    for i in range(6):
        tune(tmp_path / "all" / "tunes" / f"{i}.mid", i)
    monkeypatch.setattr(prepare, "_read_batch", deadly)
    shards = prepare.prepare(tmp_path / "all", tmp_path / "out", jobs=2)
    assert [p.path for p in shards.pieces] == [f"tunes/{i}.mid" for i in (0, 2, 3, 4, 5)]
    assert skipped(tmp_path / "out") == {"tunes/1.mid": "it makes the reader crash or hang"}


def hanging(folder: Path, batch: list[sources.Source], cache: Path) -> None:
    time.sleep(600)


def test_a_file_that_hangs_the_reader_is_given_up(tmp_path, monkeypatch):
    tune(tmp_path / "all" / "0.mid", 0)
    monkeypatch.setattr(prepare, "_read_batch", hanging)
    monkeypatch.setattr(prepare, "BATCH_SECONDS", 0.5)
    with pytest.raises(HocketError, match=r"0\.mid: it makes the reader crash or hang"):
        prepare.prepare(tmp_path / "all", tmp_path / "out", jobs=1)


def failing(folder: Path, batch: list[sources.Source], cache: Path) -> None:
    sys.exit(prepare.CANNOT_WRITE)


def test_a_full_disk_is_named(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(prepare, "_read_batch", failing)
    with pytest.raises(HocketError, match="is the disk full"):
        prepare.prepare(folder, tmp_path / "out", jobs=1)


def test_bad_sources_are_named(tmp_path):
    with pytest.raises(HocketError, match="not a folder"):
        prepare.prepare(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(HocketError, match="holds no MIDI files"):
        prepare.prepare(tmp_path, tmp_path / "out")
    with pytest.raises(HocketError, match="regular expression"):
        prepare.prepare(tmp_path, tmp_path / "out", licence="(")
    with pytest.raises(HocketError, match="weight"):
        prepare.prepare(tmp_path, tmp_path / "out", realised=-1)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("a.mid", "d", "folk", "", "MIT", "practice", "0", "0"), "line 2: split is 'practice'"),
        (("../a.mid", "d", "folk", "", "MIT", "train", "0", "0"), "not inside the folder"),
        (("/etc/passwd", "d", "folk", "", "MIT", "train", "0", "0"), "not inside the folder"),
        (("a.mid", "../d", "folk", "", "MIT", "train", "0", "0"), "not inside the folder"),
        (("a.mid",), "line 2"),
    ],
)
def test_bad_manifests_are_named(tmp_path, row, reason):
    write_manifest(tmp_path, [row])
    with pytest.raises(HocketError, match=reason):
        sources.find(tmp_path)


def test_manifests_that_are_no_manifests(tmp_path):
    (tmp_path / "manifest.csv").write_text("a,b\n1,2\n")
    with pytest.raises(HocketError, match="no column 'path'"):
        sources.find(tmp_path)
    (tmp_path / "manifest.csv").write_bytes(b"\xff\xfe\0")
    with pytest.raises(HocketError, match="cannot be read"):
        sources.find(tmp_path)
    write_manifest(tmp_path, [("d/a.mid", "d", "folk", "", "MIT", "train", "0", "0")])
    (tmp_path / "d.zip").write_bytes(b"no zip")
    (source,) = sources.find(tmp_path)
    assert source.problem.startswith("d.zip: it cannot be read as an archive")


def test_damaged_shards_are_named(collection, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(HocketError, match="prepare"):
        Shards.open(out)
    prepare.prepare(collection, out, jobs=1)
    shard = out / shard_name(0)
    whole = shard.read_bytes()
    for data, reason in (
        (whole[:40], "cannot be read"),
        (_npy(np.zeros((3, 6), np.int64)), "is no shard"),
        (_npy(np.zeros((3, 6), np.int32)), "too short"),
    ):
        shard.write_bytes(data)
        shards = Shards.open(out)
        with pytest.raises(HocketError, match=reason):
            shards.notes(shards.pieces[-1])
    index = out / INDEX_NAME
    facts = msgspec.json.decode(index.read_bytes())
    for data in (b"", b"{}", b"[1]", msgspec.json.encode(facts | {"version": 99})):
        index.write_bytes(data)
        with pytest.raises(HocketError, match=INDEX_NAME):
            Shards.open(out)
    shutil.rmtree(out)


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_what_is_shown_is_a_bar_and_a_summary(collection, tmp_path, capsys):
    prepare.prepare(collection, tmp_path / "out", jobs=1)
    shown = capsys.readouterr().err
    assert "3 pieces" in shown
    assert "3 files left out" in shown
