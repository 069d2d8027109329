"""Pictures of the window on screens of several sizes: the real program with its real engine, while it plays.

    python -m tests.ui.pictures                      all, into artifacts/pictures/
    python -m tests.ui.pictures --manual             those of the documentation, into docs/
    python -m tests.ui.pictures --ghosts             the notes shown while models load, into assets/

Needs Xvfb and openbox.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from instrument.ui.roll.score import GHOSTS
from tests.support.xvfb import Xvfb

ROOT = Path(__file__).resolve().parents[2]
SIZES = {"1024x600": 1, "1366x768": 1, "1920x1080": 1, "3840x2160": 2}  # of the screen, and its density
MANUAL = (  # name in docs/, size of the screen, patch, theme, what is shown
    ("window", "1366x768", "First light", "dark", ""),
    ("manual/band", "1366x768", "Blue trio", "dark", "band,clips"),
    ("manual/you", "1366x768", "Back room", "light", "you,devices"),
    ("manual/small", "1024x600", "Garage", "dark", ""),
    ("manual/stage", "1366x768", "Night drive", "dark", "stage"),
)
GHOST_TICKS = 6 * 96
PLAYED_S = 9.0  # of music, before a picture is taken
PATIENCE_S = 90.0


def take(out: Path, size: str, density: int = 1, patch: str = "First light", more: Mapping[str, str] = {}) -> None:
    """Write a picture of the whole screen. more: settings of the window, and "show": what is opened."""
    server = Xvfb(size)
    with tempfile.TemporaryDirectory() as home:
        environment = {
            **os.environ, "DISPLAY": server.display, "QT_QPA_PLATFORM": "xcb", "QT_SCALE_FACTOR": str(density),
            "HOCKET_HOME": home, "HOME": home,
        }  # fmt: skip
        environment.pop("WAYLAND_DISPLAY", None)
        manager = subprocess.Popen(["openbox"], env=environment, stderr=subprocess.DEVNULL)
        try:
            words = [f"{key}={value}" for key, value in more.items()]
            command = [sys.executable, "-m", "tests.ui.pictures", "--inside", str(out), patch, *words]
            subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=PATIENCE_S)
        finally:
            manager.terminate()
            manager.wait(5)
            server.stop()


def inside(out: str, patch: str, *words: str) -> None:
    """Open the window, play, take the picture and close it."""
    from PySide6.QtCore import QSettings, QTimer
    from PySide6.QtWidgets import QApplication

    from instrument.paths import state_dir
    from instrument.ui.app import run_window
    from instrument.ui.footer import FOLDS
    from instrument.ui.link import LinkState
    from instrument.ui.window import Window

    asked = dict(word.split("=", 1) for word in words)
    show = asked.pop("show", "")
    settings = QSettings(str(state_dir() / "window.ini"), QSettings.Format.IniFormat)
    for key, value in asked.items():
        settings.setValue(key, value)
    settings.sync()
    app = QApplication(sys.argv[:1])
    played = 0.0

    def look() -> None:
        nonlocal played
        window = next((w for w in QApplication.topLevelWidgets() if isinstance(w, Window) and w.isVisible()), None)
        if window is None or window.link.state != LinkState.RUNNING or not window.roll.score.notes.planned:
            return
        if not played and not window.transport.playing:
            window.play_or_stop()
            for name in filter(None, show.split(",")):
                if name == "stage":
                    window.change_stage_view()
                elif name in FOLDS:
                    window.unfold(name)
                else:
                    window.band.choose(int(name) if name.isdecimal() else name)
        played += 0.1
        if played >= PLAYED_S:
            timer.stop()
            window.screen().grabWindow(0).save(out)
            window.close()

    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(100)
    run_window({"audio": "null", "midi": "null", "midi-in": "null", "patch": patch})
    app.quit()


def write_ghosts(path: Path) -> None:
    """Write the first bars of First light, as the engine plans them, for the time in which its models load."""
    from instrument.engine.ipc.messages import NoteReport
    from instrument.engine.performance.patches import load_patch
    from instrument.engine.performance.performance import Performance
    from instrument.models.catalog import open_player

    performance = Performance(load_patch("First light"), open_player)
    while performance.extend(GHOST_TICKS):
        pass
    notes = [NoteReport(player, *note) for player, note in performance.planned(GHOST_TICKS)]
    path.write_bytes(msgspec.json.encode(notes) + b"\n")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="*", default=list(SIZES), metavar="WxH")
    parser.add_argument("--themes", nargs="*", default=["dark", "light"])
    parser.add_argument("--patch", default="First light")
    parser.add_argument(
        "--show", default="", help="by commas: what is unfolded, the row that is chosen (band, you, 0, 1), or stage"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "artifacts" / "pictures")
    parser.add_argument("--manual", action="store_true", help="only those of the documentation")
    parser.add_argument("--ghosts", action="store_true", help="only the notes that are shown while models load")
    given = parser.parse_args()
    if given.ghosts:
        write_ghosts(ROOT / "assets" / GHOSTS)
        return
    given.out.mkdir(parents=True, exist_ok=True)
    if given.manual:
        for name, size, patch, theme, show in MANUAL:
            take(ROOT / "docs" / f"{name}.png", size, 1, patch, {"theme": theme, "show": show})
            print(ROOT / "docs" / f"{name}.png")
        return
    for size in given.sizes:
        for theme in given.themes:
            name = "-".join(filter(None, (size, theme, given.show.replace(",", "-"))))
            take(given.out / f"{name}.png", size, SIZES.get(size, 1), given.patch, {"theme": theme, "show": given.show})
            print(given.out / f"{name}.png")


if __name__ == "__main__":
    if "--inside" in sys.argv:
        inside(*sys.argv[sys.argv.index("--inside") + 1 :])
    else:
        main()
