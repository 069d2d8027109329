"""Plans that the shipped model writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from instrument.errors import HocketError
from instrument.models.bundle import open_bundle
from instrument.models.plan.outline import ENDING_LABEL, classes_of, outline_of
from instrument.models.plan.slots import GENRES, NEAREST, NO_CHORD_CLASS, TONICS, slots_in_bar
from instrument.models.plan.writer import ENDING_BARS, PlanWriter, Settings
from instrument.music.chords.names import chord
from instrument.music.plan import Plan, PlanBar, PlannedChord, Recall

MODELS = Path(__file__).parents[3] / "models_onnx"
C_MAJOR = Plan(key=(0, "major"))


@pytest.fixture(scope="module")
def writer() -> PlanWriter:
    return PlanWriter(open_bundle(MODELS / "plan-band", trusted=True))


def written(writer: PlanWriter, count: int, plan: Plan = C_MAJOR, **settings) -> Plan:
    return plan.extended(writer.bars(plan, count, Settings(**settings)))


def test_the_bundle_gives_its_golden_output(writer):
    bundle = writer.bundle
    golden = bundle.golden()
    hidden = np.zeros((1, *bundle.manifest.states[0].shape), np.float32)
    for at in range(golden["row"].shape[1]):
        logs, hidden = bundle.session("chord").run({"row": golden["row"][:, at], "hidden": hidden})
        assert np.abs(logs - golden["chords"][:, at]).max() < bundle.manifest.golden.tolerance
    assert sum(file.stat().st_size for file in bundle.folder.iterdir()) <= 2 << 20


@pytest.mark.parametrize("genre", GENRES)
@pytest.mark.parametrize("key", [(0, "major"), (9, "minor")])
def test_the_same_plan_comes_whether_asked_for_at_once_or_bar_by_bar(writer, genre, key):
    whole = written(writer, 40, Plan(key=key), genre=genre, seed=5)
    assert len(whole) == 40
    fresh = PlanWriter(writer.bundle)
    plan = Plan(key=key)
    for count in (1, 1, 7, 1, 12, 18):
        plan = written(fresh, count, plan, genre=genre, seed=5)
    assert plan == whole


def test_what_comes_is_a_function_of_the_plan_so_far(writer):
    whole = written(writer, 32, genre="jazz", seed=3)
    written(writer, 20, genre="rock", seed=8)  # the writer has written another plan meanwhile
    for cut in (1, 5, 16, 31):
        again = written(PlanWriter(writer.bundle), 32 - cut, whole.replaced(cut, []), genre="jazz", seed=3)
        assert again == whole


def test_another_seed_writes_another_plan(writer):
    plans = {tuple(bar.chords for bar in written(writer, 16, seed=seed).bars) for seed in range(6)}
    assert len(plans) == 6


def test_an_edited_plan_goes_on_from_what_it_says_now(writer):
    whole = written(writer, 24, seed=2)
    edit = PlanBar((4, 4), "Z", True, (PlannedChord(0, chord(1, "dim")),))
    plan = whole.replaced(10, [edit])
    gone_on = written(writer, 14, plan, seed=2)
    assert gone_on.bars[:11] == plan.bars
    assert gone_on == written(PlanWriter(writer.bundle), 14, plan, seed=2)
    assert gone_on.bars[11:] != whole.bars[11:24]


def test_typed_chords_without_sections_are_gone_on_from(writer):
    typed = [PlanBar(chords=(PlannedChord(0, chord(root)),)) for root in (0, 5, 7, 0)] + [PlanBar()]
    plan = written(writer, 12, Plan(tuple(typed), (0, "major")))
    assert len(plan) == 17
    assert plan.bars[5].begins
    assert all(bar.section for bar in plan.bars[5:])


@pytest.mark.parametrize("metre", [(3, 4), (6, 8), (5, 4), (7, 8), (2, 2), (12, 8)])
def test_bars_have_the_metre_and_their_chords_on_its_slots(writer, metre):
    plan = written(writer, 12, metre=metre, genre="folk")
    count = slots_in_bar(metre, "folk")
    for bar in plan.bars:
        assert bar.metre == metre
        assert bar.chords[0].offset == 0
        assert all(offset * count % bar.ticks == 0 for offset, _ in bar.chords)


def test_it_follows_the_key(writer):
    low, high = (written(writer, 24, Plan(key=(tonic, "minor")), genre="rock", seed=4) for tonic in (0, 5))
    assert low.transposed(5) == high


@pytest.mark.parametrize("genre", [*GENRES, *NEAREST])
def test_every_genre_of_the_band_has_plans(writer, genre):
    assert len(written(writer, 4, genre=genre)) == 4


def test_a_section_that_returns_recalls_its_last_appearance(writer):
    plans = [written(writer, 64, genre=genre, seed=seed, vary=0.2) for genre in ("jazz", "folk") for seed in range(3)]
    recalled = [(plan, number) for plan in plans for number, bar in enumerate(plan.bars) if bar.recall]
    assert len(recalled) > 64
    for plan, number in recalled:
        bar = plan.bars[number]
        there = plan.bars[bar.recall.bar]
        assert there.section == bar.section
        alike = there.chords == bar.chords
        assert bar.recall == Recall(bar.recall.bar, 0.8 if alike else 0.4)
        since = [n - max(i for i in range(n + 1) if plan.bars[i].begins) for n in (number, bar.recall.bar)]
        assert since[0] == since[1]
    alike = [plan.bars[n].chords == plan.bars[plan.bars[n].recall.bar].chords for plan, n in recalled]
    assert np.mean(alike) > 0.5


def test_a_first_appearance_recalls_nothing(writer):
    plan = written(writer, 48, genre="pop", seed=1)
    outline = outline_of(plan)
    seen = set()
    for section, start in zip(outline.sections, outline.starts, strict=True):
        if section.id not in seen:
            assert all(bar.recall is None for bar in plan.bars[start : start + section.bars])
        seen.add(section.id)


@pytest.mark.parametrize("mode", ["major", "minor"])
@pytest.mark.parametrize("bars", [0, 3, 24])
def test_an_ending_that_is_asked_for_comes_at_once_and_ends_on_the_tonic(writer, mode, bars):
    plan = written(writer, bars, Plan(key=(2, mode)), seed=6)
    ended = written(writer, 20, plan, seed=6, ending=True)
    assert len(ended) == bars + ENDING_BARS
    assert {bar.section for bar in ended.bars[bars:]} == {ENDING_LABEL}
    assert [bar.begins for bar in ended.bars[bars:]] == [True, False, False, False]
    assert [c.chord for c in ended.bars[-1].chords] == [chord(2, "maj" if mode == "major" else "min")]
    assert written(writer, 4, ended, seed=6, ending=True) == ended
    assert len(written(writer, 4, ended, seed=6)) == len(ended) + 4  # who goes on after all


def test_a_piece_that_may_end_ends(writer):
    lengths = [len(written(writer, 300, genre="folk", seed=seed, endless=False)) for seed in range(4)]
    assert max(lengths) < 300
    assert min(lengths) > 4


@pytest.mark.parametrize("genre", ["jazz", "folk"])
def test_sections_end_on_tonic_or_dominant_more_often_than_bars_do(writer, genre):
    ends, all_bars = [], []
    for seed in range(8):
        plan = written(writer, 64, genre=genre, seed=seed)
        last = [classes_of(bar, slots_in_bar(bar.metre, genre), 0)[-1] for bar in plan.bars]
        rests = [number != NO_CHORD_CLASS and number % TONICS in (0, 7) for number in last]
        all_bars += rests
        ends += [rests[start - 1] for start in outline_of(plan).starts[1:]]
    assert np.mean(ends) > np.mean(all_bars) + 0.1


def test_a_low_temperature_keeps_to_what_is_usual(writer):
    def chords(temperature: float) -> int:
        plans = [written(writer, 32, genre="pop", seed=seed, temperature=temperature) for seed in range(4)]
        return sum(len({c.chord for bar in plan.bars for c in bar.chords}) for plan in plans)

    assert chords(0.3) < chords(1.0) < chords(2.0)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"genre": "polka"}, "no plans of genre 'polka': choose one of pop, rock"),
        ({"temperature": 0.0}, "temperature is 0"),
        ({"vary": 1.5}, r"varies by 1\.5"),
    ],
)
def test_what_cannot_be_asked_for_is_named(settings, says):
    with pytest.raises(HocketError, match=says):
        Settings(**settings)


def test_a_metre_that_cannot_be_is_named(writer):
    with pytest.raises(HocketError, match="has the metre 0/4"):
        writer.bars(C_MAJOR, 1, Settings(metre=(0, 4)))


def test_another_model_writes_no_plans():
    with pytest.raises(HocketError, match="'lstm-band' is a lstm: it writes no plans"):
        PlanWriter(open_bundle(MODELS / "lstm-band", trusted=True))
