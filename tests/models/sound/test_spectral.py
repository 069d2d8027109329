"""Spectra against scipy and a transform written out; mels against their definition; and the way back."""

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from instrument.models.sound.spectral import (
    FLOOR,
    SILENCE,
    MelFormat,
    StreamingIstft,
    griffin_lim,
    hann,
    hertz_of,
    istft,
    log_mel,
    magnitudes,
    mel_magnitudes,
    mel_matrix,
    mel_of,
    stft,
)

SMALL = MelFormat(rate=8000, hop=64, fft=512, mels=24, low=0, high=4000)


def sound(samples: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def test_spectra_are_the_transform_written_out():
    x, fft, hop = sound(1000), 64, 16
    spectra = stft(x, fft, hop)
    assert spectra.shape == (1 + 1000 // hop, fft // 2 + 1)
    assert spectra.dtype == np.complex64
    padded = np.pad(x.astype(float), fft)
    for t in (0, 7, 62):
        frame = padded[fft + t * hop - fft // 2 :][:fft] * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(fft) / fft))
        direct = [(frame * np.exp(-2j * np.pi * k * np.arange(fft) / fft)).sum() for k in range(fft // 2 + 1)]
        np.testing.assert_allclose(spectra[t], direct, atol=1e-5)


def test_spectra_are_scipys():
    x, fft, hop = sound(4096), 512, 128
    _, _, theirs = scipy.signal.stft(
        x, window="hann", nperseg=fft, noverlap=fft - hop, boundary="zeros", padded=False, scaling="spectrum"
    )
    np.testing.assert_allclose(stft(x, fft, hop), theirs.T * fft / 2, atol=1e-4)
    assert np.abs(hann(fft) - scipy.signal.get_window("hann", fft)).max() < 1e-6


def test_there_and_back():
    x = sound(5000)
    spectra = stft(x, 512, 64)
    np.testing.assert_allclose(istft(spectra, 64, len(x)), x, atol=1e-5)
    _, theirs = scipy.signal.istft(
        spectra.T / 256, window="hann", nperseg=512, noverlap=448, boundary=True, scaling="spectrum"
    )
    y = istft(spectra, 64)
    np.testing.assert_allclose(y[:4096], theirs[:4096], atol=1e-5)
    assert len(istft(spectra, 64, 9000)) == 9000


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 16), min_size=1, max_size=12), st.integers(0, 1000))
def test_streamed_is_whole(chunks, seed):
    x = sound(64 * sum(chunks), seed)
    spectra = stft(x, 512, 64)[: sum(chunks)]
    stream, whole = StreamingIstft(512, 64), StreamingIstft(512, 64)
    parts, at = [], 0
    for count in chunks:
        parts.append(stream.push(spectra[at : at + count]))
        assert parts[-1].shape == (count * 64,)
        at += count
    y = np.concatenate(parts)
    np.testing.assert_array_equal(y, whole.push(spectra))
    # after the first window and `latency` later, it is the sound itself
    np.testing.assert_allclose(y[512:], x[512 - stream.latency :][: len(y[512:])], atol=1e-5)
    stream.reset()
    np.testing.assert_array_equal(stream.push(spectra), y)


def test_mels_go_there_and_back():
    hertz = np.array([0.0, 40.0, 999.0, 1000.0, 6400.0, 20000.0])
    np.testing.assert_allclose(hertz_of(mel_of(hertz)), hertz)
    np.testing.assert_allclose(mel_of(np.array([1000.0, 6400.0])), [15, 42])  # Slaney's two anchors


def test_triangles_meet_at_their_centres():
    matrix = mel_matrix(44100, 2048, 96, 0, 20000)
    assert matrix.shape == (96, 1025)
    edges = hertz_of(np.linspace(0, mel_of(20000), 98))
    bins = np.arange(1025) * 44100 / 2048
    for band in (0, 10, 95):
        np.testing.assert_allclose(matrix[band], np.interp(bins, edges[band : band + 3], [0, 1, 0]), atol=1e-6)
    inner = (bins > edges[1]) & (bins < edges[-2])
    np.testing.assert_allclose(matrix.sum(0)[inner], 1, atol=1e-5)  # no bin between them is lost


def test_a_sine_of_full_scale_is_about_one():
    format = MelFormat()
    x = np.sin(2 * np.pi * 1000 * np.arange(44100) / 44100).astype(np.float32)
    mels = mel_magnitudes(log_mel(x, format))[50]
    assert 0.7 < mels.max() < 1.6
    assert abs(hertz_of(np.linspace(0, mel_of(20000), 98))[1 + mels.argmax()] - 1000) < 45


def test_log_mels_are_spectra_through_triangles():
    x = sound(20000)
    mel = np.abs(stft(x, 512, 64)) @ mel_matrix(8000, 512, 24, 0, 4000).T / 128
    np.testing.assert_allclose(mel_magnitudes(log_mel(x, SMALL)), mel, rtol=2e-5)
    np.testing.assert_allclose(log_mel(np.zeros(640, np.float32), SMALL), SILENCE, rtol=1e-5)
    assert mel_magnitudes(np.float32(SILENCE)) == pytest.approx(FLOOR, rel=1e-4)


def test_formats_pass_through_a_manifest():
    format = MelFormat(mels=80, low=30)
    assert MelFormat.of(format.codec() | {"frames": 4}) == format
    assert all(isinstance(value, int) for value in format.codec().values())
    with pytest.raises(KeyError):
        MelFormat.of({"rate": 44100})


def test_magnitudes_have_the_mels_they_came_from():
    x = sound(20000)
    mels = log_mel(x, SMALL)
    again = magnitudes(mels, SMALL) @ mel_matrix(8000, 512, 24, 0, 4000).T / 128
    np.testing.assert_allclose(again, mel_magnitudes(mels), rtol=0.02)


def test_griffin_lim_keeps_a_tones_pitch_and_mels():
    t = np.arange(8000) / 8000
    x = (0.2 * np.sin(2 * np.pi * 440 * t) + 0.1 * np.sin(2 * np.pi * 1320 * t)).astype(np.float32)
    mels = log_mel(x, SMALL)
    y = griffin_lim(mels, SMALL)
    assert len(y) == (len(mels) - 1) * SMALL.hop
    spectrum = np.abs(np.fft.rfft(y[2000:6000]))
    assert abs(spectrum.argmax() * 2 - 440) < 40  # half a band
    inside, loud = slice(10, -10), mels[10:-10] > 0
    assert np.abs(log_mel(y, SMALL)[inside] - mels[inside])[loud].mean() < 0.2
