"""Accompaniments of chords that are known."""

from itertools import pairwise

import msgspec
import numpy as np
import pytest

from instrument.errors import HocketError
from instrument.music.chords.changes import ChordChange
from instrument.music.chords.names import QUALITIES, chord, parse_chord
from instrument.music.notes import Part, Piece
from instrument.music.timebase import Metre
from instrument.paths import assets_dir
from training.data.arranging.bars import Bar, Harmony, bars_of
from training.data.arranging.basslines import RANGE, bass_line
from training.data.arranging.comping import comping, lead
from training.data.arranging.drummers import EARLY, choose, laid, performance
from training.data.arranging.styles import TABLE, Style, read_styles
from training.data.notes.shards import PieceInfo

STYLES = read_styles()
COMMON, WALTZ, JIG = Metre(0, 4, 4), Metre(0, 3, 4), Metre(0, 6, 8)
CHANGES = ("Dm7", "G7", "Cmaj7", "A7", "Dm7", "G7", "Cmaj7", "Cmaj7")


def harmony(symbols=CHANGES, ticks: int = 96) -> Harmony:
    changes = [ChordChange(i * ticks, parse_chord(symbol)) for i, symbol in enumerate(symbols)]
    return Harmony(changes, len(symbols) * ticks)


def bars(count: int, metre: Metre = COMMON) -> list[Bar]:
    return [Bar(i * metre.bar_ticks, (i + 1) * metre.bar_ticks, metre) for i in range(count)]


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def bass(name: str, count: int = 8, symbols=CHANGES, kicks=(), seed: int = 1) -> list[tuple[int, ...]]:
    return list(bass_line(STYLES[name], bars(count), harmony(symbols), kicks, rng(seed)))


