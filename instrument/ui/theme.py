"""Colours, fonts and spacing of the window, and the style sheet made from them.

Sizes are given in pixels at zoom 1 and pass through `px`, so that one factor scales the whole window. Qt itself
handles high-density screens.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication

DARK, LIGHT = LOOKS = ("dark", "light")

# name: (dark, light). Surfaces go from back to front. Text has a contrast of at least 4.5 : 1 on each of them.
_COLOURS = {
    "GROUND": ("#101216", "#E9ECF0"),
    "ROLL": ("#14171C", "#FBFCFD"),
    "PANEL": ("#1A1E24", "#F4F6F8"),
    "RAISED": ("#252A32", "#E0E4EA"),
    "HOVER": ("#2F353F", "#D3D9E1"),
    "LINE": ("#2B313A", "#CDD3DB"),
    "TRACK": ("#363D48", "#BCC4CE"),
    "TEXT": ("#E9ECF0", "#15181D"),
    "MUTED": ("#A3ADBA", "#454E5C"),
    "FAINT": ("#6B7584", "#79838F"),  # only for lines, ticks and what is disabled
    "ACCENT": ("#5FD9B4", "#00614A"),
    "ACCENT_HOVER": ("#7BE4C4", "#007A5E"),
    "RECORD": ("#FF6B66", "#A5201A"),
    "RECORDING": ("#4A2528", "#F3D3D1"),
    "WARN": ("#FFBF5E", "#734600"),
    "NOTICE": ("#33291A", "#FBE9C8"),
    "ON_ACCENT": ("#0D1512", "#FFFFFF"),
    "DARK_ROW": ("#0F1115", "#EFF2F5"),
    "BEAT_LINE": ("#1E2228", "#E4E8ED"),
    "BAR_LINE": ("#363D49", "#B9C1CB"),
    "WHITE_KEY": ("#4A525E", "#E4E8ED"),
    "BLACK_KEY": ("#1B1F25", "#3A424D"),
    "BLACK_KEY_NAME": ("#E9ECF0", "#FFFFFF"),
    "KEY_NAME": ("#C3CAD4", "#454E5C"),
    "METER_LOW": ("#2B6B5A", "#7FBFAA"),
    "METER_HIGH": ("#4DB797", "#2E8F71"),
    "KNOB": ("#38404B", "#FFFFFF"),
    "KNOB_LIT": ("#414A57", "#FFFFFF"),
    "KNOB_FOOT": ("#262C34", "#DDE2E8"),
    "SOUND_LOW": ("#243A5E", "#C9DDEA"),
    "SOUND_MIDDLE": ("#2B7F8F", "#5BA3B0"),
    "SOUND_HIGH": ("#FFF6D6", "#00261D"),
}
_PARTS = (("#FFC94D", "#8F6300"), ("#2FB5E0", "#007AA6"), ("#9A7BFF", "#3E24B0"), ("#EE6A6A", "#C92A4B"),
          ("#E3E8EE", "#20262E"))  # fmt: skip

GROUND = ROLL = PANEL = RAISED = HOVER = LINE = TRACK = TEXT = MUTED = FAINT = ACCENT = ACCENT_HOVER = RECORD = ""
RECORDING = WARN = NOTICE = ON_ACCENT = DARK_ROW = BEAT_LINE = BAR_LINE = WHITE_KEY = BLACK_KEY = KEY_NAME = ""
BLACK_KEY_NAME = METER_LOW = METER_HIGH = KNOB = KNOB_LIT = KNOB_FOOT = SOUND_LOW = SOUND_MIDDLE = SOUND_HIGH = ""

# By `instrument.music.notes.Part`: melody, chords, bass, drums, other. They are distinct without colour vision, too.
PARTS: tuple[str, ...] = ()


def set_look(look: str) -> None:
    """Take the colours of one of `LOOKS`; another name is the dark one."""
    at = LOOKS.index(look) if look in LOOKS else 0
    globals().update({name: both[at] for name, both in _COLOURS.items()})
    globals().update(look=LOOKS[at], PARTS=tuple(both[at] for both in _PARTS))


look = DARK
set_look(DARK)

CAPTION, BODY, HEADING, DISPLAY = 11, 13, 15, 24
CONTROL = 30  # height of buttons and fields, borders included
ZOOMS = (0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0)

_FONTS = Path(__file__).parent / "fonts"
_zoom = 1.0


def zoom() -> float:
    """The factor that `px` applies."""
    return _zoom


def px(length: float) -> int:
    """`length` in pixels at zoom 1, at the present zoom."""
    return max(1, round(length * _zoom)) if length > 0 else round(length * _zoom)


def colour(name: str, alpha: float = 1.0) -> QColor:
    """A `QColor` of one of the colours above, with an opacity of 0..1."""
    made = QColor(name)
    made.setAlphaF(alpha)
    return made


def font(size: float = BODY, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """The window's font, with digits of equal width so that changing values do not jitter."""
    made = QFont("Inter")
    made.setPixelSize(px(size))
    made.setWeight(weight)
    made.setFeature(QFont.Tag("tnum"), 1)
    return made


