"""A bundle as one file, to give to others: a zip of its folder, with its card and licence.

A file from a stranger is data: its sizes are bounded before anything is written, no path leaves the folder, and the
bundle is opened as any unknown one before it is installed.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path

from instrument.errors import HocketError
from instrument.models.bundle import Bundle, bundle_bytes, open_bundle
from instrument.models.catalog import find_model, list_models
from instrument.models.manifest import Manifest, read_manifest
from instrument.paths import models_dirs

SUFFIX = ".hocket"
LICENCE_NAME = "LICENCE.txt"  # made of the manifest
MOST_BYTES = 512 << 20  # of a bundle
MOST_FILES = 64
PLAIN = re.compile(r"[a-z0-9][a-z0-9-]{0,63}/[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # a file in the bundle's folder
STAMP = (1980, 1, 1, 0, 0, 0)  # of all files in a zip, so that the same bundle gives the same bytes
CHUNK = 1 << 20


def export_model(slug: str, out: Path | None = None) -> Path:
    """Write the installed bundle of a slug to one file, by default SLUG.hocket in this folder, and return its path.
    HocketError if there is no such bundle, it is damaged, or the file exists or cannot be written."""
    entry = find_model(slug)
    manifest = open_bundle(entry.path, trusted=entry.shipped).manifest
    out = out or Path(f"{manifest.slug}{SUFFIX}")
    if out.suffix.lower() != SUFFIX:
        raise HocketError(f"{out} cannot hold a model: give a name that ends in {SUFFIX}")
    if bundle_bytes(entry.path) > MOST_BYTES:
        raise HocketError(f"{slug} has over {MOST_BYTES >> 20} MiB: it cannot be shared as one file")
    try:
        with out.open("xb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(entry.path.iterdir()):
                if path.is_file() and not path.is_symlink() and path.name != LICENCE_NAME:
                    archive.writestr(_member(manifest, path.name), path.read_bytes())
            archive.writestr(_member(manifest, LICENCE_NAME), _licence(manifest))
    except FileExistsError:
        raise HocketError(f"{out} exists: move it away, or give another name with --out") from None
    except OSError as error:
        raise HocketError(f"{out} cannot be written: {error.strerror}") from error
    return out


def import_model(file: Path) -> Path:
    """Install the bundle in a file that `export_model` wrote, and return its folder, which is among the user's own. One
    that is installed already is left as it is. HocketError if the file is no bundle, damaged or dangerous, or if
    another bundle has its slug."""
    mine = models_dirs()[-1]
    try:
        mine.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".importing-", dir=mine) as place:
            folder = _unpacked(file, Path(place))
            manifest = read_manifest(folder)
            if manifest.slug != folder.name:
                raise HocketError(f"{file}: its folder is {folder.name!r}, its slug {manifest.slug!r}: it is refused")
            there = _installed(manifest)
            if there is not None:
                return there
            _check_arrays(open_bundle(folder))
            target = mine / manifest.slug
            if target.exists():
                raise HocketError(f"{target} is in the way: move it away, then import again")
            shutil.move(folder, target)
            return target
    except OSError as error:
        raise HocketError(f"{mine} cannot be written: {error.strerror or error}") from error


def _check_arrays(bundle: Bundle) -> None:
    """HocketError if a file of arrays is damaged, which is read only when it is needed."""
    bundle.golden()
    bundle.primers()
    if bundle.manifest.latents is not None:
        bundle.latents()


def _installed(manifest: Manifest) -> Path | None:
    """The folder of the same bundle, if it is installed. HocketError if another bundle has its slug."""
    for entry in list_models():
        if entry.slug != manifest.slug:
            continue
        if entry.manifest is not None and entry.manifest.bundle_hash == manifest.bundle_hash:
            return entry.path
        raise HocketError(
            f"another model {manifest.slug!r} is installed ({entry.path}), and takes and patches name models by slug: "
            f"move that folder away, or ask for this one under another slug"
        )
    return None


def _unpacked(file: Path, place: Path) -> Path:
    try:
        with zipfile.ZipFile(file) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
            odd = next((m.filename for m in members if not PLAIN.fullmatch(m.filename)), None)
            folders = {m.filename.split("/")[0] for m in members}
            if odd is not None or len(folders) != 1:
                what = f"a member {odd!r}" if odd is not None else f"{len(folders)} folders"
                raise HocketError(f"{file} holds {what}: a model is the plain files of one folder")
            if len({m.filename for m in members}) != len(members) or len(members) > MOST_FILES:
                raise HocketError(f"{file} holds {len(members)} files: a model has at most {MOST_FILES}, each once")
            if sum(m.file_size for m in members) > MOST_BYTES:
                raise HocketError(f"{file} unpacks to over {MOST_BYTES >> 20} MiB: it is refused")
            folder = place / folders.pop()
            folder.mkdir()
            for member in members:
                _write(archive, member, place / member.filename)
            return folder
    except FileNotFoundError:
        raise HocketError(f"there is no file {file}") from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, zlib.error) as error:
        raise HocketError(f"{file} is no model that was exported, or is damaged ({error}): get it again") from error


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> None:
    """Unpack a file; never more bytes than it says it has."""
    left = member.file_size
    with archive.open(member) as source, path.open("xb") as target:
        while data := source.read(CHUNK):
            left -= len(data)
            if left < 0:
                raise HocketError(f"{member.filename} is larger than it says: it is refused")
            target.write(data)


def _member(manifest: Manifest, name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(f"{manifest.slug}/{name}", STAMP)
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = 0o644 << 16
    return member


def _licence(manifest: Manifest) -> str:
    lines = [f"{manifest.name} ({manifest.slug}), a model for Hocket", f"Licence: {manifest.licence}", ""]
    sources = [f"- {name}: {licence}" for name, licence in sorted(manifest.provenance.datasets.items())]
    return "\n".join([*lines, *(["Trained on:", *sources] if sources else [])]) + "\n"
