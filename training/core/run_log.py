"""What a run writes beside its checkpoints: the lines that it prints, log.jsonl, and TensorBoard's files if TensorBoard
is installed. Of several processes the first writes, the others are silent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from instrument.errors import HocketError
from training.core import ranks

LOG = "log.jsonl"


class RunLog:
    """The log of the run in a folder. It goes on where there is one."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.writes = folder, not ranks.rank()
        self._board: Any = None

    def open_board(self) -> None:
        """Write for TensorBoard too, from now on."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:  # not installed: log.jsonl has the same figures
            return
        if self.writes:
            self._board = SummaryWriter(str(self.folder))

    def close(self) -> None:
        """End TensorBoard's files."""
        if self._board is not None:
            self._board.close()
            self._board = None

    def say(self, text: str) -> None:
        """Print a line."""
        if self.writes:
            print(text, flush=True)

    def add(self, batch: int, seconds: float, kind: str, values: dict[str, float], **facts: Any) -> None:
        """Record the figures of a kind ("train", "valid", ...) after that batch and so many seconds of training, and
        other facts."""
        if not self.writes:
            return
        line = {"batch": batch, "minutes": round(seconds / 60, 2), kind: values, **facts}
        with (self.folder / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(f"{kind}/{name}", value, batch)
            for genre, value in facts.get("by_genre", {}).items():
                self._board.add_scalar(f"{kind}_by_genre/{genre}", value, batch)


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's log. HocketError if there is none."""
    try:
        return [json.loads(line) for line in (folder / LOG).read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise HocketError(f"{folder} holds no run's {LOG} ({error}): give a folder that `fit` made") from error


def duration(seconds: float) -> str:
    """As people read it: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
