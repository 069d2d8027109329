"""The piano roll: notes played to the left of the playhead, planned notes, drawn faintly, to the right."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import pyqtgraph as pg
from PySide6.QtCore import QPointF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QSizePolicy, QWidget

from instrument.engine.ipc.messages import NoteReport, Remake, Telemetry, Value
from instrument.music.notes import Part
from instrument.music.timebase import TICKS_PER_BEAT
from instrument.ui import theme
from instrument.ui.knobs.controls import Button
from instrument.ui.roll.bar_tools import BarTools
from instrument.ui.roll.keys import Keys, Ruler
from instrument.ui.roll.lane import Lane, LaneItem
from instrument.ui.roll.notes import DRUM_LANES, drum_lane
from instrument.ui.roll.score import Score

PLAYHEAD_AT = 0.6  # share of the width; the playhead moves up to here, then the notes scroll
PAGE = 0.85  # share of the width that is a page
MARGIN = 0.03  # share of the width before the first note
_BAR = 4 * TICKS_PER_BEAT
_ACROSS = (2 * _BAR, 16 * _BAR)  # least and most ticks from edge to edge
_ROW_PX = (3, 15)  # least and largest height of a row
_FEWEST_ROWS = 30
_LANE_PX = ((260, 14), (190, 12), (0, 7))  # (least height of the roll, height of a drum lane)
_LEAST_TICKS = 6  # to hit a note with the mouse
_DRAG = 5  # pixels of a drag
_EASE = 0.15  # share of the way to the middle of the pitches in use, every frame


class PianoRoll(QWidget):
    """The roll with its keyboard and bar numbers.

    It needs telemetry and values, and a call of `advance` once a frame. The wheel and the keys + and - zoom in time, a
    drag or a wheel to the side looks back or ahead until *Follow*. A click on a bar shows what can be done to it; a
    double click on a note asks for its bar to be made anew.

    player: whose bars are made anew where no note is clicked; still: pages stand still instead of scrolling.

    asked: a command for the engine.
    """

    asked = Signal(object)

    def __init__(self, score: Score | None = None, clock: Callable[[], float] = time.perf_counter) -> None:
        """score: the notes to show, if they outlive this widget."""
        super().__init__()
        self.score = score or Score()
        self.player, self.still = 0, False
        self._left: float | None = None  # tick at the left edge, while the music is not followed
        self._grip: tuple[float, float] | None = None  # x of the press, and the tick at the left edge then
        self._dragged = self._hinted_over = False
        self.ticks_across = 6.0 * _BAR
        self.row_px = 9
        self._clock = clock
        self._centre = 60.0
        self._shown: tuple[object, ...] = ()
        self.setAccessibleName("Piano roll")
        self.setAccessibleDescription(
            "Notes played, and planned notes drawn faintly. Plus and minus zoom in time. "
            "Left and right look back and ahead, F follows the music again. Double-click a note to make its bar anew."
        )
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

        self._view = pg.GraphicsLayoutWidget()
        self._view.setBackground(theme.ROLL)
        # `advance` requests one repaint a frame; without this the view would add a second one.
        self._view.setViewportUpdateMode(pg.GraphicsView.ViewportUpdateMode.NoViewportUpdate)
        self._view.setFrameShape(QFrame.Shape.NoFrame)
        self._view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._view.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._view.ci.setContentsMargins(0, 0, 0, 0)
        self._view.ci.setSpacing(0)
        self.lane, self.drum_lane = Lane(LaneItem(self.score, False)), Lane(LaneItem(self.score, True))
        self._view.addItem(self.lane, 0, 0)
        self._view.addItem(self.drum_lane, 1, 0)
        self.keys, self._ruler = Keys(self), Ruler(self)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(0)
        grid.addWidget(self._ruler, 0, 0, 1, 2)
        grid.addWidget(self.keys, 1, 0)
        grid.addWidget(self._view, 1, 1)
        self._hint = QLabel(self._view)
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._hint.setProperty("role", "hint")
        self.tools = BarTools(self)
        self.tools.asked.connect(self.asked)
        self.follow = Button("Follow", "Go on with the music (F)", name="act")
        self.follow.setParent(self)
        self.follow.clicked.connect(self.follow_music)
        self.follow.hide()
        self._place_lanes()

    # -- what it shows

    def show_hint(self, text: str, over: bool = False) -> None:
        """Show a text in the middle of the roll while it has no notes; "" for none. over: over planned notes, too."""
        self._hint.setText(text)
        self._hinted_over = over
        notes = self.score.notes
        self._hint.setVisible(bool(text) and not notes.committed and (over or not notes.planned))

    def show_telemetry(self, report: Telemetry) -> None:
        """Take position, committed notes and planned notes."""
        self.score.show_telemetry(report, self._clock())

    def show_values(self, values: Mapping[str, Value]) -> None:
        """Take key, scale and metre from "player/knob" -> value."""
        self.score.show_values(values)

    def advance(self) -> None:
        """Move to the present time. Nothing is painted if nothing has changed."""
        self.score.advance(self._clock())
        self._follow_pitches()
        tick = self.ticks_across / max(1, self._view.width())
        unit = tick / self.devicePixelRatioF()  # scrolling by whole pixels keeps edges sharp
        left = self._page_of(self.score.position) if self.still else self._left_of(self.score.position)
        left = round((left if self._left is None else self._left) / unit) * unit
        height = self.lane.height()
        rows = height / self.row_px
        bottom = round(min(max(self._centre - rows / 2, 0.0), max(128 - rows, 0.0)) * self.row_px) / self.row_px
        notes = self.score.notes
        shown: tuple[object, ...] = (
            left,
            tick,
            bottom,
            rows,
            notes.performance,
            notes.count,
            notes.planned_version,
        )
        shown += (self.score.playing, self.score.scale_version, len(self.score.sounding), self.score.keys)
        if shown == self._shown:
            return
        if self.drum_lane.isVisible() != self.score.notes.drums:
            self._place_lanes()
        self._shown = shown
        self.show_hint(self._hint.text(), self._hinted_over)
        across = (left, left + self.ticks_across)
        for lane, up in ((self.lane, (bottom, bottom + rows)), (self.drum_lane, (0, len(DRUM_LANES)))):
            lane.setRange(xRange=across, yRange=up, padding=0, disableAutoRange=True)
        self._view.viewport().update()
        self.keys.refresh()
        self._ruler.update()

    def _left_of(self, tick: float) -> float:
        """The tick at the left edge while the music scrolls under the playhead."""
        return max(tick - PLAYHEAD_AT * self.ticks_across, -MARGIN * self.ticks_across)

    def _page_of(self, tick: float) -> float:
        """The tick at the left edge while pages of music stand still and the playhead moves."""
        page = PAGE * self.ticks_across
        return max(0.0, tick) // page * page - MARGIN * self.ticks_across

    def zoom_time(self, factor: float) -> None:
        """Show `factor` times as much music."""
        self.ticks_across = min(max(self.ticks_across * factor, _ACROSS[0]), _ACROSS[1])

    def look_at(self, left: float) -> None:
        """Stay at a tick at the left edge instead of following the music."""
        self._left = max(left, -MARGIN * self.ticks_across)
        self.follow.adjustSize()
        self.follow.move(self.width() - self.follow.width() - theme.px(8), self._ruler.height() + theme.px(4))
        self.follow.show()
        self.follow.raise_()

    def follow_music(self) -> None:
        """Follow the music again."""
        self._left = None
        self.follow.hide()

    # -- used by its parts

    def x_of(self, tick: float) -> float:
        """Pixels from the left edge of this widget."""
        (left, right), _ = self.lane.viewRange()
        return float(self.keys.width() + (tick - left) / (right - left) * self._view.width())

    def y_of(self, row: float, lane: pg.ViewBox) -> float:
        """Pixels from the top of the lanes."""
        _, (bottom, top) = lane.viewRange()
        return float(lane.y() + (top - row) / (top - bottom) * lane.height())

    def note_at(self, place: QPointF) -> NoteReport | None:
        """The note at a place of this widget, planned ones first."""
        x, y = place.x() - self._view.x(), place.y() - self._view.y()
        for lane, drums in ((self.lane, False), (self.drum_lane, True)):
            (left, right), (bottom, top) = lane.viewRange()
            tick = left + x / max(1, self._view.width()) * (right - left)
            row = top - (y - lane.y()) / max(1.0, lane.height()) * (top - bottom)
            for note in (*self.score.notes.planned, *self.score.notes.committed) if bottom <= row < top else ():
                at = drum_lane(note.pitch) if drums else note.pitch
                length = max(note.duration, _LEAST_TICKS)
                if (note.part == Part.DRUMS) == drums and at == int(row) and note.tick <= tick < note.tick + length:
                    return note
        return None

    # -- Qt

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()
        if event.button() == Qt.MouseButton.LeftButton:
            self._grip, self._dragged = (event.position().x(), self.lane.viewRange()[0][0]), False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._grip is None:
            return
        x, left = self._grip
        moved = event.position().x() - x
        if self._dragged or abs(moved) > theme.px(_DRAG):
            self._dragged = True
            self.look_at(left - moved * self.ticks_across / max(1, self._view.width()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._grip is not None and not self._dragged:
            self._open_tools(event.position())
        self._grip = None

    def _open_tools(self, place: QPointF) -> None:
        """Show what can be done to the bar at a place."""
        (left, right), _ = self.lane.viewRange()
        tick = left + (place.x() - self._view.x()) / max(1, self._view.width()) * (right - left)
        if tick < 0:
            return
        note = self.note_at(place)
        self.tools.open(self.score.bars.map.locate(int(tick)).bar, note.player if note else self.player)
        x = min(max(round(place.x()) - self.tools.width() // 2, self.keys.width()), self.width() - self.tools.width())
        self.tools.move(max(0, x), self._ruler.height() + theme.px(4))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if note := self.note_at(event.position()):
            self.asked.emit(Remake(self.score.bars.map.locate(note.tick).bar + 1, note.player))

    def sizeHint(self) -> QSize:
        return QSize(theme.px(900), theme.px(380))

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._shown = ()
        self._hint.resize(self._view.size())
        self._place_lanes()

    def wheelEvent(self, event: QWheelEvent) -> None:
        moved = event.angleDelta()
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier or abs(moved.x()) > abs(moved.y()):
            notches = (moved.x() or moved.y()) / 120
            self.look_at(self.lane.viewRange()[0][0] - notches * self.ticks_across / 12)
        else:
            self.zoom_time(1.1 ** (-moved.y() / 120))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            step = self.ticks_across / 8 * (1 if event.key() == Qt.Key.Key_Right else -1)
            self.look_at(self.lane.viewRange()[0][0] + step)
        elif event.key() == Qt.Key.Key_F:
            self.follow_music()
        elif event.modifiers() & Qt.KeyboardModifier.ControlModifier or event.text() not in ("+", "=", "-"):
            super().keyPressEvent(event)
        else:
            self.zoom_time(1.25 if event.text() == "-" else 0.8)

    def _place_lanes(self) -> None:
        drums = self.score.notes.drums
        self.drum_lane.setVisible(drums)
        lane = next(lane for least, lane in _LANE_PX if self._view.height() >= theme.px(least))
        height = theme.px(lane) * len(DRUM_LANES) if drums else 0
        layout = self._view.ci.layout
        layout.setRowFixedHeight(1, height)
        layout.setRowSpacing(0, theme.px(6) if drums else 0)
        layout.activate()

    def _follow_pitches(self) -> None:
        """Move the view smoothly towards the pitches in use."""
        low, high = self.score.notes.span or (48, 84)
        needed = max(_FEWEST_ROWS, high - low + 5)
        least, most = (theme.px(edge) for edge in _ROW_PX)
        self.row_px = min(max(int(self.lane.height() / needed), least), most)
        target = (low + high + 1) / 2
        self._centre += (target - self._centre) * _EASE
        if abs(target - self._centre) < 0.05:
            self._centre = target
