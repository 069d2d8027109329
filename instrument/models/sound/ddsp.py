"""A voice of partials and noise after DDSP (Engel and others, 2020): a network decodes the frames of sounding tones.

In every control frame of about 8 ms all tones are decoded in one batch from their states and ages. Amplitudes and
frequencies of partials are interpolated linearly from the last frame, with continuous phases. So a tone can be held,
bent and morphed for any time. A morph blends the levels of partials and noise of two instruments, not their sounds:
there is one set of partials, so nothing beats.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.models.bundle import Bundle
from instrument.models.sound.additive import (
    BLOCK,
    CENTRES,
    FLOOR,
    FRAME_RATE,
    HIGHEST,
    KNOTS,
    LEVELS,
    PARTIALS,
    amplitudes,
    audible,
    noise_frames,
    oscillate,
    partials_needed,
    phasors,
    ratios,
)
from instrument.models.sound.base import one_note, warm_up
from instrument.models.sound.tone_features import age_features, folded_age, note_features
from instrument.music.pitch import to_hertz

Floats = NDArray[np.floating]

SLOTS = 48  # tones held, ringing and being cut
HEADROOM = 0.18  # gain: recordings of loud notes have full scale, a tone should peak at a quarter
SOFTEST, HARDEST = 40, 116  # range of velocities in training; beyond it level follows `GROWTH`
REFERENCE_VELOCITY = 100  # velocity at which a tone has the level of the recordings
GROWTH = 35.0  # decibels for ten times the velocity
PITCH_MARGIN = 2  # semitones beyond an instrument's range, where the pitch that the network gets is clipped
CUT_SECONDS, RISE_SECONDS = 0.005, 0.001
LOCKED_CENTS = 3.0  # cents: partials so near to multiples are put on them, as those of driven tones (bowed, blown) are
GLIDE = 0.4  # share of a knob's remaining change that is made in each control frame
STATES_PER_FRAME = 12  # states that are computed again in a control frame after a knob was turned
PHASORS = 512  # spectra of noise
VIBRATO_HZ, VIBRATO_CENTS, VIBRATO_FROM, VIBRATO_RISE = 5.4, 55.0, 0.15, 0.4
TILT = 6.0  # decibels an octave at brightness 1
MAX_RING = 8.0  # factor on the release time at ring 1
SILENT = np.r_[np.full(PARTIALS, -100.0), np.full(LEVELS - PARTIALS, -142.0)].astype(np.float32)
FEW_PARTIALS = 40  # tones of at most so many are rendered in a batch of their own
# Knobs that change smoothly, with their first values.
GLIDING_KNOBS = dict.fromkeys(("morph", "x", "y", "vibrato", "brightness", "ring"), 0.0)


class Ddsp:
    """A `VoiceModel` of a bundle of the family ddsp.

    Graphs: `note` (instrument, note, z -> state, tuning, loss, release) and `frame` (state, age -> levels, cents).
    Arrays of latents.npz: `directions` (2, latent) of the knobs x and y; `range` (instruments, 2), the lowest and
    highest pitch of each.
    """

    def __init__(self, bundle: Bundle) -> None:
        """HocketError if the bundle is incomplete."""
        self.manifest = bundle.manifest
        self.instruments = self.manifest.condition_genres
        self.note, self.frame = bundle.session("note"), bundle.session("frame")
        arrays = bundle.latents()
        shapes = {"directions": (2, self.manifest.latent), "range": (len(self.instruments), 2)}
        for name, shape in shapes.items():
            if name not in arrays or arrays[name].shape != shape or not self.instruments:
                raise HocketError(f"bundle {self.manifest.slug!r} has no {name} of shape {shape}: reinstall it")
        self.directions, self.range = arrays["directions"].astype(np.float32), arrays["range"].astype(np.float32)
        angles = np.random.Generator(np.random.Philox(1)).random((PHASORS, 1025))
        self.noise = phasors(angles)
        self.missing_growth = self._missing_growth()

    def _missing_growth(self) -> NDArray[np.float32]:
        """Decibels (instruments,) for ten times the velocity that each lacks of `GROWTH`: many recordings of soft notes
        are as loud as those of loud ones."""
        count = len(self.instruments)
        pitch = np.tile(self.range.mean(1), 2)
        note = note_features(pitch, np.repeat([SOFTEST, REFERENCE_VELOCITY], count))
        one = np.tile(np.eye(count, dtype=np.float32), (2, 1))
        feeds = {"instrument": one, "note": note, "z": np.zeros((2 * count, self.manifest.latent), np.float32)}
        state = self.note.run(feeds)[0]
        levels, _ = self.frame.run({"state": state, "age": age_features(np.full(2 * count, 0.1))})
        soft, loud = 10 * np.log10((10 ** (levels[:, :PARTIALS] / 10)).sum(1)).reshape(2, count)
        missing = GROWTH - (loud - soft) / np.log10(REFERENCE_VELOCITY / SOFTEST)
        return np.asarray(np.maximum(0, missing), np.float32)

    def start(self, rate: int, live: bool = False) -> DdspTones:
        """As `VoiceModel.start`. `live` changes nothing: a tone always sounds from its first frame."""
        return DdspTones(self, rate)


def open_voice(bundle: Bundle) -> Ddsp:
    """The voice of a bundle. HocketError as `Ddsp`."""
    voice = Ddsp(bundle)
    warm_up(voice)
    return voice


class DdspTones:
    """The `Tones` of a `Ddsp` voice. Arrays have a row for each slot; what a tone needs of the two instruments of a
    morph has a second axis."""

    def __init__(self, voice: Ddsp, rate: int) -> None:
        self.voice, self.rate = voice, rate
        self.velocity_sets_level = True  # also for instruments whose recordings all have one level
        self.hop = BLOCK * max(1, round(rate / (BLOCK * FRAME_RATE)))
        width = voice.manifest.graph("frame").inputs[0].shape[1]
        self.tone: list[int | None] = [None] * SLOTS  # None: free, or cut and forgotten
        self.active = np.zeros(SLOTS, bool)
        self.fresh = np.zeros(SLOTS, bool)  # struck, and nothing rendered yet
        self.pitch, self.velocity = np.zeros(SLOTS), np.zeros(SLOTS)
        self.serial, self.count = np.zeros(SLOTS, np.int64), 0
        self.age, self.since_release = np.zeros(SLOTS), np.full(SLOTS, -1.0)  # seconds; -1: held
        self.left = np.full(SLOTS, -1)  # frames until a cut tone is silent
        self.state = np.zeros((SLOTS, 2, width), np.float32)
        self.tuning = np.zeros((SLOTS, 2, PARTIALS), np.float32)
        self.loss = np.zeros((SLOTS, 2, LEVELS), np.float32)
        self.release_rate = np.zeros((SLOTS, 2), np.float32)
        self.stale = np.zeros((SLOTS, 2), bool)
        self.levels = np.tile(FLOOR, (SLOTS, 1))  # at the end of the frame that is being rendered
        self.hertz = np.zeros((SLOTS, HIGHEST), np.float32)
        self.strength = np.zeros((SLOTS, HIGHEST), np.float32)  # amplitudes of partials there
        self.phase = np.zeros((SLOTS, HIGHEST))
        self.sound = np.zeros((SLOTS, self.hop), np.float32)  # of that frame
        self.tail = np.zeros((SLOTS, self.hop), np.float32)  # of noise, for the next
        self.at = self.hop  # frames of it that were rendered
        self.bend_now, self.bend_to = np.zeros(SLOTS), np.zeros(SLOTS)  # semitones
        self.knob, self.knob_to = dict(GLIDING_KNOBS), dict(GLIDING_KNOBS)
        self.pair = [0, 0]

    # --- `Tones`

    def strike(self, tone: int, pitch: int, velocity: int) -> None:
        """As `Tones.strike`."""
        self.cut(tone)
        if tone in self.tone:
            self.tone[self.tone.index(tone)] = None
        free = np.flatnonzero(~self.active)
        slot = int(free[0]) if len(free) else int(self.serial.argmin())
        if not self.active.any():
            self.at = self.hop
            self._settle()
        self.tone[slot], self.active[slot], self.fresh[slot] = tone, True, True
        self.pitch[slot], self.velocity[slot] = pitch, max(1, velocity)
        self.age[slot], self.since_release[slot], self.left[slot] = 0.0, -1.0, -1
        self.serial[slot] = self.count = self.count + 1
        self.phase[slot] = self.bend_now[slot] = self.bend_to[slot] = 0
        self.tail[slot] = self.sound[slot] = 0
        self.stale[slot] = True

    def release(self, tone: int) -> None:
        """As `Tones.release`: it fades as its instrument does."""
        if tone in self.tone:
            slot = self.tone.index(tone)
            self.since_release[slot] = max(self.since_release[slot], 0.0)

    def cut(self, tone: int) -> None:
        """As `Tones.cut`."""
        if tone in self.tone:
            slot = self.tone.index(tone)
            if self.fresh[slot]:
                self._free(slot)
            elif self.left[slot] < 0:
                self.left[slot] = int(CUT_SECONDS * self.rate)

    def bend(self, tone: int, semitones: float) -> None:
        """As `Tones.bend`."""
        if tone in self.tone:
            slot = self.tone.index(tone)
            self.bend_to[slot] = semitones
            if self.fresh[slot]:
                self.bend_now[slot] = semitones

    def turn(self, knobs: Mapping[str, float | str]) -> None:
        """As `Tones.turn`. HocketError for an unknown instrument."""
        pair = list(self.pair)
        for i, name in enumerate(("instrument", "instrument_b")):
            if name in knobs:
                pair[i] = self._instrument(str(knobs[name]))
        changed = [a != b for a, b in zip(pair, self.pair, strict=True)]
        self.pair = pair
        self.stale |= changed
        self.knob_to |= {n: float(v) for n, v in knobs.items() if n in GLIDING_KNOBS}
        if not self.active.any():
            self._settle()

    def render(self, frames: int) -> NDArray[np.float32]:
        """As `Tones.render`."""
        out = np.zeros((frames, 2), np.float32)
        done = 0
        while done < frames and self.active.any():
            if self.at == self.hop:
                self._next()
                self.at = 0
            elif self.fresh.any():
                self._begin(np.flatnonzero(self.fresh), self.at)
            size = min(frames - done, self.hop - self.at)
            slots = np.flatnonzero(self.active)
            sound = self.sound[slots, self.at : self.at + size]
            for row in np.flatnonzero(self.left[slots] >= 0):
                slot = slots[row]
                sound[row] *= np.clip((self.left[slot] - np.arange(size)) / (CUT_SECONDS * self.rate), 0, 1)
                self.left[slot] -= size
                if self.left[slot] <= 0:
                    self._free(int(slot))
            out[done : done + size] = (sound.sum(0) * np.float32(HEADROOM))[:, None]
            self.at += size
            done += size
        return out

    @property
    def sounding(self) -> frozenset[int]:
        """As `Tones.sounding`."""
        return frozenset(t for t in self.tone if t is not None)

    # --- frames

    def _next(self) -> None:
        """The next control frame of all tones."""
        ended = (
            self.active & ~self.fresh & (self.levels < SILENT).all(1) & ((self.since_release >= 0) | (self.age > 1.0))
        )
        for slot in np.flatnonzero(ended):
            self._free(int(slot))
        self._glide()
        slots = np.flatnonzero(self.active & ~self.fresh)
        if len(slots):
            self._refresh(slots, STATES_PER_FRAME)
            self._advance(slots, 0)
        if self.fresh.any():
            self._begin(np.flatnonzero(self.fresh), 0)

    def _begin(self, slots: NDArray[np.int64], offset: int) -> None:
        """Start tones that were struck within the control frame, `offset` samples into it."""
        self.fresh[slots] = False
        self._refresh(slots, 2 * SLOTS)
        levels, hertz = self._decode(slots)
        self.levels[slots], self.hertz[slots], self.strength[slots] = levels, hertz, self._strength(levels, hertz)
        before = self._noise(slots, levels)
        self.tail[slots] = before[:, self.hop :]
        self._advance(slots, offset)

    def _advance(self, slots: NDArray[np.int64], offset: int) -> None:
        """Render tones from sample `offset` to the end of the control frame."""
        size = self.hop - offset
        born = self.age[slots]
        self.age[slots] += size / self.rate
        self.since_release[slots] += np.where(self.since_release[slots] >= 0, size / self.rate, 0)
        start, cycles = self.strength[slots], self.hertz[slots] / np.float32(self.rate)
        last, hertz = self._decode(slots)
        after, end = hertz / np.float32(self.rate), self._strength(last, hertz)
        sound = np.empty((len(slots), size), np.float32)
        needed = partials_needed(start, end)
        for few in (True, False):  # low tones have many partials: in one batch all others would cost as much
            rows = np.flatnonzero((needed <= FEW_PARTIALS) == few)
            if len(rows):
                some = slice(0, needed[rows].max())
                turned = phasors(self.phase[slots[rows], some]) * np.complex64(-1j)
                waves = (start[rows, some] * turned, end[rows, some] * turned)
                sound[rows] = oscillate(*waves, cycles[rows, some], after[rows, some], size)
        noise = self._noise(slots, last)
        sound += self.tail[slots, offset:] + noise[:, offset : self.hop]
        rise = RISE_SECONDS * self.rate
        for row in np.flatnonzero(born * self.rate < rise):
            sound[row] *= np.minimum(1, (born[row] * self.rate + np.arange(size)) / rise)
        self.sound[slots, offset:] = sound
        self.tail[slots] = noise[:, self.hop :]
        self.phase[slots] += (cycles.astype(float) + after) * (size / 2)
        self.phase[slots] %= 1.0
        self.levels[slots], self.hertz[slots], self.strength[slots] = last, hertz, end

    def _strength(self, levels: Floats, hertz: Floats) -> NDArray[np.float32]:
        """Amplitudes of all partials (n, HIGHEST)."""
        return amplitudes(levels[:, :PARTIALS]) * audible(hertz, self.rate)

    def _noise(self, slots: NDArray[np.int64], levels: Floats) -> NDArray[np.float32]:
        """A frame of noise (n, 2 hop) for each tone."""
        number = np.rint(self.age[slots] * self.rate / self.hop).astype(np.int64)
        which = (self.serial[slots] * 193 + number * 31 + number * number * 7) % PHASORS
        return noise_frames(levels[:, PARTIALS:], self.voice.noise[which, : self.hop + 1], self.rate)

    # --- the network

    def _shares(self) -> list[tuple[int, float]]:
        """(index, weight) of those of the two instruments that sound."""
        morph = self.knob["morph"]
        return [(i, share) for i, share in enumerate((1 - morph, morph)) if share > 0]

    def _refresh(self, slots: NDArray[np.int64], most: int) -> None:
        """Compute the stale states of tones again, at most so many of them, lowest slots first."""
        which = [(int(s), i) for i, _ in self._shares() for s in slots if self.stale[s, i]][:most]
        if not which:
            return
        rows, side = np.array(which).T
        instrument = np.array(self.pair)[side]
        one = np.zeros((len(rows), len(self.voice.instruments)), np.float32)
        one[np.arange(len(rows)), instrument] = 1
        low, high = self.voice.range[instrument].T
        pitch = np.clip(self.pitch[rows], low - PITCH_MARGIN, high + PITCH_MARGIN)
        velocity = np.clip(self.velocity[rows], SOFTEST, HARDEST)
        z = np.array([self.knob["x"], self.knob["y"]], np.float32) @ self.voice.directions
        feeds = {"instrument": one, "note": note_features(pitch, velocity), "z": np.tile(z, (len(rows), 1))}
        state, tuning, loss, release = self.voice.note.run(feeds)
        self.state[rows, side] = state
        self.tuning[rows, side] = np.sign(tuning) * np.maximum(np.abs(tuning) - LOCKED_CENTS, 0)
        self.loss[rows, side] = np.maximum(loss - 1, 0)
        self.release_rate[rows, side] = np.clip(release[:, 0], 20, 600)
        self.stale[rows, side] = False

    def _decode(self, slots: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Levels (n, LEVELS) in decibels and frequencies (n, HIGHEST) in hertz of all partials, at the tones' ages."""
        age = self.age[slots]
        seen = folded_age(age)
        shares = self._shares()
        states = np.concatenate([self.state[slots, i] for i, _ in shares])
        found, cents = self.voice.frame.run({"state": states, "age": np.tile(age_features(seen), (len(shares), 1))})
        share = np.array([s for _, s in shares], np.float32)
        sides = [i for i, _ in shares]
        weigh = share[:, None, None]
        levels = (np.maximum(found, FLOOR).reshape(len(shares), len(slots), LEVELS) * weigh).sum(0)
        drift = np.clip((cents.reshape(len(shares), -1) * share[:, None]).sum(0), -100, 100)
        loss = (self.loss[slots][:, sides] * share[:, None]).sum(1)
        tuning = (self.tuning[slots][:, sides] * share[:, None]).sum(1)
        rate = (self.release_rate[slots][:, sides] * share).sum(1) * MAX_RING ** -self.knob["ring"]
        velocity = self.velocity[slots]
        gain = GROWTH * np.log10(velocity / np.clip(velocity, SOFTEST, HARDEST))
        if self.velocity_sets_level:
            missing = (self.voice.missing_growth[[self.pair[i] for i in sides]] * share).sum()
            gain = gain + missing * np.log10(np.clip(velocity, SOFTEST, HARDEST) / REFERENCE_VELOCITY)
        gain = gain - rate * np.maximum(self.since_release[slots], 0)
        levels = levels + (gain[:, None] - loss * (age - seen)[:, None])
        depth = self.knob["vibrato"] * VIBRATO_CENTS * np.clip((age - VIBRATO_FROM) / VIBRATO_RISE, 0, 1)
        cents_off = drift + depth * np.sin(2 * np.pi * VIBRATO_HZ * age)
        hertz = to_hertz(self.pitch[slots] + self.bend_now[slots] + cents_off / 100)
        if self.knob["brightness"]:
            levels = levels + self._tilt(hertz)
        return np.maximum(levels, FLOOR).astype(np.float32), ratios(tuning) * hertz[:, None].astype(np.float32)

    def _tilt(self, hertz: Floats) -> Floats:
        octaves = np.log2(np.concatenate([np.tile(KNOTS, (len(hertz), 1)), CENTRES / hertz[:, None]], 1))
        return np.asarray(np.clip(TILT * self.knob["brightness"] * octaves, -48, 18))

    # --- knobs

    def _glide(self) -> None:
        """Move knobs and bends towards their targets."""
        before = self.knob["x"], self.knob["y"]
        for name, to in self.knob_to.items():
            self.knob[name] = _nearer(self.knob[name], to)
        left = self.bend_to - self.bend_now
        self.bend_now += np.where(np.abs(left) < 1e-3, 1, GLIDE) * left
        if before != (self.knob["x"], self.knob["y"]):
            self.stale[:] = True

    def _settle(self) -> None:
        """Set the knobs to their targets, as nothing sounds."""
        self.knob = dict(self.knob_to)

    def _instrument(self, name: str) -> int:
        if name not in self.voice.instruments:
            raise HocketError(f"unknown instrument {name!r}: choose one of {', '.join(self.voice.instruments)}")
        return self.voice.instruments.index(name)

    def _free(self, slot: int) -> None:
        self.tone[slot], self.active[slot], self.fresh[slot], self.left[slot] = None, False, False, -1
        self.levels[slot] = FLOOR


def _nearer(value: float, to: float) -> float:
    return to if abs(to - value) < 1e-3 else value + GLIDE * (to - value)


def render_note(
    voice: Ddsp, instrument: str, pitch: int, velocity: int, held_s: float, seconds: float, rate: int
) -> NDArray[np.float32]:
    """Mono samples (samples,) of one note at the level of its recordings, released after `held_s` seconds."""
    tones = voice.start(rate)
    tones.turn({"instrument": instrument})
    tones.velocity_sets_level = False
    mono = one_note(tones, pitch, velocity, held_s, seconds, rate)
    return (mono / HEADROOM).astype(np.float32)
