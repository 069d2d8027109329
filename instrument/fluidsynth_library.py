"""Finding and loading FluidSynth: pyfluidsynth, and the functions of the library that it leaves out."""

from __future__ import annotations

import contextlib
import ctypes
import io
from ctypes.util import find_library
from typing import Any

from instrument.errors import HocketError

NAMES = ("fluidsynth", "libfluidsynth-3")  # as the system's loader may name it
LOG_LEVELS = 5

_NUMBER, _POINTER = ctypes.c_int, ctypes.c_void_p
# Attribute -> symbol, result and arguments.
_FUNCTIONS: dict[str, tuple[str, Any, tuple[Any, ...]]] = {
    "set_log": ("fluid_set_log_function", _POINTER, (_NUMBER, _POINTER, _POINTER)),
    "write": (
        "fluid_synth_write_float",
        _NUMBER,
        (_POINTER, _NUMBER, _POINTER, _NUMBER, _NUMBER, _POINTER, _NUMBER, _NUMBER),
    ),
    "set_generator": ("fluid_synth_set_gen", _NUMBER, (_POINTER, _NUMBER, _NUMBER, ctypes.c_float)),
    "get_font": ("fluid_synth_get_sfont", _POINTER, (_POINTER, _NUMBER)),
    "add_font": ("fluid_synth_add_sfont", _NUMBER, (_POINTER, _POINTER)),
    "remove_font": ("fluid_synth_remove_sfont", _NUMBER, (_POINTER, _POINTER)),
    "bend_range": ("fluid_synth_pitch_wheel_sens", _NUMBER, (_POINTER, _NUMBER, _NUMBER)),
    "pressure": ("fluid_synth_channel_pressure", _NUMBER, (_POINTER, _NUMBER, _NUMBER)),
    "pin_preset": ("fluid_synth_pin_preset", _NUMBER, (_POINTER, _NUMBER, _NUMBER, _NUMBER)),
}


class Calls:
    """The functions that pyfluidsynth leaves out, with their argument types."""

    set_log: Any
    write: Any
    set_generator: Any
    get_font: Any
    add_font: Any
    remove_font: Any
    pin_preset: Any
    bend_range: Any
    pressure: Any

    def __init__(self, library: Any) -> None:
        for name, (symbol, result, arguments) in _FUNCTIONS.items():
            function = library[symbol]  # a new function object, so that pyfluidsynth's argument types stay
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)


def find() -> str | None:
    """Name or path of the shared library, None where it is missing."""
    return next(filter(None, map(find_library, NAMES)), None)


def load() -> tuple[Any, Calls]:
    """The module pyfluidsynth, whose import looks for the shared library, and the calls that it leaves out.

    The library logs nothing from then on. HocketError where it is missing.
    """
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # the import may print where it found the library
            import fluidsynth
        calls = Calls(fluidsynth._fl)
    except (ImportError, OSError, AttributeError) as error:
        raise HocketError("FluidSynth is missing here (`hocket doctor` says how to install it)") from error
    for level in range(LOG_LEVELS):
        calls.set_log(level, None, None)  # it would write to standard error
    return fluidsynth, calls
