"""`prepare-audio`, with real files, real sound and real kills."""

import csv
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile

from instrument.errors import HocketError
from tests.support.corpus import write_corpus
from tests.support.sound.corpus import GENRES, level
from training.data.sound import sources as soundsources
from training.data.sound.corpus import INDEX_NAME, Corpus
from training.data.sound.files import LEVEL_RMS
from training.data.sound.plan import Options, plan, split
from training.data.sound.prepare import prepare_audio
from training.data.sound.sources import Item

ROOT = Path(__file__).parents[3]
FONT = ROOT / "assets" / "soundfont" / "hocket.sf3"


def music(path: Path, genre: str, seed: int, seconds: float = 7.0, rate: int = 22050) -> None:
    times = np.arange(round(seconds * rate)) / rate
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, level(GENRES[genre](np.random.default_rng(seed), times)), rate)


def rejected(out: Path) -> dict[str, str]:
    with (out / "rejected.csv").open(newline="") as file:
        return {row["path"]: row["reason"] for row in csv.DictReader(file)}


def write_table(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_a_folder_of_recordings(tmp_path: Path) -> None:
    folder, out = tmp_path / "music", tmp_path / "out"
    for i in range(4):
        music(folder / "ambient" / f"{i}.flac", "ambient", i, rate=(16000, 22050, 44100, 48000)[i])
        music(folder / "plucked" / "album" / f"{i}.wav", "plucked", i)
    (folder / "ambient" / "notes.txt").write_text("not sound")
    (folder / "ambient" / "broken.ogg").write_text("OggS once upon a time")
    (folder / "copy").mkdir()
    (folder / "copy" / "0.flac").write_bytes((folder / "ambient" / "0.flac").read_bytes())
    for name, rate, sound in (
        ("silent", 22050, np.zeros(22050 * 4)),
        ("short", 22050, np.full(22050, 0.1)),
        ("clipped", 22050, np.clip(3 * np.sin(np.arange(22050 * 4) / 50), -1, 1)),
        ("slow", 4000, np.full(4000 * 4, 0.1)),
        ("surround", 22050, np.full((22050 * 4, 9), 0.1)),
    ):
        soundfile.write(folder / f"{name}.wav", sound, rate)

    corpus = prepare_audio([folder], out, Options(rate=16000, seconds=3.0, licence="CC0"), jobs=1)
    assert {c.genre for c in corpus.clips} == {"ambient", "plucked"}
    assert len(corpus.clips) == 16  # two windows of each of eight files
    assert {c.frames for c in corpus.clips} == {48000}
    for clip in corpus.clips:
        assert np.sqrt(np.mean(corpus.read(clip) ** 2)) == pytest.approx(LEVEL_RMS, rel=0.01)
    assert {c.split for c in corpus.clips if c.genre == "ambient"} == {"train", "valid", "test"}
    assert len({c.split for c in corpus.clips if c.genre == "plucked"}) == 1  # all of one album
    assert {(c.dataset, c.licence) for c in corpus.clips} == {("music", "CC0")}
    assert {c.source_rate for c in corpus.clips} == {16000, 22050, 44100, 48000}
    reasons = rejected(out)
    assert {path.split(" ")[0]: reason.split(" (")[0] for path, reason in reasons.items()} == {
        "ambient/broken.ogg": "it is not readable as sound",
        "copy/0.flac": "it is a copy of ambient/0.flac",
        "silent.wav": "it is silent",
        "short.wav": "it lasts 1.00 s: at least 3 are needed",
        "clipped.wav": "it is clipped",
        "slow.wav": "its rate is 4000 Hz: 8000 to 192000 are read",
        "surround.wav": "it has 9 channels: up to 8 are read",
    }


def test_notes_of_a_table_and_of_nsynth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, nsynth = tmp_path / "notes", tmp_path / "nsynth-valid"
    rng = np.random.default_rng(1)
    names = (
        "flute_60.flac",
        "flute_62.flac",
        "flute_64.flac",
        "absent.flac",
        "unlabelled.flac",
        "outside.flac",
    )
    rows = []
    for name, pitch in zip(names, (60, 62, 64, 65, "?", 200), strict=True):
        path = table / "flute" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name != "absent.flac":
            loud = 0.3 if pitch == 60 else 0.1
            soundfile.write(path, loud * np.sin(np.arange(32000) * 0.1 * rng.uniform(0.9, 1)), 16000)
        source = "some.sf2 bank 0 program 73" if pitch == 62 else "a recording"
        facts = {"instrument": "flute", "pitch": pitch, "velocity": 90, "family": "pipe", "split": "test"}
        rows.append({"file": f"flute/{name}", **facts, "licence": "MIT", "source_file": source})
    write_table(table / "notes.csv", rows)
    (nsynth / "audio").mkdir(parents=True)
    soundfile.write(nsynth / "audio" / "keys_1-060-100.wav", 0.5 * np.sin(np.arange(64000) * 0.2), 16000)
    examples = {
        "keys_1-060-100": {
            "pitch": 60,
            "velocity": 100,
            "instrument_str": "keys_1",
            "instrument_family_str": "keys",
        },
        "keys_1-061-100": {"velocity": 100, "instrument_str": "keys_1"},
    }
    (nsynth / "examples.json").write_bytes(msgspec.json.encode(examples))

    out = tmp_path / "out"
    corpus = prepare_audio([table, nsynth], out, Options(rate=16000, hold=1.5), jobs=1)
    assert rejected(out) == {
        "flute/absent.flac": "there is no such file",
        "flute/unlabelled.flac": "its pitch is not labelled",
        "flute/outside.flac": "its pitch is 200: MIDI has 0 to 127",
        "audio/keys_1-061-100.wav": "its pitch is not labelled",
    }
    by_pitch = {c.pitch: c for c in corpus.select("test", instruments={"flute"})}
    assert {p: c.held for p, c in by_pitch.items()} == {60: 0, 62: 24000, 64: 0}
    assert all((c.genre, c.velocity, c.licence) == ("pipe", 90, "MIT") for c in by_pitch.values())
    peaks = {p: np.abs(corpus.read(c)).max() for p, c in by_pitch.items()}
    assert peaks == {p: pytest.approx(peak, abs=0.01) for p, peak in ((60, 0.9), (62, 0.3), (64, 0.3))}
    (key,) = corpus.select("valid")
    assert (key.instrument, key.genre, key.held, key.frames) == ("keys_1", "keys", 48000, 64000)
    assert f"{out}: 4 clips" in capsys.readouterr().err


def test_music_of_midi_files_and_notes_of_a_sound_font(tmp_path: Path) -> None:
    midi_folder, out = write_corpus(tmp_path / "tunes", 6), tmp_path / "out"
    write_table(
        tmp_path / "notes.csv",
        [
            {"file": "a.flac", "instrument": "flute", "pitch": 69, "velocity": 100, "split": "train"},
            {"file": "b.flac", "instrument": "gong", "pitch": 50, "velocity": 100, "split": "train"},
        ],
    )
    options = Options(
        rate=16000, seconds=4.0, minutes=0.2, fonts=(str(FONT),), notes=str(tmp_path / "notes.csv"), hold=0.5
    )
    corpus = prepare_audio([midi_folder, FONT], out, options, jobs=2)
    pieces = [c for c in corpus.clips if not c.instrument]
    assert {c.genre for c in pieces} == {"march", "waltz"}
    assert {c.frames for c in pieces} == {64000}
    for genre in ("march", "waltz"):
        count = {name: len(corpus.select(name, genres={genre})) for name in ("train", "valid", "test")}
        assert count["train"] <= 3  # 0.2 minutes
        assert sum(count.values()) >= 3
    for split_ in ("train", "valid", "test"):  # no piece in two splits
        others = {c.group for c in pieces if c.split != split_}
        assert not others & {c.group for c in pieces if c.split == split_}
    assert all(np.sqrt(np.mean(corpus.read(c) ** 2)) == pytest.approx(LEVEL_RMS, rel=0.1) for c in pieces)
    (note,) = corpus.select(instruments={"flute"})
    assert (note.pitch, note.held, note.source_rate) == (69, 8000, 0)
    heard = corpus.read(note, 2000, 4000)
    assert abs(np.argmax(np.abs(np.fft.rfft(heard, 64000))) / 4 - 440) < 6  # hertz
    assert rejected(out) == {"b.flac": "no program is known for the instrument 'gong'"}
    before = (out / INDEX_NAME).stat().st_mtime_ns
    assert prepare_audio([midi_folder, FONT], out, options).data_hash == corpus.data_hash
    assert (out / INDEX_NAME).stat().st_mtime_ns == before


def test_a_run_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    folder, out = tmp_path / "music", tmp_path / "out"
    for i in range(8):
        music(folder / "ambient" / f"{i}.wav", "ambient", i, 3.2, 16000)
    script = tmp_path / "run.py"
    script.write_text(
        "from pathlib import Path; from training.data.sound import prepare as audio; audio.BATCH_ITEMS = 2\n"
        f"if __name__ == '__main__':\n"
        f"    audio.prepare_audio([Path({str(folder)!r})], Path({str(out)!r}),"
        " audio.Options(rate=16000, seconds=3.0), jobs=1)"
    )
    command = [sys.executable, str(script)]
    begun = subprocess.Popen(
        command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 100
    while not list(out.glob(".cache/*.json")) and time.monotonic() < deadline and begun.poll() is None:
        time.sleep(0.02)
    os.killpg(begun.pid, signal.SIGKILL)
    begun.wait(10)
    kept = {path: path.stat().st_mtime_ns for path in out.glob(".cache/*.json")}
    assert kept
    with pytest.raises(HocketError, match=r"holds no index\.json"):
        Corpus.open(out)
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stderr
    corpus = Corpus.open(out)
    assert len(corpus.clips) == 8
    assert not (out / ".cache").exists()
    for clip in corpus.clips:
        assert corpus.read(clip).any()


def item(path: str, **facts: object) -> Item:
    return Item(
        **{
            "kind": "recording",
            "folder": "f",
            "path": path,
            "dataset": "d",
            "genre": "g",
            "group": path,
            **facts,
        }
    )  # type: ignore[arg-type]


def test_splits_are_by_group_and_none_is_empty() -> None:
    items = [item(f"{group}/{i}", group=f"{group}") for group in range(40) for i in range(3)]
    done = split(items)
    assert len({(i.group, i.split) for i in done}) == 40
    share = {name: sum(i.split == name for i in done) / 120 for name in ("train", "valid", "test")}
    assert share["train"] > 0.6
    assert min(share.values()) > 0
    assert split(items[::-1])[::-1] == done
    assert {i.split for i in split([item("a"), item("b"), item("c")])} == {"train", "valid", "test"}
    assert [i.split for i in split([item("a", split="test")])] == ["test"]
    assert [i.split for i in split([item("a"), item("b")])] == ["train", "train"]
    notes = [item(f"{name}{n}", kind="note", instrument=name) for name in ("flute", "reed") for n in range(12)]
    for name in ("flute", "reed"):
        splits = [i.split for i in split(notes) if i.instrument == name]
        assert [splits.count(each) for each in ("train", "valid", "test")] == [8, 2, 2]


def test_windows_lie_within_and_apart_and_as_many_as_wanted() -> None:
    items = [item(f"{i}", split="train", seconds=100.0 + i) for i in range(10)]
    items += [item("gpl", split="train", seconds=500.0, licence="GPL-2")]
    planned, _ = plan(items, Options(seconds=10.0, minutes=2.0))
    free = [i for i in planned if not i.licence]
    assert 2.0 <= sum(i.seconds for i in free) / 60 <= 2.5
    assert len({i.path for i in free}) == 10  # of every track one, before a second of any
    assert len(planned) - len(free) == 14  # what may not ship is counted apart
    whole, short = plan([*items, item("brief", split="train", seconds=2.0)], Options(seconds=10.0))
    assert short == [("brief", "it lasts 2.00 s: at least 3 are needed")]
    for track in items:
        starts = sorted(i.start for i in whole if i.path == track.path)
        assert len(starts) == int(track.seconds / 10)
        assert starts[0] >= 0
        assert starts[-1] + 10 <= track.seconds + 0.01
        assert all(b - a >= 9.99 for a, b in pairwise(starts))
    assert plan(items, Options(seed=2))[0] != plan(items, Options(seed=1))[0] == plan(items[::-1], Options(seed=1))[0]


def test_clips_of_a_table(tmp_path: Path) -> None:
    music(tmp_path / "folk" / "a_0.wav", "plucked", 1, 4.0)
    rows = [
        {
            "path": "folk/a_0.wav",
            "genre": "folk",
            "split": "valid",
            "source_file": "a.ogg",
            "licence": "CC-BY-3.0",
        }
    ]
    write_table(tmp_path / "clips.csv", [rows[0] | {"debian_package": "some-music"}])
    (clip,) = soundsources.find_clips(tmp_path).items
    assert (clip.split, clip.licence, clip.dataset, clip.group) == (
        "valid",
        "CC-BY-3.0",
        "some-music",
        "some-music/a.ogg",
    )
    assert clip.seconds == 4.0


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"path": "a.wav"}, r"has no column 'genre': it must have path, genre"),
        ({"path": "../a.wav", "genre": "folk"}, r"line 2: '\.\./a\.wav' is not inside the folder"),
        ({"path": "a.wav", "genre": "folk", "split": "other"}, r"line 2: split is 'other', not one of train"),
    ],
)
def test_a_bad_table_says_where(tmp_path: Path, row: dict[str, object], message: str) -> None:
    write_table(tmp_path / "clips.csv", [row])
    with pytest.raises(HocketError, match=message):
        soundsources.find_clips(tmp_path)


