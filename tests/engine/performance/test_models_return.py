"""A model that was exchanged and comes back."""

from __future__ import annotations

import numpy as np

from instrument.engine.ipc.messages import Anchor
from instrument.engine.offline.render import differences
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.performance import Performance
from instrument.models.latent import to_text
from tests.support.phrases import SMALL, open_vae

ANCHORS = tuple(
    Anchor(name, x, 0.0, to_text(np.random.default_rng(seed).standard_normal(SMALL["latent"])))
    for seed, (name, x) in enumerate((("a", -0.5), ("b", 0.5)))
)


def plan(playing: Performance, until: float) -> None:
    while playing.extend(until):
        pass


def test_a_model_that_comes_back_has_its_knobs_and_anchors():
    playing = Performance(Patch(players=(PlayerPatch("vae", {"x": 0.25}, ANCHORS),)), open_vae)
    playing.set("wander", 0.75)
    plan(playing, 200)
    playing.advance(100)
    playing.load("scale")
    assert "0/wander" not in playing.values
    playing.set("temperature", 0.5)
    plan(playing, 300)
    playing.advance(250)
    playing.load("vae")
    back = {knob: playing.values[f"0/{knob}"] for knob in ("wander", "x", "temperature")}
    assert back == {"wander": 0.75, "x": 0.25, "temperature": 0.5}, "a knob of both has the value turned last"
    assert playing.pads == (ANCHORS,)
    plan(playing, 500)
    playing.advance(450)
    playing.stop(450)
    assert not differences(playing.take, open_vae)
    after = Performance(playing.next_patch(), open_vae)
    after.remember(playing)
    after.load("scale")
    after.load("vae")
    assert after.values["0/wander"] == 0.75