def apply(app: QApplication, factor: float = 1.0, wanted: str = "") -> None:
    """Apply palette, fonts and style sheet to `app`, with zoom `factor` clipped to the range of `ZOOMS`. wanted: one of
    `LOOKS`, by default the present one."""
    global _zoom
    _zoom = min(max(factor, ZOOMS[0]), ZOOMS[-1])
    set_look(wanted or look)
    if "Inter" not in QFontDatabase.families():
        for file in sorted(_FONTS.glob("*.otf")):
            QFontDatabase.addApplicationFont(str(file))
    app.setStyle("Fusion")
    app.setFont(font())
    app.setPalette(_palette())
    app.setStyleSheet(_style_sheet())


def _palette() -> QPalette:
    role = QPalette.ColorRole
    palette = QPalette()
    for target, name in (
        (role.Window, GROUND), (role.WindowText, TEXT), (role.Base, RAISED), (role.AlternateBase, PANEL),
        (role.Text, TEXT), (role.Button, RAISED), (role.ButtonText, TEXT), (role.BrightText, TEXT),
        (role.Highlight, ACCENT), (role.HighlightedText, ON_ACCENT), (role.ToolTipBase, HOVER),
        (role.ToolTipText, TEXT), (role.PlaceholderText, FAINT), (role.Link, ACCENT),
    ):  # fmt: skip
        palette.setColor(target, QColor(name))
    for target in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, target, QColor(FAINT))
    return palette


