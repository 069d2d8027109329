"""Patches: the settings of players, knobs, voices and devices, as a small JSON file."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, cast, get_args

import msgspec
from msgspec import Meta

from instrument.engine.ipc.bindings import Binding
from instrument.engine.ipc.messages import Anchor, Value
from instrument.engine.performance.pad import MAX_ANCHORS
from instrument.errors import HocketError
from instrument.music.notes import Part
from instrument.paths import assets_dir, patches_dir, state_dir
from instrument.saved import Fields, Format, read_bytes, write_whole

PartName = Literal["melody", "chords", "bass", "drums", "other"]
PART_NAMES: tuple[PartName, ...] = get_args(PartName)


def with_part_choices(fields: Fields) -> Fields:
    """Fields of a patch or of an entry of a take of version 1, in which a part was a switch, as those of version 2."""
    knobs = fields.get("knobs")
    if not isinstance(knobs, dict):
        return fields
    choices = {name: "auto" if knobs[name] else "off" for name in PART_NAMES if name in knobs}
    return {**fields, "knobs": {**knobs, **choices}}


def _from_version_1(fields: Fields) -> Fields:
    """Fields of a patch of version 1, which had controllers by number, -1 for the instrument, and whose tempo,
    expression and parts were not those of the genre. It had no plan."""
    knobs = fields.get("knobs", {})
    fields = with_part_choices({**fields, "knobs": {**AS_PLAYED, **knobs}} if isinstance(knobs, dict) else fields)
    routing = fields.get("routing")
    if not isinstance(routing, dict) or not isinstance(routing.get("controllers"), dict):
        return fields
    learnt = routing["controllers"].items()
    bindings = [{"name": str(name).replace("-1/", "band/"), "number": int(number)} for number, name in learnt]
    return {**fields, "routing": {**routing, "bindings": bindings}}


AS_PLAYED = {"tempo": 120.0, "swing": 0.5, "feel": 0.0, "dynamics": 0.0, "plan": "free"} | dict.fromkeys(PART_NAMES, 1)
# 2: plans, parts that are off, auto or on, and expression
FORMAT = Format(version=2, migrations={1: _from_version_1})
DEFAULT = "First light"  # the patch of the first start
SUFFIX = ".json"
MAX_OFFSET_MS = 500  # of the MIDI port, earlier or later
MAX_PLAYERS = 16
FORBIDDEN = frozenset('/\\:*?"<>|')  # in names, as not all file systems allow them


class PlayerPatch(msgspec.Struct, frozen=True):
    """One player: the slug of its model, that model's knobs, the anchors of its latent pad, and the parts that it plays
    (empty: all that its model knows)."""

    model: str
    knobs: dict[str, Value] = {}
    anchors: Annotated[tuple[Anchor, ...], Meta(max_length=MAX_ANCHORS)] = ()
    parts: tuple[PartName, ...] = ()


class VoicePatch(msgspec.Struct, frozen=True):
    """The sound of a part where it differs from that of the genre; None: as in the genre.

    program: General MIDI, 0..127; pan: -1 left .. 1 right; level: dB, at most 0.
    """

    program: Annotated[int, Meta(ge=0, le=127)] | None = None
    pan: Annotated[float, Meta(ge=-1, le=1)] | None = None
    level: Annotated[float, Meta(ge=-60, le=0)] | None = None


class Routing(msgspec.Struct, frozen=True):
    """Inputs and outputs. audio, midi, midi_in: names of devices, empty = any; channels: part -> MIDI channel, 1..16;
    offset_ms: how much later than the built-in voices the MIDI port sends, negative = earlier; bindings: what MIDI
    controllers turn and press; offsets: the offset of each MIDI port with each audio device, by their names."""

    audio: str = ""
    midi: str = ""
    midi_in: str = ""
    offset_ms: Annotated[float, Meta(ge=-MAX_OFFSET_MS, le=MAX_OFFSET_MS)] = 0.0
    channels: dict[PartName, Annotated[int, Meta(ge=1, le=16)]] = {}
    bindings: Annotated[tuple[Binding, ...], Meta(max_length=2000)] = ()
    offsets: dict[str, dict[str, Annotated[float, Meta(ge=-MAX_OFFSET_MS, le=MAX_OFFSET_MS)]]] = {}

    def with_offset(self, midi: str, audio: str, ms: float | None = None) -> Routing:
        """Another offset of a MIDI port with an audio device, which is kept; None: the kept one, 0 if there is none."""
        kept = self.offsets.get(midi, {})
        if ms is None:
            return msgspec.structs.replace(self, offset_ms=kept.get(audio, 0.0))
        return msgspec.structs.replace(self, offset_ms=ms, offsets={**self.offsets, midi: {**kept, audio: ms}})


class Patch(msgspec.Struct, frozen=True):
    """A patch. knobs: of the instrument (tempo, key, seed, ...); missing ones are at their defaults, tempo and
    expression at those of the genre. progression: the chords of the plan, where they are typed; about: one line;
    macros: the knobs that each macro moves, by name, and how far, where they are not its own."""

    version: int = FORMAT.version
    name: str = ""
    knobs: dict[str, Value] = {}
    players: Annotated[tuple[PlayerPatch, ...], Meta(max_length=MAX_PLAYERS)] = ()
    voices: dict[PartName, VoicePatch] = {}
    routing: Routing = Routing()
    progression: Annotated[str, Meta(max_length=20_000)] = ""
    macros: Annotated[dict[str, dict[str, float]], Meta(max_length=8)] = {}
    about: Annotated[str, Meta(max_length=200)] = ""


def part_name(part: int) -> PartName:
    """The name of a part, as patches have it."""
    return cast(PartName, Part(part).name.lower())


def parts_of(names: tuple[PartName, ...]) -> frozenset[int]:
    """The parts of these names; all of them where there is none."""
    return frozenset(int(Part[name.upper()]) for name in names) or frozenset(Part)


def with_voice(patch: Patch, model: str) -> Patch:
    """The patch with a voice that plays all parts but drums, unless the model is one of its players already."""
    if any(player.model == model for player in patch.players):
        return patch
    return msgspec.structs.replace(patch, players=(*patch.players, PlayerPatch(model, {"part": "all"})))


def check_offset(ms: float) -> None:
    """HocketError for an offset of the MIDI port that is out of range."""
    if not -MAX_OFFSET_MS <= ms <= MAX_OFFSET_MS:  # also refuses nan
        raise HocketError(f"a MIDI offset of {ms:g} ms is not possible: give {-MAX_OFFSET_MS} to {MAX_OFFSET_MS}")


def patch_of_program(bank: int, program: int) -> str:
    """The patch that a program change selects: bank 0 has those that ship, bank 1 the user's, in alphabetical order.
    HocketError if there is none at that place."""
    folders = _folders()
    found = _patches_in(folders[bank]) if bank < len(folders) else ()
    names = sorted((path.stem for path in found), key=str.casefold)
    if program >= len(names):
        raise HocketError(f"program {program + 1} of bank {bank} selects no patch: it has {len(names)}")
    return names[program]


class PatchFile(NamedTuple):
    """A patch of the list. own: the user's file, None if there is none; shipped: the one that came with Hocket."""

    name: str
    own: Path | None
    shipped: Path | None


