"""The installed bundles, and opening one as a player."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from instrument.errors import HocketError, one_line
from instrument.models.bundle import Bundle, bundle_bytes, open_bundle
from instrument.models.families import FAMILIES, PlayerKind, plays_notes
from instrument.models.manifest import Manifest, read_manifest
from instrument.models.notes.player import NotePlayer
from instrument.models.sound.base import SoundModel
from instrument.paths import models_dirs


@dataclass(frozen=True, slots=True)
class Entry:
    """A folder of a bundle. problem: one line why it cannot be used, else ""; bytes: of all its files."""

    path: Path
    manifest: Manifest | None
    problem: str
    bytes: int
    shipped: bool

    @property
    def slug(self) -> str:
        """Its slug, or the folder's name where the manifest cannot be read."""
        return self.manifest.slug if self.manifest else self.path.name

    @property
    def kind(self) -> PlayerKind:
        """What it does as a player."""
        return FAMILIES[self.manifest.family].player_kind if self.manifest else ""


def list_models() -> list[Entry]:
    """Every bundle in the shipped and the player's folders, shipped ones first; of two with one slug the
    first counts."""
    entries: dict[str, Entry] = {}
    folders = models_dirs()
    for folder in folders:
        shipped = folder == folders[0] and len(folders) > 1
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if not path.is_dir() or path.name.startswith("."):
                continue
            try:
                manifest, problem = read_manifest(path), ""
            except HocketError as error:
                manifest, problem = None, str(error)
            try:
                size = bundle_bytes(path)
            except OSError:
                size = 0
            entry = Entry(path, manifest, problem, size, shipped)
            entries.setdefault(entry.slug, entry)
    return [_with_needs(entry, entries) for entry in entries.values()]


def _with_needs(entry: Entry, there: Mapping[str, Entry]) -> Entry:
    """The entry, with a problem if bundles that it needs are missing."""
    missing = [slug for slug in entry.manifest.needs if slug not in there] if entry.manifest else []
    if entry.problem or not missing:
        return entry
    return replace(entry, problem=f"{entry.slug} needs {', '.join(missing)}: install it too")


def find_model(slug: str) -> Entry:
    """The entry of that slug. HocketError, listing those there are, if there is none."""
    entries = list_models()
    for entry in entries:
        if entry.slug == slug:
            if entry.manifest is None:
                raise HocketError(entry.problem)
            return entry
    there = ", ".join(e.slug for e in entries) or "none are installed"
    raise HocketError(f"unknown model {slug!r}: choose one of {there}")


def open_player(slug: str) -> tuple[Manifest, NotePlayer | SoundModel]:
    """Open the model of a slug as a player of notes or of sound. HocketError if it is not installed or not usable."""
    bundle = open_model(slug)
    return bundle.manifest, open_bundle_as_player(bundle)


def open_note_player(slug: str) -> tuple[Manifest, NotePlayer]:
    """Open the model of a slug as a note player. HocketError as `open_player`, and if it does not play notes."""
    return open_note_bundle(open_model(slug))


def open_sound(slug: str) -> tuple[Manifest, SoundModel]:
    """Open the model of a slug as a sound model. HocketError as `open_player`, and if it plays notes."""
    return open_sound_bundle(open_model(slug))


def open_note_bundle(bundle: Bundle) -> tuple[Manifest, NotePlayer]:
    """A loaded bundle as a player of notes. HocketError if it is none."""
    manifest = bundle.manifest
    if not plays_notes(manifest.family):
        raise HocketError(f"model {manifest.slug!r} is a {manifest.family}: it does not play notes")
    return manifest, cast(NotePlayer, open_bundle_as_player(bundle))


def open_sound_bundle(bundle: Bundle) -> tuple[Manifest, SoundModel]:
    """A loaded bundle as a sound model; those it needs are opened. HocketError if it is none, or one is missing."""
    manifest = bundle.manifest
    if plays_notes(manifest.family):
        raise HocketError(f"model {manifest.slug!r} is a {manifest.family}: it makes no sound by itself")
    return manifest, cast(SoundModel, open_bundle_as_player(bundle))


def open_bundle_as_player(bundle: Bundle) -> NotePlayer | SoundModel:
    """What the family's opener makes of a bundle and those it needs. HocketError where that is no player, or fails."""
    manifest = bundle.manifest
    module, _, name = FAMILIES[manifest.family].opener.partition(":")
    if not module:
        hint = f"; hear it with `hocket render --model {manifest.slug} --input FILE.wav --out FILE.wav`"
        raise HocketError(
            f"model {manifest.slug!r} is a {manifest.family}: it is no player by itself"
            f"{hint if manifest.family == 'vocoder' else ''}"
        )
    opener = getattr(importlib.import_module(module), name)
    needed = [open_model(slug) for slug in manifest.needs]
    try:
        model: NotePlayer | SoundModel = opener(bundle, *needed)
    except HocketError:
        raise
    except Exception as error:
        raise HocketError(f"model {manifest.slug!r} cannot be opened: {one_line(error)}") from error
    return model


def open_model(slug: str) -> Bundle:
    """The bundle of a slug, loaded. HocketError if it is not installed or not usable."""
    entry = find_model(slug)
    return open_bundle(entry.path, trusted=entry.shipped)
