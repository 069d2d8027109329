"""MIDI files made on purpose, and damaged at random: `python -m tests.support.midifuzz --count 10000`."""

from __future__ import annotations

import argparse
import random
import struct
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from instrument.errors import HocketError
from instrument.music.midifile import read_midi
from instrument.music.notes import Part, Piece
from training.data.notes import midi

FIXTURES = Path(__file__).parents[1] / "fixtures"
CASES = sorted((FIXTURES / "midi_cases").glob("*.mid"))
REAL = sorted((FIXTURES / "midi").glob("*.mid"))
LONGEST_S = 5.0
HEADER = 22  # bytes of a file's header and of its first track's

# What no reader should trust: endless and largest numbers, lengths beyond the end, events without status.
TRAPS = (
    b"\xff" * 16,
    b"\x8f\xff\xff\x7f",
    b"\xff\xff\xff\x7f",
    b"\x00\xff\x51\x7f",
    b"\x00\xff\x58\x02\x04\x02",
    b"\x00\xff\x2f\x00",
    b"\x00\xf0\xff\xff\xff\x7f",
    b"\x00\xb0\x40\x7f",
    b"\x00\xfe",
    b"MTrk\xff\xff\xff\xff",
    b"MThd\x00\x00\x00\x06\x00\x02\x00\x01\xe7\x28",
)


def smf(*tracks: bytes, kind: int = 1, division: int = 96) -> bytes:
    """A Standard MIDI File of tracks, whose ends are added."""
    chunks = (track + b"\x00\xff\x2f\x00" for track in tracks)
    head = b"MThd" + struct.pack(">IHHH", 6, kind, len(tracks), division)
    return head + b"".join(b"MTrk" + struct.pack(">I", len(chunk)) + chunk for chunk in chunks)


def mutant(data: bytes, rng: random.Random) -> bytes:
    """A file with one kind of damage."""
    if len(data) < HEADER:
        return data
    changed = bytearray(data)
    place = rng.randrange(len(changed))
    match rng.randrange(7):
        case 0:
            for _ in range(rng.randrange(1, 9)):
                changed[rng.randrange(len(changed))] = rng.randrange(256)
        case 1:
            del changed[place:]
        case 2:
            changed[rng.randrange(4, HEADER)] = rng.choice([0, 127, 128, 255])
        case 3:
            changed[place : place + rng.randrange(64)] = rng.randbytes(rng.randrange(64))
        case 4:
            for _ in range(3):
                changed[rng.randrange(14, len(changed))] |= 0x80
        case 5:
            changed[place:place] = rng.choice(TRAPS)
        case 6:
            other = rng.randrange(len(changed))
            changed[place:place] = changed[min(place, other) : max(place, other)][:4096]
    return bytes(changed)


def check_sound(piece: Piece) -> None:
    """Assert that a piece is one that everything else can rely on."""
    tick, micro, pitch, duration, velocity, part = piece.notes.T
    assert len(piece)
    assert tick.min() >= 0
    assert -4 <= micro.min() <= micro.max() <= 3
    assert 0 <= pitch.min() <= pitch.max() <= 127
    assert duration.min() >= 1
    assert 1 <= velocity.min() <= velocity.max() <= 127
    assert set(part.tolist()) <= set(Part)
    assert (np.diff(tick) >= 0).all()
    assert not piece.metres or piece.metres[0].tick <= tick[0]


def verdicts(data: bytes) -> tuple[Piece | str, Piece | str]:
    """What the instrument's reader and training's make of a file: a piece, or why there is none."""
    found: list[Piece | str] = []
    for read in (read_midi, lambda data: midi.read(data)[0]):
        try:
            found.append(read(data))
        except HocketError as error:
            found.append(str(error).removeprefix("this MIDI data cannot be read: "))
    return found[0], found[1]


def check_agreement(data: bytes) -> Piece | str:
    """Assert that both readers have the same verdict on a file and the same notes, and return it."""
    one, other = verdicts(data)
    if isinstance(one, str) or isinstance(other, str):
        assert one == other
        assert "\n" not in str(one)
    else:
        check_sound(one)
        np.testing.assert_array_equal(one.notes, other.notes)
        assert (one.metres, one.tempos, one.markers) == (other.metres, other.tempos, other.markers)
    return one


def fuzz(count: int, seed: int, originals: Sequence[bytes]) -> Counter[str]:
    """Read so many mutants, each in bounded time; how many were read and refused."""
    rng = random.Random(seed)
    found: Counter[str] = Counter()
    for _ in range(count):
        data = mutant(rng.choice(originals), rng)
        started = time.monotonic()
        verdict = check_agreement(data)
        assert time.monotonic() - started < LONGEST_S, f"{len(data)} bytes took too long: {data[:200].hex()}"
        found["refused" if isinstance(verdict, str) else "read"] += 1
    return found


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started = time.monotonic()
    found = fuzz(options.count, options.seed, [path.read_bytes() for path in (*CASES, *REAL)])
    print(f"{dict(found)} in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    _main()
