"""Plans read into slots, on constructed pieces."""

import numpy as np
import pytest
from typer.testing import CliRunner

from instrument.errors import HocketError
from instrument.models.plan.slots import ENDING, INTRO, NO_CHORD_CLASS, PLAIN, WIDTH
from tests.training.plan_corpus import bar, form, piece, songs, write_plans
from training.cli import app
from training.core.recipe import Data
from training.data.plans import FILE, FORM_GENRE, licences, open_plans, prepare_plans


def read(tmp_path, pieces, forms=None):
    return prepare_plans(write_plans(tmp_path / "source", pieces, forms), tmp_path / "out").pieces


def test_a_slot_has_the_last_chord_at_or_before_its_start(tmp_path):
    bars = [
        bar((0, 2, "min7"), (2, 7, "7")),
        bar((0, 0, "maj"), (1, 5, "maj"), (3.5, 7, "maj")),  # what begins after a slot is in the next bar at most
        bar((0, 0, "N")),
        bar((0, 9, "min"), (1, 7, "maj9"), (2, 0, "sus4"), metre=(3, 4)),
    ]
    (found,) = read(tmp_path, [piece(0, bars=bars)])
    assert found.metres == [(4, 4), (4, 4), (4, 4), (3, 4)]
    assert found.chords == [
        4 * 12 + 2, 2 * 12 + 7,
        0, 5,
        NO_CHORD_CLASS, NO_CHORD_CLASS,
        12 + 9, 3 * 12 + 7, 6 * 12,
    ]  # fmt: skip
    assert found.features().shape == (9, WIDTH)


def test_roots_are_counted_from_the_tonic(tmp_path):
    one, other = read(tmp_path, [piece(0), piece(0, tonic=5)])
    assert one.chords == other.chords
    assert np.array_equal(one.features(), other.features())


def test_chorales_have_a_slot_a_beat(tmp_path):
    bars = [bar((0, 0, "maj"), (1, 2, "min"), (2, 7, "7"), (3, 0, "maj")), bar((0, 0, "maj"), metre=(2, 2))]
    (found,) = read(tmp_path, [piece(0, "chorale", bars=bars)])
    assert found.chords == [0, 12 + 2, 2 * 12 + 7, 0, 0, 0]


def test_pieces_without_a_key_or_of_other_genres_are_left_out(tmp_path):
    pieces = [piece(0, key=None), piece(1, "template"), piece(2, bars=[bar((0, 0, "maj"))]), piece(3)]
    assert [found.id for found in read(tmp_path, pieces)] == ["pop-train-3"]


def test_sections_are_numbered_by_first_appearance(tmp_path):
    (found,) = read(tmp_path, [piece(0)])
    assert found.sections == [(0, 4, PLAIN), (0, 4, PLAIN), (1, 4, PLAIN), (0, 4, PLAIN)]
    labels = ["intro", "intro", "verse", "verse", None, "Coda"]
    bars = [bar((0, 0, "maj"), section=label) for label in labels]
    (found,) = read(tmp_path, [piece(0, bars=bars)])
    assert found.sections == [(0, 2, INTRO), (1, 2, PLAIN), (-1, 1, PLAIN), (2, 1, ENDING)]
    assert [section.id for section in found.form] == [0, 1, 2]


def test_where_letters_say_what_is_alike_labels_do_not(tmp_path):
    bars = [
        bar((0, 0, "maj"), section=label, letter=letter, start=1)
        for label, letter in (("verse", "A"), ("verse", "B"), ("solo", "A'"), ("fadeout", "C"))
    ]
    lettered, plain = read(tmp_path, [piece(0, bars=bars, source="mcgill_billboard"), piece(1, bars=bars)])
    assert [section[0] for section in lettered.sections] == [0, 1, 0, 2]
    assert [section[0] for section in plain.sections] == [0, 0, 1, 2]
    assert lettered.sections[-1][2] == ENDING


def test_forms_are_pieces_of_sections_alone(tmp_path):
    found = read(tmp_path, [piece(0)], [form(1)])[-1]
    assert (found.genre, found.chords, found.metres) == (FORM_GENRE, [], [])
    assert [section.id for section in found.form] == [0, 1, 2, 1, 2, 3]
    assert [section.kind for section in found.form] == [INTRO, PLAIN, PLAIN, PLAIN, PLAIN, ENDING]


def test_pieces_are_chosen_by_split_licence_and_source(tmp_path):
    pieces = [*songs(), piece(9, licence="GPL-3.0"), piece(8, source="others", licence="CC BY-SA 4.0")]
    plans = prepare_plans(write_plans(tmp_path / "source", pieces), tmp_path / "out")
    assert {p.split for p in plans.select("test")} == {"test"}
    assert len(plans.select("train")) == 10
    assert len(plans.select("train", Data(ship_only=True))) == 9
    assert len(plans.select("train", Data(ship_only=False, exclude=("others",)))) == 9
    assert licences(plans.select("train", Data(ship_only=True))) == {"others": "CC BY-SA 4.0", "songs": "CC0"}


def test_the_command_prepares_what_opens_again(tmp_path):
    source = write_plans(tmp_path / "source", songs(), [form(0)])
    done = CliRunner().invoke(app, ["prepare-plans", str(source), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "13 pieces" in done.output
    assert open_plans(tmp_path / "out").pieces == prepare_plans(source, tmp_path / "again").pieces


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"split": "else"}, "split 'else'"),
        ({"bars": [bar((0, 0, "maj")), {"section": None}]}, "'pop-train-0' is not as it should be"),
        ({"bars": [bar((0, 0, "maj")), bar((0, 0, "odd"))]}, "unknown chord quality 'odd'"),
    ],
)
def test_what_is_not_as_it_should_be_is_named(tmp_path, change, says):
    with pytest.raises(HocketError, match=says):
        read(tmp_path, [piece(0, **change)])


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(HocketError, match=r"plans\.jsonl\.gz cannot be read"):
        prepare_plans(tmp_path, tmp_path / "out")
    (tmp_path / "plans.jsonl.gz").write_bytes(b"no gzip")
    with pytest.raises(HocketError, match=r"plans\.jsonl\.gz cannot be read"):
        prepare_plans(tmp_path, tmp_path / "out")
    with pytest.raises(HocketError, match="prepare-plans"):
        open_plans(tmp_path)
    (tmp_path / FILE).write_text('{"version": 1}')
    with pytest.raises(HocketError, match="prepare the plans again"):
        open_plans(tmp_path)
    with pytest.raises(HocketError, match="no plan with a key"):
        read(tmp_path, [piece(0, "template")])
