"""The piano roll: what was played to the left of the playhead, what is planned, as ghosts, to the right."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QKeyEvent,
    QLinearGradient,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
    QStaticText,
    QWheelEvent,
)
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QStyleOptionGraphicsItem, QWidget

from instrument.engine.messages import NoteReport, Telemetry, Value
from instrument.music.harmony import KEYS, SCALES, scale_mask
from instrument.music.notes import Part
from instrument.music.timebase import MICRO_STEPS, TICKS_PER_BEAT
from instrument.ui import theme
from instrument.ui.rollnotes import DRUM_LANES, Bars, Playhead, RollNotes, drum_lane
from instrument.ui.values import note_name

PLAYHEAD_AT = 0.6  # of the width
_BAR = 4 * TICKS_PER_BEAT
_ACROSS = (2 * _BAR, 16 * _BAR)  # ticks from edge to edge, at least and at most
_ROW_PX = (3, 15)
_FEWEST_ROWS = 30
_LANE_PX, _LOW_LANE_PX, _KEYS_PX, _RULER_PX = 13, 9, 52, 24
_LOW = 300  # height from which down the roll is cramped
_SMALL = 9.5  # type
_EASE = 0.15
_FADES = 0.3  # of the width, from the left
_BLACK = frozenset((1, 3, 6, 8, 10))
_LEVELS = 4  # of velocity that are told apart


class Lane(pg.ViewBox):
    """One strip of the roll, a `_Strip` in it."""

    def __init__(self, strip: _Strip) -> None:
        super().__init__(enableMouse=False, enableMenu=False, defaultPadding=0.0)
        self.disableAutoRange()
        self.setMouseEnabled(False, False)
        self.strip = strip
        self.addItem(strip, ignoreBounds=True)


class _Strip(pg.GraphicsObject):
    """Paints a whole strip at once: rows, bar lines, notes in batches of one colour, playhead.

    In its coordinates x is in ticks and y in rows, upwards.
    """

    def __init__(self, roll: PianoRoll, drums: bool) -> None:
        super().__init__()
        self.roll, self.drums = roll, drums
        self._painted: tuple[object, ...] = ()
        self._planned: tuple[object, ...] = ()
        self._fade = QPixmap()
        self._batches: list[tuple[QColor, list[QRectF]]] = []
        self._ghosts: list[tuple[QColor, QColor, list[QRectF]]] = []
        self._bounds = QRectF(-1e7, -1e3, 2e7, 2e3)

    def boundingRect(self) -> QRectF:
        return self._bounds

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        view = self.getViewBox().viewRect()
        tick, row = view.width() / max(1.0, self.getViewBox().width()), view.height() / max(
            1.0, self.getViewBox().height()
        )
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
        self._paint_past(painter)
        now = self.roll.position
        for note in self.roll.sounding():
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
            dark = [QRectF(view.left(), p, view.width(), 1) for p in range(first, last) if self.roll.is_dark(p)]
        painter.setBrush(theme.colour(_DARK_ROW))
        painter.drawRects(dark)
        if not self.drums:
            painter.setPen(_hairline(theme.colour(theme.LINE)))
            for pitch in range(first, last):
                if pitch % 12 == self.roll.root:
                    painter.drawLine(QPointF(view.left(), pitch), QPointF(view.right(), pitch))

    def _paint_lines(self, painter: QPainter, view: QRectF) -> None:
        bars, beats = self.roll.bars.lines(view.left(), view.right())
        for ticks, shade in ((beats, _BEAT_LINE), ([tick for tick, _ in bars], _BAR_LINE)):
            painter.setPen(_hairline(theme.colour(shade)))
            for tick in ticks:
                painter.drawLine(QPointF(tick, view.top()), QPointF(tick, view.bottom()))

    def _paint_past(self, painter: QPainter) -> None:
        """Let what is long past fade. Blending a picture costs a third of blending a gradient."""
        box = self.getViewBox().sceneBoundingRect().toAlignedRect()
        box.setWidth(round(box.width() * _FADES))
        if self._fade.deviceIndependentSize().toSize() != box.size():
            density = self.roll.devicePixelRatioF()
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
        painter.drawPixmap(box.topLeft(), self._fade)
        painter.restore()

    def _batch(self, tick: float, row: float) -> None:
        """Sort the notes into batches by colour; only when notes or zoom have changed."""
        notes, left = self.roll.notes, self.getViewBox().viewRect().left()
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
        for note in self._mine(self.roll.notes.plan):
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


class PianoRoll(QWidget):
    """The roll with its keyboard and bar numbers.

    Feed it `show` (telemetry), `show_knobs`, and `advance` once a frame. The wheel or + and - zoom in time.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        super().__init__()
        self.notes, self.bars, self.playhead = RollNotes(), Bars(), Playhead()
        self.position = 0.0
        self.ticks_across = 6.0 * _BAR
        self.root = 0
        self._clock = clock
        self._playing = False
        self._in_scale = scale_mask(0, "major")
        self._locked = False
        self._row_px = 9
        self._centre = 60.0
        self._shown: tuple[object, ...] = ()
        self.setAccessibleName("Piano roll")
        self.setAccessibleDescription("Notes played, and notes planned as ghosts. Plus and minus zoom in time.")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

        self._view = pg.GraphicsLayoutWidget()
        self._view.setBackground(theme.ROLL)
        # `advance` asks for one repaint a frame; left to itself the view would add a second.
        self._view.setViewportUpdateMode(pg.GraphicsView.ViewportUpdateMode.NoViewportUpdate)
        self._view.setFrameShape(pg.QtWidgets.QFrame.Shape.NoFrame)
        self._view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._view.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._view.ci.setContentsMargins(0, 0, 0, 0)
        self._view.ci.setSpacing(0)
        self.lane, self.drum_lane = Lane(_Strip(self, False)), Lane(_Strip(self, True))
        self._view.addItem(self.lane, 0, 0)
        self._view.addItem(self.drum_lane, 1, 0)
        self._keys, self._ruler = _Keys(self), _Ruler(self)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(0)
        grid.addWidget(self._ruler, 0, 0, 1, 2)
        grid.addWidget(self._keys, 1, 0)
        grid.addWidget(self._view, 1, 1)
        self._hint = QLabel(self._view)
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._hint.setProperty("role", "hint")
        self._place_lanes()

    # -- what it is told

    def show_hint(self, text: str) -> None:
        """A word in the middle of the roll, for as long as it has no notes; empty for none."""
        self._hint.setText(text)
        self._hint.setVisible(bool(text) and not self.notes.committed and not self.notes.plan)

    def show_telemetry(self, report: Telemetry) -> None:
        """Take position, committed notes and plan."""
        started = report.playing and not self._playing
        jumped_back = report.playing and report.tick < self.position - TICKS_PER_BEAT
        fresh_plan = not report.playing and bool(report.plan) and bool(self.notes.committed)
        if started or jumped_back or fresh_plan:  # another performance: it counts from 0 again
            plan = self.notes.plan
            self.notes.clear()
            self.bars.restart()
            self.playhead.halt(report.tick)
            if report.plan is None and started:
                self.notes.replan(plan)
        self._playing = report.playing
        if report.plan is not None:
            self.notes.replan(report.plan)
        self.notes.commit(report.committed)
        if report.playing:
            self.playhead.report(report.tick, report.bpm, self._clock())
            self.bars.report(report.tick, report.bar, report.beat)
        else:
            self.playhead.halt(self.position if self.notes.committed else report.tick)

    def show_knobs(self, values: Mapping[str, Value]) -> None:
        """Shade the rows by key and scale, and take the metre, from "player/knob" -> value."""
        key, scale = str(values.get("-1/key", "C")), str(values.get("-1/scale", "chromatic"))
        self._locked = scale in SCALES and scale != "chromatic"
        self.root = KEYS.index(key) if self._locked and key in KEYS else 0
        self._in_scale = scale_mask(self.root, scale) if self._locked else scale_mask(0, "major")
        self.bars.metre = str(values.get("-1/metre", self.bars.metre))
        if not self._playing and not self.notes.committed:
            self.bars.restart()
        self._shown = ()

    def advance(self) -> None:
        """Move on to the present; nothing is painted if nothing has changed."""
        self.position = self.playhead.at(self._clock())
        self._look_at_notes()
        tick = self.ticks_across / max(1, self._view.width())
        unit = tick / self.devicePixelRatioF()  # the roll scrolls by whole pixels: edges stay sharp
        left = round((self.position - PLAYHEAD_AT * self.ticks_across) / unit) * unit
        height = self.lane.height()
        rows = height / self._row_px
        bottom = round(min(max(self._centre - rows / 2, 0.0), max(128 - rows, 0.0)) * self._row_px) / self._row_px
        shown = (left, tick, bottom, rows, self.notes.version, self.notes.plan_version)
        if shown == self._shown:
            return
        if self.drum_lane.isVisible() != self.notes.drums:
            self._place_lanes()
        self._shown = shown
        self.show_hint(self._hint.text())
        self.lane.setRange(
            xRange=(left, left + self.ticks_across), yRange=(bottom, bottom + rows), padding=0, disableAutoRange=True
        )
        self.drum_lane.setRange(
            xRange=(left, left + self.ticks_across), yRange=(0, len(DRUM_LANES)), padding=0, disableAutoRange=True
        )
        self._view.viewport().update()
        self._keys.refresh()
        self._ruler.update()

    def zoom_time(self, factor: float) -> None:
        """Show `factor` times as much music."""
        self.ticks_across = min(max(self.ticks_across * factor, _ACROSS[0]), _ACROSS[1])

    def adopt(self, other: PianoRoll) -> None:
        """Go on where another roll was."""
        self.notes, self.bars, self.playhead = other.notes, other.bars, other.playhead
        self.position, self.ticks_across, self._playing = other.position, other.ticks_across, other._playing
        self._centre = other._centre
        self._place_lanes()

    # -- what its parts ask

    def is_dark(self, pitch: int) -> bool:
        """Whether a row is drawn darker: outside the scale, or a black key where no scale is locked."""
        return not self._in_scale[pitch % 12]

    def sounding(self) -> list[NoteReport]:
        """The notes that sound now."""
        return self.notes.sounding(self.position) if self._playing else []

    def x_of(self, tick: float) -> float:
        """Pixels from the left edge of this widget."""
        (left, right), _ = self.lane.viewRange()
        return self._keys.width() + (tick - left) / (right - left) * self._view.width()

    def y_of(self, row: float, lane: pg.ViewBox) -> float:
        """Pixels from the top of the strips."""
        _, (bottom, top) = lane.viewRange()
        return lane.y() + (top - row) / (top - bottom) * lane.height()

    # -- itself

    def sizeHint(self) -> QSize:
        return QSize(theme.px(900), theme.px(380))

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._shown = ()
        self._hint.resize(self._view.size())
        self._place_lanes()

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.zoom_time(1.1 ** (-event.angleDelta().y() / 120))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier or event.text() not in ("+", "=", "-"):
            super().keyPressEvent(event)
        else:
            self.zoom_time(1.25 if event.text() == "-" else 0.8)

    def _place_lanes(self) -> None:
        drums = self.notes.drums
        self.drum_lane.setVisible(drums)
        lane = theme.px(_LOW_LANE_PX if self._view.height() < theme.px(_LOW) else _LANE_PX)
        height = lane * len(DRUM_LANES) if drums else 0
        layout = self._view.ci.layout
        layout.setRowFixedHeight(1, height)
        layout.setRowSpacing(0, theme.px(6) if drums else 0)
        layout.activate()

    def _look_at_notes(self) -> None:
        """Ease towards the pitches in use."""
        low, high = self.notes.span() or (48, 84)
        needed = max(_FEWEST_ROWS, high - low + 5)
        least, most = (theme.px(edge) for edge in _ROW_PX)
        self._row_px = min(max(int(self.lane.height() / needed), least), most)
        target = (low + high + 1) / 2
        self._centre += (target - self._centre) * _EASE
        if abs(target - self._centre) < 0.05:
            self._centre = target


