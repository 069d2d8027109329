"""Traits of pieces whose tempo, swing and velocities are known."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from instrument.models.manifest import Traits
from instrument.music.notes import Part, tidy
from training.data.notes.shards import PieceInfo, Shards
from training.data.notes.traits import melodic_intervals, off_beats, rates, swing_of, tempos, traits, velocities
from training.data.notes.writing import ShardWriter


def facts(bpm: float = 100.0, **more) -> PieceInfo:
    plain = PieceInfo(
        "a.mid", "d", "jazz", "", "", "train", 0, 0, 0, 60.0, bpm, False, False, False, [(0, 4, 4)], [(0, bpm)], [], 0
    )  # fmt: skip
    return msgspec.structs.replace(plain, **more)


def eighths(
    off: int, played: bool = False, velocities: Sequence[int] = (80,), part: Part = Part.MELODY, beats: int = 40
) -> np.ndarray:
    """Two notes a beat, the second at so many ticks; played: 3 of 8 notes are off the grid."""
    rows = [
        (beat * 24 + place, int(played and (2 * beat + late) % 8 in (0, 3, 6)), 60 + beat % 8, 6,
         velocities[(2 * beat + late) % len(velocities)], int(part))
        for beat in range(beats)
        for late, place in enumerate((0, off))
    ]  # fmt: skip
    return tidy(np.array(rows, np.int32))


def test_tempos_are_percentiles_and_default_ones_do_not_count():
    pieces = [facts(bpm) for bpm in (60.0, 80.0, 100.0, 120.5, 140.0)]
    silent = [facts(120.0)] * 50
    low, median, high = tempos(pieces + silent)
    assert (low, median, high) == (68.0, 100.0, 132.2)
    assert tempos(pieces[:4] + silent) == (120.0, 120.0, 120.0)  # too few say it
    assert tempos([facts(metres=[])]) is None
    meant = [facts(120.0, tempos=[(0, 119.0), (96, 121.0)])] * 5
    assert tempos([*meant, facts(90.0)]) == (105.0, 120.0, 120.0)


@pytest.mark.parametrize("off", [12, 14, 16])
def test_swing_is_where_the_off_beat_falls(off):
    assert off_beats(eighths(off)) == pytest.approx([off / 24] * 40)
    assert swing_of([(facts(), eighths(off))] * 5) == pytest.approx(off / 24, abs=0.001)


def test_off_beats_are_of_beats_with_two_onsets():
    assert len(off_beats(eighths(6))) == 0  # a sixteenth
    assert len(off_beats(eighths(18))) == 0
    triplets = np.concatenate([eighths(8), eighths(16)])
    assert len(off_beats(tidy(triplets))) == 0
    doubled = np.concatenate([eighths(16), eighths(17) + np.array([1, 0, 12, 0, 0, 0], np.int32)])
    assert len(off_beats(tidy(doubled))) == 40
    early = eighths(16)
    early[:, 0] -= early[:, 0] % 24 == 0
    assert off_beats(early[1:]).mean() == pytest.approx(16 / 24)
    assert len(off_beats(early[:0])) == 0


def test_who_played_decides_the_swing_where_there_are_enough():
    straight, swung = (facts(), eighths(12)), (facts(), eighths(16, played=True))
    assert swing_of([straight] * 20 + [swung] * 5) == pytest.approx(0.667, abs=0.01)
    assert swing_of([straight] * 20 + [swung] * 4) == 0.5
    assert swing_of([straight] * 4) is None
    assert swing_of([(facts(metres=[(0, 6, 8)]), eighths(16))] * 5) is None
    assert swing_of([(facts(), eighths(16, beats=15))] * 5) is None


def test_parts_swing_by_themselves():
    """A straight part against a swung one has two off-beats a beat together, and one by itself."""
    both = tidy(np.concatenate([eighths(12), eighths(16, part=Part.DRUMS)]))
    assert swing_of([(facts(), both)] * 5) == pytest.approx(14 / 24, abs=0.001)


def test_velocities_are_of_pieces_with_dynamics():
    loud, soft = (90, 94, 98, 102, 106, 110, 114, 118), (20, 24, 28, 32, 36, 40, 44, 48)
    found = velocities([eighths(12, velocities=loud), eighths(12, velocities=(80,)), eighths(12, velocities=(90, 60))])
    assert found == {"melody": (104.0, pytest.approx(np.std(loud), abs=0.05))}
    mixed = np.concatenate([eighths(12, velocities=loud), eighths(12, velocities=(70,), part=Part.BASS)])
    assert list(velocities([mixed])) == ["melody"]  # a constant part of a piece with dynamics
    few = eighths(12, velocities=loud, beats=7)
    assert velocities([few]) is None
    one, other = eighths(12, velocities=loud), eighths(12, velocities=soft)
    assert velocities([one, other, other])["melody"][0] == np.mean(soft)


def test_intervals_are_of_the_highest_notes_of_the_melody():
    up, third = eighths(12), eighths(12)
    third[:, 2] = 60 + 4 * (np.arange(len(third)) % 2)
    below = up.copy()
    below[:, 2] -= 30
    together = tidy(np.concatenate([up, below]))
    assert melodic_intervals([up] * 4) is None
    one = melodic_intervals([up] * 5)
    assert one == melodic_intervals([together] * 5)
    assert one == pytest.approx((0.506, 0.44, 0, 0.05, 0), abs=0.01)  # each pitch twice, then up by 1 or down by 7
    assert melodic_intervals([third] * 5) == (0, 0, 1, 0, 0)


def test_rates_are_of_the_genre_then_of_its_realised_pieces_then_of_all(tmp_path: Path):
    writer = ShardWriter(tmp_path)
    for _ in range(5):
        writer.add(facts(), eighths(12))
        writer.add(facts(realised=True), eighths(12, part=Part.BASS)[::2])
        writer.add(facts(genre="rock"), eighths(12, part=Part.DRUMS)[::4])
    for _ in range(4):
        writer.add(facts(genre="rock"), eighths(12, part=Part.CHORDS))
    writer.finish(writer.pieces, "")
    shards = Shards.open(tmp_path)
    found = rates(shards, "jazz", shards.pieces)
    assert found == pytest.approx({"melody": 2, "bass": 1, "drums": 0.5}, rel=0.1)


def test_traits_of_a_genre_have_them_all(tmp_path: Path):
    writer = ShardWriter(tmp_path)
    dynamics = tuple(range(60, 76))
    for i in range(6):
        writer.add(facts(100.0 + i), eighths(12, velocities=(80,)))
        writer.add(facts(150.0, drums_only=True), eighths(16, played=True, velocities=dynamics, part=Part.DRUMS))
        writer.add(facts(300.0, realised=True), eighths(14, part=Part.BASS))
    writer.finish(writer.pieces, "")
    shards = Shards.open(tmp_path)
    found = traits(shards, "jazz", shards.pieces)
    assert found.parts == (Part.MELODY,)
    assert found.density == pytest.approx(2.03, abs=0.02)
    assert found.tempo == (101.1, 127.5, 150.0)
    assert found.swing == pytest.approx(0.667, abs=0.01)
    assert found.velocity == {"drums": (67.5, 4.6)}
    assert found.rates == pytest.approx({"melody": 2.03, "bass": 2.03}, abs=0.03)
    assert sum(found.intervals) == pytest.approx(1, abs=0.01)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Traits) == found
