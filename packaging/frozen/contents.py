"""What the frozen program leaves out: CUDA, unused parts of Qt, and the libraries of the operating system.

Drivers and the window system (JACK, ALSA, GL, X11) must be those of the machine on which it runs, not those of the
machine on which it was built; `instrument.system.LIBRARIES` names them for `hocket doctor` and for the .deb.
"""

from __future__ import annotations

import fnmatch
from pathlib import PurePosixPath

EXCLUDED_MODULES = [
    "training", "torch", "scipy", "matplotlib", "IPython", "pytest", "tkinter", "setuptools", "pip",
    "PySide6.QtQml", "PySide6.QtQuick", "PySide6.QtQuickWidgets", "PySide6.QtQuickControls2", "PySide6.QtSql",
    "PySide6.QtDesigner", "PySide6.QtHelp", "PySide6.QtUiTools", "pyqtgraph.opengl", "pyqtgraph.jupyter",
    "pyqtgraph.examples",
]  # fmt: skip
"""Modules that packages try to import and Hocket never needs."""

UNUSED = (
    "*onnxruntime_providers_cuda*", "*onnxruntime_providers_tensorrt*",  # models run on the processor
    "*Qt6Qml*", "*Qt6Quick*", "*Qt6VirtualKeyboard*", "*Qt6Pdf*", "*Qt6Sql*", "*Qt6Designer*",
    "*qtvirtualkeyboardplugin*", "*/plugins/qmltooling/*",
    "*/plugins/egldeviceintegrations/*", "*/plugins/sqldrivers/*",
    "*/plugins/platforms/libqeglfs*", "*/plugins/platforms/libqlinuxfb*", "*/plugins/platforms/libqvnc*",
    "*/plugins/platforms/libqvkkhrdisplay*", "*/plugins/platforms/libqminimalegl*",
    "*Qt6EglFS*", "*/Qt/translations/*", "*/PySide6/translations/*", "*onnxruntime/transformers/*",
    "*onnxruntime/quantization/*", "*onnxruntime/tools/*", "*onnxruntime/datasets/*",
)  # fmt: skip
"""Patterns of files (their paths in the program's folder) that are left out on every system."""

SYSTEM_FOLDERS = ("/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/")
PYTHONS = (
    "libpython*", "libssl*", "libcrypto*", "libffi*", "libz.*", "libbz2*", "liblzma*", "libexpat*", "libuuid*",
    "libmpdec*", "libcrypt.*", "lib-dynload", "*.cpython-*",
)  # fmt: skip
"""Libraries of the Python that was frozen, which comes along also where it was installed by the system."""


def left_out(target: str, source: str) -> bool:
    """Whether a file stays out of the program. target: its path in the program's folder; source: where it was found."""
    path = "/" + target.replace("\\", "/")
    if any(fnmatch.fnmatch(path, pattern) for pattern in UNUSED):
        return True
    name = PurePosixPath(path).name
    of_system = source.startswith(SYSTEM_FOLDERS) and ".so" in name
    return of_system and not any(fnmatch.fnmatch(name, pattern) for pattern in PYTHONS)
