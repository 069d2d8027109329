"""Opens the best voice that is available."""

from __future__ import annotations

from pathlib import Path

from instrument.engine.voices.base import Voice, perform
from instrument.engine.voices.fluid import FluidVoice
from instrument.engine.voices.plain import PlainVoice
from instrument.errors import HocketError
from instrument.paths import assets_dir

__all__ = ["FluidVoice", "PlainVoice", "Voice", "open_voice", "perform"]

FONT = Path("soundfont") / "hocket.sf3"  # in assets/


def open_voice(rate: int, font: Path | None = None) -> Voice:
    """FluidSynth at a sample rate in hertz, or the plain voice where it cannot be used; the name says which and why.

    font: a .sf2 or .sf3 file in place of the one that ships. Takes up to a second, as fonts are decoded whole.
    """
    try:
        return FluidVoice(rate, font or assets_dir() / FONT)
    except HocketError as error:
        return PlainVoice(rate, f"plain voice, for {error}")
