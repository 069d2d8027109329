from __future__ import annotations

import pytest
from PySide6.QtGui import QColor, QFontInfo, QFontMetricsF
from PySide6.QtWidgets import QApplication

from instrument.ui import icons, theme


def luminance(name: str) -> float:
    def linear(part: float) -> float:
        return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(part) for part in (QColor(name).redF(), QColor(name).greenF(), QColor(name).blueF()))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(front: str, back: str) -> float:
    light, dark = sorted((luminance(front), luminance(back)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("back", ["GROUND", "ROLL", "PANEL", "RAISED", "HOVER"])
@pytest.mark.parametrize("front", ["TEXT", "MUTED", "ACCENT", "WARN"])
def test_text_stands_out(front: str, back: str) -> None:
    assert contrast(getattr(theme, front), getattr(theme, back)) >= 4.5


def test_the_play_button_can_be_read() -> None:
    assert contrast(theme.ON_ACCENT, theme.ACCENT) >= 4.5


@pytest.mark.parametrize("part", range(len(theme.PARTS)))
def test_parts_stand_out_on_the_roll(part: int) -> None:
    assert contrast(theme.PARTS[part], theme.ROLL) >= 4.5


def test_the_windows_own_font_is_there_and_its_figures_are_of_one_width() -> None:
    font = theme.font(theme.HEADING)
    assert QFontInfo(font).family() == "Inter"
    widths = {round(QFontMetricsF(font).horizontalAdvance(digit * 10), 2) for digit in "0123456789"}
    assert len(widths) == 1


def test_zoom_scales_every_length(qapp: QApplication) -> None:
    try:
        theme.apply(qapp, 1.5)
        assert theme.px(30) == 45
        assert theme.font(theme.BODY).pixelSize() == 20
        theme.apply(qapp, 99)
        assert theme.zoom() == theme.ZOOMS[-1]
    finally:
        theme.apply(qapp)


def test_every_picture_can_be_drawn() -> None:
    for name in ("play", "stop", "record", "panic", "dice", "menu", "close"):
        image = icons.icon(name).pixmap(32, 32).toImage()
        assert any(image.pixelColor(x, y).alpha() for x in range(32) for y in range(32)), name
    assert not icons.logo(64).isNull()
