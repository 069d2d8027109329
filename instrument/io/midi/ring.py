"""MIDI between an engine and its JACK process: short messages with the time at which they are heard."""

from __future__ import annotations

import mmap
from pathlib import Path

from instrument.errors import HocketError
from instrument.io.shared import PairRing, SharedFile

SLOTS = 4096  # 40 ms of the densest music have about a hundred messages
LONGEST = 7  # bytes of a message that fit into a word with their count

_PAIR_BYTES = PairRing.size(SLOTS) * 8


def pack(message: bytes) -> int:
    """A message as one number. Raises HocketError when it is empty or longer than 7 bytes."""
    if not 1 <= len(message) <= LONGEST:
        raise HocketError(f"a MIDI message of {len(message)} bytes cannot be sent: give 1 to {LONGEST}")
    return len(message) << 56 | int.from_bytes(message, "little")


def unpack(word: int) -> bytes:
    """The message of a number."""
    return (word & (1 << 56) - 1).to_bytes(LONGEST, "little")[: word >> 56]


class MidiRing(SharedFile):
    """Messages to or from a JACK port, and what the port reports.

    rate, block: of the server; cycles: process callbacks so far; sent, late: as in `MidiStatus`;
    latency_ns: from a frame of JACK to its being heard; watch: an input reports JACK's transport, too
    (`transport.py`); asked: number of requests to the transport, twice, plus 1 for one to roll.
    port: its full name; connections: names of the ports it is connected to, a line each.
    `pairs`: (ns, packed message).
    """

    numbers = ("rate", "block", "cycles", "sent", "late", "latency_ns", "watch", "asked")
    texts = ("detail", "port", "connections")

    def __init__(self, path: Path, mapped: mmap.mmap) -> None:
        super().__init__(path, mapped)
        self.pairs = PairRing(self.body(0, _PAIR_BYTES).cast("q"), SLOTS)

    @classmethod
    def body_bytes(cls) -> int:
        """The pairs."""
        return _PAIR_BYTES
