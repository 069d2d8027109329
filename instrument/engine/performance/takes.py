"""Takes: recordings of performances, from which they can be replayed note for note.

A take is a file of JSON lines: the header, then inputs and notes as they happen. After a crash or a full disk, all that
was recorded before can be read.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from instrument.engine.ipc.messages import Anchor, Value
from instrument.engine.performance import patches
from instrument.engine.performance.patches import Patch
from instrument.errors import HocketError
from instrument.music.notes import COLUMNS, Note, Part
from instrument.saved import Fields, Format, read_bytes


def _from_version_2(fields: Fields) -> Fields:
    """Fields of a header or entry of version 2, in which the keyboard had the level of the band."""
    patch = fields.get("patch")
    if not isinstance(patch, dict) or not isinstance(patch.get("knobs", {}), dict):
        return fields
    return {**fields, "patch": {**patch, "knobs": {"keys_level": 0.0, **patch.get("knobs", {})}}}


# Migrations change entries, too: every line but those of notes has a "type".
FORMAT = Format(
    version=3,  # 3: what a person played, message by message, and its level
    migrations={1: patches.with_part_choices, 2: _from_version_2},
    inside={"patch": patches.FORMAT},
)
SUFFIX = ".take.json"

Count = Annotated[int, Meta(ge=0, le=1 << 30)]
Tick = Annotated[int, Meta(ge=0, le=1 << 30)]
Spacing = Annotated[int, Meta(ge=0, le=1000)]
Byte = Annotated[int, Meta(ge=0, le=255)]
Position = Annotated[float, Meta(ge=0, le=1 << 30)]


class BundleRef(msgspec.Struct, frozen=True):
    """A bundle by slug and by the hash of its content."""

    slug: str
    hash: str


class Header(msgspec.Struct, frozen=True, tag="take"):
    """The first line: the first patch of the performance (with the seed) and the bundle of every player. planner: the
    one that writes plans, None if there was none, and in older takes."""

    patch: Patch
    bundles: tuple[BundleRef, ...]
    planner: BundleRef | None = None
    version: int = FORMAT.version


class Laid(NamedTuple):
    """Notes that stand fast from one tick to another, whatever their player would play."""

    start: Tick
    end: Tick
    notes: tuple[Note, ...]


class Manner(NamedTuple):
    """How a player plays beside a person. melody: as always, not at all, or as an answer, whose first note comes at
    once; lag: the answer takes up the bars so many before it; low, high: its range in pitches."""

    melody: Literal["free", "rests", "answers"] = "free"
    lag: Annotated[int, Meta(ge=0, le=1 << 20)] = 0
    low: Annotated[int, Meta(ge=0, le=127)] = 0
    high: Annotated[int, Meta(ge=0, le=127)] = 127


FREELY = Manner()


class Input(msgspec.Struct, frozen=True, tag="input", omit_defaults=True):
    """A change of which notes come, with its place among the notes.

    player: whose notes it changes; count: notes that the player had committed before; floor: no later onset of the
    player lies before this tick; spacing: least ticks between its onsets (thinning); knobs: turned ones, by id; bundle:
    a new model; prompt: notes added as if the player had played them; live: notes of a person, added as context;
    anchors: of its latent pad from now on, None: unchanged; progression: the typed chords, None: unchanged; form: what
    was done to the form, one of `harmony.form.ACTIONS`; chord: that a person leads with, "": the plan's again, None:
    unchanged; laid: a bar that was made anew; ahead: the notes that were planned from here on, with it; manner: how it
    plays beside a person from now on, None: as before; bars: chords written into bars of the plan, by number from 0,
    empty: the plan's own again; hushed: whether others are solo from now on; overheard: notes
    of the players before it, added as context; fresh: the player forgets what was played, and the plan stays whatever
    the seed; redrawn: the plan stays whatever the seed, and so does the memory.
    """

    player: Count
    count: Count
    floor: Tick
    spacing: Spacing = 0
    knobs: dict[str, Value] = {}
    bundle: BundleRef | None = None
    prompt: tuple[Note, ...] = ()
    live: tuple[Note, ...] = ()
    anchors: tuple[Anchor, ...] | None = None
    progression: str | None = None
    form: str = ""
    chord: str | None = None
    fresh: bool = False
    ahead: tuple[Note, ...] = ()
    laid: Laid | None = None
    manner: Manner | None = None
    bars: dict[int, str] = {}
    hushed: bool | None = None
    overheard: tuple[Note, ...] = ()
    redrawn: bool = False

    @property
    def count_after(self) -> int:
        """Committed notes of the player after this input, with prompt and live notes."""
        return self.count + len(self.prompt) + len(self.live)


class Released(msgspec.Struct, frozen=True, tag="released"):
    """The duration in ticks of a live note, or of one that was cut; it is identified by onset, pitch and part."""

    player: Count
    tick: Tick
    pitch: Annotated[int, Meta(ge=0, le=127)]
    part: Part
    duration: Annotated[int, Meta(ge=1, le=1 << 30)]


class Revoked(msgspec.Struct, frozen=True, tag="revoked"):
    """A note was committed, but not heard, as a person began to play before it. Identified as in `Released`."""

    player: Count
    tick: Tick
    pitch: Annotated[int, Meta(ge=0, le=127)]
    part: Part


class Keyboard(msgspec.Struct, frozen=True, tag="keyboard"):
    """A short MIDI message of a person (key, pedal, bend, pressure, controller), as it was heard, and its tick. What
    the keyboard had set before the performance comes at tick 0."""

    tick: Position
    message: Annotated[tuple[Byte, ...], Meta(min_length=2, max_length=3)]


class Turn(msgspec.Struct, frozen=True, tag="turn"):
    """A turned knob that changes tempo or sound but no note, and the tick from which it holds. knob: its
    name, of the instrument ("band/tempo", in older takes "tempo") or of a sound player ("1/level")."""

    tick: Position
    knob: str
    value: Value


class Stopped(msgspec.Struct, frozen=True, tag="stopped"):
    """The tick at which the transport stopped."""

    tick: Position


class Joined(msgspec.Struct, frozen=True, tag="joined"):
    """A sound player was added behind the others, or replaced one, with these knobs."""

    player: Count
    tick: Position
    bundle: BundleRef
    knobs: dict[str, Value] = {}


class Left(msgspec.Struct, frozen=True, tag="left"):
    """A sound player was removed; the numbers of those behind it went down by one."""

    player: Count
    tick: Position


Entry = Input | Keyboard | Released | Revoked | Turn | Stopped | Joined | Left
_WIDTH = 1 + len(COLUMNS)  # numbers of a committed note: player, then the columns of `Note`
_heard_lines = msgspec.json.Decoder(tuple[int, int, int, int, int, int, int])
_entry_lines = msgspec.json.Decoder(Entry)


class Take:
    """A recorded performance, which grows while it is played. One thread appends, others may read.

    entries: everything but the committed notes, in order. Those are stored compactly in an array.
    """

    def __init__(self, header: Header) -> None:
        self.header = header
        self.entries: list[Entry] = []
        self._heard = array("i")

    @property
    def heard_count(self) -> int:
        """Number of notes of all players so far."""
        return len(self._heard) // _WIDTH

    @property
    def stopped(self) -> float | None:
        """The tick at which the transport stopped, None if the end is missing."""
        return next((entry.tick for entry in reversed(self.entries) if isinstance(entry, Stopped)), None)

    def add_note(self, player: int, note: Note) -> None:
        """Add a committed note."""
        self._heard.extend((player, *note))

    def heard(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Note]]:
        """(player, note) of all notes, in the order in which they were committed."""
        for i in range(start, self.heard_count if stop is None else stop):
            player, *note = self._heard[i * _WIDTH : (i + 1) * _WIDTH]
            yield player, Note(*note)

    @property
    def keyboard(self) -> list[tuple[float, bytes]]:
        """(tick, short MIDI message) of all that a person played, in order; empty for takes up to version 2."""
        return [(entry.tick, bytes(entry.message)) for entry in self.entries if isinstance(entry, Keyboard)]

    def sounded(self) -> Iterator[tuple[int, Note]]:
        """As `heard`, but live notes, and those that were cut, have their true durations; none that was revoked."""
        held: dict[tuple[int, int, int, int], int] = {
            (entry.player, entry.tick, entry.pitch, entry.part): 0 if isinstance(entry, Revoked) else entry.duration
            for entry in self.entries
            if isinstance(entry, Released | Revoked)
        }
        for player, note in self.heard():
            length = held.get((player, note.tick, note.pitch, note.part), note.duration) if held else note.duration
            if length:
                yield player, note._replace(duration=length)


class TakeRecorder:
    """Writes a growing take to a file. Call `update` a few times a second."""

    def __init__(self, path: Path | str, take: Take) -> None:
        """Begin the file with everything so far. HocketError if it cannot be written."""
        self.path = Path(path)
        self._take = take
        self._entries = 0
        self._heard = 0
        try:
            self._file = self.path.open("wb")
        except OSError as error:
            raise self._error(error) from error
        self._write(msgspec.json.encode(take.header) + b"\n")
        self.update()

    def update(self) -> None:
        """Write what has happened since the last time. HocketError on a full disk; what was recorded so far
        is kept and the file closed."""
        if self._file.closed:
            return
        # Notes are counted first, so that no note is written without the inputs before it.
        heard, entries = self._take.heard_count, len(self._take.entries)
        lines = [msgspec.json.encode(entry) for entry in self._take.entries[self._entries : entries]]
        played = self._take.heard(self._heard, heard)
        lines += [msgspec.json.encode((player, *note)) for player, note in played]
        self._heard, self._entries = heard, entries
        if lines:
            self._write(b"\n".join(lines) + b"\n")

    def close(self) -> None:
        """Write the rest and close the file. HocketError as `update`."""
        self.update()
        self._file.close()

    def _write(self, data: bytes) -> None:
        try:
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            with suppress(OSError):
                self._file.close()
            raise self._error(error) from error

    def _error(self, error: OSError) -> HocketError:
        return HocketError(
            f"cannot record to {self.path}: {error.strerror or error}; "
            "make room or choose another place (what was recorded so far is kept)"
        )


def load_take(path: Path | str) -> Take:
    """Read a take. If its recording broke off, an unfinished last line is ignored.

    HocketError, with the line, if it is no take or damaged.
    """
    what = f"the take {path}"
    lines = read_bytes(Path(path), "the take").split(b"\n")
    unfinished = lines.pop()  # empty, unless the recording broke off
    if not lines:
        raise HocketError(f"{what} is empty: record it again")
    header = FORMAT.restored(lines[0], Header, what)
    take, version = Take(header), msgspec.json.decode(lines[0])["version"]
    for number, line in enumerate(lines[1:], 2):
        try:
            _read_line(take, line, version)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise HocketError(f"{what} is damaged in line {number}: {error}") from error
    with suppress(msgspec.MsgspecError, ValueError, RecursionError):
        _read_line(take, unfinished, version)
    return take


def patch_of(name: str) -> Patch:
    """The patch with a name or at a path, or that with which a take (a path that ends in .take.json) began.

    HocketError as `load_patch` and `load_take`.
    """
    return load_take(Path(name).expanduser()).header.patch if name.endswith(SUFFIX) else patches.load_patch(name)


def _read_line(take: Take, line: bytes, version: int) -> None:
    if line.startswith(b"["):
        player, *row = _heard_lines.decode(line)
        if not 0 <= player < len(take.header.bundles):
            raise ValueError(f"there is no player {player}")
        take.add_note(player, _possible(Note(*row)))
    else:
        entry = _read_entry(line, version)
        if isinstance(entry, Input):
            for note in (
                *entry.prompt,
                *entry.live,
                *entry.ahead,
                *entry.overheard,
                *(entry.laid.notes if entry.laid else ()),
            ):
                _possible(note)
        take.entries.append(entry)


def _read_entry(line: bytes, version: int) -> Entry:
    """Decode an entry of a take of any supported version."""
    if version == FORMAT.version:
        return _entry_lines.decode(line)
    fields = FORMAT.migrated(msgspec.json.decode(line, type=Fields), version)
    return _entry_lines.decode(msgspec.json.encode(fields))


def _possible(note: Note) -> Note:
    """The note itself, or ValueError if a value is out of range."""
    if not note.possible:
        raise ValueError(f"{note} is not possible")
    return note
