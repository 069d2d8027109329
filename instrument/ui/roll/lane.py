"""Painting of the piano roll: rows, lines and notes, a whole lane at once."""

from __future__ import annotations

from itertools import islice

import pyqtgraph as pg
from PySide6.QtCore import QLineF, QRectF, Qt
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from instrument.engine.ipc.messages import NoteReport
from instrument.music.notes import Part
from instrument.music.timebase import MICRO_STEPS
from instrument.ui import theme
from instrument.ui.roll.notes import drum_lane
from instrument.ui.roll.score import Score

_FAR = 1e6  # ticks or rows, beyond any edge
_TIDY_EVERY = 200  # notes, after which those left of the view are dropped
_FADES = 0.3  # share of the width that fades, from the left
_LEVELS = 4  # shades of velocity


class Lane(pg.ViewBox):  # type: ignore[misc]
    """A view box that holds one `LaneItem`."""

    def __init__(self, item: LaneItem) -> None:
        super().__init__(enableMouse=False, enableMenu=False, defaultPadding=0.0)
        self.disableAutoRange()
        self.setMouseEnabled(False, False)
        self.item = item
        self.addItem(item, ignoreBounds=True)


class LaneItem(pg.GraphicsObject):  # type: ignore[misc]
    """Paints a whole lane at once: rows, bar lines, notes in batches of one colour, playhead.

    Its x axis is in ticks; its y axis is in rows, upwards.
    """

    def __init__(self, score: Score, drums: bool) -> None:
        super().__init__()
        self.score, self.drums = score, drums
        self._fade = QPixmap()
        self._shades = Shades()
        self._solid: dict[tuple[int, int], list[QRectF]] = {}  # by part and level
        self._solid_for: tuple[float, ...] = (-1,)
        self._batched = 0  # how many of the notes ever committed are in the batches
        self._ghosts: dict[int, list[QRectF]] = {}
        self._ghosts_for: tuple[float, ...] = ()
        self._rows: tuple[list[QRectF], list[QLineF]] = ([], [])
        self._rows_for: tuple[float, ...] = ()
        self._bounds = QRectF(-_FAR, -_FAR, 2 * _FAR, 2 * _FAR)

    def boundingRect(self) -> QRectF:
        return self._bounds

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        view, box = self.getViewBox().viewRect(), self.getViewBox()
        tick, row = view.width() / max(1.0, box.width()), view.height() / max(1.0, box.height())  # of a pixel
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        self._paint_ground(painter, view)
        self._batch(tick, row, view.left())
        painter.setPen(Qt.PenStyle.NoPen)
        for part, rects in self._ghosts.items():
            painter.setBrush(self._shades.ghost[part])
            painter.drawRects(rects)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for part, rects in self._ghosts.items():
            painter.setPen(self._shades.ghost_edge[part])
            painter.drawRects(rects)
        painter.setPen(Qt.PenStyle.NoPen)
        for (part, level), rects in self._solid.items():
            painter.setBrush(self._shades.solid[part][level])
            painter.drawRects(rects)
        now = self.score.position
        self._paint_past(painter, (now - view.left()) / view.width())
        for note in self.score.sounding:
            if (note.part == Part.DRUMS) == self.drums:
                painter.setBrush(self._shades.bright[note.part])
                played = now - note.tick - note.micro / MICRO_STEPS
                painter.drawRects(self._rounded(note, tick, row, played))
        painter.setPen(self._shades.playhead)
        painter.drawLine(QLineF(now, view.top(), now, view.bottom()))

    def _paint_ground(self, painter: QPainter, view: QRectF) -> None:
        first, last = max(0, int(view.top())), int(view.bottom()) + 1
        if (wanted := (first, last, self.score.scale_version)) != self._rows_for:
            self._rows_for = wanted
            dark = [row for row in range(first, last) if (row % 2 if self.drums else self.score.is_dark(row))]
            ruled = [row for row in range(first, last) if not self.drums and row % 12 == self.score.root]
            self._rows = (
                [QRectF(-_FAR, row, 2 * _FAR, 1) for row in dark],
                [QLineF(-_FAR, row, _FAR, row) for row in ruled],
            )
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._shades.dark_row)
        painter.drawRects(self._rows[0])
        bars, beats = self.score.bars.lines(view.left(), view.right())
        top, foot = view.top(), view.bottom()
        for pen, lines in (
            (self._shades.row_line, self._rows[1]),
            (self._shades.beat_line, [QLineF(tick, top, tick, foot) for tick in beats]),
            (self._shades.bar_line, [QLineF(tick, top, tick, foot) for tick, _ in bars]),
        ):
            painter.setPen(pen)
            painter.drawLines(lines)

    def _paint_past(self, painter: QPainter, past: float) -> None:
        """Fade out the left part. past: the share of the width left of the playhead.

        The gradient is kept as a picture, because blending a picture is faster than blending a gradient.
        """
        box = self.getViewBox().sceneBoundingRect().toAlignedRect()
        box.setWidth(round(box.width() * _FADES))
        if self._fade.deviceIndependentSize().toSize() != box.size():
            density = self.getViewWidget().devicePixelRatioF()
            self._fade = QPixmap(box.size() * density)
            self._fade.setDevicePixelRatio(density)
            self._fade.fill(Qt.GlobalColor.transparent)
            shade = QLinearGradient(0, 0, box.width(), 0)
            shade.setColorAt(0, theme.colour(theme.ROLL, 0.8))
            shade.setColorAt(1, theme.colour(theme.ROLL, 0.0))
            brush = QPainter(self._fade)
            brush.fillRect(0, 0, box.width(), box.height(), shade)
            brush.end()
        painter.save()
        painter.resetTransform()
        painter.setOpacity(min(max(past / _FADES - 0.5, 0.0), 1.0))
        painter.drawPixmap(box.topLeft(), self._fade)
        painter.restore()

    def _batch(self, tick: float, row: float, left: float) -> None:
        """Add new notes to batches of one colour. All are sorted again if the zoom or the performance changed."""
        notes = self.score.notes
        fresh = notes.count - self._batched
        wanted: tuple[float, ...] = (notes.performance, tick, row, notes.count // _TIDY_EVERY)
        if wanted != self._solid_for or fresh > len(notes.committed):
            self._solid_for, self._solid, fresh = wanted, {}, len(notes.committed)
        self._batched = notes.count
        for note in islice(reversed(notes.committed), fresh):
            if (note.part == Part.DRUMS) == self.drums and note.tick + note.duration >= left:
                level = min(note.velocity * _LEVELS // 128, _LEVELS - 1)
                self._solid.setdefault((note.part, level), []).extend(self._rounded(note, tick, row))
        if (wanted := (notes.planned_version, tick, row)) != self._ghosts_for:
            self._ghosts_for, self._ghosts = wanted, {}
            for note in notes.planned:
                if (note.part == Part.DRUMS) == self.drums:
                    self._ghosts.setdefault(note.part, []).append(self._box(note, tick, row))

    def _box(self, note: NoteReport, tick: float, row: float, most: float = _FAR) -> QRectF:
        """The rectangle of a note. tick, row: the size of a pixel in ticks and rows; most: most ticks of its length."""
        x = note.tick + note.micro / MICRO_STEPS
        if self.drums:  # the length of a drum note has no meaning
            return QRectF(x, drum_lane(note.pitch) + 2 * row, 5 * tick, 1 - 4 * row)
        return QRectF(x, note.pitch + row, max(min(note.duration - tick, most), 3 * tick), 1 - row)

    def _rounded(self, note: NoteReport, tick: float, row: float, most: float = _FAR) -> tuple[QRectF, ...]:
        """The rectangle with its corners cut by a pixel, which looks rounded and is much faster to paint."""
        box = self._box(note, tick, row, most)
        if box.height() < 4 * row:
            return (box,)
        return box.adjusted(0, row, 0, -row), box.adjusted(tick, 0, -tick, 0)


def _hairline(colour: QColor) -> QPen:
    pen = QPen(colour, 0)
    pen.setCosmetic(True)
    return pen


def _mix(front: str, back: str, share: float) -> QColor:
    """`share` of `front` on `back`, opaque so that overlapping notes do not show through."""
    a, b = QColor(front), QColor(back)
    red, green, blue = (
        share * getattr(a, channel)() + (1 - share) * getattr(b, channel)() for channel in ("redF", "greenF", "blueF")
    )
    return QColor.fromRgbF(red, green, blue)


class Shades:
    """The colours of a lane, by the theme."""

    def __init__(self) -> None:
        self.dark_row = theme.colour(theme.DARK_ROW)
        self.row_line, self.beat_line, self.bar_line = (
            _hairline(theme.colour(name)) for name in (theme.LINE, theme.BEAT_LINE, theme.BAR_LINE)
        )
        self.playhead = _hairline(theme.colour(theme.TEXT, 0.85))
        self.solid = tuple(
            tuple(_mix(part, theme.ROLL, 0.55 + 0.15 * level) for level in range(_LEVELS)) for part in theme.PARTS
        )
        self.bright = tuple(_mix(theme.TEXT, part, 0.45) for part in theme.PARTS)
        self.ghost = tuple(_mix(part, theme.ROLL, 0.16) for part in theme.PARTS)
        self.ghost_edge = tuple(_hairline(_mix(part, theme.ROLL, 0.58)) for part in theme.PARTS)
