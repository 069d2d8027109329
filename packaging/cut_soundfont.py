"""Reduce a General MIDI sound font to a few megabytes.

    python packaging/cut_soundfont.py /usr/share/sounds/sf3/MuseScore_General_Lite.sf3 assets/soundfont/hocket.sf3

All presets of General MIDI and the drum kits named below are kept; the samples are reduced. Stereo pairs become
mono, key zones that are a few semitones apart are merged, sustained sounds are looped earlier (the decay they lose
becomes the zone's envelope), rates are lowered to 32 kHz, presets are made equally loud. All samples are stored as
Ogg Vorbis (the .sf3 format): a font that also has 16-bit samples sometimes fails to load in FluidSynth 2.3, which
reads them from two threads. The same input and libvorbis give the same bytes. Needs numpy, soundfile, soxr and
FluidSynth; run by hand when the font is to change.
"""

from __future__ import annotations

import argparse
import copy
import io
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from ogg_serial import vorbis
from riff_soundfont import (
    COARSE,
    KEYS,
    LOOP_OFFSETS,
    Blob,
    Font,
    Gen,
    Instrument,
    Preset,
    Sample,
    Zone,
    read_font,
    write_font,
)
from soundfont_levels import measure_presets

KITS = (0, 16, 24, 25, 32, 40)  # standard, power, electronic, TR-808, jazz, brush
DRUMS = range(27, 88)  # their keys
RATE = 32000  # frames a second at most
STEP, STEP_OTHERS = 5, 10  # least semitones between the roots of neighbouring zones
LOOPED, LOOPED_OTHERS = 1.8, 1.2  # latest end of a loop in seconds
UNLOOPED = 2.2  # greatest length of a sample without loop, in seconds
SUSTAINED = 3.0  # decibels: a smaller fall before the loop counts as unevenness, not as decay
QUALITY = 0.25  # of Vorbis: 0 worst, 1 best
STREAM = 25  # approximate seconds of a Vorbis stream
TAIL = 1200  # frames that a sample continues past its loop
GAP = 2048  # frames of silence between its samples
PEAK = 0.94  # of full scale: Vorbis overshoots, and decoders wrap what exceeds it
THREE_DB = 75  # attenuation for 3 dB: synthesizers apply 0.4 of the centibels given, as the first one did
LOUDNESS = -42.0  # of every preset that is as loud or louder
RELEASE = 3000  # timecents (5.7 s): no loop rings longer after its note
SLOWEST = 4000  # timecents (10 s): layers with a slower attack than this are dropped

# Programs that get the first of two figures above; the others are only there so that nothing is silent.
BAND = {
    0, 1, 3, 4, 5, 11, 16, 18, 19, 21, 22, 24, 25, 26, 27, 29, 30, 32, 33, 34, 35, 36, 38, 39, 40, 42, 45, 46, 48, 52,
    56, 57, 60, 61, 65, 66, 68, 70, 71, 73, 80, 81, 89,
}  # fmt: skip
# Instruments (by name) that need other figures.
STEPS = {"Piano": 4, "Strings": 6, "Ahh Choir": 6, "Pizzicato": 6}
SECONDS = {"Piano": 3.2, "Electric Piano": 4.5}

NOTICE = (
    "Cut from MuseScore_General (MIT): Copyright (c) 2018-2021 S. Christian Collins; based on Fluid (R3) "
    "Mono GM, Copyright (c) 2014-2017 Michael Cowgill, and Fluid (R3) GM, Copyright (c) 2000-2002, 2008 "
    "Frank Wen. See LICENSE beside this file."
)

Audio = NDArray[np.float64]


def figure(table: dict[str, float] | dict[str, int], name: str, default: float) -> float:
    """The entry of `table` whose key begins `name`."""
    return next((value for key, value in table.items() if name.startswith(key)), default)


def choose_presets(font: Font) -> None:
    """Keep General MIDI and the kits; drop layers with an attack of many seconds."""
    font.presets = [
        preset for preset in font.presets if preset.bank == 0 or (preset.bank == 128 and preset.program in KITS)
    ]
    for preset in font.presets:
        preset.zones = [zone for zone in preset.zones if zone.get(Gen.ATTACK, 0) < SLOWEST]
    used = {zone.target for preset in font.presets for zone in preset.zones if zone.target is not None}
    for number, instrument in enumerate(font.instruments):
        if number not in used:
            instrument.zones = []


def complete_kits(font: Font) -> None:
    """Add the drums that a kit lacks from the standard kit."""

    def sounding(preset: Preset, key: int) -> list[Zone]:
        return [
            zone
            for zone in preset.zones
            if zone.target is not None
            and zone.keys[0] <= key <= zone.keys[1]
            and any(z.keys[0] <= key <= z.keys[1] for z in font.instruments[zone.target].sampled())
        ]

    kits = [preset for preset in font.presets if preset.bank == 128]
    standard = next(kit for kit in kits if kit.program == 0)
    for kit in kits:
        for key in DRUMS:
            if not sounding(kit, key):
                for zone in sounding(standard, key):
                    borrowed = copy.copy(zone)
                    borrowed.keys = (key, key)
                    kit.zones.append(borrowed)


