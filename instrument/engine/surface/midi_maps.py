"""MIDI maps: the bindings of a controller, as a small JSON file. Some ship for common controllers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from instrument.engine.ipc.bindings import Binding
from instrument.engine.performance.patches import FORBIDDEN
from instrument.errors import HocketError
from instrument.paths import assets_dir, midi_maps_dir
from instrument.saved import Format, read_bytes, write_whole

FORMAT = Format(version=1, migrations={})
SUFFIX = ".json"


class MidiMap(msgspec.Struct, frozen=True):
    """A map. device: part of the name of the port of its controller, by which it is found; empty: of none."""

    bindings: Annotated[tuple[Binding, ...], Meta(max_length=2000)]
    device: Annotated[str, Meta(max_length=200)] = ""
    version: int = FORMAT.version


def list_maps() -> tuple[str, ...]:
    """The names of all maps, saved ones and those that ship, sorted alphabetically."""
    return tuple(sorted(_places(), key=str.casefold))


def load_map(name: str) -> MidiMap:
    """The map of a name. HocketError if there is none, or if it is damaged."""
    places = _places()
    if name not in places:
        raise HocketError(f"there is no MIDI map {name!r}: choose one of {', '.join(sorted(places, key=str.casefold))}")
    return FORMAT.restored(read_bytes(places[name], "the MIDI map"), MidiMap, f"the MIDI map {places[name]}")


def save_map(name: str, bindings: tuple[Binding, ...], device: str) -> None:
    """Save a map in the user's folder. HocketError for an invalid name, a read-only folder, a full disk."""
    if not name.strip(" .") or name.startswith(".") or FORBIDDEN & set(name) or len(name) > 100:
        raise HocketError(f"a MIDI map cannot be called {name!r}: use up to 100 letters, digits and spaces")
    data = msgspec.json.format(msgspec.json.encode(MidiMap(bindings, device)), indent=2) + b"\n"
    write_whole(midi_maps_dir() / (name + SUFFIX), data, "the MIDI map")


def map_for(port: str) -> str:
    """The name of the map of the controller behind a port, empty if there is none. Saved maps come first."""
    for name in reversed(list(_places())):
        device = load_map(name).device
        if device and device.casefold() in port.casefold():
            return name
    return ""


def _places() -> dict[str, Path]:
    """Name -> file, those that ship first. A saved map replaces one of the same name."""
    folders = (assets_dir() / "midi-maps", midi_maps_dir(make=False))
    return {path.stem: path for folder in folders for path in sorted(folder.glob(f"[!.]*{SUFFIX}"))}
