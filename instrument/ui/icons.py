"""Icons, drawn instead of loaded, so that they are sharp at every size and follow the colours of the theme."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QIcon, QPainter, QPainterPath, QPen, QPixmap, QPolygonF

from instrument.ui import theme

# An icon is drawn on a square of 16 by 16 units. Closed shapes are filled; lines are 1.6 wide.
Draw = Callable[[QPainter], None]


def _play(p: QPainter) -> None:
    p.drawPolygon(QPolygonF([QPointF(4, 2.5), QPointF(4, 13.5), QPointF(13.5, 8)]))


def _stop(p: QPainter) -> None:
    p.drawRoundedRect(QRectF(3.5, 3.5, 9, 9), 1.2, 1.2)


def _record(p: QPainter) -> None:
    p.drawEllipse(QPointF(8, 8), 4.8, 4.8)


def _panic(p: QPainter) -> None:
    _strokes(p)
    p.drawPolygon(QPolygonF([QPointF(8, 2), QPointF(14.4, 13.4), QPointF(1.6, 13.4)]))
    p.drawLine(QPointF(8, 6.2), QPointF(8, 9.4))
    p.drawPoint(QPointF(8, 11.4))


def _dice(p: QPainter) -> None:
    pen = p.pen()
    _strokes(p)
    p.drawRoundedRect(QRectF(2.2, 2.2, 11.6, 11.6), 2.6, 2.6)
    p.setBrush(p.pen().color())
    p.setPen(Qt.PenStyle.NoPen)
    for x, y in ((5.3, 5.3), (10.7, 5.3), (8, 8), (5.3, 10.7), (10.7, 10.7)):
        p.drawEllipse(QPointF(x, y), 1.1, 1.1)
    p.setPen(pen)


def _menu(p: QPainter) -> None:
    for x in (3.2, 8.0, 12.8):
        p.drawEllipse(QPointF(x, 8), 1.3, 1.3)


def _close(p: QPainter) -> None:
    _strokes(p)
    p.drawLine(QPointF(4, 4), QPointF(12, 12))
    p.drawLine(QPointF(12, 4), QPointF(4, 12))


def _add(p: QPainter) -> None:
    _strokes(p)
    p.drawLine(QPointF(8, 3), QPointF(8, 13))
    p.drawLine(QPointF(3, 8), QPointF(13, 8))


def _strokes(p: QPainter) -> None:
    pen = QPen(p.brush().color(), 1.6)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    p.setPen(pen)
    p.setBrush(Qt.BrushStyle.NoBrush)


_PICTURES: dict[str, Draw] = {
    "play": _play, "stop": _stop, "record": _record, "panic": _panic, "dice": _dice, "menu": _menu,
    "close": _close, "add": _add,
}  # fmt: skip


def icon(name: str, colour: str = theme.TEXT) -> QIcon:
    """The icon `name` in `colour`; grey on disabled buttons. Raises KeyError for an unknown name."""
    made = QIcon()
    for mode, shade in ((QIcon.Mode.Normal, colour), (QIcon.Mode.Disabled, theme.FAINT)):
        for density in (1, 2, 3):
            side = theme.px(16) * density
            pixmap = QPixmap(side, side)
            pixmap.fill(Qt.GlobalColor.transparent)
            painter = QPainter(pixmap)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.scale(side / 16, side / 16)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour(shade))
            _PICTURES[name](painter)
            painter.end()
            pixmap.setDevicePixelRatio(density)
            made.addPixmap(pixmap, mode)
    return made


def logo(side: int) -> QPixmap:
    """The logo, notes of two alternating voices, on a square of `side` pixels."""
    pixmap = QPixmap(side, side)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(side / 16, side / 16)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.colour(theme.RAISED))
    painter.drawRoundedRect(QRectF(0, 0, 16, 16), 4, 4)
    for x, y, wide, part in ((2.2, 3.4, 3.6, 0), (5.8, 6.7, 2.2, 1), (8.0, 3.4, 2.2, 0), (10.2, 6.7, 3.6, 1),
                             (2.2, 10.0, 3.6, 2), (8.0, 10.0, 5.8, 2)):  # fmt: skip
        painter.setBrush(theme.colour(theme.PARTS[part]))
        painter.drawRoundedRect(QRectF(x + 0.15, y, wide - 0.3, 2.4), 0.8, 0.8)
    painter.end()
    return pixmap


def chevron(painter: QPainter, centre: QPointF, colour: str) -> None:
    """Draw a small arrow pointing down, for a control that opens a list."""
    wide, high = theme.px(4), theme.px(2)
    path = QPainterPath(centre + QPointF(-wide, -high))
    path.lineTo(centre + QPointF(0, high))
    path.lineTo(centre + QPointF(wide, -high))
    pen = QPen(theme.colour(colour), theme.px(1.6))
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPath(path)


def back(painter: QPainter, centre: QPointF, colour: str) -> None:
    """Draw a small arrow that turns back, for what returns."""
    radius = theme.px(4)
    pen = QPen(theme.colour(colour), theme.px(1.5))
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    around = QRectF(centre.x() - radius, centre.y() - radius, 2 * radius, 2 * radius)
    painter.drawArc(around, -150 * 16, 290 * 16)
    tip = centre + QPointF(-radius * 0.77, radius * 0.64)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.colour(colour))
    wide = theme.px(3)
    painter.drawPolygon(QPolygonF([tip + QPointF(-wide, -1), tip + QPointF(wide, -1), tip + QPointF(0, wide + 1)]))
