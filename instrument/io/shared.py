"""Memory shared by an engine and its child processes: a mapped file with named numbers and texts.

A plain `mmap` and not `multiprocessing.shared_memory`, whose tracker (before Python 3.13) removes the memory
when a child is killed. Numbers are aligned 64-bit words, each written by one side only, so that no lock is
needed; what takes more than one word goes through a `PairRing`, which shows torn reads.
"""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Self

from instrument.errors import HocketError

MAGIC = 0x54454B434F48  # "HOCKET"
VERSION = 1

# States of a child, in the number `state`.
OPENING, RUNNING, FAILED = range(3)

_COMMON = ("magic", "version", "state", "closing", "heartbeat_ns")
_TEXT_BYTES = 1024  # a text's two bytes of length and its UTF-8


def _folder() -> str:
    """A folder in memory, if there is one, so that a mapped file is not written to a disk."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()


class PairRing:
    """The last `slots` pairs of integers, from one writer to one reader, in 64-bit words of shared memory.

    Each slot carries a check word, so that a pair that is read while it is written is detected, whatever the
    order in which a processor's stores arrive.
    """

    WORDS = 3

    def __init__(self, words: memoryview, slots: int) -> None:
        """words: one count, then `slots` times 3 words."""
        self._words = words
        self._slots = slots

    @classmethod
    def size(cls, slots: int) -> int:
        """Words needed for `slots` pairs."""
        return 1 + slots * cls.WORDS

    @property
    def count(self) -> int:
        """Pairs pushed so far."""
        return int(self._words[0])

    def push(self, a: int, b: int) -> None:
        """Append a pair; the oldest is overwritten when the ring is full."""
        words, count = self._words, self._words[0]
        at = 1 + count % self._slots * self.WORDS
        words[at] = a
        words[at + 1] = b
        words[at + 2] = ~(count ^ a ^ b)  # complemented, so that an empty slot is not valid either
        words[0] = count + 1

    def pull(self, since: int, limit: int = sys.maxsize) -> tuple[list[tuple[int, int]], int]:
        """The pairs from number `since` on that are still there, at most `limit`, and the number to go on
        from."""
        words, count = self._words, self._words[0]
        pairs: list[tuple[int, int]] = []
        number = max(since, count - self._slots)
        while number < count and len(pairs) < limit:
            at = 1 + number % self._slots * self.WORDS
            a, b, check = words[at], words[at + 1], words[at + 2]
            if check == ~(number ^ a ^ b):
                pairs.append((a, b))
            elif words[0] <= number + self._slots:
                break  # not arrived yet: it will be there next time
            number += 1
        return pairs, number


class SharedFile:
    """Numbers and texts by name, then a body. `create` in the parent, `open` in the child."""

    numbers: ClassVar[tuple[str, ...]] = ()
    texts: ClassVar[tuple[str, ...]] = ("detail",)

    def __init__(self, path: Path, mapped: mmap.mmap) -> None:
        self.path = path
        names = (*_COMMON, *self.numbers)
        self._index = {name: i for i, name in enumerate(names)}
        text_start = -(-len(names) * 8 // 64) * 64
        self._text_at = {name: text_start + i * _TEXT_BYTES for i, name in enumerate(self.texts)}
        self._mapped = mapped
        self.words = memoryview(mapped)[:text_start].cast("q")

    @classmethod
    def header_bytes(cls) -> int:
        """Bytes before the body."""
        return -(-(len(_COMMON) + len(cls.numbers)) * 8 // 64) * 64 + len(cls.texts) * _TEXT_BYTES

    @classmethod
    def body_bytes(cls) -> int:
        """Bytes of the body."""
        return 0

    @classmethod
    def create(cls, **numbers: int) -> Self:
        """A new file, private to this user. Raises HocketError when it cannot be written."""
        size = cls.header_bytes() + cls.body_bytes()
        folder = _folder()
        try:
            handle, name = tempfile.mkstemp(prefix="hocket-", dir=folder)
            with os.fdopen(handle, "r+b") as file:
                file.write(bytes(size))  # takes the space now: a full disk is an error here, no crash later
                file.flush()
                mapped = mmap.mmap(file.fileno(), size)
        except OSError as error:
            raise HocketError(f"no memory to share with the device process in {folder}: {error}") from error
        shared = cls(Path(name), mapped)
        for field, value in {"magic": MAGIC, "version": VERSION, **numbers}.items():
            shared.put(field, value)
        return shared

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Map what the parent created, and take its name away where the system allows, so that nothing is
        left behind whatever happens to either side."""
        path = Path(path)
        size = cls.header_bytes() + cls.body_bytes()
        with path.open("r+b") as file:
            if os.fstat(file.fileno()).st_size != size:
                raise HocketError(f"{path} has another size than {cls.__name__} needs ({size} bytes)")
            shared = cls(path, mmap.mmap(file.fileno(), size))
        if (shared.get("magic"), shared.get("version")) != (MAGIC, VERSION):
            raise HocketError(f"{path} was not written by this version of Hocket")
        shared.unlink()
        return shared

    def index(self, name: str) -> int:
        """Where the number `name` is in `words`, for code that must be fast."""
        return self._index[name]

    def get(self, name: str) -> int:
        """A number."""
        return int(self.words[self._index[name]])

    def put(self, name: str, value: int) -> None:
        """Set a number."""
        self.words[self._index[name]] = value

    def text(self, name: str) -> str:
        """A text; as it is written only before a change of `state`, it is never read half done."""
        at = self._text_at[name]
        length = int.from_bytes(self._mapped[at : at + 2], "little")
        return self._mapped[at + 2 : at + 2 + length].decode(errors="replace")

    def put_text(self, name: str, text: str) -> None:
        """Set a text; what is too long is cut."""
        data, at = text.encode()[: _TEXT_BYTES - 2], self._text_at[name]
        self._mapped[at + 2 : at + 2 + len(data)] = data
        self._mapped[at : at + 2] = len(data).to_bytes(2, "little")

    def fail(self, reason: str) -> None:
        """Set the state to `FAILED`, with the reason in one line for the other side."""
        self.put_text("detail", " ".join(reason.split()))
        self.put("state", FAILED)

    def body(self, start: int, size: int) -> memoryview[Any]:
        """A part of the body, in bytes from its start."""
        start += self.header_bytes()
        return memoryview(self._mapped)[start : start + size]

    def unlink(self) -> None:
        """Take the file's name away; the memory is freed when both sides have unmapped it."""
        with suppress(OSError):  # already gone, or Windows, where a mapped file keeps its name
            self.path.unlink()