@pytest.mark.parametrize("name", list(STYLES))
@pytest.mark.parametrize("ticks", [48, 96, 60])
def test_a_bass_is_on_the_chord_s_bass_at_every_change(name, ticks):
    changes = harmony(("Dm7", "G7/B", "C", "F#m7b5", "B7", "Em", "Asus4", "C/E"), ticks)
    notes = list(bass_line(STYLES[name], bars(-(-8 * ticks // 96)), changes, (), rng()))
    struck = {row[0]: row[2] for row in notes}
    for change in changes.changes:
        assert struck[change.tick] % 12 == change.chord.bass
    assert all(RANGE[0] <= row[2] <= RANGE[1] and row[5] == Part.BASS for row in notes)
    assert all(a[0] + a[3] <= b[0] for a, b in pairwise(notes))  # one note at a time


def test_a_walking_bass_walks_in_quarters_and_leads_into_the_next_chord():
    for seed in range(5):
        notes = bass("swing", seed=seed)
        assert [row[0] for row in notes] == list(range(0, 8 * 96, 24))
        assert all(a[2] != b[2] for a, b in pairwise(notes[:28]))
        for bar in range(6):
            into, arrival = notes[4 * bar + 3][2], notes[4 * bar + 4][2]
            assert abs(into - arrival) == 1 or (into - arrival) % 12 == 7
            middle = notes[4 * bar + 1][2], notes[4 * bar + 2][2]
            assert {pitch % 12 for pitch in middle} <= parse_chord(CHANGES[bar]).tones


def test_a_riff_follows_the_kicks_where_its_style_has_it_so():
    kicks = [bar * 96 + tick for bar in range(8) for tick in (0, 36, 60)]
    assert [row[0] for row in bass("rock", kicks=kicks)] == kicks
    assert [row[0] for row in bass("bossa", kicks=kicks)] == [row[0] for row in bass("bossa")]
    between = [bar * 96 + tick for bar in range(8) for tick in (0, 2, 50)]
    assert [row[0] for row in bass("rock", kicks=between)] == [t for t in between if t % 96 != 2]
    assert [row[0] % 96 for row in bass("rock", kicks=[20])][:2] == [0, 20]  # the change has a note all the same


def test_no_bass_where_there_is_no_chord():
    notes = bass("rock", symbols=("C", "N.C.", "F", "N.C.", "C", "C", "C", "C"))
    assert {row[0] // 96 for row in notes} == {0, 2, 4, 5, 6, 7}
    assert all((row[0] + row[3] - 1) // 96 not in (1, 3) for row in notes)


def test_voices_go_the_shortest_way():
    triad = lead((), parse_chord("C"), rootless=False)
    assert {pitch % 12 for pitch in triad} == {0, 4, 7}
    after = lead((60, 64, 67), parse_chord("F"), rootless=False)
    assert after == (60, 65, 69)
    assert lead(after, parse_chord("C"), rootless=False) == (60, 64, 67)
    rootless = lead((), parse_chord("G13"), rootless=True)
    assert {pitch % 12 for pitch in rootless} == {11, 9, 4, 5}  # neither root nor fifth
    assert len(lead((), parse_chord("C7"), rootless=False)) == 4
    assert len(lead((), parse_chord("C5"), rootless=True)) == 2


def test_every_chord_has_a_voicing_from_every_other():
    for quality, intervals in QUALITIES.items():
        for root in range(12 if intervals else 0):
            for rootless in (False, True):
                found = lead((55, 60, 64), chord(root, quality), rootless)
                assert {pitch % 12 for pitch in found} <= {(root + i) % 12 for i in intervals}
                assert len(found) == min(4, len(intervals) - (rootless and len(intervals) >= 4))


@pytest.mark.parametrize(("name", "metre"), [(n, m) for n, s in STYLES.items() for m in (COMMON, WALTZ, JIG)
                                             if s.plays(m)])  # fmt: skip
def test_comping_plays_the_chords_in_the_rhythm_of_the_style(name, metre):
    style, length = STYLES[name], metre.bar_ticks
    changes = harmony(ticks=length)
    rows = list(comping(style, bars(8, metre), changes, [], rng()))
    places = {
        round(24 * style.swung(stroke.beat, metre))
        for pattern in style.comping[f"{metre.numerator}/{metre.denominator}"]
        for stroke in pattern
    }
    assert {row[0] % length for row in rows} <= places
    for tick, _, pitch, duration, _, part in rows:
        now, after = changes.at(tick), changes.at(changes.next_change(tick))
        assert part == Part.CHORDS
        assert pitch % 12 in now.tones or (pitch % 12 in after.tones and changes.next_change(tick) - tick <= 12)
        assert tick + duration <= 8 * length


def test_a_chord_leaves_out_what_clashes_with_the_tune():
    tune = [(0, 0, 64, 8 * 96, 90, int(Part.MELODY))]  # an E over F: a semitone below its root
    rows = list(comping(STYLES["ballad"], bars(8), harmony(("F",) * 8), tune, rng()))
    assert {row[2] % 12 for row in rows} == {0, 9}
    free = list(comping(STYLES["ballad"], bars(8), harmony(("F",) * 8), [], rng()))
    assert {row[2] % 12 for row in free} == {0, 5, 9}


def facts(path: str = "d.mid", subgenre: str = "jazz/swing beat", bpm: float = 120, metre=(0, 4, 4)) -> PieceInfo:
    return PieceInfo(
        path, "groove", "jazz", subgenre, "CC-BY-4.0", "train", 0, 0, 0, 60.0, bpm, True, False, False, [metre],
        [(0, bpm)], [], 0,
    )  # fmt: skip


def drumming(count: int, metre: Metre = COMMON, first: int = 0) -> np.ndarray:
    """A kick on each downbeat, of velocity 1, 2, 3, ... bar by bar."""
    rows = [(first + i * metre.bar_ticks, 0, 36, 6, i + 1, int(Part.DRUMS)) for i in range(count)]
    return np.array(rows, np.int32)


def test_drums_go_round_at_the_bar_lines():
    chosen = performance(facts(), drumming(12))
    assert chosen.bars == 12
    laid_out = laid(chosen, bars(30), rng())
    assert laid_out[:, 0].tolist() == [96 * i for i in range(30)]
    first = int(laid_out[0, 4]) - 1
    assert first % 4 == 0
    assert laid_out[:, 4].tolist() == [(first + i) % 12 + 1 for i in range(30)]


def test_drums_that_are_early_stay_at_their_bar_line():
    early = drumming(9)
    early[1:, 0] -= EARLY
    laid_out = laid(performance(facts(), early), bars(9), np.random.default_rng(0))
    first = int(laid_out[0, 4])  # of a phrase after the first, its note before tick 0 is left out
    assert (laid_out[:, 0] >= 0).all()
    assert {int(row[0]) % 96 for row in laid_out if row[4] != 1} == {96 - EARLY}
    assert {int(row[0]) % 96 for row in laid_out if row[4] == 1} == {0}
    assert first in (1, 6)


def test_half_bars_take_halves_of_common_time_and_others_none():
    chosen = performance(facts(), drumming(8))
    half = Metre(0, 2, 4)
    assert len(laid(chosen, bars(16, half), rng())) == 8
    assert len(laid(chosen, bars(16, WALTZ), rng())) == 0
    assert choose([chosen], "swing", 120, half.bar_ticks, rng()) is chosen
    assert choose([chosen], "swing", 120, WALTZ.bar_ticks, rng()) is None


def test_drummers_are_chosen_by_style_and_tempo():
    found = [
        performance(facts(f"{style}{bpm}", f"{style} beat", bpm), drumming(8))
        for style in ("rock", "jazz") for bpm in range(60, 200, 10)
    ]  # fmt: skip
    seen = {choose(found, "^jazz", 101, 96, rng(seed)).info.path for seed in range(40)}
    assert seen == {"jazz90", "jazz100", "jazz110", "jazz120"}
    assert choose(found, "^bossa", 100, 96, rng()) is None


def test_what_is_no_performance():
    assert performance(facts(), drumming(7)) is None
    assert performance(msgspec.structs.replace(facts(), drums_only=False), drumming(8)) is None
    two = msgspec.structs.replace(facts(), metres=[(0, 4, 4), (96, 3, 4)])
    assert performance(two, drumming(8)) is None


def test_bars_begin_with_the_first_note():
    notes = np.array([(96 + 24, 0, 60, 24, 80, 0)], np.int32)
    assert bars_of(Piece(notes, (COMMON, Metre(288, 3, 4))), 96 * 4) == [
        Bar(96, 192, COMMON),
        Bar(192, 288, COMMON),
        Bar(288, 360, Metre(288, 3, 4)),
        Bar(360, 432, Metre(288, 3, 4)),
    ]


def test_styles_fit_in_their_bars():
    for style in STYLES.values():
        for table in (style.comping, style.bass):
            for metre, patterns in table.items():
                numerator, denominator = map(int, metre.split("/"))
                assert all(stroke.beat < 4 * numerator / denominator for bar in patterns for stroke in bar)
        assert set(style.comping) == set(style.bass)
        assert any(style.plays(metre) for metre in (COMMON, WALTZ))


def test_off_beat_eighths_are_swung_in_simple_metres():
    swing = STYLES["swing"]
    assert swing.swung(1.5, COMMON) == pytest.approx(1.64)
    assert swing.swung(1.0, COMMON) == 1.0
    assert swing.swung(1.5, JIG) == 1.5
    assert STYLES["rock"].swung(1.5, COMMON) == 1.5


def test_bad_tables_of_styles_are_named(tmp_path):
    path = tmp_path / "styles.toml"
    whole = (assets_dir() / TABLE).read_text()
    path.write_text(whole)
    assert isinstance(read_styles(path)["swing"], Style)
    for text in (
        "[",
        "[swing]\n",
        whole.replace("swing = 0.64", "swing = 2.0"),
        whole.replace('"^country', '"(^country'),
    ):
        path.write_text(text)
        with pytest.raises(HocketError, match=r"styles\.toml cannot be read"):
            read_styles(path)
    with pytest.raises(HocketError, match="cannot be read"):
        read_styles(tmp_path / "none.toml")
