"""A latent space to move in: spherical interpolation, the places a bundle knows, and points as text.

What a bundle's latents.npz tells, for a space of d dimensions (all float32):
genre_mean, genre_spread (1 + genres, d): where phrases lie, of all and of each genre offered, and how widely;
components (2, d): the two directions in which phrases differ most, a deviation long;
directions (attributes, d): from phrases with little of an attribute to those with much, half the way;
touch (rows, 16): mean velocity at each step of a bar, a row for melodies and one a kind for drums;
landmarks (n, d), and landmark_genres (n,): points of phrases that are typical of a genre (its number, from 0, or
`NO_GENRE`), melodies all in keys without accidentals: between places chosen at random among them there is music, as
there often is not where a Gaussian of all phrases has its mass. A bundle may have none.
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
ATTRIBUTES = ("density", "register", "syncopation", "length")  # of these, knobs of the manifest
REACH = 2.0  # how far a knob of an attribute or of the pad goes, in lengths of its direction
SPACING = 4  # phrases from one place of the wandering path to the next
NO_GENRE = -1
SECTION_BARS = 32  # bars for which a home that nobody told is returned to
HOME_COUNTER, PATH_COUNTER = 1 << 40, 1 << 41  # counters of draws; apart from those of notes, which count bars


class LatentPath(NamedTuple):
    """A way between two points: their arc, or one beside it. come, angles (n,): how far one has come, 0 to 1, and the
    share of the angle at which one has; bend (d,): how far it is from the arc half way, in lengths of the points."""

    progress: NDArray[np.float64]
    angles: NDArray[np.float64]
    bend: Point

    def reversed(self) -> LatentPath:
        """The same from the other end."""
        return LatentPath(1 - self.progress[::-1], 1 - self.angles[::-1], self.bend)

    def angle(self, share: float) -> float:
        """The share of the angle at which one has come so far, 0 to 1."""
        return float(np.interp(share, self.progress, self.angles))

    def offset(self, angle: float) -> Point:
        """How far the way is from the arc at that share of the angle, in lengths of the points."""
        return np.float32(np.sin(np.pi * angle)) * self.bend


def displaced(point: Point, offset: Point) -> Point:
    """A point moved `offset`, in its lengths, which stays what it was."""
    if not offset.any():
        return point
    length = np.linalg.norm(point)
    moved = point + length * offset
    out: Point = (moved * (length / max(float(np.linalg.norm(moved)), 1e-6))).astype(np.float32)
    return out


def slerp(a: Point, b: Point, t: float) -> Point:
    """From a (t = 0) to b (t = 1) along the arc between them, its length going evenly from one's to the other's."""
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
        raise HocketError(f"{text[:20]!r} is no point of a latent space: give one that an anchor told") from error
    if len(point) != size or not np.isfinite(point).all():
        raise HocketError(f"a point of {len(point)} dimensions does not fit this model, which has {size}")
    return point


@dataclass(frozen=True, slots=True)
class LatentSpace:
    """What a bundle tells of its latent space; see the module."""

    genres: tuple[str, ...]
    genre_mean: Point
    genre_spread: Point
    components: Point
    directions: dict[str, Point]
    touch: NDArray[np.float32]
    landmarks: tuple[Point, ...]

    @classmethod
    def of(cls, bundle: Bundle) -> LatentSpace:
        """Read from a bundle. HocketError if what is told does not fit together."""
        manifest, arrays_told = bundle.manifest, bundle.latents()
        attributes = tuple(k.id for k in manifest.knobs if k.id in ATTRIBUTES)
        rows, size = 1 + len(manifest.genres), manifest.latent
        shapes = {
            "genre_mean": (rows, size),
            "genre_spread": (rows, size),
            "components": (2, size),
            "directions": (len(attributes), size),
        }
        for name, shape in shapes.items():
            there = arrays_told.get(name)
            if there is None or there.shape != shape or not np.isfinite(there).all():
                raise HocketError(f"bundle {manifest.slug!r}: its latents have no {name} of {shape}: it is not whole")
        landmarks = arrays_told.get("landmarks", np.zeros((0, size), np.float32))
        whose = arrays_told.get("landmark_genres", np.zeros(0, np.int32))
        if landmarks.shape != (len(whose), size) or not np.isfinite(landmarks).all() or whose.ndim != 1:
            raise HocketError(f"bundle {manifest.slug!r}: its latents' landmarks do not fit: it is not whole")
        landmarks = landmarks.astype(np.float32)
        touch = arrays_told.get("touch")
        if touch is None or touch.ndim != 2 or touch.shape[1] != 16 or not np.isfinite(touch).all():
            raise HocketError(f"bundle {manifest.slug!r}: its latents have no touch: it is not whole")
        arrays = {name: arrays_told[name].astype(np.float32) for name in shapes}
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
        """Its dimensions."""
        return int(self.components.shape[1])

    def row(self, genre: str) -> int:
        """The row of a genre, that of all for one it does not know."""
        return self.genres.index(genre) + 1 if genre in self.genres else 0

    def anchor(self, genre: str = "none") -> Point:
        """The mean of a genre, of all for one it does not know."""
        mean: Point = self.genre_mean[self.row(genre)]
        return mean

    def sample(self, genre: str, seed: int) -> Point:
        """A point drawn among phrases of a genre, of all for one it does not know."""
        row = self.row(genre)
        out: Point = self.genre_mean[row] + self.genre_spread[row] * self._draw(row, seed, 0, HOME_COUNTER)
        return out

    def _draw(self, row: int, seed: int, player: int, counter: int) -> Point:
        """A place that these draw, in deviations from the genre's mean: that of one of its landmarks, if it has any."""
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
        """Where phrase number `phrase` stands. It wanders (`wander`) from a home: a point that is told
        (`latent`), or those that the seed draws among phrases of the genre, one for every phrase, of which that of
        a section's first returns every `theme` bars; towards `previous`, the point of what was played before it, as far
        as `follow` says. Pad (x, y) and attributes move it from there. bars: of a phrase."""
        row = self.row(str(knobs.get("genre")))
        mean, spread = self.genre_mean[row], self.genre_spread[row]
        arrays_told, wander = str(knobs.get("latent", "")), float(knobs.get("wander", 0.0))
        if arrays_told:
            home = (from_text(arrays_told, self.size) - mean) / spread
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
