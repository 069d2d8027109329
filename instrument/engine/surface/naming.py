"""Everything that can be turned or pressed, by name: the rows of `hocket names` and of `docs/control.md`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from instrument.engine.ipc.messages import KnobInfo
from instrument.engine.performance.knobs import INSTRUMENT_KNOBS, KnobTable, knob_name
from instrument.engine.performance.sound_seats import with_strip
from instrument.engine.surface.buttons import BUTTONS
from instrument.models.catalog import Entry

_INTRODUCTION = """# What can be turned and pressed

Every knob and button has one name. The window, MIDI learn, OSC, patches, takes and the command line (`--set`, `--at`)
reach it by that name. `hocket names` prints this list for the models that are installed. This page is written by

    hocket names --markdown > docs/control.md
"""
_BUTTONS = """Press them. A knob can be pressed as well: a switch changes, a choice takes its next value, a number
returns to its default."""
_PLAYERS = """`N` is the number of the player, from 0. Which knobs a player has depends on its model; the last column
names the shipped models that have it."""


class Row(NamedTuple):
    """What can be turned or pressed. values: what a knob may be, as text, empty for a button; models: slugs."""

    name: str
    label: str
    values: str
    default: str
    help: str
    models: tuple[str, ...] = ()


def button_rows() -> list[Row]:
    """The rows of all buttons."""
    return [Row(button.name, button.label, "", "", button.help) for button in BUTTONS]


def instrument_rows() -> list[Row]:
    """The rows of the instrument's knobs."""
    return [_row(info, knob_name(info.player, info.id)) for info in INSTRUMENT_KNOBS]


def player_rows(models: Iterable[Entry]) -> list[Row]:
    """The rows of the knobs of players ("N/temperature"): a row for each kind of knob, with the models that have it."""
    found: dict[str, Row] = {}
    for entry in models:
        if entry.manifest is None or not entry.kind:
            continue
        for info in KnobTable([with_strip(entry.manifest.knobs, entry.kind)]).of(0):
            row = _row(info, f"N/{info.id}")
            key = f"{row.name} {row.label} {info.kind} {row.values if info.kind == 'number' else ''}"
            found[key] = found.get(key, row)._replace(models=(*found.get(key, row).models, entry.slug))
    return sorted(found.values(), key=lambda row: row.name)


_OSC = """`hocket play --osc 9000 --osc-out 9001` listens at UDP port 9000 of this machine and reports changes to
port 9001. Give HOST:PORT for another machine. A choice is set by its text or its number, from 0."""
OSC_TABLE: tuple[tuple[str, str, str], ...] = (
    ("/hocket/NAME", "value", "Turn a knob; without a value, or for a button, press it (0: released)"),
    ("/hocket/patch", "name", "Load a patch"),
    ("/hocket/chords", "text", "Play typed chords as the plan"),
    ("/hocket/remake", "player, bar", "Make a bar of a player anew (bars from 1), as the command Remake"),
    (
        "/hocket/NAME?",
        "",
        "Ask for the value of a knob, or for playing, position, bpm, patch; the answer comes without ?",
    ),
    ("/hocket/?", "", "Ask for all values"),
    ("/hocket/NAME", "value", "Sent: a knob has changed"),
    (
        "/hocket/playing, /hocket/position, /hocket/bpm, /hocket/patch",
        "1 or 0; bar, beat; tempo; name",
        "Sent: a change",
    ),
    ("/hocket/error", "text", "Sent to who asked: why a message was refused"),
)


def document(models: Sequence[Entry]) -> str:
    """The page `docs/control.md`, from the three tables; of the models only those that ship."""
    shipped = [entry for entry in models if entry.shipped]
    parts = [
        _INTRODUCTION,
        f"## Buttons\n\n{_BUTTONS}\n\n{_table(button_rows(), ('name', 'help'))}",
        f"## Knobs of the instrument\n\n{_table(instrument_rows(), ('name', 'values', 'default', 'help'))}",
        f"## Knobs of players\n\n{_PLAYERS}\n\n{_table(player_rows(shipped), ('name', 'values', 'help', 'models'))}",
        f"## OSC\n\n{_OSC}\n\n{_osc_table()}",
    ]
    return "\n".join(parts)


def _osc_table() -> str:
    rows = ["| address | values | meaning |", "|---|---|---|"]
    rows += [f"| `{address}` | {values} | {meaning} |" for address, values, meaning in OSC_TABLE]
    return "\n".join(rows) + "\n"


def _row(info: KnobInfo, name: str) -> Row:
    default = info.default if isinstance(info.default, str) else f"{info.default:g}"
    return Row(name, info.label, _values(info), default, info.help)


def _values(info: KnobInfo) -> str:
    if info.kind == "choice":
        return ", ".join(info.choices)
    if info.kind == "switch":
        return "0 or 1"
    whole = ", whole numbers" if info.step == 1 else ""
    return f"{info.low:g} to {info.high:g}{' ' + info.unit if info.unit else ''}{whole}"


def _table(rows: Iterable[Row], columns: Sequence[str]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for row in rows:
        cells = row._asdict() | {"name": f"`{row.name}`", "models": ", ".join(row.models)}
        lines.append("| " + " | ".join(str(cells[column]).replace("|", "\\|") for column in columns) + " |")
    return "\n".join(lines) + "\n"
