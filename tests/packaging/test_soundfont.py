"""The sound font that ships, and the script that cuts it."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile

from instrument.engine.voices.fluid import FluidVoice
from instrument.midi_spec import DRUM_CHANNEL, REVERB
from tests.support.sound.analysis import SILENT, cents_off, level_db, peak_db

ROOT = Path(__file__).resolve().parents[2]
FONT = ROOT / "assets" / "soundfont" / "hocket.sf3"
RATE = 32000
MODULES = ("cut_soundfont", "ogg_serial", "riff_soundfont", "soundfont_levels")


@pytest.fixture(scope="module")
def cutting() -> Iterator[ModuleType]:
    """The script; what it imports lies beside it."""
    sys.path.insert(0, str(ROOT / "packaging"))
    yield importlib.import_module("cut_soundfont")
    sys.path.remove(str(ROOT / "packaging"))
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def riff(cutting: ModuleType) -> ModuleType:
    return sys.modules["riff_soundfont"]


@pytest.fixture(scope="module")
def voice() -> Iterator[FluidVoice]:
    voice = FluidVoice(RATE, FONT)
    for channel in (0, DRUM_CHANNEL):
        voice.control(channel, REVERB, 0)
    yield voice
    voice.close()


def test_it_is_small_and_its_licence_lies_beside_it() -> None:
    assert FONT.stat().st_size <= 5 * 2**20
    licence = (FONT.parent / "LICENSE").read_text()
    for name in ("S. Christian Collins", "Michael Cowgill", "Frank Wen", "Permission is hereby granted"):
        assert name in licence
    assert "cut_soundfont.py" in (FONT.parent / "README.md").read_text()


def test_it_has_every_program_and_six_kits(riff: ModuleType) -> None:
    font = riff.read_font(FONT)
    assert [preset.program for preset in font.presets if preset.bank == 0] == list(range(128))
    assert [preset.program for preset in font.presets if preset.bank == 128] == [0, 16, 24, 25, 32, 40]
    assert all(sample.compressed for sample in font.samples), "a font with both kinds loads only most of the time"
    assert all(sample.rate <= 32000 for sample in font.samples)


def test_loops_join(riff: ModuleType) -> None:
    font = riff.read_font(FONT)
    decoded: dict[bytes, np.ndarray] = {}
    rough = {}
    for instrument in font.instruments:
        for zone in instrument.sampled():
            sample = font.samples[zone.sample]
            if not zone.get(riff.Gen.LOOP, instrument.globals().get(riff.Gen.LOOP, 0)) & 1:
                continue
            stored = bytes(sample.source)
            if stored not in decoded:
                sample.load()
                decoded[stored] = sample.audio
            start, end = sample.loop
            twice = np.tile(decoded[stored][start:end], 2)
            bends = np.abs(np.diff(twice, 3))
            length = end - start
            seam = bends[length - 3 : length].max()
            near = np.concatenate((bends[max(0, length - 2000) : length - 4], bends[length + 1 : length + 2000])).max()
            rough[sample.name] = (seam - 1.5 * near) / np.abs(twice).max()
    assert len(rough) > 400
    assert {name: excess for name, excess in rough.items() if excess > 0.01} == {}


# Bells, drums, breath, plucked ensembles: what is not in tune to begin with.
UNTUNED = {9, 14, 45, 47, 55, 76, 78, 82, 86}


def test_every_preset_is_in_tune(voice: FluidVoice) -> None:
    off = {}
    for program in sorted(set(range(112)) - UNTUNED):
        for key in (48, 60, 72):
            voice.program(0, program)
            voice.note_on(0, key, 90)
            voice.render(RATE // 10)
            sound = voice.render(RATE * 3 // 4)
            voice.all_off()
            cents = cents_off(sound, RATE, key, 100)
            if abs(cents) > 25 or level_db(sound) < -75:
                off[program, key] = round(cents), round(level_db(sound))
    assert not off, off


def test_the_presets_of_the_band_hold_long_notes(voice: FluidVoice) -> None:
    for program in (16, 19, 40, 48, 52, 56, 61, 65, 68, 73, 81):
        voice.program(0, program)
        voice.note_on(0, 60, 90)
        early = level_db(voice.render(RATE))
        voice.render(4 * RATE)
        late = level_db(voice.render(RATE))
        voice.all_off()
        assert late > early - 9, program
    for program in (0, 4, 24, 25, 26, 32, 33, 11):
        voice.program(0, program)
        voice.note_on(0, 60, 90)
        levels = [level_db(voice.render(RATE // 2)) for _ in range(12)]
        voice.all_off()
        assert levels[0] > -45
        assert levels[11] < levels[1] - 8, (program, levels)
        assert max(np.diff(levels)) < 3, (program, levels)


def test_every_drum_sounds_and_ends(voice: FluidVoice) -> None:
    for kit in (0, 16, 24, 25, 32, 40):
        voice.program(DRUM_CHANNEL, kit)
        for key in range(35, 82):
            voice.note_on(DRUM_CHANNEL, key, 100)
            assert peak_db(voice.render(RATE // 8)) > -50, (kit, key)
            voice.note_off(DRUM_CHANNEL, key)
        voice.render(9 * RATE)
        assert peak_db(voice.render(RATE // 8)) < SILENT, kit


@pytest.fixture(scope="module")
def tiny(riff: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A font of two presets and a kit, as the source of a cut: tones of 8 s at 48 kHz, left and right."""
    time = np.arange(8 * 48000) / 48000
    samples = []
    for key in (48, 50, 60, 72):
        pitch = 440 * 2 ** ((key - 69) / 12)
        for side in (0.0, 0.3):
            wave = 0.6 * np.sin(2 * np.pi * pitch * time + side) * 10 ** (-5 * time / 20)
            data = np.round(wave * 32767).astype("<i2").tobytes()
            sample = riff.Sample(f"tone {key}", 48000, (7 * 48000, 8 * 48000 - 10), key, 0, memoryview(data), False)
            sample.blob = riff.Blob(data, len(wave), False)
            samples.append(sample)

    def zone(target: int | None, **gens: int) -> object:
        made = riff.Zone()
        made.target = target
        made.update({riff.Gen[name]: amount for name, amount in gens.items()})
        return made

    zones = [zone(None, LOOP=1)]
    for place, keys in enumerate(((0, 49), (50, 54), (55, 65), (66, 127))):
        for side, pan in enumerate((-500, 500)):
            made = zone(2 * place + side, PAN=pan)
            made.keys = keys
            zones.append(made)
    instrument = riff.Instrument("tones", zones)
    presets = [riff.Preset(name, program, bank, [zone(0)]) for name, program, bank in
               (("a", 0, 0), ("b", 7, 0), ("elsewhere", 3, 9), ("kit", 0, 128))]  # fmt: skip
    path = tmp_path_factory.mktemp("fonts") / "tiny.sf2"
    riff.write_font(riff.Font(presets, [instrument], samples), path, "tiny", "nobody's")
    return path


