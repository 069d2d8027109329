"""The chord lane: the plan's chords and sections over the bars of the roll, which can be typed, dragged and deleted."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QFont,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QInputDialog, QLineEdit, QMenu, QSizePolicy, QWidget

from instrument.engine.ipc.messages import BarReport, Lead, SetChords, SetKnob, SetProgression, Telemetry
from instrument.engine.performance.knobs import INSTRUMENT
from instrument.ui import icons, theme
from instrument.ui.roll.keys import RollView

HEIGHT = 30
GOES_ON = "%"  # written into a bar: the chord before it goes on
LOOPS = (1, 2, 4, 8)
_LARGE = 54  # size of the names on a stage
_DRAG = 6  # pixels of a drag
_TYPED = 132  # least width of the field
_EMPTY = "No chord plan: double-click a bar and type chords, as in  Dm9 G13"
_HELP = (
    "Chords of the plan. Arrows choose a bar, Return writes its chords, Delete removes them; "
    "drag a bar's chords to another bar."
)


class ChordLane(QWidget):
    """The signal `asked` carries a command. It stands over the roll, with the same left edge.

    bars: of the plan, by number; chosen: the number of the bar with the frame, or None.
    """

    asked = Signal(object)

    def __init__(self, roll: RollView) -> None:
        super().__init__()
        self._roll = roll
        self.bars: dict[int, BarReport] = {}
        self.chosen: int | None = None
        self.large = False
        self._led = ""
        self._grip: tuple[int, QPointF] | None = None  # the bar that was pressed, and where
        self._over: int | None = None  # the bar over which another is dragged
        self._field: QLineEdit | None = None
        self._edited = 0
        self._shown: tuple[object, ...] = ()
        self.setAccessibleName("Chord lane")
        self.setToolTip("Chords of the plan: double-click to type, drag to another bar, right-click for more")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._describe()

    # -- what it shows

    def show_telemetry(self, report: Telemetry) -> None:
        """Take the bars of the plan, and the chord that a person leads with."""
        self._led = report.led
        if report.bars is not None:
            self.bars = {bar.number: bar for bar in report.bars}
            self._describe()
            self.update()

    def advance(self) -> None:
        """Repaint if the roll has moved; called with every frame."""
        (left, right), _ = self._roll.lane.viewRange()
        now = round(self._roll.x_of(self._roll.score.position))
        shown = left, right, now, self._led, self._roll.score.bars.map
        if shown != self._shown:
            self._shown = shown
            self.update()

    def show_large(self, large: bool) -> None:
        """Show the names so large that they can be read from afar, or as usual."""
        self.large = large
        self.updateGeometry()

    def text_of(self, number: int) -> str:
        """The chords of a bar as they are typed."""
        bar = self.bars.get(number)
        return " ".join(name for _, name in bar.chords) if bar else ""

    def bar_at(self, x: float) -> int:
        """The number of the bar at an x of this widget."""
        (left, right), _ = self._roll.lane.viewRange()
        keys = self._roll.keys.width()
        tick = left + (x - keys) / max(1, self.width() - keys) * (right - left)
        return self._roll.score.bars.map.locate(max(0, int(tick))).bar

    def box(self, number: int) -> QRectF:
        """The area of a bar within the widget."""
        start, end = (self._roll.score.bars.map.start_of(number + more) for more in (0, 1))
        x = self._roll.x_of(start)
        return QRectF(x, 0, self._roll.x_of(end) - x, self.height())

    def sizeHint(self) -> QSize:
        return QSize(theme.px(400), theme.px(HEIGHT * (3.2 if self.large else 1)))

    def minimumSizeHint(self) -> QSize:
        return QSize(theme.px(100), self.sizeHint().height())

    # -- what a person does

    def edit(self, number: int) -> None:
        """Open a field to type the chords of a bar in."""
        self._close()
        self.choose(number)
        self._edited = number
        self._field = field = QLineEdit(self.text_of(number), self)
        field.setObjectName("typed")
        field.setAccessibleName(f"Chords of bar {number + 1}")
        field.setPlaceholderText("Dm9 G13")
        field.setToolTip("Chords as Dm9 G13; | goes to the next bar; % keeps the chord before; empty: as planned")
        box = self.box(number)
        width = max(box.width(), theme.px(_TYPED))
        left = min(max(box.left(), self._roll.keys.width()), self.width() - width)
        field.setGeometry(QRectF(left, 1, width, self.height() - 2).toRect())
        field.selectAll()
        field.installEventFilter(self)
        field.show()
        field.setFocus(Qt.FocusReason.OtherFocusReason)

    def choose(self, number: int) -> None:
        """Put the frame on a bar."""
        self.chosen = max(0, number)
        self._describe()
        self.update()

    def write(self, number: int, text: str) -> None:
        """Ask for other chords in a bar, counted from 0."""
        self.asked.emit(SetChords(number + 1, text))

    def delete(self, number: int) -> None:
        """Let the chord before a bar go on in it."""
        self.write(number, GOES_ON)

    def move_chords(self, source: int, target: int, copy: bool = False) -> None:
        """Write the chords of a bar into another one, and take them out of their own unless they are copied."""
        text = self.text_of(source)
        if not text or source == target:
            return
        self.write(target, text)
        if not copy:
            self.delete(source)

    def menu(self, number: int) -> QMenu:
        """The context menu of a bar; it deletes itself when closed."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        bar, text = self.bars.get(number), self.text_of(number)
        menu.addAction(f"Bar {number + 1}" + (f": {text}" if text else "")).setEnabled(False)
        menu.addAction("Write chords\u2026", partial(self.edit, number))
        menu.addAction("Delete: the chord before goes on", partial(self.delete, number)).setEnabled(bool(text))
        if bar and bar.written:
            menu.addAction("As it was planned", partial(self.write, number, ""))
        menu.addSeparator()
        for name in dict.fromkeys(text.split()):
            menu.addAction(f"Hold {name}", partial(self.asked.emit, Lead(name)))
        menu.addAction("Back to the plan", partial(self.asked.emit, Lead(""))).setEnabled(bool(self._led))
        loops = menu.addMenu("Loop")
        for bars in LOOPS:
            name = f"The last {bars} bars" if bars > 1 else "The last bar"
            loops.addAction(name, partial(self.asked.emit, SetKnob("loop", bars, INSTRUMENT)))
        loops.addAction("Go on", partial(self.asked.emit, SetKnob("loop", 0, INSTRUMENT)))
        menu.addSeparator()
        menu.addAction("Type a whole plan\u2026", self.type_plan)
        return menu

    def type_plan(self) -> None:
        """Ask for a progression that is the plan from the next bar on."""
        dialog = QInputDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle("Chord plan")
        dialog.setLabelText("Chords, bar by bar. Sections are A: and B:, their order form: AABA")
        dialog.setOption(QInputDialog.InputDialogOption.UsePlainTextEditForTextInput)
        ahead = [self.text_of(number) for number in sorted(self.bars) if number >= self._number_now][:8]
        dialog.setTextValue(" | ".join(filter(None, ahead)))
        dialog.textValueSelected.connect(lambda text: self.asked.emit(SetProgression(text)) if text.strip() else None)
        dialog.open()

    # -- Qt

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()
        if event.button() == Qt.MouseButton.LeftButton:
            number = self.bar_at(event.position().x())
            self.choose(number)
            self._grip = number, event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._grip is None:
            return
        _, at = self._grip
        if self._over is not None or abs(event.position().x() - at.x()) > theme.px(_DRAG):
            self._over = self.bar_at(event.position().x())
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        grip, over = self._grip, self._over
        self._grip = self._over = None
        self.unsetCursor()
        if grip is not None and over is not None:
            self.choose(over)
            self.move_chords(grip[0], over, bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier))
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._grip = None
        self.edit(self.bar_at(event.position().x()))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        by_mouse = event.reason() == QContextMenuEvent.Reason.Mouse
        number = self.bar_at(event.pos().x()) if by_mouse else self._chosen_or_next
        self.choose(number)
        at = event.pos() if by_mouse else self.box(number).center().toPoint()
        self.menu(number).popup(self.mapToGlobal(at))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, number = event.key(), self._chosen_or_next
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self.choose(number + (1 if key == Qt.Key.Key_Right else -1) if self.chosen is not None else number)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.edit(number)
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete(number)
        else:
            event.ignore()

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.update()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Of the field: Return writes, Escape leaves all as it was."""
        if watched is not self._field:
            return False
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()  # the letters are chords, not shortcuts
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                text = self._field.text() if self._field else ""
                self._close()
                self.write(self._edited, text.strip())
                return True
            if event.key() == Qt.Key.Key_Escape:
                self._close()
                return True
        elif event.type() == QEvent.Type.FocusOut:
            self._close()
        return False

    def _close(self) -> None:
        field, self._field = self._field, None
        if field is not None:
            field.hide()
            field.deleteLater()
            self.setFocus(Qt.FocusReason.OtherFocusReason)

    @property
    def _number_now(self) -> int:
        score = self._roll.score
        return int(score.bars.map.locate(max(0, int(score.position))).bar)

    @property
    def _chosen_or_next(self) -> int:
        return self._number_now + 2 if self.chosen is None else self.chosen

    def _describe(self) -> None:
        number = self._chosen_or_next
        bar = self.bars.get(number)
        section = f", section {bar.section}" if bar and bar.section else ""
        recall = f", recalls bar {bar.recall + 1}" if bar and bar.recall >= 0 else ""
        here = f"Bar {number + 1}: {self.text_of(number) or 'no chord'}{section}{recall}. "
        self.setAccessibleDescription(here + _HELP)

    # -- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        keys, now = self._roll.keys.width(), self._roll.score.position
        size = _LARGE if self.large else theme.BODY
        painter.setPen(theme.colour(theme.MUTED))
        painter.setFont(theme.font(theme.CAPTION))
        corner = QRectF(0, 0, keys - theme.px(7), self.height())
        painter.drawText(corner, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, "Chords")
        painter.setClipRect(QRectF(keys, 0, self.width() - keys, self.height()))
        if not self.bars:
            painter.drawText(self.rect().adjusted(keys, 0, 0, 0), Qt.AlignmentFlag.AlignCenter, _EMPTY)
        (left, right), _ = self._roll.lane.viewRange()
        for bar in self.bars.values():
            if bar.tick < right and bar.tick + bar.ticks > left:
                self._paint_bar(painter, bar, size, bar.tick + bar.ticks <= now)
        for number, colour in (
            (self.chosen, theme.ACCENT if self.hasFocus() else theme.TRACK),
            (self._over, theme.WARN),
        ):
            if number is not None:
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(theme.colour(colour), theme.px(1.5)))
                painter.drawRoundedRect(self.box(number).adjusted(2, 1, -1, -1), theme.px(4), theme.px(4))
        x = self._roll.x_of(now)
        painter.setPen(QPen(theme.colour(theme.TEXT, 0.85), 1))
        painter.drawLine(QPointF(x, 0), QPointF(x, self.height()))

    def _paint_bar(self, painter: QPainter, bar: BarReport, size: float, past: bool) -> None:
        box = QRectF(self._roll.x_of(bar.tick), 0, 0, self.height())
        box.setRight(self._roll.x_of(bar.tick + bar.ticks))
        slot = box.adjusted(1.5, 1.5, -1.5, -1.5)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour(theme.RAISED, 0.35 if past else 1.0))
        painter.drawRoundedRect(slot, theme.px(4), theme.px(4))
        if bar.written:
            painter.setBrush(theme.colour(theme.ACCENT))
            painter.drawRect(QRectF(slot.left() + theme.px(3), slot.bottom() - theme.px(2), slot.width() - theme.px(6),
                                    theme.px(2)))  # fmt: skip
        begins = theme.px(6)
        middle = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        if bar.begins and bar.section:
            painter.setFont(theme.font(theme.CAPTION, QFont.Weight.DemiBold))
            name = bar.section[:1].upper()
            badge = QRectF(slot.left() + theme.px(3), slot.center().y() - theme.px(9), theme.px(16), theme.px(18))
            painter.setBrush(theme.colour(theme.ACCENT, 0.5 if past else 1.0))
            painter.drawRoundedRect(badge, theme.px(4), theme.px(4))
            painter.setPen(theme.colour(theme.ON_ACCENT))
            painter.drawText(badge, Qt.AlignmentFlag.AlignCenter, name)
            begins = theme.px(24)
        painter.setPen(theme.colour(theme.MUTED if past else theme.TEXT))
        if bar.recall >= 0:
            icons.back(painter, QPointF(slot.right() - theme.px(10), slot.center().y()), theme.MUTED)
            painter.setPen(theme.colour(theme.MUTED if past else theme.TEXT))
        painter.setFont(theme.font(size, QFont.Weight.DemiBold))
        starts = [self._roll.x_of(bar.tick + at) for at, _ in bar.chords]
        for place, (_, name) in enumerate(bar.chords):
            x = max(starts[place] + (begins if not place else theme.px(2)), self._roll.keys.width() + theme.px(4))
            end = (
                starts[place + 1] if place + 1 < len(starts) else slot.right() - theme.px(16 if bar.recall >= 0 else 2)
            )
            room = QRectF(x, 0, max(0.0, end - x), self.height())
            text = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, round(room.width()))
            painter.drawText(room, middle, text)
