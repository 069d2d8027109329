"""The families there are. A new family is a folder in this one and a line in `FAMILIES`.

Recipes, `fit`, `export`, `evaluate`, the cards and the docs find what is a family's own through this table. Its modules
are named as text and imported when they are first needed, so that reading the table does not load torch.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from instrument.errors import HocketError

if TYPE_CHECKING:
    from training.families.bundling import Bundling
    from training.families.task import Task

Kind = Literal["notes", "phrases", "plan", "stream", "voice", "vocoder"]


@dataclass(frozen=True, slots=True)
class Family:
    """Where a family's code is; names that begin with a dot are relative to this package.

    kind: what its models make, which decides how they are evaluated; network_module: module with `Config`,
    `Network(config, genres)`, `graphs(network)`, `states(network)` and, if a bundle's weights can be trained further,
    `restored(weights)`; task_class: "module:name" of its `Task`; bundling_class: "module:name" of its `Bundling`;
    round_trip_function: of a voice, "module:name" of a function (samples, MIDI pitch, rate) -> samples that takes a
    note through the family's representation and back, without a network.
    """

    kind: Kind
    network_module: str
    task_class: str
    bundling_class: str
    round_trip_function: str = ""

    @property
    def network(self) -> ModuleType:
        """The network's module."""
        return importlib.import_module(self.network_module, __package__)

    @property
    def task(self) -> type[Task]:
        """The class of the task."""
        return _named(self.task_class)

    @property
    def bundling(self) -> type[Bundling]:
        """The class of the bundling."""
        return _named(self.bundling_class)

    @property
    def round_trip(self) -> Any:
        """The function. HocketError if the family has none."""
        if not self.round_trip_function:
            raise HocketError(f"a family of kind {self.kind!r} without a round trip cannot be measured as a voice")
        return _named(self.round_trip_function)

    @property
    def makes_notes(self) -> bool:
        """Whether its models make notes; the others make sound."""
        return self.kind in ("notes", "phrases")


FAMILIES: dict[str, Family] = {
    "lstm": Family("notes", ".lstm.network", ".notes.task:NoteTask", ".lstm.bundle:LstmBundling"),
    "transformer": Family(
        "notes", ".transformer.network", ".notes.task:NoteTask", ".transformer.bundle:TransformerBundling"
    ),
    "musicvae": Family("phrases", ".musicvae.network", ".musicvae.task:PhraseTask", ".musicvae.bundle:PhraseBundling"),
    "plan": Family("plan", ".plan.network", ".plan.task:PlanTask", ".plan.bundle:PlanBundling"),
    "cmelgan": Family("stream", ".cmelgan.network", ".cmelgan.task:StreamTask", ".cmelgan.bundle:StreamBundling"),
    "vocoder": Family("vocoder", ".vocoder.network", ".vocoder.task:VocodingTask", ".vocoder.bundle:VocoderBundling"),
    "gansynth": Family(
        "voice",
        ".gansynth.network",
        ".gansynth.task:NoteSpectraTask",
        ".gansynth.bundle:NoteSpectraBundling",
        "instrument.models.sound.note_spectra:round_trip",
    ),
    "ddsp": Family(
        "voice", ".ddsp.network", ".ddsp.task:ToneTask", ".ddsp.bundle:ToneBundling", ".ddsp.resynthesis:round_trip"
    ),
}


def find_family(name: str, where: str = "") -> Family:
    """The family of that name. HocketError, listing those there are, if there is none. where: what names it."""
    if name not in FAMILIES:
        raise HocketError(f"{where and where + ': '}unknown family {name!r}; choose one of {', '.join(FAMILIES)}")
    return FAMILIES[name]


def _named(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module, __package__), name)
