"""Describes models, patches and knobs to clients: everything at first, then the changes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from instrument.engine.devices import AUDIO, MIDI, MIDI_IN, Devices
from instrument.engine.ipc.messages import Description, KnobInfo, ModelInfo, Values
from instrument.engine.performance.arrangement import GENRE
from instrument.engine.performance.expression.genres import genre_values
from instrument.engine.performance.knobs import INSTRUMENT, OF_THE_ROOM
from instrument.engine.performance.patches import Patch, list_patches, load_patch
from instrument.engine.state_view import Snapshot, StateView, drained
from instrument.engine.surface.midi_maps import list_maps
from instrument.engine.voices.programs import NONE
from instrument.errors import HocketError
from instrument.models.catalog import Entry, list_models
from instrument.models.sharing import import_model


class Describer:
    """Makes descriptions, and reports of the changes since the last one. For the control thread; any thread may call
    `turned`, `expire` and `look_at_models`.

    saved_patch: the patch as it was last loaded or saved, to see whether it has been changed since.
    """

    def __init__(self, view: StateView, devices: Devices) -> None:
        self.saved_patch = _as_saved(view.snapshot.patch)
        self._view = view
        self._devices = devices
        self._sent = view.snapshot  # as of the last report
        self._expired = False
        self._turned: deque[str] = deque()  # names of knobs
        self._models: tuple[ModelInfo, ...] = ()

    def look_at_models(self) -> None:
        """Read the list of installed models again."""
        self._models = tuple(map(model_info, list_models()))

    def look_at_patch(self, patch: Patch) -> None:
        """Compare with the file of this patch from now on."""
        self.saved_patch = _as_saved(patch)

    def import_model(self, file: str) -> None:
        """Install the bundle in a file and list it. HocketError if it is refused."""
        import_model(Path(file))
        self.look_at_models()

    def turned(self, name: str) -> None:
        """A client has turned this knob. Its value is sent even if it is the same as before, as the client may have
        asked for one that was rounded."""
        self._turned.append(name)

    def expire(self) -> None:
        """More than knobs may have changed: the next report is a whole description."""
        self._expired = True

    def changes(self) -> Description | Values | None:
        """The report to send now, None if nothing has changed."""
        expired, self._expired = self._expired, False
        names = list(drained(self._turned))
        before, self._sent = self._sent, self._view.snapshot  # MIDI controllers turn knobs as well
        changed = None if expired else self._sent.turned_since(before)
        if changed is None:
            return self.description()
        values = self._sent.values
        changed |= {name: values[name] for name in names if name in values}
        return Values(changed, self._patch_changed(self._sent)) if changed else None

    def description(self) -> Description:
        """Everything, as it is now."""
        now = self._view.snapshot
        return Description(
            models=self._models,
            knobs=now.knobs,
            values=now.values,
            players=tuple(player.model for player in now.patch.players),
            patches=list_patches(),
            patch=now.patch.name,
            patch_changed=self._patch_changed(now),
            audio_devices=self._devices.available[AUDIO],
            midi_ports=self._devices.available[MIDI],
            offset_ms=now.patch.routing.offset_ms,
            midi_inputs=self._devices.available[MIDI_IN],
            bindings=now.patch.routing.bindings,
            midi_maps=list_maps(),
            pads=now.pads,
            kinds=now.kinds,
            about=now.patch.about,
            parts=tuple(player.parts for player in now.patch.players),
            macros=now.patch.macros,
        )

    def _patch_changed(self, now: Snapshot) -> bool:
        return patch_differs(now.patch, self.saved_patch, now.knobs)


def _as_saved(patch: Patch) -> Patch:
    """The first patch of an engine as it is in its file, or unchanged if there is no such file."""
    with suppress(HocketError):
        return load_patch(patch.name) if patch.name in list_patches() else patch
    return patch


def patch_differs(patch: Patch, saved_patch: Patch, knobs: Iterable[KnobInfo]) -> bool:
    """Whether a patch differs audibly from the saved one, in which knobs at their defaults may be missing. A seed
    that is drawn anew at every start makes no difference."""
    genre = str(saved_patch.players[0].knobs.get(GENRE, NONE)) if saved_patch.players else NONE
    saved = genre_values(genre) | saved_patch.knobs
    if patch.knobs.get("new_seed"):
        saved["seed"] = patch.knobs["seed"]
    given = [(patch.knobs, saved)] + [
        (now.knobs, then.knobs) for now, then in zip(patch.players, saved_patch.players, strict=False)
    ]
    turned = any(
        given[info.player + 1][0].get(info.id, info.default) != given[info.player + 1][1].get(info.id, info.default)
        for info in knobs
        if info.player + 1 < len(given) and (info.player != INSTRUMENT or info.id not in OF_THE_ROOM)
    )
    models = [player.model for player in patch.players] != [player.model for player in saved_patch.players]
    anchors = [player.anchors for player in patch.players] != [player.anchors for player in saved_patch.players]
    return turned or models or anchors or patch.voices != saved_patch.voices or patch.macros != saved_patch.macros


def model_info(entry: Entry) -> ModelInfo:
    """A bundle as it is described to clients."""
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
