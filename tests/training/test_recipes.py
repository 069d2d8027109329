"""Values in recipes: all that are out of range are one line that says what is allowed."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instrument.errors import HocketError
from training.core.ranges import allowed
from training.core.recipe import Data
from training.families.table import FAMILIES
from training.recipe import read_recipe, recipe_from, recipe_table

RECIPES = Path(__file__).parents[2] / "training" / "recipes"

SECTIONS = {
    (family, section): cls
    for family, row in FAMILIES.items()
    for section, cls in {
        "data": Data,
        "sampling": row.task.Sampling,
        "model": row.network.Config,
        "train": row.task.Train,
    }.items()
}
EVERY = [(*place, field.name) for place, cls in SECTIONS.items() for field in dataclasses.fields(cls)]
ANY = st.one_of(
    st.integers(-3, 3),
    st.integers(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=5),
    st.booleans(),
    st.lists(st.integers(-2, 2), max_size=3),
    st.none(),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)
HEAD = {"slug": "a", "name": "A"}


def with_value(family: str, section: str, name: str, value: object):
    return recipe_from({**HEAD, "family": family, section: {name: value}})


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(EVERY), ANY)
def test_a_value_is_taken_or_refused_in_one_line_that_names_it(place, value):
    family, section, name = place
    refusal = ""
    try:
        recipe = with_value(family, section, name, value)
    except HocketError as error:
        refusal = str(error)
    if refusal:
        assert f"[{section}]: " in refusal
        assert name in refusal
        assert "\n" not in refusal
        return
    assert recipe_from(recipe_table(recipe)) == recipe
    taken = getattr(getattr(recipe, section), name)
    assert not isinstance(taken, float) or math.isfinite(taken)


@pytest.mark.parametrize(("family", "section", "name"), EVERY)
def test_what_is_no_value_of_a_setting_is_refused_with_what_is_allowed(family, section, name):
    kind = get_type_hints(SECTIONS[family, section], include_extras=True)[name]
    numbers = kind not in (str, bool) and "one of" not in allowed(kind) and kind != tuple[str, ...]
    for value in ({}, None, *(("fast", math.nan, math.inf) if numbers else ())):
        with pytest.raises(HocketError) as caught:
            with_value(family, section, name, value)
        assert str(caught.value) == f"recipe [{section}]: {name} = {value!r} is not allowed: give {allowed(kind)}"
    if numbers and not name.endswith("_db"):
        with pytest.raises(HocketError, match="is not allowed: give"):
            with_value(family, section, name, -1)


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("batch_size = 0", "[train]: batch_size = 0 is not allowed: give a whole number from 1 to 1e+08"),
        ("learning_rate = -1e-3", "[train]: learning_rate = -0.001 is not allowed: give a number above 0"),
        ('ema_decay = "slow"', "[train]: ema_decay = 'slow' is not allowed: give a number from 0 below 1"),
        ("betas = [0.9]", "[train]: betas = [0.9] is not allowed: give a list of 2, each a number from 0 below 1"),
    ],
)
def test_the_line_names_the_file_the_value_and_the_range(setting, line, tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(f'slug = "a"\nname = "A"\nfamily = "lstm"\n[train]\n{setting}\n')
    with pytest.raises(HocketError) as caught:
        read_recipe(path)
    assert str(caught.value) == f"{path} {line}"


@pytest.mark.parametrize(
    ("family", "model", "line"),
    [
        ("transformer", {"width": 250}, "width = 250 must be a multiple of 4 \\* query_heads, 32"),
        ("transformer", {"key_heads": 3}, "query_heads = 8 must be a multiple of key_heads, 3"),
        ("musicvae", {"segment": 5}, "segment = 5 must divide the 32 steps of 2 bars"),
        ("vocoder", {"tonal_bins": 5000}, "tonal_bins and fine_bins must be below the"),
    ],
)
def test_sizes_that_do_not_fit_together_are_one_line(family, model, line):
    with pytest.raises(HocketError, match=line):
        recipe_from({**HEAD, "family": family, "model": model})


def test_a_section_that_is_none_and_a_bad_head_are_one_line():
    with pytest.raises(HocketError, match=r"train = 3 is not allowed: write a section \[train\]"):
        recipe_from({**HEAD, "family": "lstm", "train": 3})
    with pytest.raises(HocketError, match="seed = -1 is not allowed: give a whole number from 0 below"):
        recipe_from({**HEAD, "family": "lstm", "seed": -1})


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_recipes_of_models_that_ship_say_so(path):
    assert read_recipe(path).data.ship_only or "smoke" in path.stem
