"""Sound files of any rate and format become mono sound at one rate, or a reason."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from instrument.errors import HocketError
from training.data.sound.files import LEVEL_RMS, check_clipping, check_silence, decode, header, levelled


def sine(hertz: float, seconds: float, rate: int, level: float = 0.4) -> np.ndarray:
    return level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


@pytest.mark.parametrize(("rate", "suffix"), [(8000, "wav"), (22050, "ogg"), (48000, "flac"), (96000, "aiff")])
def test_any_rate_and_format(tmp_path: Path, rate: int, suffix: str) -> None:
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, np.stack([sine(440, 2, rate)] * 2, 1), rate)
    sound = decode(path, 16000)
    assert sound.dtype == np.float32
    assert len(sound) == 32000
    middle = sound[8000:24000]
    assert np.argmax(np.abs(np.fft.rfft(middle))) == 440
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.4 / np.sqrt(2), rel=0.05)


def test_a_window_is_a_part_of_the_whole(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "noise.wav", np.random.default_rng(1).uniform(-0.5, 0.5, 44100 * 3), 44100)
    whole = decode(tmp_path / "noise.wav", 22050)
    assert np.allclose(decode(tmp_path / "noise.wav", 22050, 1.0, 1.0), whole[22050:44100], atol=1e-3)
    assert np.allclose(decode(tmp_path / "noise.wav", 22050, 0.0, 0.5), whole[:11025], atol=1e-3)
    assert np.allclose(decode(tmp_path / "noise.wav", 22050, 2.0, 1.0), whole[44100:], atol=1e-3)


@pytest.mark.parametrize(
    ("reason", "rate", "channels", "samples"),
    [
        (r"its rate is 4000 Hz: 8000 to 192000 are read", 4000, 1, 4000),
        (r"it has 6 channels: one or two are read", 44100, 6, 4410),
        (r"it holds no sound", 44100, 1, 0),
    ],
)
def test_what_is_not_read(tmp_path: Path, reason: str, rate: int, channels: int, samples: int) -> None:
    soundfile.write(tmp_path / "a.wav", np.full((samples, channels), 0.1), rate)
    with pytest.raises(HocketError, match=reason):
        header(tmp_path / "a.wav")


def test_what_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(HocketError, match="no such file"):
        decode(tmp_path / "none.wav", 16000)
    (tmp_path / "text.flac").write_text("once upon a time")
    with pytest.raises(HocketError, match="not readable as sound"):
        decode(tmp_path / "text.flac", 16000)
    values = sine(440, 1, 16000)
    values[100] = np.nan
    soundfile.write(tmp_path / "nan.wav", values, 16000, subtype="FLOAT")
    with pytest.raises(HocketError, match="no numbers"):
        decode(tmp_path / "nan.wav", 16000)
    soundfile.write(tmp_path / "whole.flac", np.random.default_rng(1).uniform(-1, 1, 80000), 16000)
    (tmp_path / "cut.flac").write_bytes((tmp_path / "whole.flac").read_bytes()[:40000])
    with pytest.raises(HocketError, match=r"damaged|not readable"):
        decode(tmp_path / "cut.flac", 16000)


def test_silence_and_clipping() -> None:
    for silent in (np.zeros(100, np.float32), np.zeros(0, np.float32), np.full(100, 1e-4, np.float32)):
        with pytest.raises(HocketError, match="it is silent"):
            check_silence(silent)
    loud = (sine(100, 1, 16000) * 4).astype(np.float32)[:, None]
    with pytest.raises(HocketError, match="it is clipped"):
        check_clipping(np.clip(np.hstack([loud / 4, loud]), -1, 1))  # in one of its channels
    check_clipping(loud / 4)
    check_clipping(np.clip(loud, -1, 1) * np.float32(0.1))  # a soft square-like wave is one
    check_clipping(np.zeros((0, 1), np.float32))


def test_one_level_for_all(tmp_path: Path) -> None:
    for level in (0.003, 0.05, 0.9):
        sound = levelled(sine(300, 1, 16000, level).astype(np.float32), 16000)
        assert np.sqrt(np.mean(sound**2)) == pytest.approx(LEVEL_RMS, rel=1e-3)
    clicks = np.zeros(16000, np.float32)
    clicks[::1600] = 0.5
    assert np.abs(levelled(clicks, 16000)).max() == pytest.approx(0.99)  # as loud as fits
    with pytest.raises(HocketError, match="silent for more than half"):
        levelled(np.concatenate([sine(300, 1, 16000), np.zeros(20000)]).astype(np.float32), 16000)
