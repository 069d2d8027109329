"""The latent pad: a square with anchors (latent points) and a puck that blends between them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import hypot

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QContextMenuEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QFocusEvent,
    QFont,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import QFileDialog, QInputDialog, QMenu, QSizePolicy, QWidget

from instrument.engine.ipc.messages import AddAnchor, Anchor, ChangeAnchor, RemoveAnchor
from instrument.engine.performance.pad import AXES, MAX_ANCHORS, anchor_weights
from instrument.ui import theme
from instrument.ui.knobs.controls import pretty
from instrument.ui.knobs.knob import MenuExtension
from instrument.ui.knobs.values import FINE
from instrument.ui.latent_pad.face import AnchorMark, draw_anchors, draw_puck, draw_square
from instrument.ui.latent_pad.path import Place, PuckPath

HELP = (
    "Drag the puck between anchors. On an anchor the player plays that phrase, between anchors a blend of them. "
    "The knob Wander sets how much the phrases vary; at 0 they do not.\n"
    "Double-click to make the bars just played an anchor, drop a MIDI file, or right-click. Hold Ctrl to drag an "
    "anchor, Shift for fine movements. The green puck is the tone of the sound player: it goes along, and Alt moves it "
    "alone."
)
_KEYS_HELP = (
    "Arrow keys move the puck, with Shift in fine steps. Page Up and Page Down go from anchor to anchor, Home to the "
    "middle. Enter opens the menu."
)
MIDI = (".mid", ".midi")  # files that can be anchors; others are the window's
_EMPTY = "Drop a MIDI file here,\nor right-click"
_CAPTION, _FOOT, _INSET = 20, 20, 16
_CATCH = 8.0  # distance in pixels at which the puck snaps to an anchor
_NOTCH = 0.05  # distance of one press of an arrow key
_SHOWN = 2  # anchors named below the square
_ARROWS: dict[int, tuple[int, int]] = {
    Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Down: (0, -1), Qt.Key.Key_Up: (0, 1),
}  # fmt: skip


class LatentPad(QWidget):
    """The pad of one player. Places run from -1 to 1, right and up.

    Signals: `turned` carries an axis and the value it was moved to by hand; `asked` carries a command about anchors.
    extend_menu: called with the context menu to add entries to it.
    """

    turned = Signal(str, float)
    sounded = Signal(str, float)  # as `turned`, for the puck of the sound
    asked = Signal(object)
    gripped = Signal(bool)  # the puck is taken, or let go
    extend_menu: MenuExtension | None = None

    def __init__(self, player: int, name: str = "Latent pad", genres: Sequence[str] = ()) -> None:
        """genres: those whose mean latent point can become an anchor."""
        super().__init__()
        self.player, self.genres = player, tuple(genres)
        self.anchors: tuple[Anchor, ...] = ()
        self.puck: Place = (0.0, 0.0)
        self._name = name
        self._grip: Place | None = None  # the pointer at the last move
        self._carried: tuple[Anchor, Place] | None = None  # an anchor being dragged, and its place
        self._lit = False
        self.sound_player = -1  # the sound player whose tone the second puck moves, -1: there is none
        self.sound: Place = (0.0, 0.0)
        self._splits = False  # only the puck of the sound is dragged
        self.path = PuckPath(self)
        self.path.moved.connect(self._go)
        self.setAccessibleName(name)
        self.setToolTip(HELP)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAcceptDrops(True)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)  # painted anew as the pointer comes and goes
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self._describe()

    @property
    def held(self) -> bool:
        """Whether the puck is being dragged. The engine's values must not move it then."""
        return self._grip is not None

    def show_anchors(self, anchors: Sequence[Anchor]) -> None:
        """Show the engine's anchors."""
        if tuple(anchors) != self.anchors:
            self.anchors = tuple(anchors)
            self._describe()

    def show_value(self, axis: str, value: float) -> None:
        """Show the engine's place of the puck without emitting `turned`. axis: "x" or "y"."""
        if not self.held:
            self._put(axis, value)
            self._describe()

    def show_sound(self, axis: str, value: float) -> None:
        """Show the engine's place of the puck of the sound."""
        if not self.held:
            self.sound = (value, self.sound[1]) if axis == AXES[0] else (self.sound[0], value)
            self.update()

    def anchor_at(self, at: QPointF) -> Anchor | None:
        """The anchor within `_CATCH` pixels of a point of the widget, or None."""
        near = [(self._distance(anchor, at), anchor) for anchor in self.anchors]
        distance, anchor = min(near, key=lambda one: one[0], default=(0.0, None))
        return anchor if distance <= theme.px(_CATCH) else None

    def point_of(self, x: float, y: float) -> QPointF:
        """The point of the widget at a place."""
        inner = self._inner
        return QPointF(inner.center().x() + x * inner.width() / 2, inner.center().y() - y * inner.height() / 2)

    def place_of(self, at: QPointF) -> Place:
        """The place at a point of the widget, clipped to -1..1."""
        inner = self._inner
        x = (at.x() - inner.center().x()) / (inner.width() / 2)
        y = (inner.center().y() - at.y()) / (inner.height() / 2)
        return min(max(x, -1.0), 1.0), min(max(y, -1.0), 1.0)

    def sizeHint(self) -> QSize:
        return QSize(theme.px(264), theme.px(280))

    def minimumSizeHint(self) -> QSize:
        return QSize(theme.px(264), theme.px(120))

    # -- moving

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()
        if event.button() != Qt.MouseButton.LeftButton:
            return
        anchor = self.anchor_at(event.position())
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._carried = (anchor, (anchor.x, anchor.y)) if anchor else None
            return
        self._grip = self.place_of(event.position())
        self._splits = self.sound_player >= 0 and bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
        self.path.begin()
        self.gripped.emit(True)
        if self._splits:
            self._go_sound(*self._grip)
        elif not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._go(*((anchor.x, anchor.y) if anchor else self._grip))
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        event.accept()
        place = self.place_of(event.position())
        if self._carried is not None:
            self._carried = self._carried[0], place
            self.update()
        elif self._splits and self._grip is not None:
            self._go_sound(*place)
        elif self._grip is not None:
            fine = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            anchor = None if fine else self.anchor_at(event.position())
            if fine:
                moved = (new - old for new, old in zip(place, self._grip, strict=True))
                self._go(*(at + by * FINE for at, by in zip(self.puck, moved, strict=True)))
            else:
                self._go(*((anchor.x, anchor.y) if anchor else place))
            self._grip = place

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()
        self._let_go()
        if self._carried is not None:
            anchor, place = self._carried
            self._carried = None
            if place != (anchor.x, anchor.y):
                self.asked.emit(ChangeAnchor(anchor.name, x=place[0], y=place[1], player=self.player))
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        event.accept()
        if event.button() == Qt.MouseButton.LeftButton and self.anchor_at(event.position()) is None:
            self.add("phrase", self.place_of(event.position()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, fine = event.key(), bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if key in _ARROWS:
            right, up = _ARROWS[key]
            notch = _NOTCH * (FINE if fine else 1.0)
            x, y = self.puck
            self._go(x + right * notch, y + up * notch)
        elif key == Qt.Key.Key_Home:
            self._go(0.0, 0.0)
        elif key in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown) and self.anchors:
            here = [(anchor.x, anchor.y) for anchor in self.anchors]
            step = 1 if key == Qt.Key.Key_PageDown else -1
            first = 0 if step > 0 else -1
            at = (here.index(self.puck) + step) % len(here) if self.puck in here else first
            self._go(*here[at])
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open_menu(self.point_of(*self.puck))
        else:
            event.ignore()

    def _go(self, x: float, y: float) -> None:
        """Move the puck, and that of the sound by as much."""
        before = self.puck
        for axis, value in zip(AXES, (x, y), strict=True):
            value = min(max(value, -1.0), 1.0)
            if self._put(axis, value):
                self.turned.emit(axis, value)
        self.path.add(self.puck)
        if self.sound_player >= 0 and self.puck != before:
            self._go_sound(*(at + new - old for at, new, old in zip(self.sound, self.puck, before, strict=True)))
        self._describe()

    def _go_sound(self, x: float, y: float) -> None:
        """Move the puck of the sound alone."""
        before, self.sound = self.sound, (min(max(x, -1.0), 1.0), min(max(y, -1.0), 1.0))
        for axis, old, new in zip(AXES, before, self.sound, strict=True):
            if new != old:
                self.sounded.emit(axis, new)
        self.update()

    def _put(self, axis: str, value: float) -> bool:
        """Set one axis of the puck. Returns whether it moved."""
        before, (x, y) = self.puck, self.puck
        self.puck = (value, y) if axis == AXES[0] else (x, value)
        return self.puck != before

    # -- anchors

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        by_mouse = event.reason() == QContextMenuEvent.Reason.Mouse
        at = QPointF(event.pos()) if by_mouse else self.point_of(*self.puck)
        self._open_menu(at)

    def _open_menu(self, at: QPointF) -> None:
        self.menu(at).popup(self.mapToGlobal(at.toPoint()))

    def menu(self, at: QPointF) -> QMenu:
        """The context menu for a point of the widget; it deletes itself when closed."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        place, anchor = self.place_of(at), self.anchor_at(at)
        if anchor is not None:
            heading = menu.addAction(anchor.name)
            heading.setEnabled(False)
            menu.addAction("Move the puck here", partial(self._go, anchor.x, anchor.y))
            menu.addAction("Rename\u2026", partial(self.rename, anchor))
            menu.addAction("Remove", lambda: self.asked.emit(RemoveAnchor(anchor.name, self.player)))
            menu.addSeparator()
        adding = (
            ("Capture what was just played", lambda: self.add("phrase", place)),
            ("Add a MIDI file\u2026", partial(self.open_file, place)),
            ("Add a random phrase", lambda: self.add("sample", place)),
        )
        for text, do in adding:
            menu.addAction(text, do).setEnabled(len(self.anchors) < MAX_ANCHORS)
        if self.path.looping:
            menu.addAction("Stop the path", self.path.stop)
        else:
            menu.addAction("Record a path: the next drag is looped", self.path.arm)
            menu.addAction("Loop the last path", self.path.loop).setEnabled(self.path.known)
        genres = menu.addMenu("Add the average of a genre")
        genres.setEnabled(len(self.anchors) < MAX_ANCHORS)
        for genre in self.genres:
            name = "All genres" if genre == "none" else pretty(genre)
            genres.addAction(name, partial(self.add, "genre", place, genre))
        if self.extend_menu is not None:
            self.extend_menu(menu)
        return menu

    def add(self, source: str, place: Place, what: str = "") -> None:
        """Request another anchor; see `AddAnchor`."""
        self.asked.emit(AddAnchor(source, *place, what, self.player))  # type: ignore[arg-type]

    def rename(self, anchor: Anchor) -> None:
        """Open a dialog to rename an anchor."""
        dialog = QInputDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle("Rename anchor")
        dialog.setLabelText("Name of the anchor")
        dialog.setTextValue(anchor.name)
        dialog.textValueSelected.connect(partial(self._rename, anchor))
        dialog.open()

    def _rename(self, anchor: Anchor, name: str) -> None:
        if name.strip() and name.strip() != anchor.name:
            self.asked.emit(ChangeAnchor(anchor.name, name.strip(), player=self.player))

    def open_file(self, place: Place) -> None:
        """Open a dialog to add a MIDI file as an anchor."""
        dialog = QFileDialog(self, "Add a MIDI file", filter="MIDI files (*.mid *.midi)")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda path: self.add("file", place, path))
        dialog.open()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.toLocalFile().lower().endswith(MIDI) for url in event.mimeData().urls()):
            self._lit = True
            event.acceptProposedAction()
            self.update()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._lit = False
        self.update()

    def dropEvent(self, event: QDropEvent) -> None:
        self._lit = False
        place = self.place_of(event.position())
        for url in event.mimeData().urls()[:MAX_ANCHORS]:
            if url.isLocalFile():
                self.add("file", place, url.toLocalFile())
        event.acceptProposedAction()
        self.update()

    # -- painting

    @property
    def _area(self) -> QRectF:
        return QRectF(self.rect()).adjusted(1, theme.px(_CAPTION), -1, -theme.px(_FOOT))

    @property
    def _inner(self) -> QRectF:
        inset = theme.px(_INSET)
        return self._area.adjusted(inset, inset, -inset, -inset)

    def _distance(self, anchor: Anchor, at: QPointF) -> float:
        point = self.point_of(anchor.x, anchor.y) - at
        return hypot(point.x(), point.y())

    @property
    def text(self) -> str:
        """The anchors with the largest shares at the puck, in percent."""
        counted = sorted(zip(anchor_weights(self.anchors, *self.puck), self.anchors, strict=True),
                         key=lambda one: -one[0])  # fmt: skip
        shown = [(round(100 * share), anchor.name) for share, anchor in counted[:_SHOWN] if share >= 0.005]
        return " \u00b7 ".join(name if percent == 100 else f"{percent} % {name}" for percent, name in shown)

    def _describe(self) -> None:
        (x, y), text = self.puck, self.text
        here = text or "No anchors yet: drop a MIDI file or use the context menu"
        self.setAccessibleDescription(f"{x:.2f} right, {y:.2f} up. {here}. {_KEYS_HELP}")
        QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.DescriptionChanged))
        self.update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._carried = None
        self._let_go()
        self.update()

    def _let_go(self) -> None:
        if self._grip is not None:
            self._grip = None
            self.path.end()
            self.gripped.emit(False)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        enabled, area = self.isEnabled(), self._area
        highlighted = self.hasFocus() or self.held or self.underMouse()
        painter.setFont(theme.font(theme.CAPTION, QFont.Weight.DemiBold))
        painter.setPen(theme.colour(theme.MUTED if enabled else theme.FAINT))
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        row = QRectF(self.rect())
        painter.drawText(QRectF(1, 0, row.width(), area.top()), left, self._name.upper())
        painter.setFont(theme.font(theme.CAPTION))
        text = painter.fontMetrics().elidedText(self.text, Qt.TextElideMode.ElideRight, round(row.width()))
        painter.drawText(QRectF(1, area.bottom(), row.width(), row.bottom() - area.bottom()), left, text)
        draw_square(painter, area, self._lit, self.hasFocus())
        if not self.anchors:
            painter.setFont(theme.font(theme.BODY))
            painter.setPen(theme.colour(theme.MUTED))
            upper = area.adjusted(0, 0, 0, -area.height() / 2)
            painter.drawText(upper, Qt.AlignmentFlag.AlignCenter, _EMPTY)
        puck = self.point_of(*self.puck)
        draw_anchors(painter, area, self._marks(), puck, enabled)
        if self.sound_player >= 0:
            draw_puck(painter, self.point_of(*self.sound), enabled, False, theme.ACCENT)
        draw_puck(painter, puck, enabled, highlighted)

    def _marks(self) -> list[AnchorMark]:
        counted = zip(self.anchors, anchor_weights(self.anchors, *self.puck), strict=True)
        carried, place = self._carried or (None, (0.0, 0.0))
        return [
            AnchorMark(a.name, self.point_of(*(place if a is carried else (a.x, a.y))), share) for a, share in counted
        ]
