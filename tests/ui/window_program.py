"""A window in a process of its own, with an engine that stands in. Driven from outside by mouse and keys.

Writes JSON lines to standard output: first where on the screen things are, then every command the engine got.
A line on standard input with a path saves a picture of the window there and answers with the path.
"""

from __future__ import annotations

import json
import os
import select
import sys

import msgspec
from PySide6.QtCore import QPoint, QRect, QSettings, QTimer
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QWidget

from instrument.engine.ipc.messages import Anchor, LoadModel
from instrument.engine.performance.pad import AXES
from instrument.ui import theme
from instrument.ui.clips.dragging import FileButton
from instrument.ui.fitting import possible_zoom
from instrument.ui.window import Window
from tests.ui.stand_in import PAD_KNOBS, EngineStandIn

STILL = 20  # looks, one after the other, at which nothing has moved: the window is laid out


def say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def fit_of(window: Window) -> dict[str, object]:
    """Whether a window fits: its frame in pixels of the theme, what is cut off, the size of the smallest text."""
    frame = window.frameGeometry()
    shown = [each for each in window.findChildren(QWidget) if each.isVisible() and each.window() is window]
    inside = window.rect().adjusted(-1, -1, 1, 1)
    cut = [
        f"{type(each).__name__} {each.accessibleName() or each.objectName()}"
        for each in shown
        if not inside.contains(QRect(each.mapTo(window, QPoint()), each.size()))
        or (isinstance(each, QAbstractButton | QLabel) and each.width() < each.minimumSizeHint().width())
    ]
    texts = [each.fontInfo().pixelSize() for each in shown if isinstance(each, QAbstractButton | QLabel)]
    return {
        "frame": [frame.x(), frame.y(), frame.width(), frame.height()],
        "cut off": cut,
        "least text": min(texts),
        "zoom": theme.zoom(),
    }


def main(settings: str) -> None:
    app = QApplication(sys.argv[:1])
    theme.apply(app, possible_zoom(float(os.environ.get("WINDOW_ZOOM", "1")), app.primaryScreen()))
    engine = EngineStandIn()
    engine.player_knobs += tuple(knob for knob in PAD_KNOBS if knob.id in AXES)
    engine.anchors = (Anchor("Calm", -0.5, -0.5), Anchor("Wild", 0.5, 0.5))
    engine.values |= dict.fromkeys(("0/x", "0/y"), 0.0)
    engine.send(LoadModel("glass", 1))
    engine.sent.clear()
    window = Window(lambda first: engine, QSettings(settings, QSettings.Format.IniFormat))
    window.unfold("clips")
    told, before, still = 0, {}, 0

    def centre(widget: QWidget) -> list[float]:
        at = widget.mapToGlobal(widget.rect().center()) * widget.devicePixelRatioF()
        return [at.x(), at.y()]

    def tell() -> None:
        nonlocal told, before, still
        if not window.models or not window.roll.score.notes.planned:
            return
        if not told:
            places = {f"{player}/{id}": centre(made) for (player, id), made in window.board.controls.items()}
            places |= {button.text(): centre(button) for button in window.findChildren(FileButton)}
            places["play"] = centre(window.transport.play)
            before, still = places, still + 1 if places == before else 0
            if still < STILL:
                return
            told = 1
            say({**places, "pid": os.getpid(), **fit_of(window)})
        for command in engine.sent[told - 1 :]:
            told += 1
            say([type(command).__name__, msgspec.to_builtins(command)])
        if select.select([sys.stdin], [], [], 0)[0]:
            path = sys.stdin.readline().strip()
            if path:
                window.screen().grabWindow(0).save(path)
                say(path)

    timer = QTimer()
    timer.timeout.connect(tell)
    timer.start(20)
    window.move(QPoint(0, 0))
    window.show()
    window.start()
    app.exec()


if __name__ == "__main__":
    main(*sys.argv[1:])