class _Keys(QWidget):
    """The keyboard beside the rows, and the names of the drum lanes; what sounds is lit."""

    def __init__(self, roll: PianoRoll) -> None:
        super().__init__()
        self.roll = roll
        self._lit: dict[tuple[bool, int], int] = {}  # (whether a drum lane, pitch or lane) -> part
        self._face = QPixmap()
        self._drawn: tuple[object, ...] = ()
        self._shown: tuple[object, ...] = ()
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFixedWidth(theme.px(_KEYS_PX))

    def refresh(self) -> None:
        """Repaint if anything has changed."""
        roll = self.roll
        self._lit = {
            (True, drum_lane(note.pitch)) if note.part == Part.DRUMS else (False, note.pitch): note.part
            for note in roll.sounding()
        }
        shown = (tuple(self._lit.items()), roll.lane.viewRange()[1], roll.lane.height(), roll.notes.drums)
        if shown != self._shown:
            self._shown = shown
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        roll = self.roll
        drawn = (self.size(), roll.lane.viewRange()[1], roll.lane.height(), roll.notes.drums, self.devicePixelRatioF())
        if drawn != self._drawn:
            self._drawn = drawn
            self._face = self._draw_face()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._face)
        painter.setFont(theme.font(_SMALL))
        for (drums, row), part in self._lit.items():
            if drums:
                self._name_lane(painter, row, theme.PARTS[part])
            elif (box := self._key(row)).bottom() <= roll.lane.height():
                painter.fillRect(box, theme.colour(theme.PARTS[part]))

    def _draw_face(self) -> QPixmap:
        """All that does not light up."""
        roll, density = self.roll, self.devicePixelRatioF()
        face = QPixmap(self.size() * density)
        face.setDevicePixelRatio(density)
        face.fill(theme.colour(theme.ROLL))
        painter = QPainter(face)
        _, (bottom, top) = roll.lane.viewRange()
        width = self.width() - 1
        painter.setClipRect(QRectF(0, 0, width, roll.lane.height()))
        painter.fillRect(QRectF(0, 0, width, roll.lane.height()), theme.colour(_WHITE_KEY))
        painter.setFont(theme.font(_SMALL, QFont.Weight.Medium))
        for pitch in range(max(0, int(bottom)), min(127, int(top)) + 1):
            box = self._key(pitch)
            if pitch % 12 in _BLACK:
                painter.fillRect(QRectF(0, box.top(), width * 0.62, box.height()), theme.colour(_BLACK_KEY))
            if pitch % 12 in (0, 5):
                painter.fillRect(QRectF(0, box.bottom() - 1, width, 1), theme.colour(theme.ROLL))
            if pitch % 12 == 0:
                painter.setPen(theme.colour(_KEY_NAME))
                name = QRectF(0, box.bottom() - theme.px(14), width - theme.px(5), theme.px(14))
                painter.drawText(name, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom, note_name(pitch))
        painter.setClipping(False)
        painter.setFont(theme.font(_SMALL))
        for lane in range(len(DRUM_LANES) if roll.notes.drums else 0):
            self._name_lane(painter, lane, theme.MUTED)
        painter.end()
        return face

    def _key(self, pitch: int) -> QRectF:
        return QRectF(0, self.roll.y_of(pitch + 1, self.roll.lane), self.width() - 1, self.roll._row_px)

    def _name_lane(self, painter: QPainter, lane: int, colour: str) -> None:
        top, foot = (self.roll.y_of(row, self.roll.drum_lane) for row in (lane + 1, lane))
        painter.setPen(theme.colour(colour))
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(0, top, self.width() - theme.px(7), foot - top), right, DRUM_LANES[lane])


