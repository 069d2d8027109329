"""Steering of a note model over long runs: the condition it gets, and biases on its logits.

In training a network never saw more than about two thousand notes. Left alone for ten minutes it loses its key,
becomes too dense or too sparse, leaves parts silent, or repeats itself. So a player keeps statistics of the recent
notes (`History`). Where these leave what is wanted, `Steering` corrects the condition and biases the logits. All of
it depends on the notes and the `Ask` alone, never on time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from instrument.models.manifest import Manifest, Traits
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

DENSITY_MEMORY = 384.0  # half-life in ticks of the measured density
MIN_CORRECTION, MAX_CORRECTION = 0.25, 2.0  # bounds of the factor by which the wanted density is corrected
MAX_DENSITY_RATIO = 1.3  # measured over wanted density, above which longer gaps are favoured
MAX_BAND_RATIO = 1.1  # the same where the density is that of the parts that play
GAP_LOGIT = 6.0  # added to the logit of a gap of a beat, for each factor of e above that ratio
REST_BARS, REST_LOGIT, MAX_REST_LOGIT = 4, 0.5, 4.0  # bars a part may rest; logits for each bar more; at most
ON_REST_BARS = (1.25, 0.5, 0.5, 0.25, 0.5)  # bars that a part may rest which has to play, by part
ON_REST_LOGIT, MAX_ON_LOGIT = 10.0, 14.0  # logits for each bar more; at most
STYLED_BARS, STYLE_ENDS = 4, 8  # bars over which the exaggeration of a genre fades out, and when it ends
STYLE_COOLING = 1 / 4  # how far temperature falls after a switch, for each unit of style above 1
MAX_ECHO_SHARE = 0.85  # share of the recent notes that may repeat an echo (1 to 8 bars ago)
ECHO_MEMORY = 64.0  # notes over which that share is averaged
ECHO_LOGIT = 16.0  # subtracted from the logit of an echo's note, times the share above `MAX_ECHO_SHARE`
OUTSIDE_BAND_LOGIT = 3.0  # subtracted from the logit of a part that does not belong to the band
KEY_SHARE = 0.15  # share of a genre's `Traits.in_key` that biases the pitch logits towards the key
OUT_OF_SCALE_LOGIT = 6.0  # subtracted from the logits of pitches outside the scale when `chromatic` is 0
DRUM_ECHO_LOGIT = 1.0  # for the drum that was struck at this place a bar before
PART_LOGITS, MAX_PART_LOGIT = 5.0, 8.0  # for each factor of e by which a part has too few of the notes; at most
PART_TRUST = 8.0  # notes that are taken to be shared out as wanted at first
INTERVAL_CLASSES = (0, 2, 4, 7)  # semitones, the largest of each class of melodic intervals but the last
INTERVAL_MEMORY, INTERVAL_TRUST = 48.0, 12.0  # intervals that count, and that are taken to be as wanted at first
MELODY_COOLING = 0.85  # factor on the temperature of the melody's pitches: of its own it wavers more than tunes do
LEAST_INTERVAL = 0.01  # share of the rarest class
INTERVAL_LOGITS, MAX_INTERVAL_LOGIT = 1.0, 3.0  # for each factor of e by which a class is too rare; at most
_GAPS = np.minimum(np.arange(codec.FIELDS["time"]) / TICKS_PER_BEAT, 1).astype(np.float32)


class History(NamedTuple):
    """Statistics of the notes so far, in addition to the network's own state.

    histogram: (12,) decayed counts of pitch classes; echo_share: share of the recent notes that repeat an echo;
    played, span: decayed counts of notes and ticks; last: the tick of each part's last onset; genre: the one that
    the notes were played in; start, start_tick: how many notes there were when it was switched to, and the tick;
    melody: the tick of the melody's last onset, the highest pitch there and at the onset before; intervals: decayed
    counts of its intervals, by class, but for the last one; by_part: decayed counts of the notes of each part.
    """

    histogram: NDArray[np.float64] = np.zeros(PITCH_CLASSES)
    echo_share: float = 0.0
    played: float = 0.0
    span: float = 0.0
    last: tuple[int, ...] = (0,) * len(Part)
    genre: str = ""
    start: int = 0
    start_tick: int = 0
    melody: tuple[int, int, int] = (-1, -1, -1)
    intervals: NDArray[np.float64] = np.zeros(len(INTERVAL_CLASSES) + 1)
    by_part: NDArray[np.float64] = np.zeros(len(Part))

    def in_genre(self, genre: str, count: int, tick: int) -> History:
        """The history for going on in `genre`, after `count` notes, from `tick`. A new genre keeps the histogram (and
        so the key) and resets the rest."""
        if genre == self.genre:
            return self
        if not count:
            return self._replace(genre=genre)
        return History(self.histogram, last=(tick,) * len(Part), genre=genre, start=count, start_tick=tick)

    def after(self, note: Note, gap: int, matches: list[int]) -> History:
        """The history after `note`, `gap` ticks after the note before it. matches: whether it repeats each echo."""
        histogram = self.histogram if note.part == Part.DRUMS else add_pitch_class(self.histogram, note.pitch)
        fade = 0.5 ** (gap / DENSITY_MEMORY)
        last = tuple(note.tick if part == note.part else tick for part, tick in enumerate(self.last))
        (struck, top, before), intervals = self.melody, self.intervals
        if note.part == Part.MELODY and note.tick > struck:
            if before >= 0:
                intervals = intervals * (1 - 1 / INTERVAL_MEMORY)
                intervals[interval_class(abs(top - before))] += 1
            struck, top, before = note.tick, note.pitch, top
        elif note.part == Part.MELODY:
            top = max(note.pitch, top)
        return History(
            histogram,
            self.echo_share + (any(matches) - self.echo_share) / ECHO_MEMORY,
            self.played * fade + 1,
            self.span * fade + gap,
            last,
            self.genre,
            self.start,
            self.start_tick,
            (struck, top, before),
            intervals,
            self.by_part * fade + (np.arange(len(Part)) == note.part),
        )

    def density_ratio(self, wanted: float) -> float:
        """The measured density over the one wanted, in notes a beat; 1 until enough was played."""
        if self.span <= DENSITY_MEMORY:
            return 1.0
        return self.played * TICKS_PER_BEAT / self.span / wanted


def part_rates(traits: Traits, band: frozenset[int]) -> NDArray[np.float64] | None:
    """(5,) notes a beat of each part of a band, 0 for others; None where a part's is not known."""
    known = {str(name): rate for name, rate in (traits.rates or {}).items()}
    rates = [known.get(part.name.lower(), np.nan) if part in band else 0.0 for part in Part]
    return np.array(rates) if band and not np.isnan(rates).any() else None


