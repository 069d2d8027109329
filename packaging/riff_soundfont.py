"""Read and write sound fonts (.sf2, .sf3): presets, instruments, zones and samples as plain objects.

A font is three lists. A preset's zones point to instruments, an instrument's zones to samples; the first
zone of either may point nowhere and then holds what the others inherit. Zones are dictionaries from
generator number to amount (SoundFont 2.04, section 8.1.3), their ranges and targets attributes.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

KEYS = 127
COMPRESSED = 0x10  # bit of a sample's type: Ogg Vorbis
MONO = 1
LOOP_OFFSETS = (2, 3, 45, 50)
COARSE = 32768  # frames of one step of the coarse offsets
PADDING = 46  # zero words after a sample, as the format demands


class Gen(IntEnum):
    """The generators that are used here."""

    START = 0
    END = 1
    START_COARSE = 4
    END_COARSE = 12
    PAN = 17
    ATTACK = 34
    HOLD = 35
    DECAY = 36
    SUSTAIN = 37
    RELEASE = 38
    KEY_TO_HOLD = 39
    KEY_TO_DECAY = 40
    INSTRUMENT = 41
    KEYS = 43
    VELOCITIES = 44
    SAMPLE = 53
    ATTENUATION = 48
    LOOP = 54
    ROOT = 58


class Zone(dict[int, int]):
    """Generators (signed amounts), with ranges, target and modulators as attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.keys = (0, KEYS)
        self.velocities = (0, 127)
        self.target: int | None = None
        self.modulators: list[bytes] = []

    @property
    def sample(self) -> int:
        """The number of the sample (zones of an instrument that point to one)."""
        assert self.target is not None
        return self.target


@dataclass
class Preset:
    """A preset, chosen by bank and program."""

    name: str
    program: int
    bank: int
    zones: list[Zone]


@dataclass
class Instrument:
    """Zones that point to samples."""

    name: str
    zones: list[Zone]

    def sampled(self) -> list[Zone]:
        """The zones that have a sample."""
        return [zone for zone in self.zones if zone.target is not None]

    def globals(self) -> Zone:
        """The global zone, whose generators the others inherit."""
        return self.zones[0] if self.zones and self.zones[0].target is None else Zone()


@dataclass
class Blob:
    """What is stored: words, or an Ogg Vorbis stream that several samples share. `frames` when decoded."""

    data: bytes
    frames: int
    compressed: bool


@dataclass
class Sample:
    """A recording. `loop` in frames from its start; `lost`: the decay cut off (seconds from, to,
    decibels); `scale`: frames now by frames then.

    To be written it needs a `blob`, in which it begins at frame `at`.
    """

    name: str
    rate: int
    loop: tuple[int, int]
    key: int
    correction: int
    source: memoryview
    compressed: bool
    audio: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    lost: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: float = 1.0
    blob: Blob | None = None
    at: int = 0

    def load(self) -> None:
        """Decode the source into `audio`, (n,) in -1..1."""
        if self.compressed:
            self.audio = soundfile.read(io.BytesIO(self.source))[0]
        else:
            self.audio = np.frombuffer(self.source, "<i2") / 32768


@dataclass
class Font:
    """A whole sound font."""

    presets: list[Preset]
    instruments: list[Instrument]
    samples: list[Sample]


