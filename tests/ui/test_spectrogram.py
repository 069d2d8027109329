from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from instrument.engine.sound.spectrum import BANDS, spectrum
from instrument.ui.spectrogram import LEFT, Spectrogram

RATE = 48000


@pytest.fixture
def shown(qtbot: QtBot) -> Spectrogram:
    made = Spectrogram()
    qtbot.addWidget(made)
    made.resize(252, 72)
    made.show()
    qtbot.waitExposed(made)
    return made


def tone(hertz: float) -> bytes:
    sine = 0.5 * np.sin(2 * np.pi * hertz * np.arange(4096) / RATE)
    return spectrum(np.stack([sine, sine], axis=1).astype(np.float32), RATE)


def lightness(shown: Spectrogram, x: int) -> list[int]:
    """How light the pixels of a column are, from the foot up."""
    picture = shown.grab().toImage()
    return [picture.pixelColor(x, y).lightness() for y in range(shown.height() - 1, -1, -1)]


def test_a_tone_lights_its_height_at_the_right_edge(shown: Spectrogram) -> None:
    peaks = []
    for hertz in (100, 1000, 8000):
        shown.show_spectrum(tone(hertz))
        column = lightness(shown, shown.width() - 1)
        peaks.append(column.index(max(column)) / shown.height())
    expected = [np.log(hertz / 40) / np.log(400) for hertz in (100, 1000, 8000)]
    assert peaks == pytest.approx(expected, abs=0.03)


def test_every_band_is_seen_though_there_are_fewer_rows(shown: Spectrogram) -> None:
    ground = max(lightness(shown, LEFT + 1))
    for band in range(BANDS):
        levels = bytearray(BANDS)
        levels[band] = 220
        shown.show_spectrum(bytes(levels))
        assert max(lightness(shown, shown.width() - 1)) > ground + 50, band


def test_louder_is_lighter(shown: Spectrogram) -> None:
    seen = []
    for level in range(60, 256, 15):
        shown.show_spectrum(bytes([level]) * BANDS)
        seen.append(lightness(shown, shown.width() - 1)[10])
    assert seen == sorted(seen)
    assert seen[-1] - seen[0] > 150


def test_time_runs_to_the_left_and_goes_round(shown: Spectrogram) -> None:
    columns = shown.seen.maxlen
    assert columns == 100
    for number in range(250):
        shown.show_spectrum(bytes([200 if number % 50 == 49 else 0]) * BANDS)
    picture = shown.grab().toImage()
    lit = [x for x in range(LEFT, 252) if picture.pixelColor(x, 36).lightness() > 80]
    assert lit == [150, 151, 250, 251]


def test_silence_costs_nothing_once_it_is_all_there_is(shown: Spectrogram) -> None:
    shown.show_spectrum(tone(440))
    for _ in range(100):
        shown.show_spectrum(b"")
    assert not any(shown.seen)
    before = shown._at
    shown.show_spectrum(b"")
    assert shown._at == before


def test_another_size_keeps_what_it_has_room_for(shown: Spectrogram) -> None:
    for hertz in (200, 2000):
        shown.show_spectrum(tone(hertz))
    shown.resize(152, 40)
    assert shown.seen.maxlen == 50
    column = lightness(shown, shown.width() - 1)
    assert column.index(max(column)) / 40 == pytest.approx(np.log(50) / np.log(400), abs=0.04)
    assert QColor(shown.grab().toImage().pixel(LEFT, 20)).lightness() < 30
