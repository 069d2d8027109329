"""The groove of pieces whose accents, delays and swing are known."""

import numpy as np
import pytest

from instrument.engine.performance.expression.grooves import read_grooves
from instrument.errors import HocketError
from instrument.music.notes import Part, tidy
from tests.training.data.test_traits import facts
from training.data.notes.grooves import measure, write_grooves
from training.data.notes.writing import ShardWriter

ACCENTS = np.array([20, 0, -5, -10, 8, -8, 0, -12] * 2)
DRUMS = (36, 38, 42, 49)


def drummed(bars: int = 12, swing: float = 0.5, late: int = 2) -> np.ndarray:
    """Eighths of four drums and three parts with known accents; off-beats `late` eighths of a tick behind."""
    rows = []
    chance = np.random.default_rng(0)
    for bar in range(bars):
        for eighth in range(8):
            off = eighth % 2
            tick = bar * 96 + eighth // 2 * 24 + (round(swing * 24) if off else 0)
            for pitch, part in (*((drum, Part.DRUMS) for drum in DRUMS), *((60 + p, p) for p in (0, 1, 2))):
                velocity = 70 + ACCENTS[2 * eighth] + chance.integers(-3, 4)
                rows.append((tick, late * off, pitch, 6, velocity, int(part)))
    return tidy(np.array(rows, np.int32))


@pytest.mark.parametrize("swing", [0.5, 0.625])
def test_accents_delays_and_spread_are_found_and_swing_is_left_out(swing):
    accents, delays, spread = measure(drummed(swing=swing))["hat"]
    wanted = ACCENTS[::2] - ACCENTS[::2].mean()
    assert accents[::2] == pytest.approx(wanted, abs=1.5)
    assert np.isnan(accents[1::2]).all()
    assert spread == pytest.approx(2.0, abs=0.4)
    assert delays[2] - delays[0] == pytest.approx(0.0, abs=0.6)  # off-beats that are all late swing


def test_what_has_one_velocity_says_nothing():
    flat = drummed()
    flat[:, 4] = 80
    assert measure(flat) == {}


def test_a_table_is_written_that_the_instrument_reads(tmp_path):
    writer = ShardWriter(tmp_path)
    for genre in ("funk", "jazz"):
        writer.add(
            facts(140.0 if genre == "jazz" else 100.0, genre=genre), drummed(swing=0.67 if genre == "jazz" else 0.5)
        )
    writer.finish(writer.pieces, "")
    assert write_grooves(tmp_path, tmp_path / "grooves.toml") == ["funk", "jazz"]
    table = read_grooves(tmp_path / "grooves.toml")
    assert table["jazz"].tempo == 140
    assert table["funk"].hat.accents[0] > table["funk"].hat.accents[2]


def test_data_without_dynamics_is_refused(tmp_path):
    writer = ShardWriter(tmp_path)
    flat = drummed()
    flat[:, 4] = 80
    writer.add(facts(), flat)
    writer.finish(writer.pieces, "")
    with pytest.raises(HocketError, match="dynamics"):
        write_grooves(tmp_path, tmp_path / "grooves.toml")
