"""The latent space of a bundle: spherical interpolation (Shoemake, 1985), known points, and points as text.

Attribute directions are differences of means, as in MusicVAE (Roberts and others, 2018). Arrays of a bundle's
latents.npz, for a space of d dimensions (all float32):
genre_mean, genre_spread (1 + genres, d): mean and standard deviation of phrases, of all and of each genre offered;
components (2, d): the two principal components of phrases, a standard deviation long;
directions (attributes, d): half the way from phrases with little of an attribute to those with much;
touch (rows, 16): mean velocity at each step of a bar, one row for melodies, one for each kind of drum;
landmarks (n, d), landmark_genres (n,): points of phrases that are typical of a genre (its number, from 0, or
`NO_GENRE`), melodies all in keys without accidentals. Interpolating between them gives music more often than drawing
from a Gaussian of all phrases. A bundle may have none.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.models.bundle import Bundle
from instrument.models.sampling import noise, normal

Point = NDArray[np.float32]
ATTRIBUTES = ("density", "register", "syncopation", "length")  # those that are knobs of the manifest have directions
REACH = 2.0  # the largest offset by an attribute or by the pad, in lengths of its direction
SPACING = 4  # phrases between two points of the random path (`wander`)
NO_GENRE = -1
SECTION_BARS = 32  # bars within which drawn phrases return to the first one's point
HOME_COUNTER, PATH_COUNTER = 1 << 40, 1 << 41  # of draws; outside the counters of notes, which are bars


class LatentPath(NamedTuple):
    """A path between two points: their arc, or a curve next to it.

    progress, angles (n,): the share of the audible change, 0 to 1, and the share of the arc's angle where it is
    reached; bend (d,): the distance from the arc half way, in lengths of the points.
    """

    progress: NDArray[np.float64]
    angles: NDArray[np.float64]
    bend: Point

    def reversed(self) -> LatentPath:
        """The path from the other end."""
        return LatentPath(1 - self.progress[::-1], 1 - self.angles[::-1], self.bend)

    def angle(self, share: float) -> float:
        """The share of the angle, 0 to 1, where a share of the change is reached."""
        return float(np.interp(share, self.progress, self.angles))

    def offset(self, angle: float) -> Point:
        """(d,) the distance from the arc at a share of the angle, in lengths of the points."""
        return np.float32(np.sin(np.pi * angle)) * self.bend


def displaced(point: Point, offset: Point) -> Point:
    """A point moved by `offset`, which is in lengths of the point; the length stays the same."""
    if not offset.any():
        return point
    length = np.linalg.norm(point)
    moved = point + length * offset
    out: Point = (moved * (length / max(float(np.linalg.norm(moved)), 1e-6))).astype(np.float32)
    return out


def slerp(a: Point, b: Point, t: float) -> Point:
    """Spherical interpolation from a (t = 0) to b (t = 1); the length goes linearly from one to the other."""
    if t <= 0:
        return a
    if t >= 1:
        return b
    long_a, long_b = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if min(long_a, long_b) < 1e-6:
        return ((1 - t) * a + t * b).astype(np.float32)
    cosine = float(np.clip(a @ b / (long_a * long_b), -1, 1))
    angle = np.arccos(cosine)
    if np.sin(angle) < 1e-4:
        return ((1 - t) * a + t * b).astype(np.float32)
    arc = (np.sin((1 - t) * angle) * a / long_a + np.sin(t * angle) * b / long_b) / np.sin(angle)
    out: Point = (((1 - t) * long_a + t * long_b) * arc).astype(np.float32)
    return out


def to_text(point: Point) -> str:
    """A point as text (base64 of half precision), as the knob `latent` takes it."""
    return base64.b64encode(np.asarray(point, "<f2").tobytes()).decode()


def from_text(text: str, size: int) -> Point:
    """The inverse of `to_text`. HocketError unless it is a point of `size` dimensions."""
    try:
        data = base64.b64decode(text, validate=True)
        point = np.frombuffer(data, "<f2").astype(np.float32)
    except (binascii.Error, ValueError) as error:
        raise HocketError(f"{text[:20]!r} is no point of a latent space: copy one from an anchor") from error
    if len(point) != size or not np.isfinite(point).all():
        raise HocketError(f"a point of {len(point)} dimensions does not fit this model, which has {size}")
    return point


@dataclass(frozen=True, slots=True)
class LatentSpace:
    """The latent space of a bundle; for its arrays see the module."""

    genres: tuple[str, ...]
    genre_mean: Point
    genre_spread: Point
    components: Point
    directions: dict[str, Point]
    touch: NDArray[np.float32]
    landmarks: tuple[Point, ...]

    @classmethod
    def of(cls, bundle: Bundle) -> LatentSpace:
        """Read from a bundle. HocketError if an array is missing or has the wrong shape."""
        manifest, found = bundle.manifest, bundle.latents()
        attributes = tuple(k.id for k in manifest.knobs if k.id in ATTRIBUTES)
        rows, size = 1 + len(manifest.genres), manifest.latent
        shapes = {
            "genre_mean": (rows, size),
            "genre_spread": (rows, size),
            "components": (2, size),
            "directions": (len(attributes), size),
        }
        for name, shape in shapes.items():
            array = found.get(name)
            if array is None or array.shape != shape or not np.isfinite(array).all():
                raise HocketError(f"bundle {manifest.slug!r}: its latents have no {name} of {shape}: reinstall it")
        landmarks = found.get("landmarks", np.zeros((0, size), np.float32))
        whose = found.get("landmark_genres", np.zeros(0, np.int32))
        if landmarks.shape != (len(whose), size) or not np.isfinite(landmarks).all() or whose.ndim != 1:
            raise HocketError(f"bundle {manifest.slug!r}: its latents' landmarks do not fit: reinstall it")
        landmarks = landmarks.astype(np.float32)
        touch = found.get("touch")
        if touch is None or touch.ndim != 2 or touch.shape[1] != 16 or not np.isfinite(touch).all():
            raise HocketError(f"bundle {manifest.slug!r}: its latents have no touch: reinstall it")
        arrays = {name: found[name].astype(np.float32) for name in shapes}
        return cls(
            manifest.genres,
            arrays["genre_mean"],
            arrays["genre_spread"],
            arrays["components"],
            dict(zip(attributes, arrays["directions"], strict=True)),
            touch.astype(np.float32),
            (landmarks, *(landmarks[whose == number] for number in range(rows - 1))),
        )

    @property
    def size(self) -> int:
        """The number of dimensions."""
        return int(self.components.shape[1])

    def row(self, genre: str) -> int:
        """The row of a genre; 0, that of all phrases, for an unknown one."""
        return self.genres.index(genre) + 1 if genre in self.genres else 0

    def anchor(self, genre: str = "none") -> Point:
        """The mean of a genre; of all phrases for an unknown one."""
        mean: Point = self.genre_mean[self.row(genre)]
        return mean

    def sample(self, genre: str, seed: int) -> Point:
        """A random point of a genre; of all phrases for an unknown one."""
        row = self.row(genre)
        out: Point = self.genre_mean[row] + self.genre_spread[row] * self._draw(row, seed, 0, HOME_COUNTER)
        return out

    def _draw(self, row: int, seed: int, player: int, counter: int) -> Point:
        """A random point, in standard deviations from the genre's mean: one of its landmarks, if it has any."""
        own = self.landmarks[row]
        if not len(own):
            return normal(seed, player, (counter, 0, 0), self.size)
        chosen = own[noise(seed, player, (counter, 0, 0), len(own)).argmax()]
        out: Point = (chosen - self.genre_mean[row]) / self.genre_spread[row]
        return out

    def point(
        self,
        knobs: dict[str, float | str],
        seed: int,
        player: int,
        phrase: int,
        bars: int,
        theme: int,
        previous: Point | None,
    ) -> Point:
        """The point (d,) of phrase number `phrase`, each phrase being `bars` bars long.

        The knob `latent` gives a point; without it, each phrase draws one of the genre, and every `theme` bars the
        first point of the section returns. The knob `follow` interpolates towards `previous`, the point of what was
        played before, and `wander` towards a random path. Pad (x, y) and attributes are added.
        """
        row = self.row(str(knobs.get("genre")))
        mean, spread = self.genre_mean[row], self.genre_spread[row]
        text, wander = str(knobs.get("latent", "")), float(knobs.get("wander", 0.0))
        if text:
            home = (from_text(text, self.size) - mean) / spread
        else:
            at = phrase * bars if wander > 0 else 0
            home = self._draw(row, seed, player, HOME_COUNTER + (at if at % theme else at - at % SECTION_BARS))
        follow = float(knobs.get("follow", 0.0))
        if previous is not None and follow > 0:
            home = slerp(home, (previous - mean) / spread, follow)
        if wander > 0:
            number, step = divmod(phrase, SPACING)
            a, b = (self._draw(row, seed, player, PATH_COUNTER + number + i) for i in (0, 1))
            home = slerp(home, slerp(a, b, step / SPACING), wander)
        point = mean + spread * home
        for amount, direction in (
            (float(knobs.get("x", 0.0)), self.components[0]),
            (float(knobs.get("y", 0.0)), self.components[1]),
            *((float(knobs.get(name, 0.0)), direction) for name, direction in self.directions.items()),
        ):
            point = point + REACH * amount * direction
        out: Point = point.astype(np.float32)
        return out
