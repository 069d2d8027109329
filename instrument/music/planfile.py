"""Plans as dicts, lists, numbers and strings, to be stored as JSON or MessagePack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from instrument.errors import HocketError
from instrument.music.chords.names import Chord
from instrument.music.plan import FREE, MOST_BARS, Plan, PlanBar, PlannedChord, Recall

VERSION = 1


def to_builtins(plan: Plan) -> dict[str, Any]:
    """The plan as a dict of version, key and bars. Fields of a bar are left out at their defaults.

    A chord is [offset in ticks, root, quality, bass], a recall [bar counted from 0, closeness].
    """
    return {
        "version": VERSION,
        "key": list(plan.key) if plan.key else None,
        "bars": [_bar_to_builtins(bar) for bar in plan.bars],
    }


def from_builtins(data: object) -> Plan:
    """The plan of a dict from `to_builtins`. Raises HocketError if the dict is malformed or a value is impossible."""
    if not isinstance(data, Mapping) or not isinstance(data.get("bars"), list | tuple):
        raise HocketError("this is no plan: it has no list of bars")
    if data.get("version") != VERSION:
        raise HocketError(
            f"this plan has version {data.get('version')!r}, version {VERSION} is read: get a newer Hocket"
        )
    if len(data["bars"]) > MOST_BARS:
        raise HocketError(f"a plan of {len(data['bars'])} bars is too long: at most {MOST_BARS} are possible")
    key = data.get("key")
    return Plan(
        tuple(_read(f"bar {number} of the plan", _bar, bar) for number, bar in enumerate(data["bars"], 1)),
        _read("the key of the plan", _key, key) if key is not None else None,
    )


def _bar_to_builtins(bar: PlanBar) -> dict[str, Any]:
    found: dict[str, Any] = {"metre": list(bar.metre)}
    if bar.section:
        found["section"] = bar.section
    if bar.begins:
        found["begins"] = True
    if bar.chords:
        found["chords"] = [[offset, *chord] for offset, chord in bar.chords]
    if bar.recall:
        found["recall"] = list(bar.recall)
    if bar.fullness != FREE:
        found["fullness"] = list(bar.fullness)
    return found


def _read(what: str, read: Any, value: object) -> Any:
    try:
        return read(value)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise HocketError(f"{what} cannot be read ({error}): it was not written by Hocket, or is damaged") from error


def _bar(data: Mapping[str, Any]) -> PlanBar:
    if unknown := set(data) - set(PlanBar._fields):
        raise ValueError(f"unknown field {min(unknown, key=str)!r}")
    numerator, denominator = data["metre"]
    recall = data.get("recall")
    return PlanBar(
        (_whole(numerator), _whole(denominator)),
        _text(data.get("section", "")),
        _flag(data.get("begins", False)),
        tuple(_chord(*chord) for chord in data.get("chords", ())),
        _recall(*recall) if recall is not None else None,
        tuple(None if value is None else _number(value) for value in data.get("fullness", FREE)),
    )


def _chord(offset: object, root: object, quality: object, bass: object) -> PlannedChord:
    pitch = None if root is None else _whole(root)
    return PlannedChord(_whole(offset), Chord(pitch, _text(quality), None if bass is None else _whole(bass)))


def _recall(bar: object, closeness: object) -> Recall:
    return Recall(_whole(bar), _number(closeness))


def _key(data: list[Any]) -> tuple[int, str]:
    tonic, mode = data
    return _whole(tonic), _text(mode)


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is no whole number")
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
