"""The table of model families. Manifest, bundle and catalogue read it.

A new family is a module with a function that opens it, and a row here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["notes", "phrases", "plan", "stream", "voice", "vocoder"]
PlayerKind = Literal["notes", "stream", "voice", ""]  # a model as a player; "": it is not a player by itself
Arrays = Literal["latents", "primers"]

_DENSE = frozenset([
    "Add", "And", "Cast", "Clip", "Concat", "Constant", "Div", "Equal", "Expand", "Flatten", "Gather", "GatherND",
    "Gemm", "Greater", "GreaterOrEqual", "Identity", "Less", "MatMul", "Mul", "Not", "Pad", "Relu", "Reshape",
    "ScatterElements", "Shape", "Sigmoid", "Slice", "Split", "Squeeze", "Sub", "Sum", "Tanh", "Transpose", "Unsqueeze",
    "Where", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "QuantizeLinear",
])  # fmt: skip
_EVENTS = ("step", "time", "part", "pitch", "duration", "velocity", "micro")  # the step, then a head for each field


@dataclass(frozen=True, slots=True)
class Family:
    """A family of models.

    kind: what its models produce; opener: "module:function", which makes a player of a loaded bundle and those that its
    manifest `needs`, in their order (empty: it is not a player by itself); graphs, arrays: what a bundle must have;
    operators: those that its graphs may use; needs: number of bundles it needs; unpacked: 8-bit weights are dequantised
    on loading (see `Session`).
    """

    kind: Kind
    opener: str
    graphs: tuple[str, ...]
    operators: frozenset[str]
    arrays: tuple[Arrays, ...] = ()
    needs: int = 0
    unpacked: bool = True

    @property
    def player_kind(self) -> PlayerKind:
        """What its models are as players."""
        match self.kind:
            case "notes" | "phrases":
                return "notes"
            case "plan" | "vocoder":
                return ""
            case kind:
                return kind


FAMILIES: dict[str, Family] = {
    "lstm": Family(
        "notes",
        "instrument.models.notes.lstm:LstmPlayer",
        graphs=_EVENTS,
        operators=_DENSE,
        unpacked=False,
    ),
    "transformer": Family(
        "notes",
        "instrument.models.notes.transformer:TransformerPlayer",
        graphs=_EVENTS,
        operators=_DENSE | {"Cos", "LayerNormalization", "Mod", "Sin", "Softmax"},
        unpacked=False,
    ),
    "musicvae": Family(
        "phrases",
        "instrument.models.notes.musicvae:MusicVaePlayer",
        graphs=("encoder", "conductor", "step"),
        arrays=("latents",),
        operators=_DENSE | {"LSTM"},
    ),
    "plan": Family(
        "plan",
        "",
        graphs=("chord", "details", "form"),
        operators=_DENSE | {"Log", "LogSoftmax", "ReduceSum", "Softmax"},
        unpacked=False,
    ),
    "cmelgan": Family(
        "stream",
        "instrument.models.sound.cmelgan:open_stream",
        graphs=("step",),
        arrays=("latents",),
        needs=1,
        operators=_DENSE | {"ArgMax", "Conv", "ConvTranspose", "LeakyRelu", "Reciprocal", "ReduceMean", "Sqrt"},
    ),
    "vocoder": Family(
        "vocoder",
        "",
        graphs=("frames",),
        operators=_DENSE | {"Conv", "Exp", "Gelu", "LayerNormalization", "Pow", "Sqrt"},
    ),
    "gansynth": Family(
        "voice",
        "instrument.models.sound.gansynth:open_voice",
        graphs=("generator",),
        arrays=("latents",),
        operators=_DENSE | {"Exp", "Log", "Neg"},
    ),
    "ddsp": Family(
        "voice",
        "instrument.models.sound.ddsp:open_voice",
        graphs=("note", "frame"),
        arrays=("latents",),
        operators=_DENSE,
    ),
}


def plays_notes(family: str) -> bool:
    """Whether models of a family play notes."""
    return FAMILIES[family].player_kind == "notes"
