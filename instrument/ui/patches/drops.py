"""Files that are dropped on the window, or opened: what is done with them, by their endings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePath

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QWidget

from instrument.engine.ipc.messages import (
    AnyCommand,
    ImportModel,
    LoadPatch,
    OpenChart,
    PlayTake,
    SetProgression,
)
from instrument.errors import HocketError
from instrument.ui.banner import Banner
from instrument.ui.link import EngineLink

BUNDLE, TAKE = ".hocket", ".take.json"
MIDI = (".mid", ".midi")
ENDINGS = (BUNDLE, ".json", *MIDI, ".txt")
_MOST_LETTERS = 20_000  # of a chart
_CHORDS = "Playing the chords of {}; drop it on a pad to make an anchor of it"
_DONE = {ImportModel: "Installed: {}", PlayTake: "Playing {}", LoadPatch: "Loaded {}", OpenChart: _CHORDS}


def command_for(path: str) -> AnyCommand:
    """The command that opens a file. HocketError for another kind of file, and for a text that cannot be read."""
    name = path.lower()
    if name.endswith(BUNDLE):
        return ImportModel(path)
    if name.endswith(TAKE):
        return PlayTake(path)
    if name.endswith(".json"):
        return LoadPatch(path)
    if name.endswith(MIDI):
        return OpenChart(path)
    if name.endswith(".txt"):
        return SetProgression(_text(Path(path)))
    raise HocketError(
        f"{PurePath(path).name} cannot be opened: give a model ({BUNDLE}), a patch (.json), a take ({TAKE}), "
        "or a chart (.mid or .txt)"
    )


class Drops(QObject):
    """Opens what is dropped on a window. The banner says what became of the last drop, and of no earlier one."""

    def __init__(self, window: QWidget, link: EngineLink, banner: Callable[[], Banner]) -> None:
        """banner: the present one."""
        super().__init__(window)
        self._link, self._banner = link, banner
        self._asked: dict[AnyCommand, str] = {}  # what a drop asked for, and the name of its file
        self._said = ""
        link.answered.connect(self._tell)
        link.refused.connect(self._refused)
        window.setAcceptDrops(True)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take drags of files."""
        if not isinstance(event, QDropEvent) or not (files := dropped_files(event)):
            return False
        event.acceptProposedAction()
        if event.type() == QEvent.Type.Drop:
            for file in files:
                self._open(file)
        return True

    def _open(self, file: str) -> None:
        self._banner().withdraw(self._said)
        try:
            command = command_for(file)
        except HocketError as error:
            self._say(str(error))
            return
        self._asked[command] = PurePath(file).name
        self._link.send(command)

    def _tell(self, command: AnyCommand) -> None:
        if name := self._asked.pop(command, ""):
            self._say(_DONE.get(type(command), "Playing the chords of {}").format(name))

    def _refused(self, error: str, command: AnyCommand | None) -> None:
        if command is not None and self._asked.pop(command, ""):
            self._said = error  # the window shows it

    def _say(self, text: str) -> None:
        self._said = text
        self._banner().notify(text)


def dropped_files(event: QDropEvent) -> list[str]:
    """The files of a drag."""
    return [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_MOST_LETTERS + 1)
    except (OSError, ValueError) as error:
        raise HocketError(f"{path.name} cannot be read: {getattr(error, 'strerror', '') or 'it is no text'}") from error
    if len(text) > _MOST_LETTERS:
        raise HocketError(f"{path.name} is no chart: it has more than {_MOST_LETTERS} letters")
    return text.strip()
