"""Sound files of any rate and format become mono sound at one rate, or a reason."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from instrument.errors import HocketError
from training.data.sound.files import LEVEL_RMS, check_clipping, check_silence, decode, header, levelled, mono


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
        (r"it has 9 channels: up to 8 are read", 44100, 9, 4410),
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
    (tmp_path / "cut.flac").write_bytes((tmp_path / "whole.flac").read_bytes()[:60])
    with pytest.raises(HocketError, match=r"no sound|not readable"):
        decode(tmp_path / "cut.flac", 16000)


def test_silence_and_clipping() -> None:
    for silent in (np.zeros(100, np.float32), np.zeros(0, np.float32), np.full(100, 1e-4, np.float32)):
        with pytest.raises(HocketError, match="it is silent"):
            check_silence(silent)
    loud = (sine(100, 1, 16000) * 4).astype(np.float32)[:, None]
    with pytest.raises(HocketError, match="it is clipped"):
        check_clipping(np.clip(np.hstack([loud / 4, loud]), -1, 1))  # in one of its channels
    with pytest.raises(HocketError, match="it is clipped"):
        check_clipping(np.clip(loud, -1, 1) * np.float32(0.1))  # and made softer later
    check_clipping(loud / 4)
    check_clipping(np.zeros((0, 1), np.float32))


def steps(sound: np.ndarray, bits: int) -> np.ndarray:
    most = 2 ** (bits - 1) - 1
    return np.round(sound * most) / most


TIME = np.arange(44100) / 44100
CHORD = sum(np.sin(2 * np.pi * hertz * TIME + hertz) / 6 for hertz in (55, 110, 277, 330, 990, 3000))
SOUNDS = {
    "sine": lambda hertz: np.sin(2 * np.pi * hertz * TIME),
    "square": lambda hertz: np.where(TIME * hertz % 1 < 0.5, 1.0, -1.0),
    "pulse": lambda hertz: np.where(TIME * hertz % 1 < 0.2, 0.8, -0.8),
    "saw": lambda hertz: 2 * (TIME * hertz % 1) - 1,
    "triangle": lambda hertz: 2 * np.abs(2 * (TIME * hertz % 1) - 1) - 1,
}


@pytest.mark.parametrize("bits", [8, 16, 24])
@pytest.mark.parametrize("name", SOUNDS)
def test_electronic_sounds_are_not_clipped(name, bits) -> None:
    for hertz in (20, 55, 150, 440):
        for level in (1.0, 0.5):
            check_clipping(steps(level * SOUNDS[name](hertz), bits).astype(np.float32)[:, None])


def test_limited_and_saturated_masters_are_not_clipped_and_cut_ones_are() -> None:
    chord = CHORD / np.abs(CHORD).max()
    ahead = np.lib.stride_tricks.sliding_window_view(np.pad(np.abs(3 * chord), 220), 441).max(1)
    gain = np.pad(np.minimum(1, 0.98 / ahead), 100, "edge")
    gain = np.convolve(gain, np.hanning(201) / np.hanning(201).sum(), "valid")
    for master in (3 * chord * gain, np.tanh(3 * chord), np.random.default_rng(1).uniform(-1, 1, 44100)):
        check_clipping(steps(np.clip(master, -1, 1), 16).astype(np.float32)[:, None])
    for drive in (1.5, 2, 4, 10):
        for bits in (16, 24):
            cut = steps(np.clip(drive * chord, -1, 1), bits).astype(np.float32)[:, None]
            for level in (1.0, 0.3):
                with pytest.raises(HocketError, match="it is clipped"):
                    check_clipping(cut * np.float32(level))


def test_a_constant_is_silence_and_no_level(tmp_path: Path) -> None:
    tone = sine(440, 1, 16000, 0.2)
    assert np.allclose(mono((tone + 0.5)[:, None].astype(np.float32))[:, None], tone[:, None], atol=1e-4)
    soundfile.write(tmp_path / "dc.wav", np.full(16000, 0.5), 16000)
    with pytest.raises(HocketError, match="it is silent"):
        check_silence(decode(tmp_path / "dc.wav", 16000))


def test_channels_that_cancel_give_the_louder_one_and_surround_is_mixed() -> None:
    tone = sine(440, 1, 16000).astype(np.float32)
    assert np.allclose(mono(np.stack([tone * np.float32(0.9), -tone], 1)), -tone, atol=1e-4)
    assert np.allclose(mono(np.stack([tone, tone], 1)), tone, atol=1e-4)
    assert np.abs(mono(np.stack([tone, np.zeros_like(tone)], 1))).max() == pytest.approx(0.2, rel=0.01)
    low = np.zeros((16000, 6), np.float32)
    low[:, 3] = tone
    assert np.abs(mono(low + np.stack([tone] * 6, 1))).max() == pytest.approx(0.4, rel=0.02), "without the low channel"


def test_six_channels_are_read(tmp_path: Path) -> None:
    tone = sine(440, 1, 44100)
    soundfile.write(tmp_path / "a.wav", np.stack([tone] * 6, 1), 44100)
    assert header(tmp_path / "a.wav") == (44100, 44100, "")
    assert np.abs(decode(tmp_path / "a.wav", 44100)).max() == pytest.approx(0.4, rel=0.01)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_a_length_that_is_not_said_is_read_to_the_end(tmp_path: Path, size: int) -> None:
    tone = sine(440, 1, 44100)
    soundfile.write(tmp_path / "a.wav", tone, 44100, subtype="PCM_16")
    data = bytearray((tmp_path / "a.wav").read_bytes())
    at = data.index(b"data")
    data[at + 4 : at + 8] = size.to_bytes(4, "little")
    (tmp_path / "a.wav").write_bytes(data)
    found = header(tmp_path / "a.wav")
    assert found.frames == 44100
    assert bool(found.warning) == (size == 0)
    assert np.allclose(decode(tmp_path / "a.wav", 44100), tone, atol=1e-3)


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3"])
def test_a_file_that_breaks_off_is_read_to_there(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, np.random.default_rng(1).uniform(-0.5, 0.5, 44100 * 4), 44100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = header(path)
    assert 44100 < found.frames < 44100 * 3
    assert suffix == "wav" or "it is read to its end" in found.warning
    assert len(decode(path, 44100)) == found.frames


def test_a_value_that_is_no_number_is_found_wherever_it_is(tmp_path: Path) -> None:
    values = sine(440, 3, 44100)
    values[-1] = np.inf
    soundfile.write(tmp_path / "a.wav", values, 44100, subtype="FLOAT")
    with pytest.raises(HocketError, match="no numbers"):
        header(tmp_path / "a.wav")


def test_one_level_for_all(tmp_path: Path) -> None:
    for level in (0.003, 0.05, 0.9):
        sound = levelled(sine(300, 1, 16000, level).astype(np.float32), 16000)
        assert np.sqrt(np.mean(sound**2)) == pytest.approx(LEVEL_RMS, rel=1e-3)
    clicks = np.zeros(16000, np.float32)
    clicks[::1600] = 0.5
    assert np.abs(levelled(clicks, 16000)).max() == pytest.approx(0.99)  # as loud as fits
    with pytest.raises(HocketError, match="silent for more than half"):
        levelled(np.concatenate([sine(300, 1, 16000), np.zeros(20000)]).astype(np.float32), 16000)
