"""How a player is kept on its course: what it is told, and which way its choices lean.

In training a network never saw more than about two thousand notes. Left alone for ten minutes it would lose
its key, thin out or clutter, leave half the band silent, or repeat itself for ever. So a player remembers a
little of what it played (`History`) and, where that strays from what is wanted, is told a condition that makes
up for it (`Steering`). All of it is a function of the notes and of what was asked, never of time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from instrument.models.manifest import Manifest
from instrument.models.notes.conditions import (
    DENSITIES,
    PITCH_CLASSES,
    REGISTERS,
    add_pitch_class,
    density_at,
    density_knob,
    histogram_condition,
    knob_share,
    parts_share,
)
from instrument.models.notes.key_sense import IN_KEY, MIN_ENTROPY, flattened, inside, key_logits
from instrument.models.notes.player import Ask
from instrument.music import codec
from instrument.music.codec import DRUM_ROW, ROWS
from instrument.music.notes import Note, Part
from instrument.music.timebase import TICKS_PER_BEAT

DENSITY_MEMORY = 384.0  # ticks over which the player's own density is taken
MIN_CORRECTION, MAX_CORRECTION = 0.25, 2.0  # how far it is told to make up for what it strayed
MAX_DENSITY_RATIO = 1.3  # times the notes wanted, from where gaps are favoured
GAP_LOGIT = 6.0  # logits for a gap of a beat, for each factor of e beyond
REST_BARS, REST_LOGIT, MAX_REST_LOGIT = 4, 0.5, 4.0  # bars a part may rest; logits a bar beyond; at most
STYLED_BARS, STYLE_ENDS = 4, 8  # bars in which a genre is exaggerated fully, and after which no more
STYLE_COOLING = 1 / 4  # how much cooler it plays after a switch, for each that style is above 1
MAX_ECHO_SHARE, ECHO_MEMORY = (
    0.85,
    64.0,
)  # share of the last notes, about so many, that may repeat what was 1 to 8 bars before
ECHO_LOGIT = 16.0  # logits by which such a note is held back, times the share beyond
OUTSIDE_BAND_LOGIT = 3.0  # logits by which parts that do not belong to the band are held back
KEY_SHARE = 0.15  # share of a genre's faith to its key that the player adds to what the network hears of it
OUT_OF_SCALE_LOGIT = 6.0  # logits by which chromatic steps are held back as their strength goes to 0
_GAPS = np.minimum(np.arange(codec.FIELDS["time"]) / TICKS_PER_BEAT, 1).astype(np.float32)


class History(NamedTuple):
    """What a player keeps in mind of the notes so far, beside the network's own state.

    tones: (12,) how much each pitch class was heard of late; alike: share of the notes of late that repeat an echo;
    played, span: notes and ticks of late; last: the tick of each part's last onset; genre: under which the notes
    were played; begun, entered: how many notes there were when that was switched to, and at which tick.
    """

    histogram: NDArray[np.float64] = np.zeros(PITCH_CLASSES)
    echo_share: float = 0.0
    played: float = 0.0
    span: float = 0.0
    last: tuple[int, ...] = (0,) * len(Part)
    genre: str = ""
    start: int = 0
    start_tick: int = 0

    def in_genre(self, genre: str, count: int, tick: int) -> History:
        """The same for playing on in `genre`, after `count` notes, from `tick`. In another genre than so far
        the player begins anew: it keeps its key, and forgets the rest."""
        if genre == self.genre:
            return self
        if not count:
            return self._replace(genre=genre)
        return History(self.histogram, last=(tick,) * len(Part), genre=genre, start=count, start_tick=tick)

    def after(self, note: Note, gap: int, matches: list[int]) -> History:
        """The same after `note`, `gap` ticks after the one before it; matches: whether it repeats each echo."""
        histogram = self.histogram if note.part == Part.DRUMS else add_pitch_class(self.histogram, note.pitch)
        fade = 0.5 ** (gap / DENSITY_MEMORY)
        last = tuple(note.tick if part == note.part else tick for part, tick in enumerate(self.last))
        return History(
            histogram,
            self.echo_share + (any(matches) - self.echo_share) / ECHO_MEMORY,
            self.played * fade + 1,
            self.span * fade + gap,
            last,
            self.genre,
            self.start,
            self.start_tick,
        )

    def density_ratio(self, wanted: float) -> float:
        """The density of late over the one wanted, in notes a beat."""
        if self.span <= DENSITY_MEMORY:
            return 1.0
        return self.played * TICKS_PER_BEAT / self.span / wanted


class Steering:
    """What was asked of a player of this manifest, and what follows from it and from what was heard.

    Density and parts that are free are the genre's own. band: the parts that are told to play, none if
    neither the asker nor the genre tells; parts: those that may; genre: the one asked for.
    """

    def __init__(self, manifest: Manifest, ask: Ask) -> None:
        genres = manifest.condition_genres
        self.genre = genre = str(ask.knobs.get("genre", "none"))
        traits = manifest.traits.get(genre)
        can_play = frozenset(manifest.parts) or frozenset(int(p) for p in Part)
        self.parts = (can_play & ask.parts) or can_play
        usual = frozenset(traits.parts) if traits else frozenset()
        self.band = (self.parts & usual) or (self.parts if self.parts != can_play else frozenset())
        density = float(ask.knobs.get("density", 0.0))
        if density < 1 and traits:
            density += (1 - density) * density_knob(traits.density)
        self._density = density  # less than 1: none, or not quite
        self._wanted = density_at(density)
        self._genre = np.eye(1 + len(genres), dtype=np.float32)[genres.index(genre) + 1 if genre in genres else 0]
        self._style = float(ask.knobs.get("style", 1.0)) if genre in genres else 1.0
        self._register = knob_share(float(ask.knobs.get("register", 0.0)), REGISTERS)
        self._in_key, self._entropy = (traits.in_key, traits.entropy) if traits else (IN_KEY, MIN_ENTROPY)
        self._scale = None if ask.scale == "chromatic" else inside(ask.key, ask.scale)
        self._strict = 1 - ask.chromatic

    def style(self, history: History, tick: int) -> float:
        """How far the genre is exaggerated at a tick: as was asked in its first bars, so that a switch is heard, and
        ever less later, as long runs would stray."""
        bars = (tick - history.start_tick) / (4 * TICKS_PER_BEAT)
        return 1 + (self._style - 1) * min(max((STYLE_ENDS - bars) / STYLED_BARS, 0.0), 1.0)

    def temperature_scale(self, history: History, tick: int) -> float:
        """What temperature is multiplied by at a tick: after a switch less, as style is more, since what is unlikely in
        a genre hides it."""
        return 1 / (1 + STYLE_COOLING * (self.style(history, tick) - 1)) if history.start else 1.0

    def conditions(self, history: History, style: float) -> NDArray[np.float32]:
        """What the network is told, (1, size); or where what it then chooses is to be exaggerated, (2, size): the
        second time without the genre."""
        conditioned = self.condition(history)
        if style == 1:
            return conditioned[None]
        plain = conditioned.copy()
        plain[: len(self._genre)] = np.arange(len(self._genre)) == 0
        return np.stack([conditioned, plain])

    @staticmethod
    def styled(logits: NDArray[np.float32], style: float) -> NDArray[np.float32]:
        """The logits (classes,) of those (lanes, classes) under `conditions`: `style` times as far from what the
        network would choose in no genre as when it is told of it (guidance without a classifier, Ho and Salimans
        2022)."""
        if len(logits) == 1:
            one: NDArray[np.float32] = logits[0]
            return one
        conditioned, plain = logits
        out: NDArray[np.float32] = plain + np.float32(style) * (conditioned - plain)
        return out

    def condition(self, history: History) -> NDArray[np.float32]:
        """What the network is told, (size,)."""
        density = self._density
        if density >= 1:
            correction = min(max(1 / history.density_ratio(self._wanted), MIN_CORRECTION), MAX_CORRECTION)
            density = density_knob(self._wanted * correction)
        histogram = histogram_condition(flattened(history.histogram, self._in_key, self._entropy))
        return np.concatenate(
            [self._genre, knob_share(density, DENSITIES), self._register, parts_share(self.band), histogram]
        )

    def time_bias(self, history: History) -> NDArray[np.float32]:
        """What is added to the logits of gaps: where there are far too many notes, longer ones are favoured."""
        too_many = history.density_ratio(self._wanted) / MAX_DENSITY_RATIO if self._density >= 1 else 1.0
        return _GAPS * np.float32(GAP_LOGIT * np.log(max(1.0, too_many)))

    def part_bias(self, history: History, tick: int) -> NDArray[np.float32]:
        """What is added to the logits of parts: who does not belong to the band is held back, who was silent
        for long comes in the likelier."""
        bias = np.zeros(len(Part), np.float32)
        for part in Part if self.band else ():
            bars = (tick - history.last[part]) / (4 * TICKS_PER_BEAT)
            waited = min(max((bars - REST_BARS) * REST_LOGIT, 0.0), MAX_REST_LOGIT)
            bias[part] = waited if part in self.band else -OUTSIDE_BAND_LOGIT
        return bias

    def echo_bias(self, history: History, rows: list[int]) -> NDArray[np.float32]:
        """What is added to the logits of rows: less for those of the echoes, where too many notes of late were such."""
        bias = np.zeros(ROWS, np.float32)
        bias[[row for row in rows if row < ROWS]] = -ECHO_LOGIT * max(0.0, history.echo_share - MAX_ECHO_SHARE)
        return bias

    def pitch_bias(self, history: History) -> NDArray[np.float32]:
        """What is added to the logits of rows: less for steps outside the scale, or where none is set, outside
        the keys that the last notes may be in; the less so, the freer `Ask.chromatic` is."""
        bias = np.zeros(ROWS, np.float32)
        if self._scale is None:
            leaning = key_logits(history.histogram, max(1.0, KEY_SHARE * self._in_key))
            bias[:DRUM_ROW] = self._strict * leaning[np.arange(DRUM_ROW) % 12]
        else:
            bias[:DRUM_ROW][~self._scale] = -OUT_OF_SCALE_LOGIT * self._strict
        return bias
