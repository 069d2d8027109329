"""Bounds of pieces whose figures are made up, foils, and the bounds that are kept."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from instrument.errors import HocketError
from instrument.music.midifile import write_midi
from instrument.music.notes import Piece
from tests.support.bands import COMMON, B, C, D, M, block, excerpt, note
from training.evaluation.bands.bounds import (
    BANDS,
    Bound,
    band_of,
    judge,
    medians,
    parts_of,
    read_bounds,
    write_bounds,
)
from training.evaluation.bands.figures import FIGURES, figures
from training.evaluation.bands.foils import FOILS, REAL, chosen, foils, loop, random_tune, shuffled
from training.evaluation.bands.references import Reference, genre_bounds, references
from training.evaluation.bands.renders import GENRES

PIECE = excerpt([note(i, 60 + i % 5) for i in range(32)], 8)
ALONE = {"melody bars": 1.0, "chords bars": 0.0, "bass bars": 0.0, "drums bars": 0.0}
BAND = dict.fromkeys(ALONE, 1.0)


def reference(genre: str, found: dict[str, float], dataset: str = "made", played: bool = True) -> Reference:
    return Reference(dataset, "name.mid", "0" * 16, genre, "test", played, PIECE, ALONE | found)


def test_the_figures_are_those_of_the_table_in_its_order() -> None:
    chords = ((60, 64, 67), (59, 62, 67), (60, 65, 69))
    notes = [each for bar in range(40) for each in block(4 * bar, chords[bar % 3], 4)]
    notes += [note(i / 2, 72 + i % 5, 0.5, M, 60 + i % 7) for i in range(320)]
    notes += [note(i, 36, 1, B) for i in range(160)] + [note(i, 36, 1, D) for i in range(160)]
    found = figures(excerpt(notes, 40))
    assert list(found) == list(FIGURES)
    assert parts_of(found) == {M, C, B, D}
    assert list(figures(PIECE)) == [name for name in FIGURES if name in figures(PIECE)]
    assert "kicks with bass" not in figures(PIECE)


def test_a_genre_with_twenty_pieces_has_bounds_of_its_own() -> None:
    found = [reference("pop", {"steps": i / 20}) for i in range(21)]
    assert genre_bounds(found, "pop")["steps"] == Bound(0.1, 0.5, 0.9, 21)


def test_a_smaller_one_is_pooled_with_the_next_related_ones_until_there_are_enough() -> None:
    found = [
        reference(g, {"steps": v})
        for g, n, v in (("rock", 8, 0.0), ("game", 11, 0.5), ("pop", 9, 1.0))
        for _ in range(n)
    ]
    assert genre_bounds(found, "rock")["steps"] == Bound(0, 0.5, 1, 28, "rock+game+pop")
    assert "steps" not in genre_bounds(found[:19], "rock"), "nineteen are too few"


def test_bass_and_drums_are_pooled_with_bands_and_drums_with_drummers() -> None:
    found = [reference("jazz", BAND | {"bass a second": 1.0, "drums a second": 1.0}) for _ in range(12)]
    found += [reference("game", BAND | {"bass a second": 2.0, "drums a second": 2.0}) for _ in range(7)]
    found += [reference("pop", BAND | {"bass a second": 9.0, "drums a second": 9.0}) for _ in range(20)]
    drummer = ALONE | {"melody bars": 0.0, "drums bars": 1.0, "drums a second": 3.0, "swing": 0.6}
    found += [reference("rock", drummer, "groove") for _ in range(10)]
    limits = genre_bounds(found, "jazz")
    assert (limits["drums a second"].pieces, limits["drums a second"].pool) == (29, "jazz+bands+groove")
    assert "bass a second" not in limits
    assert "drums bars" not in limits, "a drummer alone has no rests of a band"
    assert "swing" not in limits
    assert genre_bounds(found, "pop")["drums a second"].pieces == 20


def test_jazz_swings_as_jazz_drummers_do() -> None:
    found = [reference("jazz", {"swing": 0.5}) for _ in range(30)]
    found += [
        reference("jazz", {"swing": 0.66, "drums bars": 1.0}, "groove")._replace(split="train") for _ in range(20)
    ]
    limits = genre_bounds(found, "jazz")
    assert limits["swing"] == Bound(0.66, 0.66, 0.66, 20, "groove jazz")
    assert "drums a second" not in limits, "all else is of the test split"


def test_drummers_count_for_swing_in_other_genres_too() -> None:
    found = [reference("pop", {"swing": 0.5}) for _ in range(10)]
    found += [reference("rock", {"swing": 0.48, "drums bars": 1.0}, "groove") for _ in range(10)]
    found += [reference("jazz", {"swing": 0.66, "drums bars": 1.0}, "groove") for _ in range(10)]
    assert genre_bounds(found, "pop")["swing"] == Bound(0.48, 0.49, 0.5, 20, "pop+groove")


def test_what_lacks_the_part_or_was_not_played_does_not_count() -> None:
    played = [reference("pop", {"melody dynamics": 10.0, "bass rest": 8.0}) for _ in range(20)]
    written = [reference("pop", {"melody dynamics": 0.0}, played=False) for _ in range(20)]
    limits = genre_bounds(played + written, "pop")
    assert limits["melody dynamics"] == Bound(10, 10, 10, 20)
    assert "bass rest" not in limits


def test_judging() -> None:
    limits = {"steps": Bound(0.2, 0.4, 0.6, 20), "leaps": Bound(0, 0, 0, 20), "bass rest": Bound(0, 1, 2, 20)}
    row = {"steps": 0.6, "leaps": 0.01, "bass rest": 8.0, "range": 3.0}
    assert judge(row, limits, {M, B}) == {"steps": True, "leaps": False, "bass rest": False}
    assert judge(row, limits, {M}) == {"steps": True, "leaps": False}
    assert judge({"leaps": 0.0}, limits, {M}) == {"leaps": True}


def test_medians_are_over_the_rows_that_have_the_figure() -> None:
    assert medians([{"steps": 0.1}, {"steps": 0.5, "range": 7.0}, {"steps": 0.2}]) == {
        "steps": 0.2,
        "range": 7.0,
    }


def test_an_unknown_genre_is_one_clear_line() -> None:
    with pytest.raises(HocketError, match=r"polka.*choose one of chorale"):
        band_of("polka")


def test_a_loop_is_four_bars_again_and_again() -> None:
    source = excerpt([note(i, 40 + i, 9) for i in range(64)], 16)
    found = loop(source)
    assert found.bars == 90
    limits = figures(found)
    assert limits["like 4 before"] == limits["exact repeats"] * 89 / 86 == limits["recalled"] == 1
    assert found.notes[:16, 2].tolist() == list(range(56, 72)), "the fifth bar to the eighth"
    assert found.notes[15, 3] == 24, "nothing sounds beyond the loop"


def test_shuffled_bars_are_the_same_bars() -> None:
    source = excerpt([note(i, 40 + i) for i in range(64)], 16)
    found = shuffled(source, 1)
    assert sorted(found.notes[:, 2].tolist()) == list(range(40, 104))
    assert found.notes[:, 0].tolist() == list(range(0, 64 * 24, 24))
    bars = found.notes[:, 2].reshape(16, 4)
    assert (np.diff(bars, axis=1) == 1).all()
    assert (bars[:, 0] != np.arange(40, 104, 4)).any()


def test_a_random_tune_is_in_a_key_over_its_roots() -> None:
    limits = figures(random_tune(1))
    assert limits["bass at changes"] == limits["bass on strong beats"] == limits["chords on strong beats"] == 1
    assert limits["diatonic chords"] > 0.9
    assert limits["melody a second"] == pytest.approx(200 / 60)
    assert figures(random_tune(1)) == limits != figures(random_tune(2))


def test_pieces_are_chosen_among_the_longer_ones() -> None:
    pieces = [excerpt([note(0, 60)], bars) for bars in range(10, 50)]
    assert [each.bars for each in chosen(pieces, 4)] == [49, 44, 39, 34]
    assert len(chosen(pieces[:3], 4)) == 3


def test_foils_are_held_against_the_pieces_that_they_are_made_of() -> None:
    rng = np.random.default_rng(1)
    tunes = [excerpt([note(i, 60 + int(p)) for i, p in enumerate(rng.integers(0, 9, 96))], 24) for _ in range(4)]
    limits = {"exact repeats": Bound(0, 0, 0.5, 20), "range": Bound(20, 20, 20, 20)}
    found = foils({genre: tunes if genre == "folk" else [] for genre in BANDS}, {"folk": limits, "pop": limits})
    assert set(found) == {"folk"}
    assert (found["folk"][REAL].usual, found["folk"]["loop"].usual) == (1, 2)
    assert found["folk"]["loop"].newly == 1, "its range was outside before"
    assert found["folk"]["loop"].within_three == 0


def test_bounds_are_kept_as_they_are(tmp_path) -> None:
    write_bounds(read_bounds(), tmp_path / "bounds.json")
    assert read_bounds(tmp_path / "bounds.json") == read_bounds()


@pytest.mark.parametrize("text", ["{}", '{"version":2'])
def test_what_is_no_bounds_is_refused(tmp_path, text) -> None:
    (tmp_path / "bounds.json").write_text(text)
    with pytest.raises(HocketError, match="holds no bounds"):
        read_bounds(tmp_path / "bounds.json")


def test_a_folder_without_test_pieces_is_refused(corpus) -> None:
    with pytest.raises(HocketError, match="no pieces of split test"):
        references(corpus)


def test_references_are_test_pieces_that_people_made(tmp_path) -> None:
    notes = {8: [note(i, 60 + i % 5) for i in range(32)], 2: [note(i, 60) for i in range(8)]}
    rows = [
        ("tunes", "tunes/a.mid", "pop", "test", "0", 8),
        ("tunes", "tunes/trained.mid", "pop", "train", "0", 8),
        ("tunes", "tunes/short.mid", "pop", "test", "0", 2),
        ("tunes", "tunes/realised.mid", "pop", "test", "1", 8),
        ("improvisor_solos", "improvisor_solos/a.mid", "jazz", "test", "0", 8),
        ("wjazzd", "wjazzd/a.mid", "jazz", "test", "0", 8),
        ("wjazzd_band", "wjazzd_band/a.mid", "jazz", "test", "0", 8),
        ("groove", "groove/jazz.mid", "jazz", "train", "0", 8),
        ("groove", "groove/rock.mid", "rock", "train", "0", 8),
    ]
    lines = ["path,dataset,genre,licence,split,realised"]
    for dataset, path, genre, split, realised, bars in rows:
        (tmp_path / dataset).mkdir(exist_ok=True)
        write_midi(Piece(np.array(notes[bars], np.int32), (COMMON,)), tmp_path / path)
        lines.append(f"{path},{dataset},{genre},,{split},{realised}")
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    found = references(tmp_path)
    assert [each.path for each in found] == ["groove/jazz.mid", "tunes/a.mid", "wjazzd_band/a.mid"]
    assert found[1].hash == hashlib.sha256((tmp_path / "tunes/a.mid").read_bytes()).hexdigest()[:16]
    assert not found[1].played
    assert found[1].figures["notes a second"] == 2


@pytest.mark.parametrize("genre", GENRES)
@pytest.mark.parametrize("name", FOILS)
def test_every_foil_is_outside_in_three_figures(genre: str, name: str) -> None:
    foil = read_bounds().foils[genre][name]
    assert foil.pieces >= 8
    assert foil.usual >= 3
    assert foil.newly >= 2, "and not only because the piece that it is made of is"


@pytest.mark.parametrize("genre", GENRES)
def test_real_pieces_are_within_more_than_foils_made_of_them(genre: str) -> None:
    limits = read_bounds().foils[genre]
    assert limits[REAL].within_three > max(limits[name].within_three for name in ("loop", "shuffled", "random tune"))


WITHOUT_BOUNDS = {"chorale": {"bass dynamics", "melody dynamics", "swing"}, "folk": set(), "classical": set()}
"""Figures without bounds: too few pieces have a bass with dynamics, and chorales and lieder are written."""


@pytest.mark.parametrize("genre", GENRES)
def test_every_bound_has_twenty_pieces(genre: str) -> None:
    limits = read_bounds().bounds[genre]
    needed = {name for name in FIGURES if FIGURES[name].needs <= BANDS[genre]}
    assert needed - set(limits) == WITHOUT_BOUNDS.get(genre, {"bass dynamics"})
    assert min(bound.pieces for bound in limits.values()) >= 20


def test_no_machine_made_accompaniment_is_a_reference() -> None:
    pieces = read_bounds().pieces
    assert len(pieces) > 400
    assert not [path for dataset, path, _ in pieces if dataset.startswith("improvisor") or dataset == "wjazzd"]
