"""Meters: output levels, and figures of the engine's load and timing."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontMetrics, QLinearGradient, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from instrument.engine.ipc.messages import Telemetry
from instrument.ui import theme

SILENCE = (-120.0, -120.0)  # dBFS of left and right
FLOOR_DB, _TOP_DB = -54.0, 6.0
_LOUD_DB = -5.0
_FALL_DB_S = 24.0  # rate at which the bar falls
_HOLD_S = 1.5  # how long a peak is held
_MARKS = (0, -6, -12, -24, -36, -48)


class LevelMeter(QWidget):
    """Two bars in dBFS with held peaks and a clip light; a click resets the light."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        super().__init__()
        self._clock = clock
        self._then = clock()
        self.bars = [FLOOR_DB, FLOOR_DB]
        self.peaks = [(FLOOR_DB, 0.0), (FLOOR_DB, 0.0)]
        self.over = False
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName("Output level")
        self.setToolTip("Peak level of the output in dBFS. Red: above 0 dBFS; click to reset")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)

    def show_levels(self, levels: tuple[float, float]) -> None:
        """Take the peaks, in dBFS, since the last call."""
        now = self._clock()
        fallen = _FALL_DB_S * max(0.0, now - self._then)
        self._then = now
        before = (tuple(self.bars), tuple(self.peaks), self.over)
        for side, level in enumerate(levels):
            self.bars[side] = max(min(level, _TOP_DB), self.bars[side] - fallen, FLOOR_DB)
            peak, since = self.peaks[side]
            if self.bars[side] >= peak or now - since > _HOLD_S:
                self.peaks[side] = (self.bars[side], now if self.bars[side] > FLOOR_DB else 0.0)
            self.over = self.over or level > 0
        if before != (tuple(self.bars), tuple(self.peaks), self.over):
            self.setAccessibleDescription(f"{max(levels):.0f} dBFS" if max(levels) > FLOOR_DB else "silent")
            self.update(0, 0, self._marks_at, self.height())  # without the marks: painting text is expensive

    @property
    def _marks_at(self) -> int:
        return theme.px(8) + 2 * theme.px(9) + theme.px(3) + theme.px(4)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.over = False
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(theme.px(58), theme.px(120))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        wide, gap, light = theme.px(9), theme.px(3), theme.px(5)
        painter.fillRect(event.rect(), theme.colour(theme.ROLL))
        top, foot = light + theme.px(6), self.height() - theme.px(4)
        left = theme.px(8)

        def y(level: float) -> float:
            share = (min(max(level, FLOOR_DB), _TOP_DB) - FLOOR_DB) / (_TOP_DB - FLOOR_DB)
            return foot - share * (foot - top)

        shade = QLinearGradient(0, foot, 0, top)
        marks = (FLOOR_DB, theme.METER_LOW), (-14, theme.METER_HIGH), (_LOUD_DB, theme.WARN), (0, theme.RECORD)
        for level, name in marks:
            shade.setColorAt((y(FLOOR_DB) - y(level)) / (foot - top), theme.colour(name))
        for side in range(2):
            x = left + side * (wide + gap)
            painter.fillRect(QRectF(x, top, wide, foot - top), theme.colour(theme.RAISED))
            painter.fillRect(QRectF(x, 0, wide, light), theme.colour(theme.RECORD if self.over else theme.RAISED))
            bar = y(self.bars[side])
            painter.fillRect(QRectF(x, bar, wide, foot - bar), shade)
            peak = self.peaks[side][0]
            if peak > FLOOR_DB:
                name = theme.RECORD if peak > 0 else theme.TEXT
                painter.fillRect(QRectF(x, y(peak), wide, theme.px(1.5)), theme.colour(name))
        if event.rect().right() < self._marks_at:
            return
        painter.setFont(theme.font(theme.CAPTION))
        painter.setPen(theme.colour(theme.MUTED))
        x = self._marks_at + theme.px(2)
        for mark in _MARKS:
            box = QRectF(x, y(mark) - theme.px(7), theme.px(24), theme.px(14))
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, str(abs(mark)))


class StripMeter(QWidget):
    """Level of one player in dBFS, the louder of left and right, as a horizontal line."""

    def __init__(self, name: str, clock: Callable[[], float] = time.perf_counter) -> None:
        super().__init__()
        self._clock = clock
        self._then = clock()
        self.bar = FLOOR_DB
        self.setAccessibleName(name)
        self.setToolTip("Peak level of this player in dBFS, before the main level")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_levels(self, levels: tuple[float, float]) -> None:
        """Take the peaks, in dBFS, since the last call."""
        now = self._clock()
        fallen = _FALL_DB_S * max(0.0, now - self._then)
        self._then = now
        bar = max(min(max(levels), _TOP_DB), self.bar - fallen, FLOOR_DB)
        if bar != self.bar:
            self.bar = bar
            self.setAccessibleDescription(f"{bar:.0f} dBFS" if bar > FLOOR_DB else "silent")
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(theme.px(60), theme.px(3))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, whole = QPainter(self), QRectF(self.rect())
        painter.fillRect(whole, theme.colour(theme.RAISED))
        whole.setWidth(whole.width() * (self.bar - FLOOR_DB) / (_TOP_DB - FLOOR_DB))
        name = theme.RECORD if self.bar > 0 else theme.WARN if self.bar > _LOUD_DB else theme.ACCENT
        painter.fillRect(whole, theme.colour(name))


