"""Choosing what goes into a corpus: splits, windows, and the number of minutes requested."""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator

import msgspec
import numpy as np

from instrument.errors import HocketError
from training.data.licences import licence_allows_shipping
from training.data.sound.sources import Item

SHORTEST_S = 3.0  # of windows
MARGIN = 1.1  # so much more is planned than wanted: some will be rejected
HELD_OUT = 1 / 6  # share of `minutes` for each of valid and test
HELD_GROUPS = 0.1  # share of the groups for each of valid and test


class Options(msgspec.Struct, frozen=True):
    """How a corpus is made.

    rate: hertz; seconds: length of windows; minutes: of each genre's training sound, from recordings and from
    rendered pieces each, 0 = all there is, and a sixth of that for valid and for test; genres: none but these;
    fonts: sound fonts, none = those of this machine; notes: a notes.csv, of what a sound font as a source
    shall play; hold: seconds until the key of a rendered note is released; licence: of what names none;
    all_licences: render pieces under the GPL as well.
    """

    rate: int = 44100
    seconds: float = 10.0
    minutes: float = 0.0
    genres: tuple[str, ...] = ()
    fonts: tuple[str, ...] = ()
    notes: str = ""
    hold: float = 2.0
    licence: str = ""
    all_licences: bool = False
    seed: int = 1

    def check(self) -> None:
        """HocketError if they make no sense."""
        if not 8000 <= self.rate <= 96000:
            raise HocketError(f"rate {self.rate} is not within 8000 to 96000 hertz")
        if not SHORTEST_S <= self.seconds <= 600:
            raise HocketError(f"windows of {self.seconds:g} s are not within {SHORTEST_S:g} to 600 seconds")
        if self.minutes < 0 or not 0 < self.hold <= 30:
            raise HocketError("minutes must be 0 (all) or above, and notes held for more than 0 and up to 30 seconds")


def plan(items: list[Item], options: Options) -> tuple[list[Item], list[tuple[str, str]]]:
    """Of all items found, those to make: notes, tones, windows, of these a few more than the minutes wanted; and
    what is too short, with the reason. HocketError for a genre that none has."""
    if options.genres:
        if unknown := set(options.genres) - (there := {i.genre for i in items}):
            choice = ", ".join(sorted(there)) or "none"
            raise HocketError(f"there is no genre {', '.join(sorted(unknown))}: there are {choice}")
        items = [i for i in items if i.genre in options.genres]
    items = [msgspec.structs.replace(i, licence=i.licence or options.licence) for i in split(items)]
    single = [i for i in items if i.kind in ("note", "tone")]
    whole = [i for i in items if i.kind in ("recording", "piece")]
    rejected = [
        (i.path, f"it lasts {i.seconds:.2f} s: at least {SHORTEST_S:g} are needed")
        for i in whole
        if i.seconds < SHORTEST_S
    ]
    ranked = sorted(
        ((round_, order, window) for i in whole for round_, order, window in _windows(i, options)),
        key=lambda entry: entry[:2],
    )
    planned, taken = [], Counter[tuple[str, ...]]()
    for _, _, window in ranked:
        if wanted(window, taken, options, MARGIN):
            planned.append(window)
    return single + sorted(planned, key=lambda i: (i.kind, _budget_key(i))), rejected


def split(items: list[Item]) -> list[Item]:
    """Give items without a split that of their group. Of each genre, and of notes each instrument, a tenth of the
    groups is for test and a tenth for valid: one at least of three or more, two of ten or more. A hash chooses them."""
    groups: dict[tuple[str, str], set[str]] = defaultdict(set)
    for item in items:
        if not item.split:
            groups[item.genre, item.instrument].add(item.group)
    splits: dict[tuple[str, str], str] = {}
    for (genre, _), names in groups.items():
        ranked = sorted(names, key=_place)
        held = max(round(HELD_GROUPS * len(ranked)), (len(ranked) >= 3) + (len(ranked) >= 10))
        splits |= {(genre, name): "train" for name in ranked}
        splits |= {(genre, name): "test" for name in ranked[:held]}
        splits |= {(genre, name): "valid" for name in ranked[len(ranked) - held :]}
    return [msgspec.structs.replace(i, split=i.split or splits[i.genre, i.group]) for i in items]


def _place(group: str) -> float:
    return int(hashlib.sha256(group.encode()).hexdigest()[:12], 16) / 16**12


def _windows(item: Item, options: Options) -> Iterator[tuple[int, float, Item]]:
    """Consecutive windows of a recording or piece from a random place on: in random order, with
    their rank in it and a random number."""
    if item.seconds < SHORTEST_S:
        return
    rng = chance(item, options)
    length = min(options.seconds, item.seconds)
    count = int(item.seconds / length)
    first = rng.uniform(0, item.seconds - count * length)
    for rank, number in enumerate(rng.permutation(count)):
        start = round(first + int(number) * length, 3)
        yield rank, rng.random(), msgspec.structs.replace(item, start=start, seconds=length)


def chance(item: Item, options: Options) -> np.random.Generator:
    """A random generator for each item."""
    named = f"{item.dataset}/{item.path}@{item.start}".encode()
    return np.random.default_rng([options.seed, zlib.crc32(named)])


def _budget_key(item: Item) -> tuple[str, ...]:
    """Items that may train a bundle that ships are counted separately."""
    return item.kind, item.genre, item.split, str(licence_allows_shipping(item.licence))


def wanted(item: Item, taken: Counter[tuple[str, ...]], options: Options, margin: float = 1.0) -> bool:
    """Whether there is room for a window within the minutes; if so it is counted, in milliseconds."""
    if item.kind in ("note", "tone") or options.minutes == 0:
        return True
    share = 1.0 if item.split == "train" else HELD_OUT
    key = _budget_key(item)
    if taken[key] >= options.minutes * 60_000 * share * margin:
        return False
    taken[key] += round(item.seconds * 1000)
    return True
