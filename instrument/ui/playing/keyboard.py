"""The on-screen keyboard: its keys are lit by what sounds, and played by mouse and by the computer's keys."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from instrument import midi_spec
from instrument.ui import theme
from instrument.ui.knobs.values import note_name

LOWEST, HIGHEST = 24, 108  # C1 to C8: keys that can be shown
VELOCITY = 90
_LEAST_KEY, _USUAL_KEY = 17, 22  # width of a white key
_HEIGHT = 58
_BLACK_HIGH, _BLACK_WIDE = 0.62, 0.62  # of a white key
_BLACK = frozenset((1, 3, 6, 8, 10))
_FOOT = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom
_CATCH = 5  # pixels beside the split point at which it can be dragged


class Piano(QWidget):
    """White and black keys. Signals: `played` carries MIDI messages, `split_moved` a key.

    first: the lowest key shown, a C; letters: key -> the letter of the computer's key that plays it; split: the split
    point, or None where there is none.
    """

    played = Signal(tuple)
    split_moved = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.first = 48
        self.letters: dict[int, str] = {}
        self.split: int | None = None
        self._lit: dict[int, str] = {}  # key -> colour
        self._pressed: int | None = None  # by the mouse
        self._moves_split = False
        self.setAccessibleName("Keyboard")
        self.setAccessibleDescription("Keys that sound are lit. Play them with the mouse or the computer's keys.")
        self.setToolTip("Play along: lower on a key is louder")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMouseTracking(True)

    @property
    def white(self) -> list[int]:
        """The white keys that fit, from low to high."""
        count = max(7, self.width() // theme.px(_USUAL_KEY))
        keys = [key for key in range(self.first, HIGHEST + 1) if key % 12 not in _BLACK]
        return keys[:count]

    def show_keys(self, by_part: Iterable[tuple[int, int]], by_person: Iterable[int]) -> None:
        """Light keys. by_part: (part, key) of the band; by_person: keys."""
        lit = {key: theme.PARTS[part] for part, key in by_part}
        lit |= dict.fromkeys(by_person, theme.ACCENT)
        if lit != self._lit:
            self._lit = lit
            self.update()

    def show_split(self, split: int | None) -> None:
        """Show the split point, or none."""
        if split != self.split:
            self.split = split
            self.update()

    def go_to(self, first: int) -> None:
        """Show the keys from a C on."""
        room = max(0, len(self.white) - 1) * 12 // 7
        self.first = min(max(first, LOWEST), max(LOWEST, (HIGHEST - room) // 12 * 12))
        self.update()

    def press(self, key: int, velocity: int = VELOCITY) -> None:
        """Strike a key."""
        self.played.emit((midi_spec.note_on(0, key, velocity),))

    def release(self, key: int) -> None:
        """Let a key go."""
        self.played.emit((midi_spec.note_off(0, key, 0),))

    def key_at(self, at: QPointF) -> int | None:
        """The key at a point of the widget."""
        keys = self.white
        wide = self.width() / len(keys)
        place = int(at.x() / wide)
        if not 0 <= place < len(keys):
            return None
        white = keys[place]
        if at.y() < self.height() * _BLACK_HIGH:
            share = at.x() / wide - place
            if share > 1 - _BLACK_WIDE / 2 and (white + 1) % 12 in _BLACK:
                return white + 1
            if share < _BLACK_WIDE / 2 and (white - 1) % 12 in _BLACK and place:
                return white - 1
        return white

    def sizeHint(self) -> QSize:
        return QSize(theme.px(600), theme.px(_HEIGHT))

    def minimumSizeHint(self) -> QSize:
        return QSize(theme.px(7 * _LEAST_KEY), theme.px(_HEIGHT))

    # -- the mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if self._near_split(event.position().x()):
            self._moves_split = True
        else:
            self._strike(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._moves_split:
            key = self.key_at(QPointF(event.position().x(), self.height() - 1))
            if key is not None and key != self.split:
                self.split_moved.emit(key)
        elif self._pressed is not None and self.key_at(event.position()) != self._pressed:
            self._let_go()
            self._strike(event.position())
        else:
            near = self._near_split(event.position().x())
            self.setCursor(Qt.CursorShape.SplitHCursor if near else Qt.CursorShape.ArrowCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._moves_split = False
        self._let_go()

    def _strike(self, at: QPointF) -> None:
        key = self.key_at(at)
        if key is not None:
            self._pressed = key
            self.press(key, 50 + round(70 * min(max(at.y() / self.height(), 0.0), 1.0)))

    def _let_go(self) -> None:
        if self._pressed is not None:
            self.release(self._pressed)
            self._pressed = None

    def _near_split(self, x: float) -> bool:
        return self.split is not None and abs(x - self._x_of(self.split)) <= theme.px(_CATCH)

    # -- painting

    def _x_of(self, key: int) -> float:
        """The left edge of a key."""
        keys = self.white
        below = sum(1 for white in keys if white < key) if key >= keys[0] else -1
        return below * self.width() / len(keys)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        keys = self.white
        wide, high = self.width() / len(keys), self.height()
        for place, key in enumerate(keys):
            box = QRectF(place * wide + 0.5, 0, wide - 1, high - 1)
            painter.setPen(QPen(theme.colour(theme.TRACK), 1))
            painter.setBrush(theme.colour(self._lit.get(key, theme.WHITE_KEY)))
            painter.drawRoundedRect(box, theme.px(3), theme.px(3))
            self._name(painter, key, box, theme.ROLL if key in self._lit else theme.KEY_NAME)
        for place, key in enumerate(keys[:-1]):
            if (key + 1) % 12 not in _BLACK:
                continue
            thin = wide * _BLACK_WIDE
            box = QRectF((place + 1) * wide - thin / 2, 0, thin, high * _BLACK_HIGH)
            painter.setPen(QPen(theme.colour(theme.ROLL), 1))
            painter.setBrush(theme.colour(self._lit.get(key + 1, theme.BLACK_KEY)))
            painter.drawRoundedRect(box, theme.px(2), theme.px(2))
            if letter := self.letters.get(key + 1):
                painter.setPen(theme.colour(theme.ROLL if key + 1 in self._lit else theme.BLACK_KEY_NAME))
                painter.setFont(theme.font(theme.CAPTION, QFont.Weight.Medium))
                painter.drawText(box.adjusted(0, 0, 0, -2), _FOOT, letter)
        if self.split is not None:
            x = self._x_of(self.split)
            painter.setPen(QPen(theme.colour(theme.WARN), theme.px(2)))
            painter.drawLine(QPointF(x, 0), QPointF(x, high))

    def _name(self, painter: QPainter, key: int, box: QRectF, colour: str) -> None:
        """The letter that plays a white key, else the name of a C."""
        text = self.letters.get(key) or (note_name(key) if key % 12 == 0 else "")
        if text:
            painter.setPen(theme.colour(colour))
            painter.setFont(theme.font(theme.CAPTION, QFont.Weight.Medium))
            painter.drawText(box.adjusted(-4, 0, 4, -2), _FOOT, text)