class Reading(QWidget):
    """A figure with its name above, as "Latency" and "18 ms". Amber when it is bad, with advice in the tooltip."""

    def __init__(self, name: str, help: str, widest: str) -> None:
        super().__init__()
        self.name, self.help, self.advice = name, help, ""
        self._text, self._bad, self._share = "\u2013", False, -1.0
        self._widest = widest
        self.setToolTip(help)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def show_text(self, text: str, bad: bool = False, advice: str = "", share: float = -1.0) -> None:
        """Show a figure. share: a value in 0..1 draws a bar below it; a negative one draws none."""
        if (text, bad, share) == (self._text, self._bad, self._share):
            return
        self._text, self._bad, self._share = text, bad, share
        self.advice = advice if bad else ""
        self.setAccessibleDescription(text)
        self.setToolTip(f"{self.help}\n{advice}" if bad and advice else self.help)
        self.update()

    @property
    def text(self) -> str:
        """The figure shown."""
        return self._text

    def sizeHint(self) -> QSize:
        fonts = theme.font(theme.CAPTION), theme.font(12, QFont.Weight.Medium)
        words = zip((self.name, self._widest), fonts, strict=True)
        wide = max(QFontMetrics(font).horizontalAdvance(text) for text, font in words)
        return QSize(wide + theme.px(6), theme.px(34))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.setFont(theme.font(theme.CAPTION))
        painter.setPen(theme.colour(theme.MUTED))
        painter.drawText(QRectF(0, 0, self.width(), theme.px(15)), left, self.name)
        painter.setFont(theme.font(12, QFont.Weight.Medium))
        painter.setPen(theme.colour(theme.WARN if self._bad else theme.TEXT))
        painter.drawText(QRectF(0, theme.px(14), self.width(), theme.px(17)), left, self._text)
        if self._share >= 0:
            bar = QRectF(0, self.height() - theme.px(2), self.width() - theme.px(6), theme.px(2))
            painter.fillRect(bar, theme.colour(theme.TRACK))
            bar.setWidth(bar.width() * min(1.0, self._share))
            painter.fillRect(bar, theme.colour(theme.WARN if self._bad else theme.ACCENT))


_MARKED_S = 10.0  # how long a count stays marked after it rose
_BUSY = 0.8


class Health(QWidget):
    """The figures of the bottom bar, from telemetry."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        super().__init__()
        self._clock = clock
        self._counts: dict[str, tuple[int, float]] = {}
        self._shown = 0.0
        self._busiest = 0.0
        self.load = Reading("Load", "Time used to compute a block of sound, as a share of the time available", "100 %")
        self.starved = Reading("Dropouts", "Blocks of sound that the device needed and did not get in time", "00000")
        self.late = Reading("Late notes", "MIDI notes that were sent too late", "00000")
        self.latency = Reading("Latency", "Delay until it is heard: the buffer of the device, and the lead", "000 ms")
        self.note = Reading("Per note", "Time that the model needs to generate a note", "00.0 ms")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.px(14))
        for reading in (self.load, self.starved, self.late, self.latency, self.note):
            row.addWidget(reading)

    def show_telemetry(self, report: Telemetry) -> None:
        """Take the figures; the text changes at most four times a second, so that it can be read."""
        now = self._clock()
        self._busiest = max(self._busiest, report.load)
        if now - self._shown < 0.25:
            return
        load, self._busiest, self._shown = self._busiest, 0.0, now
        advice = "Close other programs, or choose a smaller model."
        self.load.show_text(f"{load * 100:.0f} %", load > _BUSY, advice, load)
        dropouts = self._rose("dropouts", report.starved + report.xruns, now)
        self.starved.show_text(
            str(report.starved + report.xruns), dropouts,
            "The sound was interrupted: close other programs, or choose a device with a larger buffer.",
        )  # fmt: skip
        late = self._rose("late", report.late_notes, now)
        self.late.show_text(str(report.late_notes), late, "The computer is too busy: close other programs.")
        self.latency.show_text(f"{report.latency_ms:.0f} ms")
        self.note.show_text(f"{report.ms_per_note:.1f} ms" if report.ms_per_note > 0 else "\u2013")

    def _rose(self, name: str, count: int, now: float) -> bool:
        """Whether a count has grown within the last `_MARKED_S` seconds."""
        before, since = self._counts.get(name, (count, -_MARKED_S))
        if count != before:
            since = now if count > before else -_MARKED_S
        self._counts[name] = (count, since)
        return now - since < _MARKED_S

    @property
    def advice(self) -> str:
        """What to do about a figure that is bad now, in one line; "" where none is."""
        bad = (reading.advice for reading in (self.starved, self.late, self.load))
        return next((advice for advice in bad if advice), "")
