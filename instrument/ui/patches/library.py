"""What the browser knows about patches: their files, what is said about them, and which of them are wanted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from instrument.engine.performance.arrangement import GENRE
from instrument.engine.performance.patches import Patch, load_patch, patch_files
from instrument.errors import HocketError

OWN, SHIPPED, CHANGED, FAVOURITE = "yours", "came with Hocket", "yours, changed", "favourites"
PAD = "pad"


class Entry(NamedTuple):
    """A patch in the browser. origin: `OWN`, `SHIPPED`, or `CHANGED`: the user's in place of one that came with Hocket;
    tags: words by which it is found; problem: why it cannot be loaded, or ""."""

    name: str
    about: str
    origin: str
    tags: tuple[str, ...] = ()
    problem: str = ""

    def fits(self, words: str, tag: str, favourites: Iterable[str]) -> bool:
        """Whether all words occur in it, and it has the tag, where one is wanted."""
        text = " ".join((self.name, self.about, self.origin, *self.tags)).casefold()
        has_tag = not tag or tag in self.tags or tag == self.origin or (tag == FAVOURITE and self.name in favourites)
        return has_tag and all(word in text for word in words.casefold().split())


def entries() -> list[Entry]:
    """All patches by name."""
    return [_entry(file.name, _origin(bool(file.own), bool(file.shipped))) for file in patch_files()]


def tags_of(patches: Iterable[Entry]) -> list[str]:
    """The tags of some patches, those of most patches first."""
    counts: dict[str, int] = {}
    for patch in patches:
        for tag in patch.tags:
            counts[tag] = counts.get(tag, 0) + 1
    return sorted(counts, key=lambda tag: (-counts[tag], tag))


def _origin(own: bool, shipped: bool) -> str:
    return CHANGED if own and shipped else OWN if own else SHIPPED


def _entry(name: str, origin: str) -> Entry:
    try:
        patch = load_patch(name)
    except HocketError as error:
        return Entry(name, "", origin, problem=str(error))
    return Entry(name, patch.about, origin, _tags(patch))


def _tags(patch: Patch) -> tuple[str, ...]:
    genres = dict.fromkeys(str(player.knobs[GENRE]) for player in patch.players if GENRE in player.knobs)
    pad = [PAD] if any(player.anchors for player in patch.players) else []
    return tuple([genre for genre in genres if genre != "none"] + pad)
