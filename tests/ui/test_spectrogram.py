from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from instrument.engine.sound.spectrum import BANDS, spectrum
from instrument.ui import theme
from instrument.ui.spectrogram import COLUMNS, LEFT, Spectrogram

RATE = 48000
WIDE = 200  # pixels of the picture


@pytest.fixture
def shown(qtbot: QtBot) -> Spectrogram:
    made = Spectrogram()
    qtbot.addWidget(made)
    made.resize(LEFT + WIDE, 72)
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


def test_a_tone_lights_its_height(shown: Spectrogram) -> None:
    peaks = []
    for tick, hertz in enumerate((100, 1000, 8000)):
        for more in range(10):
            shown.show_spectrum(tone(hertz), 10 * tick + more)
        shown.show_axis(0, 100, 10 * tick + 10)
        column = lightness(shown, LEFT + WIDE * (10 * tick + 5) // 100)
        peaks.append(column.index(max(column)) / shown.height())
    expected = [np.log(hertz / 40) / np.log(400) for hertz in (100, 1000, 8000)]
    assert peaks == pytest.approx(expected, abs=0.03)


def test_louder_is_lighter(shown: Spectrogram) -> None:
    seen = []
    for tick, level in enumerate(range(60, 256, 15)):
        for more in range(4):
            shown.show_spectrum(bytes([level]) * BANDS, 4 * tick + more)
        shown.show_axis(0, 100, 4 * tick + 4)
        seen.append(lightness(shown, LEFT + WIDE * (4 * tick + 2) // 100)[10])
    assert seen == sorted(seen)
    assert seen[-1] - seen[0] > 150


@pytest.mark.parametrize("now", [20, 50, 80])
def test_now_is_where_the_roll_has_it(shown: Spectrogram, now: int) -> None:
    for tick in range(now):
        shown.show_spectrum(bytes([250]) * BANDS, tick)
    shown.show_axis(0, 100, now)
    ground = QColor(theme.ROLL).lightness()
    place = LEFT + WIDE * now // 100
    assert lightness(shown, place - 2)[10] > ground + 100
    assert lightness(shown, place + 2)[10] == ground


def test_it_moves_with_the_roll_and_goes_round(shown: Spectrogram) -> None:
    for tick in range(COLUMNS + 100):
        shown.show_spectrum(bytes([250 if tick > COLUMNS else 0]) * BANDS, tick)
    shown.show_axis(COLUMNS, COLUMNS + 200, COLUMNS + 100)
    assert lightness(shown, LEFT + 50)[10] > 150
    shown.show_axis(COLUMNS - 100, COLUMNS + 100, COLUMNS + 100)
    assert lightness(shown, LEFT + 50)[10] < 50
    assert lightness(shown, LEFT + 150)[10] > 150


def test_another_performance_begins_anew(shown: Spectrogram) -> None:
    for tick in (10, 11, 12, 0, 1):
        shown.show_spectrum(bytes([250]) * BANDS, tick)
    assert len(shown.seen) == 2


def test_nothing_is_painted_while_nothing_moves(shown: Spectrogram, monkeypatch: pytest.MonkeyPatch) -> None:
    painted = []
    monkeypatch.setattr(shown, "update", lambda *area: painted.append(area))
    shown.show_spectrum(bytes([250]) * BANDS, 1)
    shown.show_axis(0, 100, 2)
    shown.show_axis(0, 100, 2)
    assert len(painted) == 1
