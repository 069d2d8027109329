"""Plans from MIDI files."""

from pathlib import Path

import numpy as np
import pytest

from instrument.errors import HocketError
from instrument.music.charts import chart_plan, read_chart
from instrument.music.chords.names import chord_name
from instrument.music.midifile import write_midi
from instrument.music.notes import Marker, Part, Piece, tidy
from instrument.music.plan import Plan
from instrument.music.timebase import Metre
from tests.support.chords import block_piece

FIXTURES = Path(__file__).parents[1] / "fixtures" / "midi"


def spelt(plan: Plan) -> str:
    return " | ".join(" ".join(chord_name(c.chord) for c in bar.chords) or "?" for bar in plan.bars)


def tune(*markers: tuple[int, str], bars: int = 4) -> Piece:
    rows = [(24 * i, 0, 60 + i % 5, 24, 80, Part.MELODY) for i in range(4 * bars)]
    return Piece(tidy(np.array(rows, np.int32)), (Metre(0, 4, 4),), markers=tuple(Marker(*m) for m in markers))


@pytest.mark.parametrize("prefix", ["chord ", ""])
def test_markers_are_the_chart(prefix):
    chords = [(0, "Dm7"), (96, "G7"), (144, "Db7"), (192, "Cmaj7")]
    plan = chart_plan(tune(*((tick, prefix + name) for tick, name in chords)))
    assert spelt(plan) == "Dm7 | G7 Db7 | Cmaj7 | Cmaj7"
    assert [c.offset for c in plan.bars[1].chords] == [0, 48]


def test_a_chart_without_notes_is_read(tmp_path):
    piece = Piece(
        np.zeros((0, 6), np.int32),
        (Metre(0, 3, 4),),
        markers=(Marker(0, "Am"), Marker(72, "E7/G#"), Marker(144, "Am")),
    )
    write_midi(piece, tmp_path / "chart.mid")
    plan = read_chart(tmp_path / "chart.mid")
    assert spelt(plan) == "Am | E7/Ab | Am"
    assert {bar.metre for bar in plan.bars} == {(3, 4)}


def test_sections_and_keys_are_read_from_markers():
    plan = chart_plan(
        tune(
            (0, "key A:min"),
            (0, "form A1 chorus 1"),
            (0, "chord A:min"),
            (192, "form B1 chorus 1"),
            (288, "chord D:min"),
        )
    )
    assert [bar.section for bar in plan.bars] == ["A1", "A1", "B1", "B1"]
    assert [bar.begins for bar in plan.bars] == [True, False, True, False]
    assert plan.key == (9, "minor")
    assert spelt(plan) == "Am | Am | Am | Dm"


def test_markers_that_are_no_chords_are_sections():
    plan = chart_plan(tune((0, "Verse"), (0, "chord C"), (192, "section Chorus 2")))
    assert [bar.section for bar in plan.bars] == ["", "", "Chorus 2", "Chorus 2"]
    plan = chart_plan(tune((0, "Verse"), (1, "C"), (192, "Chorus"), (193, "F")))
    assert [bar.section for bar in plan.bars] == ["Verse", "Verse", "Chorus", "Chorus"]
    assert spelt(plan) == "C | C | F | F"


def test_letters_in_their_order_are_sections_not_chords():
    plan = chart_plan(tune((0, "A"), (96, "A"), (192, "B"), (288, "A")))
    assert [bar.section for bar in plan.bars] == ["A", "A", "B", "A"]
    assert all(bar.begins for bar in plan.bars)
    plan = chart_plan(tune((0, "Intro"), (96, "A"), (192, "B"), (288, "A")))
    assert [bar.section for bar in plan.bars] == ["Intro", "A", "B", "A"]
    plan = chart_plan(tune((0, "A"), (96, "D"), (192, "E"), (288, "A")))
    assert [bar.section for bar in plan.bars] == [""] * 4
    assert spelt(plan) == "A | D | E | A"


def test_before_the_first_marker_the_harmony_is_free():
    assert spelt(chart_plan(tune((96, "chord C")))) == "? | C | C | C"


def test_a_track_of_chords_is_the_chart():
    symbols = ["Dm7", "G13", "Cmaj9", "Cmaj9", "F#m7b5", "B7b9", "Em", "Em"]
    plan = chart_plan(block_piece(symbols))
    assert spelt(plan) == "Dm7 G13 | Cmaj9 | Gbm7b5 B7b9 | Em"


def test_broken_chords_are_recognised():
    rows = []
    for bar, (bass, tones) in enumerate(
        [(36, (60, 64, 67)), (41, (60, 65, 69)), (43, (59, 62, 67)), (36, (60, 64, 67))] * 2
    ):
        rows.append((96 * bar, 0, bass, 96, 80, Part.BASS))
        rows += [(96 * bar + 12 * i, 0, tones[i % 3], 12, 80, Part.CHORDS) for i in range(8)]
    plan = chart_plan(Piece(tidy(np.array(rows, np.int32)), (Metre(0, 4, 4),)))
    assert spelt(plan) == "C | F | G | C | C | F | G | C"


def test_a_bar_cut_short_keeps_its_length():
    piece = tune((0, "chord C"), (48, "chord F"))
    plan = chart_plan(Piece(piece.notes, (Metre(0, 4, 4), Metre(48, 3, 4)), markers=piece.markers))
    assert [bar.ticks for bar in plan.bars[:3]] == [48, 72, 72]
    assert spelt(plan).startswith("C | F | F")
    plan = chart_plan(Piece(piece.notes, (Metre(0, 4, 4), Metre(50, 3, 4)), markers=piece.markers))
    assert plan.bars[0].ticks == 48
    assert plan.bars[0].chords[-1].offset == 47  # what begins in the rest of the bar


def test_fixtures_are_charts():
    pop = read_chart(FIXTURES / "pop909_098.mid")
    assert pop.key is not None
    assert len({c.chord for bar in pop.bars for c in bar.chords}) > 5
    folk = read_chart(FIXTURES / "openewld_scarborough_fair.mid")
    assert {bar.metre for bar in folk.bars} == {(3, 4)}
    assert sum(bool(bar.chords) for bar in folk.bars) >= len(folk) - 1


def test_a_file_without_notes_and_markers_is_named(tmp_path):
    write_midi(Piece(np.zeros((0, 6), np.int32)), tmp_path / "empty.mid")
    with pytest.raises(HocketError, match="neither notes nor markers"):
        read_chart(tmp_path / "empty.mid")
