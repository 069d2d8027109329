"""The endless genre stream: log mels drawn latent frame by latent frame, rendered by a vocoder.

A conditional mel GAN (MelGAN, Kumar and others, 2019) over codes that a recurrent prior draws. A frame is a function of
the draws for its number, of its style and genre, and of the frames before. The style is a vector: the genre's mean, an
endless walk between Gaussian anchors (Musika, Pasini and Schlüter, 2022), and the offset of the pad (x, y). Arrays of a
bundle's latents.npz (all float32):
genre_mean, genre_spread (genres, style): mean and standard deviation of the styles of a genre;
components (2, style): the two principal components within genres, a standard deviation long.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.models.bundle import Bundle
from instrument.models.sampling import noise, normal
from instrument.models.sound.base import Knobs
from instrument.models.sound.spectral import MelFormat, Sound
from instrument.models.sound.vocoder import Vocoder

Floats = NDArray[np.float32]
REACH = 2.0  # largest offset by the pad, in standard deviations
ANCHOR_SECONDS = 1.5  # between two anchors at motion 1; the speed is the square of motion
STYLE_SPREAD = 0.5  # factor on `genre_spread` at temperature 1: genres overlap at their edges
LEVEL = np.float32(0.6)  # gain on the output, as the music of the training set peaks above full scale
FRAME_COUNTER, ANCHOR_COUNTER = 1 << 42, 1 << 43  # of draws


class GenreStream:
    """A `StreamModel` of a bundle of the family cmelgan and a vocoder."""

    def __init__(self, bundle: Bundle, vocoder: Bundle) -> None:
        """HocketError if the bundle is incomplete, or the vocoder expects other mels."""
        manifest = bundle.manifest
        self.generator = MelGenerator(bundle)
        self.vocoder = Vocoder(vocoder)
        if self.vocoder.format != self.generator.format:
            raise HocketError(f"model {manifest.slug!r} makes other mels than {vocoder.manifest.slug!r} expects")
        self.rate = self.generator.format.rate
        self.chunk = self.generator.stride * self.generator.format.hop
        self.reset(0, 0)
        self.render({knob.id: knob.default for knob in manifest.knobs})  # the first run of a graph takes longer
        self.reset(0, 0)

    def reset(self, seed: int, player: int) -> None:
        """As `StreamModel.reset`."""
        self.generator.reset(seed, player)
        word = (1 << 64) - 1
        self.vocoder.reset((seed & word) << 64 | (player & word))

    def render(self, knobs: Knobs) -> Sound:
        """As `StreamModel.render`."""
        return LEVEL * self.vocoder.push(self.generator.next(knobs))


def open_stream(bundle: Bundle, vocoder: Bundle) -> GenreStream:
    """The stream of a bundle with the vocoder that it needs. HocketError as `GenreStream`."""
    return GenreStream(bundle, vocoder)


class MelGenerator:
    """The mels of a stream, `stride` frames at a time."""

    def __init__(self, bundle: Bundle) -> None:
        """HocketError if the bundle is incomplete."""
        manifest = bundle.manifest
        self.genres = manifest.genres
        self._session = bundle.session("step")
        self._pairs = manifest.states
        try:
            codec = manifest.codec
            self.format, self.stride = MelFormat.of(codec), codec["stride"]
            self._groups, self._codes = codec["groups"], codec["codes"]
        except KeyError as error:
            raise HocketError(f"bundle {manifest.slug!r} has no {error} in its codec: reinstall it") from error
        arrays: dict[str, Any] = bundle.latents()
        each, size = len(self.genres), manifest.latent
        shapes = {"genre_mean": (each, size), "genre_spread": (each, size), "components": (2, size)}
        for name, shape in shapes.items():
            found = arrays.get(name)
            if found is None or found.shape != shape or not np.isfinite(found).all():
                raise HocketError(f"bundle {manifest.slug!r}: its latents have no {name} of {shape}: reinstall it")
        self._mean, self._spread, self._components = (arrays[name].astype(np.float32) for name in shapes)
        self.reset(0, 0)

    def reset(self, seed: int, player: int) -> None:
        """Start again at frame 0."""
        self._seed, self._player, self._number, self._place = seed, player, 0, 0.0
        self._states = {
            pair.input: np.full([1 if n < 0 else n for n in pair.shape], pair.initial, np.float32)
            for pair in self._pairs
        }

    def next(self, knobs: Knobs) -> Floats:
        """The next normalised log mels (stride, mels)."""
        weights, temperature = self.weights(knobs), float(knobs["temperature"])
        draws = noise(self._seed, self._player, (FRAME_COUNTER + self._number, 0, 0), self._groups * self._codes)
        mels, *after = self._session.run(
            {
                "style": self.style(knobs, weights)[None],
                "genre": weights[None],
                "temperature": np.full((1, 1), max(temperature, 1e-2), np.float32),
                "noise": draws.reshape(1, self._groups, self._codes),
            }
            | self._states
        )
        self._states = {pair.input: state for pair, state in zip(self._pairs, after, strict=True)}
        self._number += 1
        seconds = self.stride * self.format.hop / self.format.rate
        self._place += float(knobs["motion"]) ** 2 * seconds / ANCHOR_SECONDS
        out: Floats = mels[0]
        return out

    def weights(self, knobs: Knobs) -> Floats:
        """Weights (genres,): the knob `blend` goes from `genre` to `genre_b`."""
        out = np.zeros(len(self.genres), np.float32)
        blend = float(knobs["blend"])
        for name, weight in ((knobs["genre"], 1 - blend), (knobs["genre_b"], blend)):
            out[self.genres.index(str(name))] += weight
        return out

    def style(self, knobs: Knobs, weights: Floats) -> Floats:
        """The current style (style,)."""
        number = int(self._place)
        size = self._mean.shape[1]
        a, b = (normal(self._seed, self._player, (ANCHOR_COUNTER + number + i, 0, 0), size) for i in (0, 1))
        turn = (self._place - number) * np.pi / 2
        walk = np.cos(turn) * a + np.sin(turn) * b  # of constant variance
        pad = float(knobs["x"]) * self._components[0] + float(knobs["y"]) * self._components[1]
        spread = STYLE_SPREAD * float(knobs["temperature"]) * (weights @ self._spread)
        out: Floats = (weights @ self._mean + spread * walk + REACH * pad).astype(np.float32)
        return out
