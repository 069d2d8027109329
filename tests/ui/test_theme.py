from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QColor, QFontInfo, QFontMetricsF
from PySide6.QtWidgets import QApplication

from instrument.ui import icons, theme


def linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def luminance(name: str) -> float:
    red, green, blue = (linear(part) for part in (QColor(name).redF(), QColor(name).greenF(), QColor(name).blueF()))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(front: str, back: str) -> float:
    light, dark = sorted((luminance(front), luminance(back)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.fixture(params=theme.LOOKS)
def colours(request: pytest.FixtureRequest) -> Iterator[str]:
    """The colours of a theme; afterwards they are as other tests want them."""
    theme.set_look(request.param)
    yield request.param
    theme.set_look(theme.DARK)


def test_text_stands_out(colours: str) -> None:
    """WCAG 2.2, AA: 4.5 : 1 for text."""
    weak = [
        (front, back, round(contrast(getattr(theme, front), getattr(theme, back)), 2))
        for back in ("GROUND", "ROLL", "PANEL", "RAISED", "HOVER")
        for front in ("TEXT", "MUTED", "ACCENT", "WARN")
        if contrast(getattr(theme, front), getattr(theme, back)) < 4.5
    ]
    assert not weak
    pairs = (("ON_ACCENT", "ACCENT"), ("ON_ACCENT", "ACCENT_HOVER"), ("ON_ACCENT", "WARN"), ("TEXT", "NOTICE"),
             ("WARN", "NOTICE"), ("RECORD", "RECORDING"), ("KEY_NAME", "WHITE_KEY"), ("BLACK_KEY_NAME", "BLACK_KEY"),
             ("TEXT", "TRACK"))  # fmt: skip
    assert not [pair for pair in pairs if contrast(*(getattr(theme, name) for name in pair)) < 4.5]


def test_parts_stand_out_on_the_roll(colours: str) -> None:
    assert min(contrast(part, theme.ROLL) for part in theme.PARTS) >= 4.5


# How colours look without one kind of cones, for linear red, green and blue: Machado, Oliveira, Fernandes (2009).
SEEN = {
    "all": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "without red": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "without green": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "without blue": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)),
}
XYZ = np.array(((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505)))
FURTHEST = 20.0  # CIE76: far more than the 2.3 that are just noticeable, as notes are small


def lab(name: str, seen: tuple[tuple[float, ...], ...]) -> np.ndarray:
    """A colour in CIELAB, as it is seen."""
    light = np.array([linear(getattr(QColor(name), part)()) for part in ("redF", "greenF", "blueF")])
    white = np.array((0.9505, 1.0, 1.089))
    x, y, z = np.cbrt(np.clip(XYZ @ np.clip(np.array(seen) @ light, 0, 1) / white, 0.008856, None))
    return np.array((116 * y - 16, 500 * (x - y), 200 * (y - z)))


@pytest.mark.parametrize("eyes", SEEN)
def test_parts_differ_for_all_eyes(colours: str, eyes: str) -> None:
    seen = [lab(part, SEEN[eyes]) for part in theme.PARTS]
    assert min(float(np.linalg.norm(one - other)) for one, other in combinations(seen, 2)) >= FURTHEST


def test_no_text_is_smaller_than_eleven_pixels() -> None:
    assert min(theme.CAPTION, theme.BODY, theme.HEADING, theme.DISPLAY) >= 11
    sizes = [int(size) for file in Path(theme.__file__).parent.rglob("*.py")
             for size in re.findall(r"theme\.font\((\d+)", file.read_text(encoding="utf-8"))]  # fmt: skip
    assert sizes
    assert min(sizes) >= 11


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
