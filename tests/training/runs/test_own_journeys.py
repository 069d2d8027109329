"""Every block of commands of docs/train-your-own.md runs to its end on a user's own folders, and is heard.

Changed are the minutes alone; settings that make the networks and batches small are added to `fit`.
"""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import soundfile

from instrument import cli as hocket
from instrument.models.catalog import find_model
from instrument.models.manifest import read_manifest
from tests.support.corpus import write_corpus
from tests.support.sound.corpus import GENRES, INSTRUMENTS, RNG, level, note
from training.cli import app

TEXT = (Path(__file__).parents[3] / "docs" / "train-your-own.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```sh ([\w-]+)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE))
MINUTES = "0.02"
SMALL = {
    "notes": "train.batch_size=2 train.sequence_length=32 train.valid_pieces=1 train.valid_notes=64",
    "phrases": "model.encoder=16 model.decoder=24 model.conductor=24 train.batch_size=8 train.valid_phrases=8",
    "voice-gansynth": "model.width=24 model.layers=1 model.encoder=16 train.batch_size=8",
    "voice-ddsp": "model.note_width=32 model.frame_width=24 train.batch_size=8",
    "stream": "model.widths=[16,12,10,8] model.units=16 model.components=12 model.codebook_size=16 train.batch_size=2 "
    "train.valid_clips=4",
    "vocoder": "model.width=16 model.layers=1 model.hidden=24 train.batch_size=2 train.valid_clips=1",
}

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with songs, notes and recordings, as a user has them."""
    folder = tmp_path_factory.mktemp("own")
    write_corpus(folder / "mysongs", 24)
    (folder / "mynotes").mkdir()
    with (folder / "mynotes" / "notes.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "instrument", "pitch"])
        for instrument in ("flute", "reed"):
            for pitch in range(48, 72, 2):
                name = f"{instrument} {pitch}.wav"
                sound = note(INSTRUMENTS[instrument], pitch, 90, 16000, 24000, 24000)
                soundfile.write(folder / "mynotes" / name, sound, 24000)
                rows.writerow([name, instrument, pitch])
    times = np.arange(44100 * 60) / 44100
    for number, (genre, play) in enumerate(zip(("one", "two"), GENRES.values(), strict=False)):
        (folder / "mysounds" / genre).mkdir(parents=True)
        for track in range(3):
            sound = level(play(RNG([number, track]), times))
            soundfile.write(folder / "mysounds" / genre / f"{track}.wav", sound, 44100)
    return folder


def test_every_block_is_tried():
    assert BLOCKS.keys() == SMALL.keys()
    commands = re.findall(r"^(?:python -m training fit|hocket render) .*", TEXT, re.MULTILINE)
    assert len(commands) == 2 * len(BLOCKS)  # none is outside of a block that has a name


@pytest.mark.parametrize("name", SMALL)
def test_a_block_of_the_page_runs_to_its_end_and_is_heard(name, place, monkeypatch):
    monkeypatch.chdir(place)
    monkeypatch.setenv("HOCKET_HOME", str(place / "home"))
    lines = BLOCKS[name].splitlines()
    assert [line.split()[0] for line in lines] == ["python", "python", "python", "hocket"]
    for line in lines:
        words = shlex.split(re.sub(r"--minutes \d+", f"--minutes {MINUTES}", line))
        if words[:3] == ["python", "-m", "training"]:
            if words[3] == "fit":
                words += ["--threads", "1", *(word for change in SMALL[name].split() for word in ("--set", change))]
            app(words[3:], standalone_mode=False)
        else:
            hocket.app(words[1:], standalone_mode=False)
    heard, slug = (words[words.index(option) + 1] for option in ("--out", "--model"))
    sound, _ = soundfile.read(heard)
    assert np.abs(sound).max() > 0.01
    assert read_manifest(find_model(slug).path).licence == "yours, not stated"
