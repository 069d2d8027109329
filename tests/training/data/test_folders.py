"""Folders as people have them: links, archives, odd files, and the layouts of known data sets."""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from instrument.errors import HocketError
from instrument.music.midifile import write_midi
from instrument.music.notes import Part
from tests.support.corpus import GENRES, tune
from training.data import sources, tree
from training.data.notes import midi
from training.data.notes.prepare import prepare
from training.data.sound.sources import find_files, kind_of


def written(path: Path, seed: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parent / "tune.mid").unlink(missing_ok=True)
    write_midi(tune(seed, GENRES["march"]), path.parent / "tune.mid")
    (path.parent / "tune.mid").rename(path)
    return path


def skipped(out: Path) -> dict[str, str]:
    with (out / "skipped.csv").open(newline="", encoding="utf-8") as file:
        return dict(list(csv.reader(file))[1:])


def test_links_are_followed_once_and_hidden_files_are_left_out(tmp_path):
    written(tmp_path / "elsewhere" / "far.mid")
    written(tmp_path / "in" / "near.mid")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "in")
    written(tmp_path / "in" / "._near.mid")
    written(tmp_path / "in" / "__MACOSX" / "a.mid")
    assert sorted(tree.files(tmp_path / "in")) == ["link/far.mid", "near.mid"]


def test_all_kinds_of_midi_files_are_read_and_others_counted(tmp_path, capsys):
    for number, suffix in enumerate((".mid", ".MIDI", ".kar", ".smf", ".rmi")):
        written(tmp_path / "in" / f"a{number}{suffix}", number)
    for name in ("a.m4a", "b.m4a", "notes"):
        (tmp_path / "in" / name).write_bytes(b"x")
    shards = prepare(tmp_path / "in", tmp_path / "out", jobs=1)
    assert len({p.path for p in shards.pieces if "#" not in p.path}) == 5
    said = capsys.readouterr().err
    assert "not read: 2 files .m4a" in said
    assert "not read: 1 files without a suffix" in said


def test_archives_are_folders_and_one_that_is_broken_or_encrypted_is_a_line(tmp_path):
    data = written(tmp_path / "a.mid").read_bytes()
    folder = tmp_path / "in"
    folder.mkdir()
    with zipfile.ZipFile(folder / "jigs.zip", "w") as archive:
        archive.writestr("one/a.mid", data)
        archive.writestr("../b.mid", data)
        archive.writestr("._c.mid", data)
        archive.writestr("readme.txt", "no music")
    with zipfile.ZipFile(folder / "locked.zip", "w") as archive:
        archive.writestr("x.mid", data)
    locked = bytearray((folder / "locked.zip").read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(mark) + at] |= 1
    (folder / "locked.zip").write_bytes(locked)
    (folder / "torn.zip").write_bytes((folder / "jigs.zip").read_bytes()[:40])
    shards = prepare(folder, tmp_path / "out", jobs=1)
    assert {(p.path, p.genre) for p in shards.pieces if "#" not in p.path} == {("jigs/one/a.mid", "jigs")}
    why = skipped(tmp_path / "out")
    assert why["locked/x.mid"] == "it is encrypted: unpack it first"
    assert "cannot be read as an archive" in why["torn.zip"]


def test_a_name_that_is_no_text_is_a_line(tmp_path):
    written(tmp_path / "in" / "good.mid")
    try:
        os.rename(written(tmp_path / "in" / "bad.mid", 2), os.fsencode(tmp_path / "in") + b"/caf\xe9.mid")
    except OSError:
        pytest.skip("this file system takes text alone")
    shards = prepare(tmp_path / "in", tmp_path / "out", jobs=1)
    assert {p.path for p in shards.pieces if "#" not in p.path} == {"good.mid"}
    assert skipped(tmp_path / "out") == {"caf\\xe9.mid": "its name is not UTF-8: rename it"}


def test_a_manifest_needs_paths_alone(tmp_path):
    for number in range(3):
        written(tmp_path / "in" / f"{number}.mid", number)
    (tmp_path / "in" / "manifest.csv").write_text("path,genre,group\n0.mid,folk,x\n1.mid,folk,x\n2.mid,jazz,\n")
    found = sources.find(tmp_path / "in")
    assert [(s.path, s.genre, s.group, s.split) for s in found] == [
        ("0.mid", "folk", "x", ""),
        ("1.mid", "folk", "x", ""),
        ("2.mid", "jazz", "", ""),
    ]


def test_one_genre_for_all_and_bad_groupings(tmp_path):
    written(tmp_path / "in" / "a" / "b.mid")
    assert [s.genre for s in sources.find(tmp_path / "in", genre="tango")] == ["tango"]
    assert [s.genre for s in sources.find(tmp_path / "in")] == ["a"]
    with pytest.raises(HocketError, match="is no regular expression"):
        sources.find(tmp_path / "in", group_by="(")
    with pytest.raises(HocketError, match="choose one of maestro, lakh, lpd"):
        sources.find(tmp_path / "in", layout="mine")


