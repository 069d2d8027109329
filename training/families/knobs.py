"""Knobs that several families of note models have."""

from __future__ import annotations

from instrument.models.manifest import Knob

FOCUS = Knob(
    "top_p",
    "Focus",
    low=0.5,
    high=1.0,
    default=0.95,
    step=0.01,
    help="Share of the likely choices that are considered; 1 considers all.",
)


def genre_knob(genres: tuple[str, ...], help: str) -> Knob:
    """The choice of one of these genres, or none."""
    return Knob("genre", "Genre", "choice", default="none", choices=("none", *genres), help=help)


def temperature_knob(default: float, help: str, step: float = 0.05) -> Knob:
    """How far what is unlikely may come."""
    return Knob("temperature", "Temperature", low=0.1, high=2.0, default=default, step=step, help=help)