def chunks(data: memoryview, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(name, first byte, size) of every chunk. Some writers forget the padding byte after an odd size."""
    while start + 8 <= end:
        name, size = struct.unpack_from("<4sI", data, start)
        yield name, start + 8, size
        start += 8 + size
        if size % 2 and start < len(data) and data[start] == 0:
            start += 1


def read_font(path: Path) -> Font:
    """Parse a font. Samples stay as they are stored until `Sample.load`."""
    data = memoryview(path.read_bytes())
    found = {}
    for name, start, size in chunks(data, 12, len(data)):
        if name == b"LIST":
            found.update({inner: data[a : a + n] for inner, a, n in chunks(data, start + 4, start + size)})

    def table(name: bytes, layout: str) -> list[tuple]:
        return list(struct.iter_unpack(layout, found[name]))

    def zones(letter: bytes, pointer: int) -> list[list[Zone]]:
        """The zones of every preset (letter p) or instrument (i); the last header only ends the one before."""
        heads = table(b"phdr", "<20s3H3I") if letter == b"p" else table(b"inst", "<20sH")
        bags, gens = table(letter + b"bag", "<2H"), table(letter + b"gen", "<HH")
        mods = [mod for (mod,) in table(letter + b"mod", "<10s")]
        out = []
        for head, after in pairwise(heads):
            out.append(
                [
                    make_zone(gens[bags[bag][0] : bags[bag + 1][0]], mods[bags[bag][1] : bags[bag + 1][1]])
                    for bag in range(head[pointer], after[pointer])
                ]
            )
        return out

    heads = table(b"phdr", "<20s3H3I")[:-1]
    presets = [Preset(text(h[0]), h[1], h[2], z) for h, z in zip(heads, zones(b"p", 3), strict=True)]
    names = table(b"inst", "<20sH")[:-1]
    instruments = [Instrument(text(n[0]), z) for n, z in zip(names, zones(b"i", 1), strict=True)]
    return Font(presets, instruments, [make_sample(row, found[b"smpl"]) for row in table(b"shdr", "<20s5IBb2H")[:-1]])


def text(name: bytes) -> str:
    """A fixed-width name."""
    return name.split(b"\0")[0].decode("latin-1")


def make_zone(gens: list[tuple], mods: list[bytes]) -> Zone:
    """A zone of its records."""
    zone = Zone()
    zone.modulators = mods
    for number, amount in gens:
        if number == Gen.KEYS:
            zone.keys = (amount & 255, amount >> 8)
        elif number == Gen.VELOCITIES:
            zone.velocities = (amount & 255, amount >> 8)
        elif number in (Gen.INSTRUMENT, Gen.SAMPLE):
            zone.target = amount
        else:
            zone[number] = amount - 65536 if amount > 32767 else amount
    return zone


def make_sample(row: tuple, words: memoryview) -> Sample:
    """A sample of its header. Compressed ones count bytes and loop from their own start."""
    name, start, end, first, last, rate, key, correction, _link, kind = row
    compressed = bool(kind & COMPRESSED)
    source = words[start:end] if compressed else words[2 * start : 2 * end]
    loop = (first, last) if compressed else (first - start, last - start)
    return Sample(text(name), rate, loop, key, correction, source, compressed)


def write_font(font: Font, path: Path, name: str, notice: str) -> None:
    """Write presets, the instruments that have zones, and the samples that have a blob."""
    instruments = [number for number, instrument in enumerate(font.instruments) if instrument.zones]
    samples = [number for number, sample in enumerate(font.samples) if sample.blob]

    words, headers = bytearray(), bytearray()
    places: dict[int, tuple[int, int]] = {}
    for number in samples:
        sample = font.samples[number]
        blob = sample.blob
        assert blob
        if id(blob) not in places:
            places[id(blob)] = (len(words), len(words) + len(blob.data))
            words += blob.data + bytes(len(blob.data) % 2 if blob.compressed else 2 * PADDING)
        start, end = places[id(blob)]
        origin = sample.at
        if not blob.compressed:  # counted in words, loops from the start of the chunk
            start, end = start // 2, end // 2
            origin = start
        headers += struct.pack(
            "<20s5IBb2H",
            sample.name.encode("latin-1")[:19],
            start,
            end,
            origin + sample.loop[0],
            origin + sample.loop[1],
            sample.rate,
            sample.key,
            sample.correction,
            0,
            MONO | (COMPRESSED if blob.compressed else 0),
        )
    headers += struct.pack("<20s5IBb2H", b"EOS", *[0] * 9)

    order = sorted(font.presets, key=lambda preset: (preset.bank, preset.program))
    preset_zones = Records(Gen.INSTRUMENT, {number: place for place, number in enumerate(instruments)})
    heads = bytearray()
    for preset in order:
        heads += struct.pack(
            "<20s3H3I",
            preset.name.encode("latin-1")[:19],
            preset.program,
            preset.bank,
            preset_zones.add(preset.zones),
            0,
            0,
            0,
        )
    heads += struct.pack("<20s3H3I", b"EOP", 0, 0, preset_zones.count, 0, 0, 0)
    sample_zones = Records(Gen.SAMPLE, {number: place for place, number in enumerate(samples)})
    names = bytearray()
    for number in instruments:
        instrument = font.instruments[number]
        names += struct.pack("<20sH", instrument.name.encode("latin-1")[:19], sample_zones.add(instrument.zones))
    names += struct.pack("<20sH", b"EOI", sample_zones.count)

    body = b"sfbk" + listing(
        b"INFO",
        ifil=struct.pack("<2H", 3, 1),
        isng=string("EMU8000"),
        INAM=string(name),
        ICOP=string(notice),
    )
    body += listing(b"sdta", smpl=bytes(words))
    body += listing(
        b"pdta",
        phdr=bytes(heads),
        **preset_zones.tables("p"),
        inst=bytes(names),
        **sample_zones.tables("i"),
        shdr=bytes(headers),
    )
    path.write_bytes(chunk(b"RIFF", body))


class Records:
    """The bag, generator and modulator tables of one level, growing zone by zone."""

    def __init__(self, target: int, places: dict[int, int]) -> None:
        self.target, self.places = target, places
        self.bags: list[tuple[int, int]] = []
        self.gens: list[tuple[int, int]] = []
        self.mods: list[bytes] = []

    @property
    def count(self) -> int:
        """Zones so far."""
        return len(self.bags)

    def add(self, zones: list[Zone]) -> int:
        """Append zones; the number of the first."""
        first = self.count
        for zone in zones:
            self.bags.append((len(self.gens), len(self.mods)))
            for number, (low, high) in ((Gen.KEYS, zone.keys), (Gen.VELOCITIES, zone.velocities)):
                if (low, high) != (0, 127):
                    self.gens.append((number, low | high << 8))
            self.gens += [(number, amount & 0xFFFF) for number, amount in sorted(zone.items())]
            if zone.target is not None:
                self.gens.append((self.target, self.places[zone.target]))
            self.mods += zone.modulators
        return first

    def tables(self, letter: str) -> dict[str, bytes]:
        """The three chunks, each ended by a terminal record."""
        bags = [*self.bags, (len(self.gens), len(self.mods))]
        return {
            f"{letter}bag": b"".join(struct.pack("<2H", *bag) for bag in bags),
            f"{letter}mod": b"".join(self.mods) + bytes(10),
            f"{letter}gen": b"".join(struct.pack("<2H", *gen) for gen in self.gens) + bytes(4),
        }


def chunk(name: bytes, body: bytes) -> bytes:
    """A RIFF chunk, padded to an even size."""
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def listing(name: bytes, **parts: bytes) -> bytes:
    """A LIST of chunks."""
    return chunk(b"LIST", name + b"".join(chunk(k.encode(), v) for k, v in parts.items()))


def string(value: str) -> bytes:
    """A text, ended by one or two zeros."""
    data = value.encode("latin-1") + b"\0"
    return data + bytes(len(data) % 2)