def patch_files() -> list[PatchFile]:
    """All patches, sorted by name. A user's own replaces one that ships with the same name."""
    shipped, own = ({path.stem: path for path in _patches_in(folder)} for folder in _folders())
    names = sorted({*shipped, *own}, key=str.casefold)
    return [PatchFile(name, own.get(name), shipped.get(name)) for name in names]


def remove_patch(name: str) -> Path:
    """Move a patch of the user's to the folder "removed patches" of the state folder; one that ships with the same name
    is there again. Returns where it is now. HocketError if it is not the user's."""
    path = patches_dir() / (name + SUFFIX)
    if FORBIDDEN & set(name) or not path.exists():
        raise HocketError(f"{name!r} is no patch of yours: only those that you saved can be removed")
    kept = state_dir() / "removed patches" / f"{name} {time.strftime('%Y-%m-%d %H.%M.%S')}{SUFFIX}"
    try:
        kept.parent.mkdir(exist_ok=True)
        shutil.move(path, kept)
    except OSError as error:
        raise HocketError(f"the patch {path} cannot be removed: {error.strerror or error}") from error
    return kept


def default_patch() -> str:
    """The patch of the list with which the user wants to begin, "" if there is none."""
    try:
        name = _default_path().read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""
    return name if name in _places() else ""


