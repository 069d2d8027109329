"""What to send along with a report of a problem."""

from __future__ import annotations

import platform
import sys
from collections import deque
from contextlib import suppress
from pathlib import Path

import PySide6

from instrument import __version__
from instrument.engine.ipc.messages import Description, Telemetry

LINES = 40  # of the end of each log


def diagnostics(description: Description | None, report: Telemetry | None, logs: tuple[Path, ...]) -> str:
    """Versions, the machine, devices, players, figures and the ends of the logs, as text. It holds no music, but paths
    with the name of the user."""
    lines = [
        f"Hocket {__version__}, Python {platform.python_version()}, Qt {PySide6.__version__}",
        f"{platform.platform()}, {platform.machine()}{', frozen' if getattr(sys, 'frozen', False) else ''}",
    ]
    if description is not None:
        known = {model.slug: f"{model.slug} {model.version}" for model in description.models}
        players = ", ".join(known.get(slug, slug) for slug in description.players)
        lines.append(f"Patch: {description.patch or 'Untitled'}; players: {players or 'none'}")
        lines += [f"Model {model.slug}: {model.problem}" for model in description.models if model.problem]
    if report is not None:
        lines += [
            f"Sound: {report.audio}; MIDI out: {report.midi}; MIDI in: {report.midi_in}",
            f"Load {report.load:.0%}, dropouts {report.starved + report.xruns}, late notes {report.late_notes}, "
            f"latency {report.latency_ms:.0f} ms, {report.ms_per_note:.1f} ms a note",
            *(f"Message: {banner}" for banner in report.banners),
        ]
    for log in logs:
        lines += ["", f"The end of {log}:", *_end(log)]
    return "\n".join(lines) + "\n"


def _end(log: Path) -> list[str]:
    with suppress(OSError), log.open(encoding="utf-8", errors="replace") as file:
        return [line.rstrip("\n") for line in deque(file, LINES)]
    return ["(there is none)"]
