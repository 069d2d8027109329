"""Painting of the latent pad: its square, the anchors with their names, and the puck."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFont, QPainter, QPen

from instrument.ui import theme

ANCHOR, PUCK = 5.0, 9.0  # radii in pixels at zoom 1
_LINES = 4  # cells of the grid along each side
_LABEL = 15.0  # height of a name in pixels at zoom 1
_LEAST_SHARE = 0.05  # anchors with less are drawn without a ray


class AnchorMark(NamedTuple):
    """An anchor as it is drawn. share: its weight at the puck, 0..1."""

    name: str
    at: QPointF
    share: float


def draw_square(painter: QPainter, area: QRectF, lit: bool, focused: bool) -> None:
    """Draw the square with its grid. lit: a file is being dragged over it."""
    painter.setPen(QPen(theme.colour(theme.ACCENT if focused or lit else theme.LINE), theme.px(1)))
    painter.setBrush(theme.colour(theme.PANEL if lit else theme.GROUND))
    painter.drawRoundedRect(area, theme.px(6), theme.px(6))
    for number in range(1, _LINES):
        strength = 0.9 if 2 * number == _LINES else 0.45
        painter.setPen(QPen(theme.colour(theme.LINE, strength), 1))
        x, y = (round(low + length * number / _LINES) + 0.5
                for low, length in ((area.left(), area.width()), (area.top(), area.height())))  # fmt: skip
        painter.drawLine(QPointF(x, area.top() + 1), QPointF(x, area.bottom() - 1))
        painter.drawLine(QPointF(area.left() + 1, y), QPointF(area.right() - 1, y))


def draw_anchors(painter: QPainter, area: QRectF, marks: Sequence[AnchorMark], puck: QPointF, enabled: bool) -> None:
    """Draw the anchors, each with a ray to the puck whose opacity follows its share."""
    painter.save()
    painter.setClipRect(area)
    for mark in marks:
        if mark.share > _LEAST_SHARE:
            painter.setPen(QPen(theme.colour(theme.ACCENT, 0.15 + 0.6 * mark.share), theme.px(1.5)))
            painter.drawLine(mark.at, puck)
    painter.setFont(theme.font(theme.CAPTION, QFont.Weight.Medium))
    for mark in marks:
        painter.setPen(QPen(theme.colour(theme.ACCENT if enabled else theme.FAINT), theme.px(1.5)))
        painter.setBrush(theme.colour(theme.GROUND))
        painter.drawEllipse(mark.at, theme.px(ANCHOR), theme.px(ANCHOR))
        if mark.share > _LEAST_SHARE:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour(theme.ACCENT if enabled else theme.FAINT, 0.2 + 0.8 * mark.share))
            painter.drawEllipse(mark.at, theme.px(ANCHOR), theme.px(ANCHOR))
        _draw_name(painter, area, mark, enabled)
    painter.restore()


def draw_puck(painter: QPainter, at: QPointF, enabled: bool, highlighted: bool, name: str = "") -> None:
    """Draw the puck as a ring, so that an anchor below it stays visible. name: of its colour, "": the usual one."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    radius = theme.px(PUCK)
    painter.setPen(QPen(theme.colour(theme.GROUND, 0.8), theme.px(4.5)))
    painter.drawEllipse(at, radius, radius)
    usual = name or (theme.TEXT if highlighted else theme.MUTED)
    painter.setPen(QPen(theme.colour(usual if enabled else theme.FAINT), theme.px(2.5)))
    painter.drawEllipse(at, radius, radius)


def _draw_name(painter: QPainter, area: QRectF, mark: AnchorMark, enabled: bool) -> None:
    """Draw a name below its anchor, or above it where it would leave the square."""
    metrics = painter.fontMetrics()
    name = metrics.elidedText(mark.name, Qt.TextElideMode.ElideRight, round(area.width() * 0.6))
    width, height, gap = metrics.horizontalAdvance(name) + 2, theme.px(_LABEL), theme.px(PUCK + 3)
    left = min(max(mark.at.x() - width / 2, area.left() + theme.px(4)), area.right() - theme.px(4) - width)
    below = mark.at.y() + gap + height <= area.bottom()
    top = mark.at.y() + gap if below else mark.at.y() - gap - height
    painter.setPen(theme.colour(theme.TEXT if enabled else theme.FAINT))
    painter.drawText(QRectF(left, top, width, height), Qt.AlignmentFlag.AlignCenter, name)
