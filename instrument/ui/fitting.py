"""How the window looks and fits its screen: zoom, theme, size."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRect, QSettings, QSize, QTimer, Signal
from PySide6.QtGui import QScreen
from PySide6.QtWidgets import QApplication, QWidget

from instrument.ui import theme

LEAST = QSize(980, 530)  # pixels at zoom 1, in which everything of the first minute is seen
ROOMY = 680  # height of a screen from which the keyboard is shown at first
USUAL = QSize(1280, 820)
_FRAME = QSize(4, 32)  # of the window, where it is not known yet


def possible_zoom(wanted: float, screen: QScreen | None) -> float:
    """The largest of `theme.ZOOMS`, up to a wanted one, at which the window fits a screen."""
    if screen is None:
        return wanted
    room = screen.availableSize() - _FRAME
    most = min(room.width() / LEAST.width(), room.height() / LEAST.height())
    return min(wanted, max(most, theme.ZOOMS[0]))


def fit(window: QWidget, screen: QScreen | None) -> None:
    """Set the least size of a window, and move and shrink it into the screen."""
    window.setMinimumSize(theme.px(LEAST.width()), theme.px(LEAST.height()))
    if screen is None or window.isMaximized() or window.isFullScreen():
        return
    around = window.frameGeometry().size() - window.size() if window.isVisible() else _FRAME
    room = screen.availableGeometry()
    inside = QSize(room.width() - around.width(), room.height() - around.height())
    window.setMinimumSize(window.minimumSize().boundedTo(inside))
    size = window.size().boundedTo(inside)
    if size != window.size():
        window.resize(size)
    frame = QRect(window.frameGeometry().topLeft(), size + around)
    if not room.contains(frame):
        x = min(max(frame.x(), room.x()), room.right() + 1 - frame.width())
        y = min(max(frame.y(), room.y()), room.bottom() + 1 - frame.height())
        window.move(x, y)


class Appearance(QObject):
    """Zoom and theme of a window, which are remembered, and its fit to the screen that it is on, also where that
    becomes another. The signal `changed` says that everything is to be built anew."""

    changed = Signal()

    def __init__(self, window: QWidget, settings: QSettings) -> None:
        super().__init__(window)
        self._window, self._settings = window, settings
        self._screen: QScreen | None = None
        window.installEventFilter(self)

    def zoom(self, by: int) -> None:
        """Larger (1), smaller (-1), or the usual size (0), as far as the screen has room."""
        at = min(range(len(theme.ZOOMS)), key=lambda i: abs(theme.ZOOMS[i] - theme.zoom()))
        self.zoom_to(1.0 if by == 0 else theme.ZOOMS[min(max(at + by, 0), len(theme.ZOOMS) - 1)])

    def zoom_to(self, wanted: float) -> None:
        """Zoom, as far as the screen has room."""
        self._settings.setValue("zoom", wanted)
        self._apply(possible_zoom(wanted, self._window.screen()))

    def change_look(self) -> None:
        """Change from the dark theme to the light one, or back."""
        wanted = theme.LIGHT if theme.look == theme.DARK else theme.DARK
        self._settings.setValue("theme", wanted)
        self._apply(theme.zoom(), wanted)

    @property
    def still(self) -> bool:
        """Whether less is to move: pages of music stand still."""
        return bool(self._settings.value("still", False, type=bool))

    def change_motion(self) -> None:
        """Let less move, or all as usual."""
        self._settings.setValue("still", not self.still)
        self.changed.emit()

    def fit(self) -> None:
        """Fit the screen that the window is on."""
        screen = self._window.screen()
        if self._window.isVisible() and (most := possible_zoom(theme.zoom(), screen)) < theme.zoom():
            self._apply(most)
        fit(self._window, screen)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Fit again where the window comes to another screen, or its screen has other edges."""
        if event.type() == QEvent.Type.Show or event.type() == QEvent.Type.ScreenChangeInternal:
            QTimer.singleShot(0, self._watch)
        return False

    def _watch(self) -> None:
        screen = self._window.screen()
        if screen is not self._screen:
            if self._screen is not None:
                self._screen.availableGeometryChanged.disconnect(self._refit)
            self._screen = screen
            screen.availableGeometryChanged.connect(self._refit)
        self.fit()

    def _refit(self, _: QRect) -> None:
        QTimer.singleShot(0, self.fit)

    def _apply(self, factor: float, look: str = "") -> None:
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        theme.apply(app, factor, look)
        self.changed.emit()
