"""What a performance needs to know of bundles, and checks of takes against them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Protocol

from instrument.engine.performance.anchors import fits
from instrument.engine.performance.harmony.plan_in_force import MODELLED, planner
from instrument.engine.performance.line import Line
from instrument.engine.performance.takes import BundleRef, Input, Take
from instrument.errors import HocketError
from instrument.models.manifest import Knob
from instrument.models.notes.player import NotePlayer
from instrument.models.sound.base import SoundModel


class BundleInfo(Protocol):
    """The fields of a manifest that a performance uses."""

    @property
    def slug(self) -> str:
        """The slug."""
        ...

    @property
    def bundle_hash(self) -> str:
        """Hash of everything that changes notes or sound."""
        ...

    @property
    def legacy_hash(self) -> str:
        """The hash that takes of version 0.1 contain."""
        ...

    @property
    def parts(self) -> Sequence[int]:
        """The parts that it can play; empty = all."""
        ...

    @property
    def knobs(self) -> Sequence[Knob]:
        """The knobs of the model."""
        ...


Opened = tuple[BundleInfo, NotePlayer | SoundModel]
OpenPlayer = Callable[[str], Opened]


def check_input(event: Input, line: Line) -> None:
    """HocketError if the input of a take does not fit the state of its line."""
    if line.count != event.count:
        raise HocketError(
            f"player {event.player} has played {line.count} notes where the take says {event.count}: it is damaged"
        )
    if event.prompt and (line.count or any(b.order <= a.order for a, b in pairwise(event.prompt))):
        raise HocketError("the notes of a prompt come at the beginning and in order: it is damaged")
    if any(
        any(b.order <= a.order for a, b in pairwise(notes)) or (notes and notes[0].tick < event.floor)
        for notes in (event.ahead, event.laid.notes if event.laid else ())
    ):
        raise HocketError("the notes of a bar made anew come in order and not before their input: it is damaged")
    if not all(fits(line.player, anchor) for anchor in event.anchors or ()):
        raise HocketError(f"the anchors are not of player {event.player}'s model: add them again")


def bundle_ref(bundle: BundleInfo) -> BundleRef:
    """The reference to a bundle that takes contain."""
    return BundleRef(bundle.slug, bundle.bundle_hash)


def same_bundle(wanted: BundleRef, found: BundleInfo) -> bool:
    """Whether a bundle is the one that a take names."""
    return wanted.hash in (found.bundle_hash, found.legacy_hash)


def expect_bundle(wanted: BundleRef, found: BundleInfo) -> None:
    """HocketError, naming both, if a take was played by another bundle than the installed one."""
    if not same_bundle(wanted, found):
        raise HocketError(
            f"the take was played by {wanted.slug} {wanted.hash[:12]}, but the installed bundle is "
            f"{found.slug} {found.bundle_hash[:12]}: install that version"
        )


def planner_ref() -> BundleRef | None:
    """The reference to the bundle that writes plans, None if there is none."""
    found = planner()
    return bundle_ref(found) if found else None


def planner_problem(take: Take) -> str:
    """Why the plan of a take cannot be written as it was, or ""."""
    wanted, found = take.header.planner, planner_ref()
    turned = [take.header.patch.knobs, *(entry.knobs for entry in take.entries if isinstance(entry, Input))]
    if wanted is None or wanted == found or all(knobs.get("plan") not in MODELLED for knobs in turned):
        return ""
    installed = f"the installed one is {found.hash[:12]}" if found else "none is installed"
    return f"its plan was written by {wanted.slug} {wanted.hash[:12]}, but {installed}"
