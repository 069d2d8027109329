"""Which bundles there are, and opening one as a player."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from instrument.errors import HocketError
from instrument.models.bundle import Bundle, bundle_bytes, open_bundle
from instrument.models.lstm import LstmPlayer
from instrument.models.manifest import Manifest, read_manifest
from instrument.models.musicvae import MusicVaePlayer
from instrument.models.players import NotePlayer
from instrument.models.transformer import TransformerPlayer
from instrument.paths import models_dirs

NOTE_PLAYERS: dict[str, Callable[[Bundle], NotePlayer]] = {
    "lstm": LstmPlayer, "transformer": TransformerPlayer, "musicvae": MusicVaePlayer,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A bundle's folder; `problem` says in one line why it cannot be used, "" if nothing is known against it."""

    path: Path
    manifest: Manifest | None
    problem: str
    bytes: int
    shipped: bool

    @property
    def slug(self) -> str:
        """Its slug, or the folder's name where the manifest cannot be read."""
        return self.manifest.slug if self.manifest else self.path.name


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
    return list(entries.values())


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


def open_note_player(slug: str) -> tuple[Manifest, NotePlayer]:
    """The model of that slug, ready to play notes."""
    entry = find_model(slug)
    return open_note_bundle(open_bundle(entry.path, trusted=entry.shipped))


def open_note_bundle(bundle: Bundle) -> tuple[Manifest, NotePlayer]:
    """A loaded bundle as a player."""
    manifest = bundle.manifest
    if manifest.family not in NOTE_PLAYERS:
        raise HocketError(f"model {manifest.slug!r} is a {manifest.family}: it does not play notes")
    return manifest, NOTE_PLAYERS[manifest.family](bundle)
