"""What the piano roll paints: rows, lines and notes, a whole strip at once."""

from __future__ import annotations

from collections.abc import Iterable

import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from instrument.engine.messages import NoteReport
from instrument.music.notes import Part
from instrument.music.timebase import MICRO_STEPS
from instrument.ui import theme
from instrument.ui.rollnotes import drum_lane
from instrument.ui.score import Score

BAR_LINE = "#363D49"
_FADES = 0.3  # of the width, from the left
_LEVELS = 4  # of velocity that are told apart


class Lane(pg.ViewBox):  # type: ignore[misc]
    """One strip of the roll, a `Strip` in it."""

    def __init__(self, strip: Strip) -> None:
        super().__init__(enableMouse=False, enableMenu=False, defaultPadding=0.0)
        self.disableAutoRange()
        self.setMouseEnabled(False, False)
        self.strip = strip
        self.addItem(strip, ignoreBounds=True)


class Strip(pg.GraphicsObject):  # type: ignore[misc]
    """Paints a whole strip at once: rows, bar lines, notes in batches of one colour, playhead.

    In its coordinates x is in ticks and y in rows, upwards.
    """

    def __init__(self, score: Score, drums: bool) -> None:
        super().__init__()
        self.score, self.drums = score, drums
        self._painted: tuple[object, ...] = ()
        self._planned: tuple[object, ...] = ()
        self._fade = QPixmap()
        self._batches: list[tuple[QColor, list[QRectF]]] = []
        self._ghosts: list[tuple[QColor, QColor, list[QRectF]]] = []
        self._bounds = QRectF(-1e7, -1e3, 2e7, 2e3)

    def boundingRect(self) -> QRectF:
        return self._bounds

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        view, box = self.getViewBox().viewRect(), self.getViewBox()
        tick, row = view.width() / max(1.0, box.width()), view.height() / max(1.0, box.height())  # a pixel's
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        self._paint_rows(painter, view)
        self._paint_lines(painter, view)
        self._batch(tick, row)
        painter.setPen(Qt.PenStyle.NoPen)
        for fill, _, rects in self._ghosts:
            painter.setBrush(fill)
            painter.drawRects(rects)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for _, edge, rects in self._ghosts:
            painter.setPen(_hairline(edge))
            painter.drawRects(rects)
        painter.setPen(Qt.PenStyle.NoPen)
        for colour, rects in self._batches:
            painter.setBrush(colour)
            painter.drawRects(rects)
        self._paint_past(painter, (self.score.position - view.left()) / view.width())
        now = self.score.position
        for note in self.score.sounding():
            if (note.part == Part.DRUMS) == self.drums:
                painter.setBrush(_BRIGHT[note.part])
                painter.drawRects(self._rounded(note, tick, row))
        painter.setPen(_hairline(theme.colour(theme.TEXT, 0.85)))
        painter.drawLine(QPointF(now, view.top()), QPointF(now, view.bottom()))

    def _paint_rows(self, painter: QPainter, view: QRectF) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        first, last = max(0, int(view.top())), int(view.bottom()) + 1
        if self.drums:
            dark = [QRectF(view.left(), row, view.width(), 1) for row in range(first, last) if row % 2]
        else:
            dark = [
                QRectF(view.left(), p, view.width(), 1) for p in range(first, last) if self.score.is_dark(p)
            ]
        painter.setBrush(theme.colour(_DARK_ROW))
        painter.drawRects(dark)
        if not self.drums:
            painter.setPen(_hairline(theme.colour(theme.LINE)))
            for pitch in range(first, last):
                if pitch % 12 == self.score.root:
                    painter.drawLine(QPointF(view.left(), pitch), QPointF(view.right(), pitch))

    def _paint_lines(self, painter: QPainter, view: QRectF) -> None:
        bars, beats = self.score.bars.lines(view.left(), view.right())
        for ticks, shade in ((beats, _BEAT_LINE), ([tick for tick, _ in bars], BAR_LINE)):
            painter.setPen(_hairline(theme.colour(shade)))
            for tick in ticks:
                painter.drawLine(QPointF(tick, view.top()), QPointF(tick, view.bottom()))

    def _paint_past(self, painter: QPainter, past: float) -> None:
        """Let what is long past fade; past: the share of the width left of the playhead.

        Blending a picture costs a third of blending a gradient.
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

    def _batch(self, tick: float, row: float) -> None:
        """Sort the notes into batches by colour; only when notes or zoom have changed."""
        notes, left = self.score.notes, self.getViewBox().viewRect().left()
        if (painted := (notes.version, tick, row)) != self._painted:
            self._painted = painted
            solid: dict[tuple[int, int], list[QRectF]] = {}
            for note in self._mine(notes.committed):
                if note.tick + note.duration >= left:
                    level = min(note.velocity * _LEVELS // 128, _LEVELS - 1)
                    solid.setdefault((note.part, level), []).extend(self._rounded(note, tick, row))
            self._batches = [(_SOLID[part][level], rects) for (part, level), rects in solid.items()]
        if (planned := (notes.plan_version, tick, row)) == self._planned:
            return
        self._planned = planned
        ghosts: dict[int, list[QRectF]] = {}
        for note in self._mine(self.score.notes.plan):
            ghosts.setdefault(note.part, []).append(self._box(note, tick, row))
        self._ghosts = [(_GHOST[part], _GHOST_EDGE[part], rects) for part, rects in ghosts.items()]

    def _mine(self, notes: Iterable[NoteReport]) -> Iterable[NoteReport]:
        return (note for note in notes if (note.part == Part.DRUMS) == self.drums)

    def _box(self, note: NoteReport, tick: float, row: float) -> QRectF:
        """Where a note is drawn; tick, row: how much of them a pixel is."""
        x = note.tick + note.micro / MICRO_STEPS
        if self.drums:  # a stroke has no length worth showing
            return QRectF(x, drum_lane(note.pitch) + 2 * row, 5 * tick, 1 - 4 * row)
        return QRectF(x, note.pitch + row, max(note.duration - tick, 3 * tick), 1 - row)

    def _rounded(self, note: NoteReport, tick: float, row: float) -> tuple[QRectF, ...]:
        """The box with its corners cut by a pixel: as good as rounded, and a hundredth of the price."""
        box = self._box(note, tick, row)
        if box.height() < 4 * row:
            return (box,)
        return box.adjusted(0, row, 0, -row), box.adjusted(tick, 0, -tick, 0)


def _hairline(colour: QColor) -> QPen:
    pen = QPen(colour, 0)
    pen.setCosmetic(True)
    return pen


def _mix(front: str, back: str, share: float) -> QColor:
    """`share` of `front` on `back`, opaque: nothing shines through notes that overlap."""
    a, b = QColor(front), QColor(back)
    red, green, blue = (
        share * getattr(a, channel)() + (1 - share) * getattr(b, channel)()
        for channel in ("redF", "greenF", "blueF")
    )
    return QColor.fromRgbF(red, green, blue)


_DARK_ROW, _BEAT_LINE = "#0F1115", "#1E2228"
_SOLID = tuple(
    tuple(_mix(part, theme.ROLL, 0.55 + 0.15 * level) for level in range(_LEVELS)) for part in theme.PARTS
)
_BRIGHT = tuple(_mix("#FFFFFF", part, 0.45) for part in theme.PARTS)
_GHOST = tuple(_mix(part, theme.ROLL, 0.16) for part in theme.PARTS)
_GHOST_EDGE = tuple(_mix(part, theme.ROLL, 0.58) for part in theme.PARTS)
