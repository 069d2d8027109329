"""The spectrogram of the output: a column for every report of the engine, the newest at the right."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from instrument.engine.sound.spectrum import BANDS, HIGH_HZ, LOW_HZ
from instrument.ui import theme

LEFT = 52  # width of the frequency labels, as wide as the roll's keyboard
_STEP = 2  # width of a column in pixels
_NAMED = ((100, "100"), (1000, "1k"), (10_000, "10k"))
# Colours by level (0..255, as reported), each lighter than the one before, for readers without colour vision.
_SHADES = ((0, theme.ROLL), (48, theme.ROLL), (110, "#243A5E"), (155, "#2B7F8F"), (200, theme.ACCENT), (240, "#FFF6D6"))

Pixels = NDArray[np.uint32]


class Spectrogram(QWidget):
    """Shows `Telemetry.spectrum` over time.

    The picture is a ring buffer of columns: a report draws one column and copies two parts to the screen. Nothing is
    painted while all visible columns are silent.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen: deque[bytes] = deque()  # the reports of the visible columns, the oldest first
        self._picture = QImage()
        self._pixels: Pixels = np.zeros((0, 0), np.uint32)  # of the picture
        self._face = QPixmap()
        self._at = 0  # x of the next column in the picture
        self._silent = 0  # columns since the last one with sound
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName("Spectrogram")
        self.setAccessibleDescription(
            "Spectrum of the output, from 40 Hz at the bottom to 16 kHz at the top, the newest at the right."
        )
        self.setToolTip("Spectrum of the output over time: low frequencies at the bottom, the newest at the right")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setMaximumHeight(self.sizeHint().height())

    def show_spectrum(self, levels: bytes) -> None:
        """Add a column. levels: `engine.sound.spectrum.BANDS` bytes from low to high, or no bytes for silence."""
        if levels or self._silent < (self.seen.maxlen or 0):
            self._silent = 0 if levels else self._silent + 1
            self.seen.append(levels)
            self._draw(levels)
            self.update(self._area)

    def sizeHint(self) -> QSize:
        return QSize(theme.px(400), theme.px(72))

    def minimumSizeHint(self) -> QSize:
        return QSize(theme.px(200), theme.px(36))

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fit()

    @property
    def _area(self) -> QRect:
        """The area of the picture within the widget."""
        left = theme.px(LEFT)
        return QRect(left, 0, max(0, self.width() - left), self.height())

    @property
    def _step(self) -> int:
        """Width of a column in pixels of the screen."""
        return max(1, round(theme.px(_STEP) * float(self.devicePixelRatioF())))

    def _fit(self) -> None:
        """Adapt the picture to the size of the widget, keeping as many columns as fit."""
        density, area = self.devicePixelRatioF(), self._area
        height, columns = round(area.height() * density), math.ceil(area.width() * density / self._step)
        width = columns * self._step
        self._pixels = np.full((height, width), _SHADE_OF[0], np.uint32)
        self._picture = QImage(self._pixels.data, width, height, width * 4, QImage.Format.Format_RGB32)
        self._picture.setDevicePixelRatio(density)
        self._face = self._draw_face(density)
        self._at = 0
        self.seen = deque(self.seen, columns)
        for levels in self.seen:
            self._draw(levels)

    def _draw(self, levels: bytes) -> None:
        """Draw a column. A row of pixels that covers several bands shows the loudest."""
        height, width = self._pixels.shape
        if height and width:
            bands = np.frombuffer(levels.ljust(BANDS, b"\0"), np.uint8)
            rows = np.maximum.reduceat(bands, np.arange(height) * BANDS // height)[::-1]
            self._pixels[:, self._at : self._at + self._step] = _SHADE_OF[rows][:, None]
            self._at = (self._at + self._step) % width

    def _draw_face(self, density: float) -> QPixmap:
        """The frequency labels, drawn once because painting text is expensive."""
        face = QPixmap(QSize(theme.px(LEFT), self.height()) * density)
        face.setDevicePixelRatio(density)
        face.fill(theme.colour(theme.ROLL))
        painter = QPainter(face)
        painter.setFont(theme.font(9.5))
        painter.setPen(theme.colour(theme.MUTED))
        right, half = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, theme.px(6)
        for hertz, name in _NAMED:
            y = self.height() * (1 - math.log(hertz / LOW_HZ) / math.log(HIGH_HZ / LOW_HZ))
            top = min(max(y - half, 0), self.height() - 2 * half)
            painter.drawText(QRectF(0, top, theme.px(LEFT - 7), 2 * half), right, name)
        painter.end()
        return face

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, area, density = QPainter(self), self._area, self.devicePixelRatioF()
        if self._pixels.shape[0] != round(area.height() * density):  # the window was moved to another screen
            self._fit()
        if event.rect().left() < area.left():
            painter.drawPixmap(0, 0, self._face)
        (height, width), turn = self._pixels.shape, self._at
        right = area.left() + area.width()
        newer = QRectF(right - turn / density, 0, turn / density, height / density)
        older = QRectF(right - width / density, 0, (width - turn) / density, height / density)
        painter.setClipRect(area)
        painter.drawImage(older, self._picture, QRectF(turn, 0, width - turn, height))
        if turn:
            painter.drawImage(newer, self._picture, QRectF(0, 0, turn, height))


def _shade_table() -> Pixels:
    """The colour of each level, (256,) as 0xAARRGGBB."""
    levels = [level for level, _ in _SHADES]
    channels = [[getattr(QColor(name), channel)() for _, name in _SHADES] for channel in ("red", "green", "blue")]
    red, green, blue = (np.interp(np.arange(256), levels, values).round().astype(np.uint32) for values in channels)
    return np.asarray(0xFF000000 | red << 16 | green << 8 | blue, np.uint32)


_SHADE_OF = _shade_table()
