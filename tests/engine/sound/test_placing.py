"""Where strips of the mixer stand, and how wide they are."""

from __future__ import annotations

import numpy as np
import pytest

from instrument.engine.sound.mixer import Mixer, Placed
from instrument.engine.sound.placing import Place, Placing
from instrument.engine.voices.base import FADE_S
from instrument.engine.voices.plain import PlainVoice
from tests.support.sound.analysis import level_db, roughness

RATE = 48_000
FADE = round(FADE_S * RATE)


def noise(frames: int = RATE) -> np.ndarray:
    mono = 0.1 * np.random.default_rng(1).standard_normal(frames)
    return np.repeat(mono[:, None], 2, axis=1).astype(np.float32)


def sine(frames: int = RATE, hertz: float = 440.0) -> np.ndarray:
    mono = 0.2 * np.sin(2 * np.pi * hertz * np.arange(frames) / RATE)
    return np.repeat(mono[:, None], 2, axis=1).astype(np.float32)


def width(sound: np.ndarray) -> float:
    """The sides below the middle, in decibels."""
    left, right = sound.T
    return level_db(left - right) - level_db(left + right)


class Played:
    """A sound player that plays what it is given, over and over."""

    def __init__(self, sound: np.ndarray) -> None:
        self._sound, self._at = sound, 0

    def render(self, frames: int) -> np.ndarray:
        rows = (self._at + np.arange(frames)) % len(self._sound)
        self._at += frames
        return self._sound[rows]

    def all_off(self) -> None:
        self._sound = np.zeros_like(self._sound)

    def close(self) -> None:
        pass


def test_the_middle_without_width_is_as_it_came() -> None:
    assert np.array_equal(Placing(RATE).process(noise()), noise())


def test_width_is_what_the_knob_says_and_keeps_the_sum_and_the_bass_in_the_middle() -> None:
    for amount in (0.25, 1.0):
        wide = Placing(RATE, Place(width=amount)).process(noise())
        assert width(wide[RATE // 20 :]) == pytest.approx(20 * np.log10(amount), abs=0.5)
        assert np.abs(wide.sum(axis=1) - noise().sum(axis=1)).max() < 1e-6
        low = Placing(RATE, Place(width=amount)).process(sine(hertz=20))
        assert width(low[RATE // 20 :]) < 20 * np.log10(amount) - 6


def test_pan_goes_all_the_way_at_the_same_power() -> None:
    for pan in (-1.0, -0.4, 0.7, 1.0):
        left, right = np.square(Placing(RATE, Place(pan)).process(noise()).astype(np.float64)).mean(axis=0)
        assert left + right == pytest.approx(2 * np.square(noise()[:, 0], dtype=np.float64).mean(), rel=1e-4)
        assert (left > right) == (pan < 0)
    assert Placing(RATE, Place(1.0)).process(noise())[:, 0] == pytest.approx(0, abs=1e-6)


def test_sound_is_the_same_however_it_is_cut() -> None:
    whole, parts = Placing(RATE, Place(0.2, 0.5)), Placing(RATE, Place(0.2, 0.5))
    for placing in (whole, parts):
        placing.move(Place(-0.8, 0.1))
    cut = [parts.process(piece) for piece in np.split(noise(), [1, 7, 500, 1800, 1801, 9000])]
    assert np.abs(whole.process(noise()) - np.concatenate(cut)).max() < 1e-6


def test_a_turned_place_glides() -> None:
    placing = Placing(RATE)
    sound = [placing.process(sine(RATE // 2))]
    placing.move(Place(-1.0, 1.0))
    sound.append(placing.process(sine(RATE // 2)))
    assert roughness(np.concatenate(sound)).max() < 0.01
    assert level_db(sound[1][2 * FADE :, 1] - sound[1][2 * FADE :, 0]) > -20


def test_the_mixer_places_a_sound_player_and_a_panic_ends_its_reflections() -> None:
    mixer = Mixer(RATE, PlainVoice(RATE))
    mixer.attach("one", Played(noise()), place=Place(width=0.5))
    assert width(np.concatenate([mixer.render() for _ in range(200)])) == pytest.approx(-6, abs=0.7)
    mixer.post(mixer.horizon, Placed("one", Place(-1.0)))
    mixer.render(4 * FADE)
    left, right = np.abs(mixer.render(RATE // 10)).max(axis=0)
    assert left > 0.1
    assert right < 1e-6
    mixer.post(mixer.horizon, Placed("one", Place(width=1.0)))
    mixer.render(4 * FADE)
    mixer.panic()
    mixer.render(round(0.02 * RATE))  # it closes and opens again
    assert np.abs(mixer.render(RATE // 10)).max() == 0
