"""What the control thread says about models and patches."""

from __future__ import annotations

from collections.abc import Iterable

from instrument.engine.ipc.messages import KnobInfo, ModelInfo
from instrument.engine.performance.patches import Patch
from instrument.models.catalog import Entry


def differs(patch: Patch, kept: Patch, knobs: Iterable[KnobInfo]) -> bool:
    """Whether a patch sounds otherwise than the one that is kept, whose knobs may be left at their defaults."""
    given = [(patch.knobs, kept.knobs)] + [
        (now.knobs, then.knobs) for now, then in zip(patch.players, kept.players, strict=False)
    ]
    turned = any(
        given[info.player + 1][0].get(info.id, info.default) != given[info.player + 1][1].get(info.id, info.default)
        for info in knobs
        if info.player + 1 < len(given)
    )
    models = [player.model for player in patch.players] != [player.model for player in kept.players]
    anchors = [player.anchors for player in patch.players] != [player.anchors for player in kept.players]
    return turned or models or anchors or patch.voices != kept.voices


def model_info(entry: Entry) -> ModelInfo:
    """A bundle as clients see it."""
    manifest = entry.manifest
    if manifest is None:
        return ModelInfo(entry.path.name, "", entry.path.name, "", entry.bytes, problem=entry.problem)
    return ModelInfo(
        manifest.slug,
        manifest.family,
        manifest.name,
        manifest.version,
        entry.bytes,
        tuple(manifest.genres),
        manifest.licence,
        entry.problem,
        entry.kind,
    )