def test_a_font_is_read_as_it_was_written(riff: ModuleType, tiny: Path) -> None:
    font = riff.read_font(tiny)
    assert [preset.name for preset in font.presets] == ["a", "b", "elsewhere", "kit"]
    assert [preset.bank for preset in font.presets] == [0, 0, 9, 128]
    zones = font.instruments[0].sampled()
    assert [zone.keys for zone in zones[::2]] == [(0, 49), (50, 54), (55, 65), (66, 127)]
    assert zones[1][riff.Gen.PAN] == 500
    sample = font.samples[7]
    sample.load()
    assert (sample.name, sample.rate, sample.key, len(sample.audio)) == ("tone 72", 48000, 72, 8 * 48000)
    assert sample.loop == (7 * 48000, 8 * 48000 - 10)


def test_a_font_is_cut_the_same_every_time(
    cutting: ModuleType, riff: ModuleType, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.sf3", "b.sf3"):
        assert cutting.main([str(tiny), str(tmp_path / name)]) == 0
    assert "3 presets" in capsys.readouterr().out
    assert (tmp_path / "a.sf3").read_bytes() == (tmp_path / "b.sf3").read_bytes()
    assert (tmp_path / "a.sf3").stat().st_size < tiny.stat().st_size / 20
    font = riff.read_font(tmp_path / "a.sf3")
    assert all(sample.rate <= 32000 for sample in font.samples)
    voice = FluidVoice(RATE, tmp_path / "a.sf3")
    voice.control(0, REVERB, 0)
    for key, root in ((48, 48), (55, 60), (60, 60), (72, 72)):
        voice.note_on(0, key, 100)
        sound = voice.render(6 * RATE)
        voice.all_off()
        assert abs(cents_off(sound[RATE:], RATE, key)) <= 5
        lost = level_db(sound[RATE : 2 * RATE]) - level_db(sound[5 * RATE :])
        assert lost == pytest.approx(20 * 2 ** ((key - root) / 12), abs=1.5)  # as a tape that runs slower
        assert level_db(sound[:, 0]) == pytest.approx(level_db(sound[:, 1]), abs=0.1)
    voice.close()


def test_an_ogg_stream_under_another_serial(cutting: ModuleType) -> None:
    file = io.BytesIO()
    tone = 0.5 * np.sin(np.arange(20000) / 20)
    soundfile.write(file, tone, RATE, format="OGG", subtype="VORBIS")
    changed = sys.modules["ogg_serial"].with_serial(file.getvalue(), 77)
    assert changed[14:18] == (77).to_bytes(4, "little")
    assert np.array_equal(soundfile.read(io.BytesIO(changed))[0], soundfile.read(io.BytesIO(file.getvalue()))[0])


@pytest.mark.skipif(os.name == "nt", reason="slow there")
def test_it_loads_every_time() -> None:
    for _ in range(3):
        FluidVoice(RATE, FONT).close()