def interval_class(semitones: ArrayLike) -> NDArray[np.intp]:
    """The classes of melodic intervals, of their sizes in semitones: see `Traits.intervals`."""
    return np.searchsorted(INTERVAL_CLASSES, semitones)


class Steering:
    """The condition and the logit biases that follow from an `Ask` and a `History`.

    A density or parts that the `Ask` leaves free are those of the genre. band: the parts that the condition asks for,
    empty if neither the `Ask` nor the genre names any; parts: those that may play; genre: the one asked for;
    guidance: how far the plan is exaggerated; rates: notes a beat of each part of the band (5,), None if they are not
    known.
    """

    def __init__(self, manifest: Manifest, ask: Ask) -> None:
        genres = manifest.condition_genres
        self.genre = genre = str(ask.knobs.get("genre", "none"))
        traits = manifest.traits.get(genre)
        can_play = frozenset(manifest.parts) or frozenset(int(p) for p in Part)
        self.parts = (can_play & ask.parts) or can_play
        usual = frozenset(traits.parts) if traits else frozenset()
        self.band = (self.parts & (usual | ask.on)) or (self.parts if self.parts != can_play else frozenset())
        self.rates = part_rates(traits, self.band) if traits else None
        density = float(ask.knobs.get("density", 0.0))
        if density < 1 and traits:
            usual_density = traits.density if self.rates is None else float(self.rates.sum())
            density += (1 - density) * density_knob(usual_density)
        self._on = ask.on & self.parts
        self._density = density  # less than 1: none, or not quite
        self._wanted = density_at(density)
        self._genre = np.eye(1 + len(genres), dtype=np.float32)[genres.index(genre) + 1 if genre in genres else 0]
        self._style = float(ask.knobs.get("style", 1.0)) if genre in genres else 1.0
        self.guidance = float(ask.knobs.get("guidance", 1.0))
        self._register = knob_share(float(ask.knobs.get("register", 0.0)), REGISTERS)
        self._intervals = np.maximum(traits.intervals, LEAST_INTERVAL) if traits and traits.intervals else None
        self._in_key, self._entropy = (traits.in_key, traits.entropy) if traits else (IN_KEY, MIN_ENTROPY)
        self._scale = None if ask.scale == "chromatic" else inside(ask.key, ask.scale)
        self._strict = 1 - ask.chromatic

    @property
    def wanted_rates(self) -> NDArray[np.float64] | None:
        """(5,) notes a beat of each part of the band at the density that is asked for, None if they are not known."""
        return None if self.rates is None else self.rates * (self._wanted / self.rates.sum())

    def style(self, history: History, tick: int) -> float:
        """The guidance scale at a tick: the knob `style` in the first bars of a genre, so that a switch is audible. It
        then falls to 1, since long runs with guidance drift."""
        bars = (tick - history.start_tick) / (4 * TICKS_PER_BEAT)
        return 1 + (self._style - 1) * min(max((STYLE_ENDS - bars) / STYLED_BARS, 0.0), 1.0)

    def temperature_scale(self, history: History, tick: int) -> float:
        """The factor on temperature at a tick: below 1 after a switch of genre, the lower the higher `style` is, since
        unlikely notes hide the genre."""
        return 1 / (1 + STYLE_COOLING * (self.style(history, tick) - 1)) if history.start else 1.0

    def conditions(self, history: History, style: float) -> NDArray[np.float32]:
        """Condition vectors (1, size); where the genre is to be exaggerated (2, size), the second without a genre."""
        conditioned = self.condition(history)
        if style == 1:
            return conditioned[None]
        plain = conditioned.copy()
        plain[: len(self._genre)] = np.arange(len(self._genre)) == 0
        return np.stack([conditioned, plain])

    @staticmethod
    def guided(logits: NDArray[np.float32], style: float, guidance: float) -> NDArray[np.float32]:
        """Logits (classes,) from those (lanes, classes) under `conditions`, and without the plan at the end where
        `guidance` is not 1: classifier-free guidance by genre and by plan (Ho and Salimans, 2022). A lane that is not
        there leaves its scale at 1."""
        out: NDArray[np.float32] = logits[0]
        if style != 1 and len(logits) > 1:
            out = logits[1] + np.float32(style) * (logits[0] - logits[1])
        if guidance != 1 and len(logits) > 1:
            out = out + np.float32(guidance - 1) * (logits[0] - logits[-1])
        return out

    def condition(self, history: History) -> NDArray[np.float32]:
        """The condition vector (size,)."""
        density = self._density
        if density >= 1:
            correction = min(max(1 / history.density_ratio(self._wanted), MIN_CORRECTION), MAX_CORRECTION)
            density = density_knob(self._wanted * correction)
        histogram = histogram_condition(flattened(history.histogram, self._in_key, self._entropy))
        return np.concatenate(
            [self._genre, knob_share(density, DENSITIES), self._register, parts_share(self.band), histogram]
        )

    def time_bias(self, history: History) -> NDArray[np.float32]:
        """Added to the logits of gaps (385,): favours longer gaps where there are far too many notes."""
        most = MAX_DENSITY_RATIO if self.rates is None else MAX_BAND_RATIO
        too_many = history.density_ratio(self._wanted) / most if self._density >= 1 else 1.0
        return _GAPS * np.float32(GAP_LOGIT * np.log(max(1.0, too_many)))

    def part_bias(self, history: History, tick: int) -> NDArray[np.float32]:
        """Added to the logits of parts (5,): lowers those outside the band and raises those silent for long."""
        bias = np.zeros(len(Part), np.float32)
        for part in Part if self.band else ():
            bars = (tick - history.last[part]) / (4 * TICKS_PER_BEAT)
            waited = min(max((bars - REST_BARS) * REST_LOGIT, 0.0), MAX_REST_LOGIT)
            bias[part] = waited if part in self.band else -OUTSIDE_BAND_LOGIT
            if part in self._on:
                bias[part] += min(max((bars - ON_REST_BARS[part]) * ON_REST_LOGIT, 0.0), MAX_ON_LOGIT)
        if self.rates is not None:
            bias += self._balance(history, self.rates)
        return bias

    @staticmethod
    def _balance(history: History, rates: NDArray[np.float64]) -> NDArray[np.float32]:
        """(5,) logits that bring the shares of the parts among the recent notes to those of `rates`."""
        wanted = rates / rates.sum()
        heard = history.by_part + PART_TRUST * wanted
        there = wanted > 0
        factors = np.log(wanted[there] * heard[there].sum() / heard[there])
        bias = np.zeros(len(Part), np.float32)
        bias[there] = np.clip(PART_LOGITS * factors, -MAX_PART_LOGIT, MAX_PART_LOGIT)
        return bias

    def echo_bias(self, history: History, rows: list[int]) -> NDArray[np.float32]:
        """Added to the logits of rows (256,): lowers those of the echoes where too many recent notes repeated one."""
        bias = np.zeros(ROWS, np.float32)
        bias[[row for row in rows if row < ROWS]] = -ECHO_LOGIT * max(0.0, history.echo_share - MAX_ECHO_SHARE)
        return bias

    def cooling(self, part: int) -> float:
        """The factor on the temperature of pitches of a part."""
        return MELODY_COOLING if part == Part.MELODY and self._intervals is not None else 1.0

    def drum_bias(self, echo: int) -> NDArray[np.float32]:
        """Added to the logits of rows (256,) for a drum: favours the one of the bar before (`ROWS` or more: none), so
        that a beat stays a beat."""
        bias = np.zeros(ROWS, np.float32)
        if echo < ROWS and self.rates is not None:
            bias[echo] = DRUM_ECHO_LOGIT
        return bias

    def interval_bias(self, history: History, tick: int) -> NDArray[np.float32]:
        """Added to the logits of rows (256,) for a melody note at a tick: raises the intervals that melodies of the
        genre have more often than the recent notes had. Of its own a network leaps too much, as small errors add up."""
        bias = np.zeros(ROWS, np.float32)
        struck, pitch, _ = history.melody
        if self._intervals is None or not 0 <= struck < tick:
            return bias
        heard = history.intervals + INTERVAL_TRUST * self._intervals
        factors = np.log(self._intervals / self._intervals.sum() * heard.sum() / heard)
        logits = np.clip(INTERVAL_LOGITS * factors, -MAX_INTERVAL_LOGIT, MAX_INTERVAL_LOGIT)
        bias[:DRUM_ROW] = logits[interval_class(np.abs(np.arange(DRUM_ROW) - pitch))]
        return bias

    def pitch_bias(self, history: History) -> NDArray[np.float32]:
        """Added to the logits of rows (256,): lowers pitches outside the scale, or if none is set, outside the keys
        that the recent notes suggest. Scaled by 1 - `Ask.chromatic`."""
        bias = np.zeros(ROWS, np.float32)
        if self._scale is None:
            towards_key = key_logits(history.histogram, max(1.0, KEY_SHARE * self._in_key))
            bias[:DRUM_ROW] = self._strict * towards_key[np.arange(DRUM_ROW) % 12]
        else:
            bias[:DRUM_ROW][~self._scale] = -OUT_OF_SCALE_LOGIT * self._strict
        return bias
