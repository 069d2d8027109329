"""Sets the serial number of an Ogg stream, which encoders choose at random, so that files can be compared."""

from __future__ import annotations

import io

import soundfile
from numpy.typing import NDArray


def vorbis(audio: NDArray, rate: int, quality: float) -> bytes:
    """Ogg Vorbis of samples (n,), reproducible byte by byte. quality: 0 worst .. 1 best."""
    file = io.BytesIO()
    soundfile.write(file, audio, rate, format="OGG", subtype="VORBIS", compression_level=1 - quality)
    return with_serial(file.getvalue(), 0)


def with_serial(stream: bytes, serial: int) -> bytes:
    """An Ogg stream with another serial number and new checksums. libsndfile chooses the number at random."""
    out, at = bytearray(stream), 0
    while at < len(out):
        segments = out[at + 26]
        size = 27 + segments + sum(out[at + 27 : at + 27 + segments])
        out[at + 14 : at + 18] = serial.to_bytes(4, "little")
        out[at + 22 : at + 26] = bytes(4)
        out[at + 22 : at + 26] = ogg_checksum(bytes(out[at : at + size])).to_bytes(4, "little")
        at += size
    return bytes(out)


def _checksums() -> list[int]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
        table.append(value)
    return table


CHECKSUMS = _checksums()


def ogg_checksum(page: bytes) -> int:
    """The CRC-32 of an Ogg page: polynomial 0x04C11DB7, not reflected."""
    value = 0
    for byte in page:
        value = (value << 8 & 0xFFFFFFFF) ^ CHECKSUMS[value >> 24 ^ byte]
    return value
