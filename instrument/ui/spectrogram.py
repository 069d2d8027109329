"""The spectrogram of the output, below the roll and on its axis of time: *now* is at the same place in both."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from instrument.engine.sound.spectrum import BANDS, HIGH_HZ, LOW_HZ
from instrument.ui import theme

LEFT = 52  # width of the frequency labels, as wide as the roll's keyboard
COLUMNS = 2048  # that are kept: about a minute
_NAMED = ((100, "100"), (1000, "1k"), (10_000, "10k"))

Pixels = NDArray[np.uint32]


class Spectrogram(QWidget):
    """Shows `Telemetry.spectrum` over the time of the music.

    A report is a column of a picture that is a ring; painting scales its visible part to the axis of the roll.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen: deque[bytes] = deque(maxlen=COLUMNS)  # the reports, the oldest first
        self._ticks: deque[float] = deque(maxlen=COLUMNS)  # of the reports
        self._shades = _shade_table()
        self._pixels: Pixels = np.full((BANDS, COLUMNS), self._shades[0], np.uint32)
        self._picture = QImage(self._pixels.data, COLUMNS, BANDS, COLUMNS * 4, QImage.Format.Format_RGB32)
        self._face = QPixmap()
        self._at = 0  # x of the next column in the picture
        self._axis = (0.0, 1.0, 0.0)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName("Spectrogram")
        self.setAccessibleDescription("Spectrum of the output, from 40 Hz at the bottom to 16 kHz at the top.")
        self.setToolTip("What is heard, by pitch: low sounds at the bottom, high ones at the top")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setMaximumHeight(self.sizeHint().height())

    def show_spectrum(self, levels: bytes, tick: float) -> None:
        """Add a column. levels: `engine.sound.spectrum.BANDS` bytes from low to high, or no bytes for silence; tick: of
        the music, which goes back where another performance begins."""
        if self._ticks and tick < self._ticks[-1]:
            self._ticks.clear()
            self.seen.clear()
        self._ticks.append(tick)
        self.seen.append(levels)
        bands = np.frombuffer(levels.ljust(BANDS, b"\0"), np.uint8)[::-1]
        self._pixels[:, self._at] = self._shades[bands]
        self._at = (self._at + 1) % COLUMNS

    def show_axis(self, left: float, right: float, now: float) -> None:
        """Take the ticks at the edges of the roll, and the present one; called with every frame."""
        if (left, right, now) != self._axis:
            self._axis = left, right, now
            if self._ticks:
                self.update(self._area)

    def sizeHint(self) -> QSize:
        return QSize(theme.px(400), theme.px(72))

    def minimumSizeHint(self) -> QSize:
        return QSize(theme.px(200), 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._face = QPixmap()

    @property
    def _area(self) -> QRect:
        """The area of the picture within the widget."""
        left = theme.px(LEFT)
        return QRect(left, 0, max(0, self.width() - left), self.height())

    def _draw_face(self, density: float) -> QPixmap:
        """The frequency labels, drawn once because painting text is expensive."""
        face = QPixmap(QSize(theme.px(LEFT), self.height()) * density)
        face.setDevicePixelRatio(density)
        face.fill(theme.colour(theme.ROLL))
        painter = QPainter(face)
        painter.setFont(theme.font(theme.CAPTION))
        painter.setPen(theme.colour(theme.MUTED))
        right, half = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, theme.px(7)
        named = _NAMED if self.height() > 6 * half else _NAMED[1:2]
        for hertz, name in named:
            y = self.height() * (1 - math.log(hertz / LOW_HZ) / math.log(HIGH_HZ / LOW_HZ))
            top = min(max(y - half, 0), self.height() - 2 * half)
            painter.drawText(QRectF(0, top, theme.px(LEFT - 7), 2 * half), right, name)
        painter.end()
        return face

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, area, density = QPainter(self), self._area, self.devicePixelRatioF()
        if self._face.isNull() or self._face.devicePixelRatio() != density:
            self._face = self._draw_face(density)
        if event.rect().left() < area.left():
            painter.drawPixmap(0, 0, self._face)
        painter.fillRect(area, theme.colour(theme.ROLL))
        left, right, now = self._axis
        first = bisect_left(self._ticks, left)
        count = len(self._ticks) - first
        if count < 2:
            return
        scale = area.width() / (right - left)
        x = area.left() + (self._ticks[first] - left) * scale
        step = (now - self._ticks[first]) * scale / count  # of a column, so that the newest ends at *now*
        painter.setClipRect(area)
        start = (self._at - count) % COLUMNS
        for begin, many in ((start, min(count, COLUMNS - start)), (0, count - min(count, COLUMNS - start))):
            if many:
                there = QRectF(x, 0, many * step, area.height())
                painter.drawImage(there, self._picture, QRectF(begin, 0, many, BANDS))
                x += many * step


def _shade_table() -> Pixels:
    """The colour of each level, (256,) as 0xAARRGGBB. Each differs in lightness from the one before, for readers
    without colour vision."""
    shades = ((0, theme.ROLL), (48, theme.ROLL), (110, theme.SOUND_LOW), (155, theme.SOUND_MIDDLE),
              (200, theme.ACCENT), (240, theme.SOUND_HIGH))  # fmt: skip
    levels = [level for level, _ in shades]
    channels = [[getattr(QColor(name), channel)() for _, name in shades] for channel in ("red", "green", "blue")]
    red, green, blue = (np.interp(np.arange(256), levels, values).round().astype(np.uint32) for values in channels)
    return np.asarray(0xFF000000 | red << 16 | green << 8 | blue, np.uint32)
