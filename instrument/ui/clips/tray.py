"""The clip tray: buttons that keep the last bars, the clips that were kept, and the plans of the players."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import QFileSystemWatcher, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QWidget

from instrument.engine.ipc.messages import Description, NoteReport, Telemetry
from instrument.engine.performance.takes import SUFFIX as TAKE
from instrument.engine.performance.transport import metre_map
from instrument.engine.surface.buttons import ALL, BUTTONS, CLIP_BARS
from instrument.errors import HocketError
from instrument.music.midifile import write_midi
from instrument.music.notes import Piece
from instrument.music.timebase import MetreMap
from instrument.ui import theme
from instrument.ui.clips.dragging import FileButton
from instrument.ui.knobs.controls import Button
from instrument.ui.layouts import ScrollRow, clear

HEIGHT = 40
SHOWN = 12  # clips
NOTES = "notes"  # the kind of a player that plans notes


class ClipButton(FileButton):
    """A clip that was kept. A press opens a menu: play its take, or show its folder. `played` carries the take."""

    played = Signal(str)
    press_help = "; a click opens a menu: play it, or show its folder"

    def __init__(self, path: Path) -> None:
        """path: of the .mid file, with the take beside it."""
        self._path = path
        super().__init__(path.stem.partition(" ")[2], f"The clip {path.stem}", _given(path))  # without the day

    def press(self) -> None:
        """Open the menu."""
        self.menu_of_clip().popup(self.mapToGlobal(self.rect().bottomLeft()))

    def menu_of_clip(self) -> QMenu:
        """The menu; it deletes itself when closed."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        take = self._path.with_suffix(TAKE)
        menu.addAction("Play this take", lambda: self.played.emit(str(take))).setEnabled(take.exists())
        menu.addAction("Show its folder", super().press)
        return menu


class ClipTray(QWidget):
    """Emits `kept` with the name of the button to be pressed, `played` with a take to play, `failed` with why a file
    could not be written, and `changed` when other clips are shown."""

    kept, played, failed, changed = Signal(str), Signal(str), Signal(str), Signal()

    def __init__(self, folder: Path) -> None:
        """folder: has the clips, and receives the plans that are dragged."""
        super().__init__()
        self._folder = folder
        self._planned: tuple[NoteReport, ...] = ()
        self._bpm = 120.0
        self._metres = metre_map("4/4")
        self._kinds: tuple[str, ...] = ()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.px(6))
        row.addWidget(_title("KEEP BARS"))
        for bars in CLIP_BARS:
            keep = Button(str(bars), f"Keep the last whole bars that were heard, up to {bars}, as a clip")
            keep.setAccessibleName(f"Keep {bars} bars")
            keep.clicked.connect(lambda _, name=f"clip/{bars}": self.kept.emit(name))
            row.addWidget(keep)
        everything = next(button for button in BUTTONS if button.name == ALL)
        save = Button(everything.label, everything.help)
        save.clicked.connect(lambda: self.kept.emit(ALL))
        row.addWidget(save)
        self.plans = QHBoxLayout()
        row.addLayout(self.plans)
        self._clips = ScrollRow(HEIGHT)
        row.addWidget(self._clips, 1)
        self._watcher = QFileSystemWatcher([str(folder)], self)
        self._watcher.directoryChanged.connect(self.show_clips)
        self.show_clips()

    @property
    def clips(self) -> list[FileButton]:
        """The buttons of the clips, the newest first."""
        items = map(self._clips.contents.itemAt, range(self._clips.contents.count()))
        return [shown for item in items if item is not None and isinstance(shown := item.widget(), FileButton)]

    def show_clips(self) -> None:
        """Show the newest clips of the folder."""
        clear(self._clips.contents)
        paths = sorted(self._folder.glob("[0-9]*.mid"), reverse=True)[:SHOWN]
        for path in paths:
            clip = ClipButton(path)
            clip.played.connect(self.played)
            self._clips.contents.addWidget(clip)
        self._clips.contents.addStretch(1)
        self.changed.emit()

    def show_description(self, description: Description) -> None:
        """Show a plan for each player that plans notes."""
        self._metres = metre_map(str(description.values.get("band/metre", "4/4")))
        if description.kinds == self._kinds:
            return
        self._kinds = description.kinds
        clear(self.plans)
        for player, kind in enumerate(description.kinds):
            if kind == NOTES:
                name = f"Plan {player + 1}"
                self.plans.addWidget(FileButton(name, f"What player {player + 1} plans next", self._plan_of(player)))

    def show_telemetry(self, report: Telemetry) -> None:
        """Remember what is planned."""
        self._bpm = report.bpm
        if report.plan is not None:
            self._planned = report.plan

    def _plan_of(self, player: int) -> Callable[[], Path | None]:
        return lambda: self._write_plan(player)

    def _write_plan(self, player: int) -> Path | None:
        """Write the planned notes of a player to a file that begins with a bar. None if there are none."""
        notes = [note for note in self._planned if note.player == player]
        if not notes:
            self.failed.emit(f"player {player + 1} plans nothing at present")
            return None
        path = self._folder / f"Plan {player + 1}.mid"
        try:
            write_midi(plan_piece(notes, self._bpm, self._metres), path)
        except HocketError as error:
            self.failed.emit(str(error))
            return None
        return path


def plan_piece(notes: list[NoteReport], bpm: float, metres: MetreMap) -> Piece:
    """The piece of planned notes; it begins with the bar of the first one."""
    start = metres.start_of(metres.locate(min(note.tick for note in notes)).bar)
    rows = [
        (note.tick - start, note.micro, note.pitch, note.duration, note.velocity, note.part)
        for note in sorted(notes, key=lambda note: (note.tick, note.pitch))
    ]
    return Piece(np.array(rows, np.int32), metres.metres[:1], ((0, bpm),))


def _given(path: Path) -> Callable[[], Path | None]:
    return lambda: path if path.exists() else None


def _title(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("role", "title")
    return label