class _Ruler(QWidget):
    """Bar numbers above the roll."""

    def __init__(self, roll: PianoRoll) -> None:
        super().__init__()
        self.roll = roll
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFixedHeight(theme.px(_RULER_PX))
        self._font = theme.font(theme.CAPTION, QFont.Weight.Medium)
        self._names: dict[int, QStaticText] = {}  # laid out once: text is the dearest thing to paint

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.colour(theme.ROLL))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        roll = self.roll
        painter.setFont(self._font)
        (left, right), _ = roll.lane.viewRange()
        painter.setClipRect(QRectF(roll._keys.width(), 0, self.width(), self.height()))
        bars, _ = roll.bars.lines(left, right)
        for tick, bar in bars:
            x = roll.x_of(tick)
            painter.fillRect(QRectF(int(x), self.height() * 0.6, 1, self.height() * 0.4), theme.colour(_BAR_LINE))
            painter.setPen(theme.colour(theme.MUTED))
            name = self._names.setdefault(bar, QStaticText(str(bar)))
            painter.drawStaticText(QPointF(x + theme.px(6), (self.height() - name.size().height()) / 2), name)
        x, foot, wide = roll.x_of(roll.position), self.height(), theme.px(5)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour(theme.TEXT))
        painter.drawPolygon([QPointF(x - wide, foot - wide * 1.2), QPointF(x + wide, foot - wide * 1.2), QPointF(x, foot)])


def _hairline(colour: QColor) -> QPen:
    pen = QPen(colour, 0)
    pen.setCosmetic(True)
    return pen


def _mix(front: str, back: str, share: float) -> QColor:
    """`share` of `front` on `back`, opaque: nothing shines through notes that overlap."""
    a, b = QColor(front), QColor(back)
    return QColor(*(round(x * share + y * (1 - share)) for x, y in zip(a.getRgb()[:3], b.getRgb()[:3], strict=True)))


_DARK_ROW, _BEAT_LINE, _BAR_LINE = "#0F1115", "#1E2228", "#363D49"
_WHITE_KEY, _BLACK_KEY, _KEY_NAME = "#4A525E", "#1B1F25", "#C3CAD4"
_SOLID = tuple(tuple(_mix(part, theme.ROLL, 0.55 + 0.15 * level) for level in range(_LEVELS)) for part in theme.PARTS)
_BRIGHT = tuple(_mix("#FFFFFF", part, 0.45) for part in theme.PARTS)
_GHOST = tuple(_mix(part, theme.ROLL, 0.16) for part in theme.PARTS)
_GHOST_EDGE = tuple(_mix(part, theme.ROLL, 0.58) for part in theme.PARTS)