def test_users_mistakes_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for source, options, message in (
        ("absent", Options(), r"neither a folder nor a sound font"),
        ("empty", Options(), r"holds neither sound"),
        ("empty", Options(rate=100), r"rate 100 is not within"),
        ("empty", Options(seconds=1.0), r"windows of 1 s"),
        ("empty", Options(minutes=-1.0), r"minutes must be"),
    ):
        with pytest.raises(HocketError, match=message):
            prepare_audio([tmp_path / source], tmp_path / "out", options)
    soundfile.write(tmp_path / "empty" / "a.wav", np.zeros(100), 16000)
    with pytest.raises(HocketError, match=r"nothing to use; the first item rejected: a\.wav, it lasts 0\.01 s"):
        prepare_audio([tmp_path / "empty"], tmp_path / "out")
    (tmp_path / "empty" / "jazz").mkdir()
    soundfile.write(tmp_path / "empty" / "jazz" / "b.wav", np.zeros(80000), 16000)
    with pytest.raises(HocketError, match=r"there is no genre jaz: there are .*jazz"):
        prepare_audio([tmp_path / "empty"], tmp_path / "out", Options(genres=("jaz",)))
    (tmp_path / "tree").write_text("a file")
    with pytest.raises(HocketError, match="cannot be written"):
        prepare_audio([tmp_path / "empty"], tmp_path / "tree")


def test_the_command_says_one_line(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "training",
        "prepare-audio",
        str(tmp_path / "absent"),
        "--out",
        str(tmp_path / "o"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("training: ")
