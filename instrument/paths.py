"""Paths: the files that ship with Hocket, and the user's own folders.

What ships (assets/ and models_onnx/) is next to the packages in a checkout, inside instrument/ in a wheel. The user's
folders follow the platform's rule (platformdirs); the variable HOCKET_HOME puts them all into one folder.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Literal

from instrument.errors import HocketError

Kind = Literal["data", "state"]
_PACKAGE = Path(__file__).resolve().parent


def assets_dir() -> Path:
    """The folder with the sound font, icons and factory patches. Raises HocketError when it is missing."""
    return _shipped("assets")


def models_dirs() -> list[Path]:
    """Folders that hold bundles: the shipped one if any, then the user's own, which may not exist."""
    shipped = [folder for folder in _candidates("models_onnx") if folder.is_dir()][:1]
    return [*shipped, _home("data") / "models"]


def patches_dir(make: bool = True) -> Path:
    """The user's patches, created when missing if `make`. Raises HocketError where that cannot be."""
    folder = _home("data") / "patches"
    return _made(folder) if make else folder


def clips_dir() -> Path:
    """The clips that were kept, created when missing. Raises HocketError where that cannot be."""
    return _made(state_dir() / "clips")


def midi_maps_dir(make: bool = True) -> Path:
    """The MIDI maps that the user saved, created when missing if `make`. HocketError where that cannot be."""
    folder = _home("data") / "midi-maps"
    return _made(folder) if make else folder


def state_dir() -> Path:
    """Autosave, takes, logs and the engine's socket; private to the user, created when missing. In a home that cannot
    be written, a folder of the user's among the temporary ones.

    Raises HocketError where it cannot be created.
    """
    folder = _home("state")
    if os.environ.get("HOCKET_HOME"):
        return _made(folder)
    with suppress(HocketError):
        if os.access(_made(folder), os.W_OK):
            return folder
    return _temporary()


def read_only_home() -> str:
    """What a user should know whose home cannot be written, in one line; empty if it can."""
    if os.environ.get("HOCKET_HOME") or state_dir() != _temporary_path():
        return ""
    return f"your home cannot be written: until the system starts again, all is kept in {_temporary_path()}"


def _candidates(name: str) -> list[Path]:
    """Where a shipped folder may be: in a checkout, in a wheel."""
    checkout = _PACKAGE.parent
    in_checkout = [checkout / name] if (checkout / "pyproject.toml").is_file() else []
    return [*in_checkout, _PACKAGE / name]


def _shipped(name: str) -> Path:
    tried = _candidates(name)
    for folder in tried:
        if folder.is_dir():
            return folder
    raise HocketError(f"Hocket's folder {name}/ is missing (looked for {tried[0]}): install Hocket again.")


def _home(kind: Kind) -> Path:
    """The user's folder for "data" (models, patches) or "state" (see `state_dir`). Moved here if version 0.1 left it in
    another place. Raises HocketError where that fails."""
    override = os.environ.get("HOCKET_HOME")
    if override:
        root = Path(override).expanduser().absolute()
        return root if kind == "data" else root / "state"
    folders, before = _folders(), _folders_0_1()
    _move(before["data"], folders["data"])
    if kind == "state":
        within = before["state"].is_relative_to(before["data"])  # it was moved with the data above
        _move(folders["data"] / "state" if within else before["state"], folders["state"])
    return folders[kind]


def _folders() -> dict[str, Path]:
    """The folder of each kind, by the platform's rule."""
    from platformdirs import PlatformDirs

    dirs = PlatformDirs("Hocket" if sys.platform in ("darwin", "win32") else "hocket", appauthor=False)
    data, state = dirs.user_data_path, dirs.user_state_path
    return {"data": data, "state": data / "state" if state == data else state}


def _folders_0_1() -> dict[str, Path]:
    """The folders of version 0.1."""
    home = Path.home()
    if sys.platform == "darwin":
        data = home / "Library" / "Application Support" / "Hocket"
        return {"data": data, "state": data / "state"}
    if sys.platform == "win32":
        data = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "Hocket"
        return {"data": data, "state": data / "state"}
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    state = Path(os.environ.get("XDG_STATE_HOME") or home / ".local" / "state")
    return {"data": data / "hocket", "state": state / "hocket"}


def _move(old: Path, new: Path) -> None:
    """Move a folder, unless the new one exists already."""
    if old == new or new.exists() or not old.is_dir():
        return
    try:
        new.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.move(old, new)
    except OSError as error:
        if not new.exists():  # else another process has moved it
            raise HocketError(f"cannot move {old} to {new} ({error.strerror or error}): move it by hand") from error


def _temporary_path() -> Path:
    user = os.getuid() if sys.platform != "win32" else ""  # on Windows the folder above is the user's
    return Path(tempfile.gettempdir()) / f"hocket-home-{user}"


def _temporary() -> Path:
    folder = _made(_temporary_path())
    if sys.platform != "win32" and (folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o077):
        raise HocketError(f"{folder} is not private to you: remove it, or set HOCKET_HOME to a folder that is")
    return folder


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise HocketError(
            f"cannot create the folder {folder} ({error.strerror}): make its parent writable, "
            "or set HOCKET_HOME to a folder that is."
        ) from error
    return folder