def make_mono(instrument: Instrument) -> None:
    """Of two zones that are panned hard left and hard right and equal otherwise, keep the left one, centred."""
    inherited = instrument.globals()
    everywhere = inherited.get(Gen.PAN, 0)

    def at(pan: Callable[[int], bool]) -> dict[tuple[object, object], Zone]:
        return {(z.keys, z.velocities): z for z in instrument.sampled() if pan(z.get(Gen.PAN, everywhere))}

    left, right = at(lambda pan: pan <= -400), at(lambda pan: pan >= 400)
    for place in left.keys() & right.keys():
        zone, other = left[place], right[place]
        instrument.zones = [z for z in instrument.zones if z is not other]
        zone[Gen.PAN] = 0
        zone[Gen.ATTENUATION] = zone.get(Gen.ATTENUATION, inherited.get(Gen.ATTENUATION, 0)) - THREE_DB


def thin(instrument: Instrument, samples: list[Sample], step: float, kept: set[int]) -> None:
    """Merge zones whose roots are nearer than `step` semitones; prefer samples in use elsewhere."""
    rows: dict[tuple[int, int], list[Zone]] = {}
    for zone in instrument.sampled():
        rows.setdefault(zone.velocities, []).append(zone)
    for row in rows.values():
        row.sort(key=lambda zone: zone.keys)
        overlapping = any(a.keys[1] >= b.keys[0] for a, b in pairwise(row))
        shared = len({zone.sample for zone in row}) < len(row)
        if overlapping or shared or len(row) < 3:
            continue
        roots = {id(zone): zone.get(Gen.ROOT, samples[zone.sample].key) for zone in row}
        chosen: list[Zone] = []
        for zone in sorted(row, key=lambda zone: zone.sample not in kept):
            if all(abs(roots[id(zone)] - roots[id(other)]) >= step for other in chosen):
                chosen.append(zone)
        chosen.sort(key=lambda zone: zone.keys)
        low = row[0].keys[0]
        for zone, after in zip(chosen, [*chosen[1:], None], strict=True):
            high = row[-1].keys[1] if after is None else (roots[id(zone)] + roots[id(after)]) // 2
            zone.keys = (low, max(high, low))
            low = zone.keys[1] + 1
        gone = {id(zone) for zone in row} - {id(zone) for zone in chosen}
        instrument.zones = [zone for zone in instrument.zones if id(zone) not in gone]
    kept.update(zone.sample for zone in instrument.sampled())


def widen(font: Font) -> None:
    """Let the outer zones of every melodic preset reach keys 0 and 127, so that no note is silent."""
    for preset in font.presets:
        if preset.bank == 128:
            continue
        parts = [font.instruments[zone.target] for zone in preset.zones if zone.target is not None]
        zones = [zone for part in parts for zone in part.sampled()]
        low, high = min(zone.keys[0] for zone in zones), max(zone.keys[1] for zone in zones)
        for zone in zones:
            first, last = zone.keys
            zone.keys = (0 if first == low else first, KEYS if last == high else last)


