"""Renders measured, kept, and shown beside bounds."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from instrument.errors import HocketError
from instrument.music.midifile import write_midi
from instrument.music.notes import Piece
from tests.support.bands import COMMON, B, M, note
from training.cli import app
from training.evaluation.bands import renders
from training.evaluation.bands.__main__ import app as bounds_app
from training.evaluation.bands.bounds import BANDS, Bound, Bounds, read_bounds
from training.evaluation.bands.renders import (
    Job,
    Render,
    Results,
    jobs,
    measure,
    measure_file,
    patch_genre,
    read_results,
    write_results,
)
from training.evaluation.bands.report import cells, page, share_within


def results(*rows: tuple[str, str, dict[str, float]]) -> Results:
    return Results(1, "0.1", "stand-in", 180.0, [Render(n, g, i, f) for i, (n, g, f) in enumerate(rows)])


@pytest.fixture
def made(tmp_path):
    """A file as the instrument writes them: melody and bass in their parts, ten bars."""
    notes = [each for i in range(40) for each in (note(i, 60 + i % 4, 1, M), note(i, 36, 1, B))]
    write_midi(Piece(np.array(notes, np.int32), (COMMON,), ((0, 120.0),)), tmp_path / "made-1.mid")
    return tmp_path


def test_a_file_of_the_instrument_is_measured_in_its_parts(made) -> None:
    found = measure_file(made / "made-1.mid", 180)
    assert (found["melody bars"], found["bass bars"], found["drums bars"]) == (1, 1, 0)
    assert found["notes a second"] == 4
    assert found["exact repeats"] == 1
    assert measure_file(made / "made-1.mid", 16)["bass rest"] == 0


def test_what_cannot_be_measured_is_named(made) -> None:
    with pytest.raises(HocketError, match=r"made-1\.mid cannot be measured: it has 2 bars"):
        measure_file(made / "made-1.mid", 4)


def test_every_genre_and_every_patch_with_a_genre_is_rendered() -> None:
    found = {job.name: job for job in jobs("lstm-band")}
    assert found["jazz"].arguments == ("--model", "lstm-band", "--set", "genre=jazz")
    assert found["First light"].genre in BANDS
    assert set(renders.GENRES) < set(found)


def test_the_genre_of_a_patch_is_that_of_its_first_player_with_one(tmp_path) -> None:
    for name, players in (
        ("a", [{"model": "x"}, {"knobs": {"genre": "folk"}}]),
        ("b", [{"knobs": {"genre": "?"}}]),
    ):
        (tmp_path / f"{name}.json").write_text(json.dumps({"players": players}))
    assert patch_genre(tmp_path / "a.json") == "folk"
    assert patch_genre(tmp_path / "b.json") == ""


def test_renders_that_are_there_are_taken(made, monkeypatch) -> None:
    monkeypatch.setattr(renders, "jobs", lambda model: [Job("made", "folk", ("--model", model))])
    messages: list[str] = []
    found = measure("x", 180, [1], made, messages.append)
    assert not messages
    assert [(each.name, each.genre, each.seed) for each in found.renders] == [("made", "folk", 1)]


def test_the_instrument_renders_what_is_not_there(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(renders, "jobs", lambda model: [Job("folk", "folk", ("--model", model, "--set", "genre=folk"))])
    messages: list[str] = []
    found = measure("lstm-band", 20, [3], tmp_path, messages.append)
    assert messages == ["rendering folk-3.mid"]
    assert found.renders[0].figures["notes a second"] > 0
    with pytest.raises(HocketError, match=r"folk-1\.mid cannot be rendered: hocket: .*nobody"):
        measure("nobody", 20, [1], tmp_path, messages.append)


def test_results_are_kept(tmp_path) -> None:
    found = results(("pop", "pop", {"steps": 0.5}), ("Garage", "rock", {}))
    write_results(found, tmp_path / "found.json")
    assert read_results(tmp_path / "found.json") == found
    (tmp_path / "found.json").write_text("[]")
    with pytest.raises(HocketError, match="holds no figures of bands"):
        read_results(tmp_path / "found.json")


def test_a_cell_is_the_median_of_the_seeds() -> None:
    limits = {"steps": Bound(0.2, 0.3, 0.4, 20), "bass bars": Bound(0.5, 1, 1, 20)}
    bounds = Bounds(1, 180, 3, [], {"folk": limits, "pop": limits}, {})
    rows = [{"steps": value, "bass bars": 0.0, "range": 9.0} for value in (0.1, 0.3, 0.9)]
    found = cells(results(*(("folk", "folk", row) for row in rows), *(("Mine", "pop", row) for row in rows)), bounds)
    assert found["folk"] == {"bass bars": (0.0, None), "steps": (0.3, True), "range": (9.0, None)}
    assert found["Mine"]["bass bars"] == (0.0, False)
    assert share_within([found["folk"]]) == 1
    assert share_within(list(found.values())) == pytest.approx(2 / 3)


def test_the_page_shows_what_is_outside_and_what_was_before() -> None:
    now = results(("pop", "pop", {"steps": 0.01, "clash": 0.0}), ("Garage", "rock", {"steps": 0.2}))
    before = results(("pop", "pop", {"steps": 0.45}))
    text = page(now, read_bounds(), before)
    assert "| steps | 0.01* (0.45) |" in text
    assert "| pop | pop | 0.50 | 1.00 |" in text
    assert "| steps | 0.20 |" in text
    assert "| clash | 0.00 |" in page(now, read_bounds())


def test_the_command_prints_and_writes(made, monkeypatch) -> None:
    monkeypatch.setattr(renders, "jobs", lambda model: [Job("made", "folk", ("--model", model))])
    out, baseline = made / "out", made / "before.json"
    write_results(results(("made", "folk", {"steps": 0.25})), baseline)
    options = ["--seeds", "1", "--renders", str(made), "--baseline", str(baseline), "--out", str(out)]
    done = CliRunner().invoke(app, ["evaluate", "--bands", *options])
    assert done.exit_code == 0, done.output
    assert "| steps | 0.77* (0.25*) |" in done.stdout
    assert (out / "bands.md").read_text() in done.stdout
    assert read_results(out / "bands.json").renders[0].name == "made"
    done = CliRunner().invoke(app, ["evaluate", "--bands", "--json", *options])
    assert json.loads(done.stdout)["renders"][0]["name"] == "made"


def test_a_sound_model_has_no_bands() -> None:
    done = CliRunner().invoke(app, ["evaluate", "--bands", "--bundle", "vocoder-44k"])
    assert isinstance(done.exception, HocketError)
    assert str(done.exception) == "vocoder-44k makes no notes: choose a note model for --bands, such as lstm-band"


def test_bounds_need_pieces(tmp_path) -> None:
    done = CliRunner().invoke(bounds_app, ["bounds", "--data", str(tmp_path)])
    assert isinstance(done.exception, HocketError)
    assert str(tmp_path) in str(done.exception)
