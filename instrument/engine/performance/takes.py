"""Takes: what it needs to play a performance again, note for note.

A take is a file of JSON lines: the header, then what happened as it happens, so that a crash or a full disk
leaves all that was recorded until then.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from instrument.engine.ipc.messages import Anchor, Value
from instrument.engine.performance import patches
from instrument.engine.performance.patches import Patch
from instrument.errors import HocketError
from instrument.music.notes import COLUMNS, Note, Part
from instrument.saved import Fields, Format, read_bytes

# Its migrations change lines of entries, too: every line but those of notes heard has a "type".
FORMAT = Format(version=2, migrations={1: lambda fields: fields}, inside={"patch": patches.FORMAT})
SUFFIX = ".take.json"

Count = Annotated[int, Meta(ge=0, le=1 << 30)]
Tick = Annotated[int, Meta(ge=0, le=1 << 30)]
Spacing = Annotated[int, Meta(ge=0, le=1000)]
Position = Annotated[float, Meta(ge=0, le=1 << 30)]


class BundleRef(msgspec.Struct, frozen=True):
    """A bundle by name and by the hash of its content."""

    slug: str
    hash: str


class Header(msgspec.Struct, frozen=True, tag="take"):
    """The first line: the patch a performance began with, seed among its knobs, and every player's bundle."""

    patch: Patch
    bundles: tuple[BundleRef, ...]
    version: int = FORMAT.version


class Input(msgspec.Struct, frozen=True, tag="input", omit_defaults=True):
    """Something that changes which notes come, stamped with the note it came before.

    player: whose notes; count: notes that player had committed; floor: from now on no onset of theirs before
    this tick; spacing: least ticks between their onsets (thinning); knobs: what was turned, by id; bundle: a
    new model; prompt: notes given to the player as if played; live: notes of a person, which the player heard;
    anchors: those of its latent pad from now on, None: as before; progression: the typed chords, None: as before.
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

    @property
    def count_after(self) -> int:
        """Notes the player has committed or been given when it is over."""
        return self.count + len(self.prompt) + len(self.live)


class Released(msgspec.Struct, frozen=True, tag="released"):
    """A live note, named by onset, pitch and part, was held for so many ticks."""

    player: Count
    tick: Tick
    pitch: Annotated[int, Meta(ge=0, le=127)]
    part: Part
    duration: Annotated[int, Meta(ge=1, le=1 << 30)]


class Turn(msgspec.Struct, frozen=True, tag="turn"):
    """A knob that changes time or sound but no note, and the tick from which it holds. knob: the instrument's (tempo,
    level), or a sound player's ("1/level")."""

    tick: Position
    knob: str
    value: Value


class Stopped(msgspec.Struct, frozen=True, tag="stopped"):
    """The transport stopped here."""

    tick: Position


class Joined(msgspec.Struct, frozen=True, tag="joined"):
    """A sound player came in behind the others, or in the place of one, with these knobs."""

    player: Count
    tick: Position
    bundle: BundleRef
    knobs: dict[str, Value] = {}


class Left(msgspec.Struct, frozen=True, tag="left"):
    """A sound player left; those behind moved up by one."""

    player: Count
    tick: Position


Entry = Input | Released | Turn | Stopped | Joined | Left
_WIDTH = 1 + len(COLUMNS)  # of a note heard: player, then the columns of `Note`
_heard_lines = msgspec.json.Decoder(tuple[int, int, int, int, int, int, int])
_entry_lines = msgspec.json.Decoder(Entry)


class Take:
    """A performance as it happened, growing while it is played: one thread appends, others may read.

    entries: everything but the notes, in order; the notes heard are kept apart and compactly.
    """

    def __init__(self, header: Header) -> None:
        self.header = header
        self.entries: list[Entry] = []
        self._heard = array("i")

    @property
    def heard_count(self) -> int:
        """Notes heard so far, of all players."""
        return len(self._heard) // _WIDTH

    @property
    def stopped(self) -> float | None:
        """The tick at which the transport stopped; None if the end is missing."""
        return next((entry.tick for entry in reversed(self.entries) if isinstance(entry, Stopped)), None)

    def add_note(self, player: int, note: Note) -> None:
        """A note was committed."""
        self._heard.extend((player, *note))

    def heard(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Note]]:
        """(player, note) of the notes heard, in the order in which they were committed."""
        for i in range(start, self.heard_count if stop is None else stop):
            player, *note = self._heard[i * _WIDTH : (i + 1) * _WIDTH]
            yield player, Note(*note)

    def sounded(self) -> Iterator[tuple[int, Note]]:
        """As `heard`, live notes with the length for which they were held."""
        held: dict[tuple[int, int, int, int], int] = {
            (entry.player, entry.tick, entry.pitch, entry.part): entry.duration
            for entry in self.entries
            if isinstance(entry, Released)
        }
        for player, note in self.heard():
            length = held.get((player, note.tick, note.pitch, note.part), note.duration) if held else note.duration
            yield player, note._replace(duration=length)


class TakeRecorder:
    """Writes a take to a file while it grows. Call `update` a few times a second."""

    def __init__(self, path: Path | str, take: Take) -> None:
        """Begin the file with all there is so far. HocketError where it cannot be written."""
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
        # Notes are counted first: a note can then not be without the inputs that came before it.
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
    """Read a take, also one whose recording broke off (an unfinished last line is passed over).

    HocketError, with the line, if it is not a take or damaged.
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


def _read_line(take: Take, line: bytes, version: int) -> None:
    if line.startswith(b"["):
        player, *row = _heard_lines.decode(line)
        if not 0 <= player < len(take.header.bundles):
            raise ValueError(f"there is no player {player}")
        take.add_note(player, _possible(Note(*row)))
    else:
        entry = _read_entry(line, version)
        if isinstance(entry, Input):
            for note in (*entry.prompt, *entry.live):
                _possible(note)
        take.entries.append(entry)


def _read_entry(line: bytes, version: int) -> Entry:
    """An entry of a take of some version."""
    if version == FORMAT.version:
        return _entry_lines.decode(line)
    fields = FORMAT.migrated(msgspec.json.decode(line, type=Fields), version)
    return _entry_lines.decode(msgspec.json.encode(fields))


def _possible(note: Note) -> Note:
    """`note`, or ValueError if there can be no such note."""
    tick, micro, pitch, duration, velocity, part = note
    if not (
        0 <= tick <= 1 << 30
        and -4 <= micro <= 3
        and 0 <= pitch <= 127
        and 1 <= duration <= 1 << 30
        and 1 <= velocity <= 127
        and part in tuple(Part)
    ):
        raise ValueError(f"{note} is not possible")
    return note
