"""The edges of the piano roll: a keyboard at the left, bar numbers above."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFont, QPainter, QPaintEvent, QPixmap, QStaticText
from PySide6.QtWidgets import QWidget

from instrument.music.notes import Part
from instrument.ui import theme
from instrument.ui.knobs.values import note_name
from instrument.ui.roll.lane import Lane
from instrument.ui.roll.notes import DRUM_LANES, drum_lane
from instrument.ui.roll.score import Score

_WIDTH, _HEIGHT = 52, 24
_BLACK_LENGTH = 0.62  # share of the width of a white key
_BLACK = frozenset((1, 3, 6, 8, 10))


class RollView(Protocol):
    """What keyboard and ruler need to know of the roll: its notes and the area shown."""

    score: Score
    lane: Lane
    drum_lane: Lane
    row_px: int

    @property
    def keys(self) -> QWidget:
        """The keyboard at the left of the rows."""
        ...

    def x_of(self, tick: float) -> float:
        """Pixels from the left edge of the roll to a tick."""
        ...

    def y_of(self, row: float, lane: Lane) -> float:
        """Pixels from the top of a lane to a row."""
        ...


class Keys(QWidget):
    """The keyboard at the left, and the names of the drum lanes. Sounding notes and held keys are highlighted."""

    def __init__(self, roll: RollView) -> None:
        super().__init__()
        self.roll = roll
        self._lit: dict[tuple[bool, int], int] = {}  # (whether a drum lane, pitch or lane) -> part
        self._face = QPixmap()
        self._drawn: tuple[object, ...] = ()
        self._shown: tuple[object, ...] = ()
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFixedWidth(theme.px(_WIDTH))

    def refresh(self) -> None:
        """Repaint if anything has changed."""
        roll = self.roll
        self._lit = {
            (True, drum_lane(note.pitch)) if note.part == Part.DRUMS else (False, note.pitch): note.part
            for note in roll.score.sounding
        } | {(False, key): Part.MELODY for key in roll.score.keys}
        shown = (
            tuple(self._lit.items()),
            roll.lane.viewRange()[1],
            roll.lane.height(),
            roll.score.notes.drums,
        )
        if shown != self._shown:
            self._shown = shown
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        roll = self.roll
        shape = (self.size(), self.devicePixelRatioF(), roll.lane.height(), roll.score.notes.drums)
        drawn = (*shape, roll.lane.viewRange()[1])
        if drawn != self._drawn:
            self._drawn = drawn
            self._face = self._draw_face()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._face)
        painter.setFont(theme.font(theme.CAPTION))
        for (drums, row), part in self._lit.items():
            if drums and self._names_drums:
                self._name_lane(painter, row, theme.PARTS[part])
            elif not drums and (box := self._key(row)).bottom() <= roll.lane.height():
                box.setWidth(box.width() * _BLACK_LENGTH)  # so that the names stay legible
                painter.fillRect(box, theme.colour(theme.PARTS[part]))

    def _draw_face(self) -> QPixmap:
        """The keyboard without highlights, drawn once for a view."""
        roll, density = self.roll, self.devicePixelRatioF()
        face = QPixmap(self.size() * density)
        face.setDevicePixelRatio(density)
        face.fill(theme.colour(theme.ROLL))
        painter = QPainter(face)
        _, (bottom, top) = roll.lane.viewRange()
        width = self.width() - 1
        painter.setClipRect(QRectF(0, 0, width, roll.lane.height()))
        painter.fillRect(QRectF(0, 0, width, roll.lane.height()), theme.colour(theme.WHITE_KEY))
        painter.setFont(theme.font(theme.CAPTION, QFont.Weight.Medium))
        for pitch in range(max(0, int(bottom)), min(127, int(top)) + 1):
            box = self._key(pitch)
            if pitch % 12 in _BLACK:
                black = QRectF(0, box.top(), width * _BLACK_LENGTH, box.height())
                painter.fillRect(black, theme.colour(theme.BLACK_KEY))
            if pitch % 12 in (0, 5):
                painter.fillRect(QRectF(0, box.bottom() - 1, width, 1), theme.colour(theme.ROLL))
            if pitch % 12 == 0:
                painter.setPen(theme.colour(theme.KEY_NAME))
                name = QRectF(0, box.bottom() - theme.px(14), width - theme.px(5), theme.px(14))
                painter.drawText(name, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom, note_name(pitch))
        painter.setClipping(False)
        painter.setFont(theme.font(theme.CAPTION))
        if roll.score.notes.drums and self._names_drums:
            for lane in range(len(DRUM_LANES)):
                self._name_lane(painter, lane, theme.MUTED)
        elif roll.score.notes.drums:
            top, foot = (roll.y_of(row, roll.drum_lane) for row in (len(DRUM_LANES), 0))
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.setPen(theme.colour(theme.MUTED))
            painter.drawText(QRectF(0, top, self.width() - theme.px(7), foot - top), right, "Drums")
        painter.end()
        return face

    @property
    def _names_drums(self) -> bool:
        """Whether the drum lanes are high enough for their names."""
        top, foot = (self.roll.y_of(row, self.roll.drum_lane) for row in (1, 0))
        return foot - top >= theme.px(theme.CAPTION)

    def _key(self, pitch: int) -> QRectF:
        return QRectF(0, self.roll.y_of(pitch + 1, self.roll.lane), self.width() - 1, self.roll.row_px)

    def _name_lane(self, painter: QPainter, lane: int, colour: str) -> None:
        top, foot = (self.roll.y_of(row, self.roll.drum_lane) for row in (lane + 1, lane))
        painter.setPen(theme.colour(colour))
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(0, top, self.width() - theme.px(7), foot - top), right, DRUM_LANES[lane])


class Ruler(QWidget):
    """Bar numbers above the roll."""

    def __init__(self, roll: RollView) -> None:
        super().__init__()
        self.roll = roll
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFixedHeight(theme.px(_HEIGHT))
        self._font = theme.font(theme.CAPTION, QFont.Weight.Medium)
        self._names: dict[int, QStaticText] = {}  # laid out once, because text is expensive to paint

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.colour(theme.ROLL))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        roll = self.roll
        painter.setFont(self._font)
        (left, right), _ = roll.lane.viewRange()
        painter.setClipRect(QRectF(roll.keys.width(), 0, self.width(), self.height()))
        bars, _ = roll.score.bars.lines(left, right)
        scale = (self.width() - roll.keys.width()) / (right - left)
        for tick, bar in bars:
            x = roll.keys.width() + (tick - left) * scale
            painter.fillRect(QRectF(int(x), self.height() * 0.6, 1, self.height() * 0.4), theme.colour(theme.BAR_LINE))
            painter.setPen(theme.colour(theme.MUTED))
            if (name := self._names.get(bar)) is None:
                name = self._names[bar] = QStaticText(str(bar))
            painter.drawStaticText(QPointF(x + theme.px(6), (self.height() - name.size().height()) / 2), name)
        x, foot, wide = roll.x_of(roll.score.position), self.height(), theme.px(5)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour(theme.TEXT))
        top = foot - wide * 1.2
        painter.drawPolygon([QPointF(x - wide, top), QPointF(x + wide, top), QPointF(x, foot)])