def _style_sheet() -> str:
    return f"""
QWidget {{ color: {TEXT}; }}
QMainWindow, QDialog {{ background: {GROUND}; }}
QFrame#panel, QFrame#bar {{ background: {PANEL}; border: none; }}
QFrame#stage {{ background: {ROLL}; border: none; border-radius: {px(8)}px; }}
QFrame#panel {{ border-radius: {px(8)}px; }}
QFrame#banner {{ background: {NOTICE}; border: none; border-radius: {px(6)}px; }}
QLabel[role="caption"] {{ color: {MUTED}; font-size: {px(CAPTION)}px; }}
QLabel[role="title"] {{ color: {MUTED}; font-size: {px(CAPTION)}px; font-weight: 600; }}
QLabel[role="hint"] {{ color: {MUTED}; font-size: {px(HEADING)}px; background: transparent; }}
QLabel[role="value"] {{ font-size: {px(CAPTION)}px; font-weight: 500; }}
QLabel[role="alarm"] {{ color: {WARN}; font-size: {px(CAPTION)}px; font-weight: 600; }}
QPushButton {{
    background: {RAISED}; border: 1px solid transparent; border-radius: {px(6)}px;
    padding: 0 {px(12)}px; min-height: {px(CONTROL) - 2}px; max-height: {px(CONTROL) - 2}px; font-weight: 500;
}}
QPushButton:hover {{ background: {HOVER}; }}
QPushButton:pressed {{ background: {TRACK}; }}
QPushButton:focus {{ border-color: {ACCENT}; }}
QPushButton:disabled {{ color: {FAINT}; background: {PANEL}; }}
QPushButton#play {{ background: {ACCENT}; color: {ON_ACCENT}; font-weight: 600; }}
QPushButton#play:hover {{ background: {ACCENT_HOVER}; }}
QPushButton#play:focus {{ border: {px(2)}px solid {TEXT}; }}
QPushButton#play:disabled {{ background: {RAISED}; color: {FAINT}; }}
QPushButton#record:checked {{ background: {RECORDING}; color: {RECORD}; }}
QPushButton#panic {{ color: {WARN}; }}
QPushButton#panic:disabled {{ color: {FAINT}; }}
QPushButton#flat {{ background: transparent; padding: 0 {px(8)}px; }}
QPushButton#flat:hover {{ background: {HOVER}; }}
QPushButton::menu-indicator {{ image: none; width: 0; }}
QComboBox, QLineEdit {{
    background: {RAISED}; border: 1px solid transparent; border-radius: {px(6)}px;
    min-height: {px(CONTROL) - 2}px; max-height: {px(CONTROL) - 2}px; padding: 0 {px(10)}px;
    selection-background-color: {ACCENT}; selection-color: {ON_ACCENT};
}}
QComboBox:hover {{ background: {HOVER}; }}
QComboBox:focus, QLineEdit:focus {{ border-color: {ACCENT}; }}
QComboBox:disabled, QDoubleSpinBox:disabled {{ color: {FAINT}; }}
QComboBox::drop-down {{ border: none; width: {px(24)}px; }}
QComboBox::down-arrow {{ image: none; }}
QComboBox QAbstractItemView {{
    background: {RAISED}; border: 1px solid {TRACK}; outline: none; padding: {px(4)}px;
    selection-background-color: {HOVER}; selection-color: {TEXT};
}}
QComboBox QAbstractItemView::item {{ min-height: {px(26)}px; padding: 0 {px(8)}px; border-radius: {px(4)}px; }}
QComboBox QAbstractItemView::item:selected {{ background: {TRACK}; color: {TEXT}; }}
QComboBox QAbstractItemView::item:disabled {{ color: {FAINT}; }}
QDoubleSpinBox#tempo {{ font-size: {px(HEADING)}px; font-weight: 600; }}
QLineEdit#typed {{
    background: {GROUND}; border: 1px solid {ACCENT}; border-radius: {px(4)}px; padding: 0;
    min-height: 0; font-size: {px(CAPTION)}px;
}}
QDialogButtonBox {{ dialogbuttonbox-buttons-have-icons: 0; }}
QMenu {{ background: {RAISED}; border: 1px solid {TRACK}; padding: {px(6)}px; }}
QMenu::item {{ padding: {px(6)}px {px(22)}px {px(6)}px {px(12)}px; border-radius: {px(4)}px; }}
QMenu::item:selected {{ background: {TRACK}; }}
QMenu::item:disabled {{ color: {MUTED}; }}
QMenu::separator {{ height: 1px; background: {TRACK}; margin: {px(5)}px {px(6)}px; }}
QToolTip {{
    background: {HOVER}; color: {TEXT}; border: 1px solid {TRACK}; padding: {px(6)}px;
    font-size: {px(12)}px;
}}
QScrollArea {{ background: transparent; border: none; }}
QScrollBar:vertical {{ width: {px(8)}px; background: transparent; }}
QScrollBar::handle:vertical {{ background: {TRACK}; border-radius: {px(4)}px; min-height: {px(30)}px; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QPushButton#act, QPushButton#fold {{ padding: 0 {px(7)}px; min-height: {px(26)}px; max-height: {px(26)}px; }}
QPushButton#act:checked {{ background: {ACCENT}; color: {ON_ACCENT}; }}
QPushButton#fold {{ background: transparent; color: {MUTED}; }}
QPushButton#fold:hover {{ background: {HOVER}; }}
QPushButton#fold:checked {{ background: {RAISED}; color: {TEXT}; }}
QPushButton#mini:checked {{ background: {ACCENT}; color: {ON_ACCENT}; }}
QPushButton#mini {{
    padding: 0; min-width: {px(24)}px; max-width: {px(24)}px; min-height: {px(22)}px; max-height: {px(22)}px;
}}
QFrame#tools {{ background: {RAISED}; border: 1px solid {TRACK}; border-radius: {px(6)}px; }}
QFrame#row {{ background: transparent; border-radius: {px(6)}px; }}
QFrame#row:hover {{ background: {RAISED}; }}
QFrame#row[chosen="true"] {{ background: {RAISED}; }}
"""