def level(audio: Audio, rate: int, at: int) -> float:
    """Decibels of the fifth of a second around frame `at`."""
    return 10 * float(np.log10(np.mean(audio[max(0, at - rate // 10) : at + rate // 10] ** 2) + 1e-12))


def loop_earlier(sample: Sample, seconds: float) -> None:
    """Give the sample a loop that ends `seconds` after its start.

    The decay within the loop is removed. `sample.lost` records it (from, to in seconds, decibels) for the envelope.
    The seam is a cross-fade between two similar places.
    """
    rate, audio = sample.rate, sample.audio
    end = int(seconds * rate)
    fade = int(0.15 * rate)
    shortest, longest = int(0.25 * rate), int(min(0.75, seconds / 3) * rate)
    first = end - longest - fade  # the earliest frame that the loop or its cross-fade may touch
    last = max(sample.loop[0], first + rate)
    drop = level(audio, rate, first) - level(audio, rate, min(last, sample.loop[1]))
    sample.lost = (first / rate, last / rate, max(0.0, drop))

    times = np.arange(first - rate // 4, end, rate // 20)
    slope = np.polyfit(times / rate, [level(audio, rate, at) for at in times], 1)[0]
    audio = audio[:end].copy()
    audio[first:] *= 10 ** (max(0.0, -float(slope)) * np.arange(end - first) / rate / 20)
    tail = audio[end - fade :]
    region = audio[first : end - shortest]
    energies = np.concatenate(([0], np.cumsum(region**2)))
    energies = np.maximum(energies[fade:] - energies[:-fade], 1e-12)
    likeness = np.correlate(region, tail) / np.sqrt(energies * np.sum(tail**2) + 1e-12)
    best = int(np.argmax(likeness))
    start, alike = first + best + fade, float(np.clip(likeness[best], 0, 1))
    weight = np.linspace(0, 1, fade)
    power = np.sqrt(weight**2 + (1 - weight) ** 2 + 2 * alike * weight * (1 - weight))
    audio[end - fade :] = (tail * (1 - weight) + audio[start - fade : start] * weight) / power
    sample.audio, sample.loop = audio, (start, end)


def set_decay(zone: Zone, inherited: Zone, sample: Sample) -> None:
    """Add the decay that `loop_earlier` removed to the zone's volume envelope."""
    first, last, drop = sample.lost

    def seconds(gen: Gen) -> float:
        return 2 ** (zone.get(gen, inherited.get(gen, -12000)) / 1200)

    hold, per_second = seconds(Gen.HOLD), 100 / seconds(Gen.DECAY)
    floor = zone.get(Gen.SUSTAIN, inherited.get(Gen.SUSTAIN, 0)) / 10
    early, late = (min(floor, per_second * max(0.0, at - hold)) for at in (first, last))
    drop += late - early
    sustained = floor < 90
    if sustained and drop < SUSTAINED:
        return
    rate = max(drop / (last - first), 1.0)
    # The sample plays faster on higher keys, and so do its hold and decay: 100 timecents a key, 0 at key 60.
    shift = 100 * (60 - zone.get(Gen.ROOT, sample.key))
    zone[Gen.KEY_TO_HOLD] = zone[Gen.KEY_TO_DECAY] = 100
    zone[Gen.HOLD] = int(np.clip(1200 * np.log2(first) - shift, -12000, 5000))
    zone[Gen.DECAY] = int(np.clip(1200 * np.log2(100 / rate) - shift, -12000, 8000))
    zone[Gen.SUSTAIN] = round(10 * (floor + drop)) if sustained else 1000


def crop(sample: Sample, looped: bool) -> None:
    """Cut what never sounds: after the loop, or after `UNLOOPED` seconds, with a fade."""
    if looped:
        start, end = sample.loop
        again = np.arange(2 * TAIL) % (end - start) + start
        sample.audio = np.concatenate((sample.audio[:end], sample.audio[again]))
        return
    loud = np.nonzero(np.abs(sample.audio) > 1e-4)[0]
    sample.audio = sample.audio[: (loud[-1] + 1 if len(loud) else 1)]
    limit = int(UNLOOPED * sample.rate)
    if len(sample.audio) > limit:
        sample.audio = sample.audio[:limit] * np.minimum(1, np.linspace(3, 0, limit)) ** 2
    sample.loop = (0, len(sample.audio))


def resample(sample: Sample, looped: bool) -> None:
    """Lower the rate to `RATE` or a little less, so that the loop is a whole number of frames."""
    if sample.rate <= RATE:
        return
    start, end = sample.loop
    length = end - start
    ratio = max(1, length * RATE // sample.rate) / length if looped else RATE / sample.rate
    audio = soxr.resample(sample.audio, 1.0, ratio, quality="VHQ")
    if looped:
        first = int(np.ceil(start * ratio))
        sample.loop = (first, first + round(length * ratio))
        sample.audio = audio
    else:
        sample.loop, sample.audio = (0, len(audio)), audio
    sample.rate, sample.scale = round(sample.rate * ratio), ratio


def pack(samples: list[Sample]) -> None:
    """Join the samples into Vorbis streams and encode them.

    Every stream begins with 3.5 KB of tables, more than most samples need, hence the joining: a sample is a
    stretch of its stream, found by the zones' address offsets. Neighbours go to different streams, so that
    FluidSynth, which loads neighbours at the same time, does not decode a stream twice.
    """
    streams = -(-sum(len(sample.audio) + GAP for sample in samples) // (STREAM * RATE))
    for joined in (samples[number::streams] for number in range(streams)):
        pieces: list[Audio] = []
        for sample in joined:
            sample.at = sum(map(len, pieces))
            pieces += [sample.audio * min(1.0, PEAK / max(np.max(np.abs(sample.audio)), 1e-9)), np.zeros(GAP)]
        stream = np.concatenate(pieces)
        blob = Blob(vorbis(stream, RATE, QUALITY), len(stream), True)
        decoded = soundfile.read(io.BytesIO(blob.data))[0]
        for sample in joined:
            sample.blob = blob
            slide_loop(sample, decoded[sample.at :])


def slide_loop(sample: Sample, decoded: Audio) -> None:
    """Move the loop to where its two ends match best in the decoded sample.

    The sample continues past the end of its loop, so any place is possible; the encoder's noise differs.
    """
    start, end = sample.loop
    room = len(sample.audio) - end - 8
    if room < 1:
        return
    gap = np.abs(decoded[start : start + room + 4] - decoded[end : end + room + 4])
    worst = np.max(np.lib.stride_tricks.sliding_window_view(gap, 4), axis=1)
    shift = int(np.argmin(worst[:room])) + 2
    sample.loop = (start + shift, end + shift)


def point(zone: Zone, inherited: Zone, sample: Sample) -> None:
    """Set the zone's offsets to the sample's range of its stream, without the start that the zone skips."""
    assert sample.blob
    skip = round(zone.get(Gen.START, inherited.get(Gen.START, 0)) * sample.scale)
    end = sample.at + len(sample.audio) - sample.blob.frames
    zone[Gen.START_COARSE], zone[Gen.START] = divmod(sample.at + skip, COARSE)
    zone[Gen.END_COARSE], zone[Gen.END] = divmod(end, COARSE)
    for gen in LOOP_OFFSETS:
        zone.pop(gen, None)


def cut_zones(font: Font, fine: set[int | None]) -> None:
    """Reduce the zones in use, those of the band first."""
    kept: set[int] = set()
    seen: set[int | None] = {None}
    for preset in sorted(font.presets, key=lambda preset: (preset.program not in BAND, preset.program)):
        for number in dict.fromkeys(zone.target for zone in preset.zones if zone.target not in seen):
            assert number is not None
            seen.add(number)
            instrument = font.instruments[number]
            make_mono(instrument)
            if preset.bank != 128:
                step = STEP if number in fine else STEP_OTHERS
                thin(instrument, font.samples, figure(STEPS, instrument.name, step), kept)
    widen(font)


def cut_samples(font: Font, fine: set[int | None]) -> None:
    """Reduce the samples that the zones use."""
    users: dict[int, list[tuple[Zone, Zone, float]]] = {}
    for number, instrument in enumerate(font.instruments):
        seconds = figure(SECONDS, instrument.name, LOOPED if number in fine else LOOPED_OTHERS)
        for zone in instrument.sampled():
            users.setdefault(zone.sample, []).append((zone, instrument.globals(), seconds))
    used = {number: font.samples[number] for number in sorted(users)}
    for number, sample in used.items():
        sample.load()
        loops = [zone for zone, above, _ in users[number] if zone.get(Gen.LOOP, above.get(Gen.LOOP, 0)) & 1]
        looped = bool(loops)
        for zone in loops:
            if zone.get(Gen.RELEASE, 0) > RELEASE:
                zone[Gen.RELEASE] = RELEASE
        limit = max(seconds for _, _, seconds in users[number])
        if looped and sample.loop[1] > limit * sample.rate:
            loop_earlier(sample, limit)
            for zone, inherited, _ in users[number]:
                set_decay(zone, inherited, sample)
        crop(sample, looped)
        resample(sample, looped)
    pack(list(used.values()))
    for number, sample in used.items():
        for zone, inherited, _ in users[number]:
            point(zone, inherited, sample)


def cut(font: Font) -> None:
    """Reduce presets, zones and samples, in place."""
    choose_presets(font)
    complete_kits(font)
    fine = {zone.target for preset in font.presets if preset.program in BAND for zone in preset.zones}
    cut_zones(font, fine)
    cut_samples(font, fine)


def level_presets(font: Font, path: Path) -> None:
    """Attenuate presets louder than `LOUDNESS`, so that any band is balanced. path: the font as written."""
    measured = measure_presets(path, [(preset.bank, preset.program) for preset in font.presets])
    for preset in font.presets:
        excess = measured[preset.bank, preset.program] - LOUDNESS
        for zone in preset.zones:
            if zone.target is None or Gen.ATTENUATION in zone or preset.zones[0].target is not None:
                ours = zone.get(Gen.ATTENUATION, 0)
                zone[Gen.ATTENUATION] = ours + round(max(0.0, excess) * THREE_DB / 3)


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="a General MIDI .sf2 or .sf3, such as MuseScore General")
    parser.add_argument("output", type=Path, help="the .sf3 to write")
    options = parser.parse_args(arguments)
    font = read_font(options.source)
    cut(font)
    write_font(font, options.output, "Hocket GM", NOTICE)
    level_presets(font, options.output)
    write_font(font, options.output, "Hocket GM", NOTICE)
    used = [sample for sample in font.samples if sample.blob]
    seconds = sum(len(sample.audio) / sample.rate for sample in used)
    print(
        f"{options.output}: {options.output.stat().st_size / 2**20:.2f} MiB, {len(font.presets)} presets, "
        f"{len(used)} samples, {seconds:.0f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