def test_maestro_is_read_by_its_table(tmp_path):
    folder = tmp_path / "maestro-v3.0.0"
    written(folder / "2004" / "a.midi")
    with pytest.raises(HocketError, match=r"has no maestro-v\*\.csv"):
        sources.find(folder, layout="maestro")
    (folder / "maestro-v3.0.0.csv").write_text(
        "canonical_composer,canonical_title,split,year,midi_filename,audio_filename,duration\n"
        "Alban Berg,Sonata Op. 1,validation,2004,2004/a.midi,2004/a.wav,698.6\n"
    )
    (source,) = sources.find(folder, layout="maestro")
    assert (source.genre, source.split, source.dataset) == ("classical", "valid", "maestro")
    assert source.group == "Alban Berg: Sonata Op. 1"
    assert source.licence == "CC BY-NC-SA 4.0"


def test_lakh_keeps_versions_of_a_track_together(tmp_path):
    written(tmp_path / "lmd_matched" / "A" / "B" / "TRABC" / "1.mid")
    written(tmp_path / "lmd_matched" / "A" / "B" / "TRABC" / "2.mid", 2)
    written(tmp_path / "lmd_full" / "0" / "3.mid", 3)
    assert [s.group for s in sources.find(tmp_path, layout="lakh")] == ["", "TRABC", "TRABC"]
    assert [s.genre for s in sources.find(tmp_path, layout="lakh", genre="pop")] == ["pop"] * 3


def roll(path: Path, rolls: list[tuple[dict, np.ndarray]], resolution: int = 24) -> None:
    """As pypianoroll saves it: sparse columns, and a table of tracks."""
    arrays, info = {"tempo": np.full(len(rolls[0][1]), 96.0)}, {"beat_resolution": resolution, "name": "x"}
    for number, (facts, values) in enumerate(rolls):
        columns, rows = np.nonzero(values.T)
        arrays |= {
            f"pianoroll_{number}_csc_data": values[rows, columns],
            f"pianoroll_{number}_csc_indices": rows.astype(np.int32),
            f"pianoroll_{number}_csc_indptr": np.searchsorted(columns, np.arange(129)).astype(np.int32),
            f"pianoroll_{number}_csc_shape": np.array(values.shape),
        }
        info[str(number)] = facts
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("info.json", json.dumps(info))


def test_piano_rolls_are_read(tmp_path):
    piano, drums = np.zeros((96, 128), np.uint8), np.zeros((96, 128), bool)
    piano[0:24, 60], piano[24:48, 64], piano[48:60, 60] = 80, 90, 70
    drums[::24, 36] = True
    path = tmp_path / "in" / "TRABC" / "x.npz"
    roll(path, [({"is_drum": False, "program": 0, "name": "Piano"}, piano), ({"is_drum": True, "program": 0}, drums)])
    raw = midi.parse(path.read_bytes())
    assert (raw.resolution, raw.tempos) == (24, [(0, 96.0)])
    notes = midi.read(path.read_bytes())[0].notes
    own = notes[notes[:, 5] != Part.DRUMS]
    assert own[:, [0, 2, 3, 4]].tolist() == [[0, 60, 24, 80], [24, 64, 24, 90], [48, 60, 12, 70]]
    assert notes[notes[:, 5] == Part.DRUMS][:, 0].tolist() == [0, 24, 48, 72]
    (source,) = sources.find(tmp_path / "in", layout="lpd")
    assert (source.group, source.dataset) == ("TRABC", "lpd")
    np.savez(tmp_path / "in" / "other.npz", values=np.zeros(3))
    prepare(tmp_path / "in", tmp_path / "out", jobs=1)
    assert "no piano roll of pypianoroll" in skipped(tmp_path / "out")["other.npz"]
    for damaged in (path.read_bytes()[:-30], io.BytesIO(b"PK\x03\x04").getvalue()):
        with pytest.raises(HocketError, match="no piano roll"):
            midi.parse(damaged)


def test_midi_beside_sound_and_files_that_are_no_sound_are_said(tmp_path):
    folder = tmp_path / "in"
    written(folder / "rock" / "a.mid")
    soundfile.write(folder / "rock" / "a.wav", np.sin(np.arange(44100 * 4) / 20) / 2, 44100)
    (folder / "rock" / "b.m4a").write_bytes(b"x")
    assert kind_of(folder) == "files"
    found = find_files(folder)
    assert [item.path for item in found.items] == ["rock/a.wav"]
    assert ("*.m4a", "1 files .m4a are not read as sound") in found.rejected
    assert any("1 MIDI files beside sound are not rendered" in reason for _, reason in found.rejected)