def set_default_patch(name: str) -> None:
    """Begin with this patch from now on; "": go on where the last session ended. HocketError if it cannot be kept."""
    write_whole(_default_path(), name.encode() + b"\n", "the name of the default patch")


def list_patches() -> tuple[str, ...]:
    """The names of all patches, saved ones and those that ship, sorted alphabetically."""
    return tuple(sorted(_places(), key=str.casefold))


def load_patch(name: str) -> Patch:
    """The patch with a name, or the one at a path (a text with a slash, or that ends in ".json").

    HocketError if there is none (it lists the patches there are), or if it is damaged.
    """
    if _is_path(name):
        return _read(Path(name).expanduser())
    places = _places()
    if name not in places:
        known = ", ".join(sorted(places, key=str.casefold))
        raise HocketError(f"there is no patch {name!r}: choose one of {known}, or give a file")
    return _read(places[name])


def save_patch(patch: Patch, name: str) -> Patch:
    """Save a patch under a name in the user's folder, or at a path. Returns the patch with that name.

    HocketError for an invalid name, a read-only folder, a full disk.
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
    """Save the state for the next start. HocketError if it cannot be written."""
    _write(patch, _autosave_path(), "the present state")


def autosaved() -> Patch | None:
    """The state that was saved last, None if there is none. HocketError if it is damaged."""
    path = _autosave_path()
    return _read(path) if path.exists() else None


def keep_autosave() -> str:
    """Move the saved state aside, so that it is not overwritten. Returns a phrase that says where it is."""
    path = _autosave_path()
    kept = path.with_name(f"{path.stem}-{time.strftime('%Y-%m-%d-%H%M%S')}{SUFFIX}")
    try:
        os.replace(path, kept)
    except OSError as error:
        return f"the saved state could not be moved aside ({error.strerror or error})"
    return f"the saved state is kept as {kept}"


def _default_path() -> Path:
    return state_dir() / "default-patch.txt"


def _autosave_path() -> Path:
    return state_dir() / f"autosave{SUFFIX}"


def _is_path(name: str) -> bool:
    return "/" in name or "\\" in name or name.endswith(SUFFIX)


def _places() -> dict[str, Path]:
    """Name -> file. A saved patch replaces one that ships with the same name."""
    return {path.stem: path for folder in _folders() for path in _patches_in(folder)}


def _folders() -> tuple[Path, Path]:
    """The folders of the patches that ship, and of the user's."""
    return assets_dir() / "patches", patches_dir(make=False)


def _patches_in(folder: Path) -> Iterable[Path]:
    return folder.glob(f"[!.]*{SUFFIX}")


def _read(path: Path) -> Patch:
    patch = FORMAT.restored(read_bytes(path, "the patch"), Patch, f"the patch {path}")
    return patch if patch.name else msgspec.structs.replace(patch, name=path.stem)


def _write(patch: Patch, path: Path, what: str) -> None:
    write_whole(path, msgspec.json.format(msgspec.json.encode(patch), indent=2) + b"\n", what)
