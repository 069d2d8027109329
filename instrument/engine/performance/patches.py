"""Patches: everything that makes a sound and a style, as a small JSON file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, cast

import msgspec
from msgspec import Meta

from instrument.engine.ipc.messages import Anchor, Value
from instrument.engine.performance.pad import MAX_ANCHORS
from instrument.errors import HocketError
from instrument.music.notes import Part
from instrument.paths import assets_dir, patches_dir, state_dir
from instrument.saved import Format, read_bytes, write_whole

FORMAT = Format(version=2, migrations={1: lambda fields: fields})  # 2: plans, and parts that are off, auto or on
DEFAULT = "First light"  # what a new player hears
SUFFIX = ".json"
MAX_OFFSET_MS = 500  # of the MIDI port, either way
MAX_PLAYERS = 16
FORBIDDEN = frozenset('/\\:*?"<>|')  # in names: not all file systems take them

PartName = Literal["melody", "chords", "bass", "drums", "other"]


class PlayerPatch(msgspec.Struct, frozen=True):
    """One player: the slug of its model, that model's knobs, the anchors of its latent pad, and the parts that it plays
    (empty: all that its model knows)."""

    model: str
    knobs: dict[str, Value] = {}
    anchors: Annotated[tuple[Anchor, ...], Meta(max_length=MAX_ANCHORS)] = ()
    parts: tuple[PartName, ...] = ()


class VoicePatch(msgspec.Struct, frozen=True):
    """How a part sounds where it is not as the genre says; None leaves it so.

    program: General MIDI, 0..127; pan: -1 left .. 1 right; level: dB, at most 0.
    """

    program: Annotated[int, Meta(ge=0, le=127)] | None = None
    pan: Annotated[float, Meta(ge=-1, le=1)] | None = None
    level: Annotated[float, Meta(ge=-60, le=0)] | None = None


class Routing(msgspec.Struct, frozen=True):
    """Where to: devices by name, empty = whatever there is; midi_in: what a person plays on; channels: part -> MIDI
    channel, 1..16; offset_ms: how much later than the built-in voices the MIDI port sends, negative = earlier;
    controllers: number of a MIDI controller -> the knob that it turns ("0/temperature")."""

    audio: str = ""
    midi: str = ""
    midi_in: str = ""
    offset_ms: Annotated[float, Meta(ge=-MAX_OFFSET_MS, le=MAX_OFFSET_MS)] = 0.0
    channels: dict[PartName, Annotated[int, Meta(ge=1, le=16)]] = {}
    controllers: dict[Annotated[int, Meta(ge=0, le=119)], str] = {}


class Patch(msgspec.Struct, frozen=True):
    """A patch. knobs: the instrument's own (tempo, key, seed, ...); what is not given is at its default. progression:
    the chords of the plan, where they are typed."""

    version: int = FORMAT.version
    name: str = ""
    knobs: dict[str, Value] = {}
    players: Annotated[tuple[PlayerPatch, ...], Meta(max_length=MAX_PLAYERS)] = ()
    voices: dict[PartName, VoicePatch] = {}
    routing: Routing = Routing()
    progression: Annotated[str, Meta(max_length=20_000)] = ""


def part_name(part: int) -> PartName:
    """The name of a part, as patches have it."""
    return cast(PartName, Part(part).name.lower())


def parts_of(names: tuple[PartName, ...]) -> frozenset[int]:
    """The parts of these names; all of them where there is none."""
    return frozenset(int(Part[name.upper()]) for name in names) or frozenset(Part)


def check_offset(ms: float) -> None:
    """HocketError for an offset of the MIDI port that cannot be."""
    if not -MAX_OFFSET_MS <= ms <= MAX_OFFSET_MS:  # also refuses nan
        raise HocketError(f"a MIDI offset of {ms:g} ms is not possible: give {-MAX_OFFSET_MS} to {MAX_OFFSET_MS}")


def list_patches() -> tuple[str, ...]:
    """Names of all patches, the player's own and those that ship, by alphabet."""
    return tuple(sorted(_places(), key=str.casefold))


def load_patch(name: str) -> Patch:
    """The patch of a name, or the file at a path (anything with a folder or ".json" in it).

    HocketError if there is none (it lists those there are), or if it is damaged.
    """
    if _is_path(name):
        return _read(Path(name).expanduser())
    places = _places()
    if name not in places:
        known = ", ".join(sorted(places, key=str.casefold))
        raise HocketError(f"there is no patch {name!r}: choose one of {known}, or give a file")
    return _read(places[name])


def save_patch(patch: Patch, name: str) -> Patch:
    """Save under a name among the player's own, or at a path; returns the patch as saved, with that name.

    HocketError for a name that no file can have, a read-only folder, a full disk.
    """
    if _is_path(name):
        path = Path(name).expanduser()
        path = path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)
    else:
        if not name.strip(" .") or name.startswith(".") or FORBIDDEN & set(name) or len(name) > 100:
            raise HocketError(f"a patch cannot be called {name!r}: use up to 100 letters, digits and spaces")
        path = patches_dir() / (name + SUFFIX)
    patch = msgspec.structs.replace(patch, name=path.stem)
    _write(patch, path, "the patch")
    return patch


def autosave(patch: Patch) -> None:
    """Keep the present state for the next start. HocketError where that cannot be written."""
    _write(patch, _autosave_path(), "the present state")


def autosaved() -> Patch | None:
    """The state of the last time, None if there is none. HocketError if it is damaged."""
    path = _autosave_path()
    return _read(path) if path.exists() else None


def _autosave_path() -> Path:
    return state_dir() / f"autosave{SUFFIX}"


def _is_path(name: str) -> bool:
    return "/" in name or "\\" in name or name.endswith(SUFFIX)


def _places() -> dict[str, Path]:
    """name -> file; one's own patch of a name goes before the one that ships."""
    folders = (assets_dir() / "patches", patches_dir())
    return {path.stem: path for folder in folders for path in folder.glob(f"[!.]*{SUFFIX}")}


def _read(path: Path) -> Patch:
    patch = FORMAT.restored(read_bytes(path, "the patch"), Patch, f"the patch {path}")
    return patch if patch.name else msgspec.structs.replace(patch, name=path.stem)


def _write(patch: Patch, path: Path, what: str) -> None:
    write_whole(path, msgspec.json.format(msgspec.json.encode(patch), indent=2) + b"\n", what)
