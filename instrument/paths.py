"""Where things are: what ships with Hocket, and the player's own folders.

What ships (assets/ and models_onnx/) lies beside the packages in a checkout, inside instrument/ in a wheel.
The player's folders follow the platform's rule; the environment variable HOCKET_HOME puts them all in one.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from instrument.errors import HocketError

_PACKAGE = Path(__file__).resolve().parent


def assets_dir() -> Path:
    """The folder with the sound font, icons and factory patches. Raises HocketError when it is missing."""
    return _shipped("assets")


def models_dirs() -> list[Path]:
    """Folders that hold bundles: the shipped one if any, then the player's own, which may not exist."""
    shipped = [folder for folder in _candidates("models_onnx") if folder.is_dir()][:1]
    return [*shipped, _home("data") / "models"]


def patches_dir() -> Path:
    """The player's patches, created when missing. Raises HocketError where that cannot be."""
    return _made(_home("data") / "patches")


def state_dir() -> Path:
    """Autosave, takes, logs and the engine's socket; private to the player, created when missing.

    Raises HocketError where it cannot be created.
    """
    return _made(_home("state"))


def _candidates(name: str) -> list[Path]:
    """Where a shipped folder may be: in a checkout, in a wheel."""
    checkout = _PACKAGE.parent
    beside = [checkout / name] if (checkout / "pyproject.toml").is_file() else []
    return [*beside, _PACKAGE / name]


def _shipped(name: str) -> Path:
    tried = _candidates(name)
    for folder in tried:
        if folder.is_dir():
            return folder
    raise HocketError(f"Hocket's folder {name}/ is missing (looked for {tried[0]}): install Hocket again.")


def _home(kind: str) -> Path:
    """The player's folder for "data" (models, patches) or "state" (what a session leaves behind)."""
    override = os.environ.get("HOCKET_HOME")
    if override:
        root = Path(override).expanduser().absolute()
        return root if kind == "data" else root / "state"
    home = Path.home()
    if sys.platform == "darwin":
        root = home / "Library" / "Application Support" / "Hocket"
        return root if kind == "data" else root / "state"
    if sys.platform == "win32":
        root = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "Hocket"
        return root if kind == "data" else root / "state"
    variable, default = {
        "data": ("XDG_DATA_HOME", home / ".local" / "share"),
        "state": ("XDG_STATE_HOME", home / ".local" / "state"),
    }[kind]
    return Path(os.environ.get(variable) or default) / "hocket"


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise HocketError(
            f"cannot create the folder {folder} ({error.strerror}): make its parent writable, "
            "or set HOCKET_HOME to a folder that is."
        ) from error
    return folder
