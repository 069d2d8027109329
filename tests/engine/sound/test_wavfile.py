"""Recording sound."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from instrument.engine.sound import wavfile
from instrument.engine.sound.wavfile import WavFile, WavRecorder
from instrument.errors import HocketError

RATE = 48000
SOUND = np.random.default_rng(5).uniform(-0.9, 0.9, (20000, 2)).astype(np.float32)


@pytest.mark.parametrize("kind", [WavFile, WavRecorder])
def test_what_is_written_is_read(tmp_path: Path, kind: type[WavFile] | type[WavRecorder]) -> None:
    file = kind(tmp_path / "a.wav", RATE)
    for start in range(0, len(SOUND), 256):
        file.write(SOUND[start : start + 256])
    file.close()
    read, rate = soundfile.read(tmp_path / "a.wav", dtype="float32")
    assert rate == RATE
    assert np.abs(read - SOUND).max() < 2**-22


def test_a_file_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    file = WavFile(tmp_path / "a.wav", 8000)
    for _ in range(5):
        file.write(SOUND[:4000])
    assert soundfile.info(tmp_path / "a.wav").frames >= 16000
    file.close()
    file.close()


@pytest.mark.parametrize("kind", [WavFile, WavRecorder])
def test_a_folder_that_is_not_there(tmp_path: Path, kind: type[WavFile] | type[WavRecorder]) -> None:
    with pytest.raises(HocketError, match=r"cannot write .*missing") as caught:
        kind(tmp_path / "missing" / "a.wav", RATE)
    assert "\n" not in str(caught.value)


FILL = """
import resource, signal, sys
import numpy as np
from pathlib import Path
from instrument.engine.sound.wavfile import WavFile, WavRecorder
from instrument.errors import HocketError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
file = globals()[sys.argv[2]](Path(sys.argv[1]), 48000)
try:
    for _ in range(1000):
        file.write(np.full((256, 2), 0.25, np.float32))
    file.close()
except HocketError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on a file's size there")
@pytest.mark.parametrize("kind", ["WavFile", "WavRecorder"])
def test_a_full_disk_keeps_what_was_written(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.wav"
    command = [sys.executable, "-c", FILL, str(path), kind]
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=root)
    assert done.stderr == ""
    assert done.stdout.startswith(f"cannot continue writing {path}")
    assert done.stdout.count("\n") == 1
    kept, _ = soundfile.read(path)
    assert len(kept) > 100_000
    assert np.abs(kept - 0.25).max() < 1e-6


def test_longer_than_a_wav_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wavfile, "MAX_BYTES", 60_000)
    file = WavFile(tmp_path / "a.wav", RATE)
    file.write(SOUND[:9000])
    with pytest.raises(HocketError, match=r"the limit of \.wav files"):
        file.write(SOUND[:9000])
    assert soundfile.info(tmp_path / "a.wav").frames == 9000


def test_a_slow_disk_is_said_and_nobody_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wavfile, "BACKLOG_S", 0.0)
    recorder = WavRecorder(tmp_path / "a.wav", RATE)
    for _ in range(2000):
        recorder.write(SOUND[:256])
    with pytest.raises(HocketError, match="too slow"):
        recorder.update()
    with pytest.raises(HocketError, match="too slow"):
        recorder.close()
    assert soundfile.info(tmp_path / "a.wav").frames < 2000 * 256
