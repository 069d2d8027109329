"""What a performance asks of bundles, and checks of what happens to its players."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Protocol

from instrument.engine.performance.anchors import fits
from instrument.engine.performance.line import Line
from instrument.engine.performance.takes import BundleRef, Input
from instrument.errors import HocketError
from instrument.models.manifest import Knob
from instrument.models.notes.player import NotePlayer
from instrument.models.sound.base import SoundModel


class BundleInfo(Protocol):
    """What a performance needs to know of a bundle: the manifest has it."""

    @property
    def slug(self) -> str:
        """Its name."""
        ...

    @property
    def bundle_hash(self) -> str:
        """Hash of all in it that is heard."""
        ...

    @property
    def legacy_hash(self) -> str:
        """Its hash as takes of version 0.1 have it."""
        ...

    @property
    def parts(self) -> Sequence[int]:
        """The parts it can play; empty = all."""
        ...

    @property
    def knobs(self) -> Sequence[Knob]:
        """Its knobs."""
        ...


Opened = tuple[BundleInfo, NotePlayer | SoundModel]
OpenPlayer = Callable[[str], Opened]


def check_input(event: Input, line: Line) -> None:
    """HocketError if `event` cannot happen to `line` now."""
    if line.count != event.count:
        raise HocketError(
            f"player {event.player} has played {line.count} notes where the take says {event.count}: it is damaged"
        )
    if event.prompt and (line.count or any(b.order <= a.order for a, b in pairwise(event.prompt))):
        raise HocketError("the notes of a prompt come at the beginning and in order: it is damaged")
    if not all(fits(line.player, anchor) for anchor in event.anchors or ()):
        raise HocketError(f"the anchors are not of player {event.player}'s model: add them again")


def bundle_ref(bundle: BundleInfo) -> BundleRef:
    """A bundle as takes know it."""
    return BundleRef(bundle.slug, bundle.bundle_hash)


def same_bundle(wanted: BundleRef, found: BundleInfo) -> bool:
    """Whether a bundle is the one that a take names."""
    return wanted.hash in (found.bundle_hash, found.legacy_hash)


def expect_bundle(wanted: BundleRef, found: BundleInfo) -> None:
    """HocketError, naming both, if a take was played by a bundle other than the one there."""
    if not same_bundle(wanted, found):
        raise HocketError(
            f"the take was played by {wanted.slug} {wanted.hash[:12]}, but the bundle here is "
            f"{found.slug} {found.bundle_hash[:12]}: install that version"
        )
