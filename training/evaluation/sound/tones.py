"""What is measured of a voice (`ddsp`, `gansynth`): the held-out notes of a corpus, played by it and held against the
real ones, against its representation's own round trip, and against a sampler of the training notes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr

from instrument.errors import HocketError
from instrument.models.bundle import Bundle, bundle_bytes
from instrument.models.catalog import open_sound_bundle
from instrument.models.manifest import Manifest
from instrument.models.sound.base import VoiceModel
from training.data.sound.corpus import Clip, Corpus
from training.evaluation.generation import default_knobs
from training.evaluation.sound.ears import Examples, instrument_ear, spread
from training.evaluation.sound.evaluation import Evaluation, Sound, levelled
from training.evaluation.sound.hearing import NOTE_MELS, hear_note
from training.evaluation.sound.pitch import pitch_figures
from training.evaluation.sound.showing import Shown
from training.families.table import FAMILIES
from training.measures.distances import Bins, mel_cepstral, multi_resolution

NOTES = 160
ALIKE = 8  # velocities apart that are as far as one semitone, for the nearest neighbour
CHOSEN = ("piano_splendid", "flute", "cello", "guitar_nylon", "clarinet", "trumpet")  # for pictures and examples
EXAMPLE_RATE = 32000
SCALE = (60, 64, 67, 72)


@dataclass(frozen=True, slots=True)
class Notes:
    """Held-out notes, and others of each. made: by the voice; tripped: through its representation; sampled: the nearest
    of the training notes; resampled: that one brought to the pitch, as a sampler does. All at one rate, as long as the
    real ones, and as loud."""

    clips: list[Clip]
    rate: int
    real: list[Sound]
    made: list[Sound]
    tripped: list[Sound]
    sampled: list[Sound]
    resampled: list[Sound]


def evaluate_voice(bundle: Bundle, corpus: Corpus, split: str = "test", notes: int = NOTES) -> Evaluation:
    """Measure a voice on `notes` notes of a split. HocketError if there are none of its instruments."""
    done = Evaluation.of(bundle, corpus, split)
    with done.stage("open", "open the voice"):
        manifest, voice = open_sound_bundle(bundle)
    if not isinstance(voice, VoiceModel):
        raise HocketError(f"model {manifest.slug!r} is no voice: it has no notes to measure")
    clips = held_out(corpus, manifest, split, notes)
    with done.stage("render", f"{len(clips)} notes rendered"):
        found = render_all(voice, manifest, corpus, clips)
    figures = done.figures | {"notes": len(clips), "instruments": len({c.instrument for c in clips})}
    with done.stage("pitch", "pitch"):
        figures["pitch"] = {
            name: pitch_figures((x, corpus.rate, clip.pitch) for x, clip in zip(sounds, clips, strict=True))
            for name, sounds in (("real", found.real), ("model", found.made), ("round trip", found.tripped))
        }
    with done.stage("ears", "instruments, by ear"):
        figures |= by_ear(corpus, found)
    with done.stage("distance", "distance from the real notes"):
        figures["distance"] = distances(found)
    with done.stage("cost", "time a note"):
        figures["cost"] = cost(voice, manifest, clips) | {"bytes": bundle_bytes(bundle.folder)}
    figures["goals"] = goals(figures)
    figures["overview"] = overview(figures)
    done.figures = figures
    show(done, voice, manifest, found)
    return done


def held_out(corpus: Corpus, manifest: Manifest, split: str, most: int) -> list[Clip]:
    """Notes of a split that the voice has the instruments of, evenly chosen."""
    known = set(manifest.condition_genres)
    clips = [c for c in corpus.select(split=split) if c.instrument in known and c.pitch >= 0]
    if not clips:
        raise HocketError(f"{corpus.folder} has no notes of {manifest.slug!r}'s instruments in its {split} split")
    return spread(sorted(clips, key=lambda c: (c.instrument, c.pitch, c.velocity)), most)


def render_all(voice: VoiceModel, manifest: Manifest, corpus: Corpus, clips: Sequence[Clip]) -> Notes:
    """The notes, and what stands for them."""
    real = [corpus.read(clip) for clip in clips]
    pairs = list(zip(clips, real, strict=True))
    trip = FAMILIES[manifest.family].round_trip

    def all_of(make: Callable[[Clip, Sound], Sound]) -> list[Sound]:
        return [levelled(make(clip, x), x) for clip, x in pairs]

    return Notes(
        list(clips),
        corpus.rate,
        real,
        all_of(lambda clip, x: render_note(voice, manifest, clip, corpus.rate, len(x))),
        all_of(lambda clip, x: trip(x, clip.pitch, corpus.rate)),
        all_of(lambda clip, x: corpus.read(nearest(corpus, clip), 0, len(x))),
        all_of(lambda clip, x: at_pitch(corpus, nearest(corpus, clip), clip.pitch, len(x))),
    )


def render_note(voice: VoiceModel, manifest: Manifest, clip: Clip, rate: int, frames: int) -> Sound:
    """That note, played by the voice: mono (frames,). Its key goes up when that of the real one did."""
    knobs = default_knobs(manifest, instrument=clip.instrument)
    return play(voice, knobs, [(clip.pitch, 0, clip.held or frames)], rate, frames, max(1, clip.velocity))


def play(
    voice: VoiceModel,
    knobs: dict[str, float | str],
    notes: Sequence[tuple[int, int, int]],
    rate: int,
    frames: int,
    velocity: int = 96,
    turns: Sequence[tuple[int, dict[str, float | str]]] = (),
) -> Sound:
    """Mono samples (frames,) of notes (pitch, struck at, released at; in frames). turns: knobs that are other from a
    frame on."""
    tones = voice.start(rate)
    tones.turn(knobs)
    todo = [(at, 2, "strike", (i, pitch, velocity)) for i, (pitch, at, _) in enumerate(notes)]
    todo += [(until, 0, "release", (i,)) for i, (_, _, until) in enumerate(notes)]
    todo += [(at, 1, "turn", ({**knobs, **other},)) for at, other in turns]
    out, at = [], 0
    for when, _, name, arguments in sorted(todo, key=lambda t: t[:2]):
        if when >= frames:
            break
        if when > at:
            out.append(tones.render(when - at))
            at = when
        getattr(tones, name)(*arguments)
    out.append(tones.render(frames - at))
    sound: Sound = np.concatenate(out).mean(1)
    return sound


def nearest(corpus: Corpus, clip: Clip) -> Clip:
    """The training note of the same instrument that is nearest in pitch, then in velocity."""
    others = [c for c in corpus.select(split="train", instruments=[clip.instrument]) if c.pitch >= 0]
    if not others:
        raise HocketError(f"{corpus.folder} has no training notes of {clip.instrument!r}")
    return min(others, key=lambda c: abs(c.pitch - clip.pitch) + abs(c.velocity - clip.velocity) / (128 * ALIKE))


def at_pitch(corpus: Corpus, clip: Clip, pitch: int, frames: int) -> Sound:
    """A note (frames,) played faster or slower, so that it has another pitch; silence where it ends too early."""
    sound = corpus.read(clip)
    if pitch != clip.pitch:
        sound = soxr.resample(sound, corpus.rate * 2 ** ((pitch - clip.pitch) / 12), corpus.rate)
    sound = np.asarray(sound[:frames], np.float32)
    return np.pad(sound, (0, frames - len(sound)))


def by_ear(corpus: Corpus, notes: Notes) -> dict[str, Any]:
    """How often the instrument is recognised, and NDB, of real and other notes."""
    ear, heard = instrument_ear(corpus)
    labels = np.array([clip.instrument for clip in notes.clips])
    bins = Bins.of(heard.train.rows[:, :NOTE_MELS])
    recognised: dict[str, Any] = {}
    ndb: dict[str, Any] = {"bins": len(bins.counts)}
    for name, sounds in _kinds(notes):
        rows = np.stack([hear_note(x, notes.rate, c.pitch) for x, c in zip(sounds, notes.clips, strict=True)])
        recognised[name] = float((np.array(ear.tell(rows)) == labels).mean())
        ndb[name] = bins.different(rows[:, :NOTE_MELS])
        if name == "model":
            by_label = ear.recognised(Examples(rows, labels, labels, labels))
    return {
        "recognised": recognised,
        "ndb": ndb,
        "missed": sorted(k for k, v in by_label.items() if v < 0.5),
        "ear": {k: ear.figures[k] for k in ("folds", "held_out", "heard")} | {"labels": len(ear.labels)},
    }


def _kinds(notes: Notes) -> tuple[tuple[str, list[Sound]], ...]:
    return (
        ("real", notes.real),
        ("model", notes.made),
        ("round trip", notes.tripped),
        ("nearest neighbour", notes.sampled),
        ("nearest, resampled", notes.resampled),
    )


def distances(notes: Notes) -> dict[str, dict[str, float]]:
    """Multi-resolution STFT distance and mel cepstral distance from the real notes: means, and how often the model is
    nearer than the sampler."""
    apart = {
        name: np.array([multi_resolution(x, y) for x, y in zip(notes.real, sounds, strict=True)])
        for name, sounds in _kinds(notes)[1:]
    }
    cepstra = {
        name: float(np.mean([mel_cepstral(x, y, notes.rate) for x, y in zip(notes.real, sounds, strict=True)]))
        for name, sounds in _kinds(notes)[1:]
    }
    trip = apart["round trip"].mean()
    return {
        name: {"mean": float(d.mean()), "of round trip": float(d.mean() / trip), "mel cepstral dB": cepstra[name]}
        for name, d in apart.items()
    }


def cost(voice: VoiceModel, manifest: Manifest, clips: Sequence[Clip], rate: int = 48000) -> dict[str, float]:
    """Processor time of one thread: to strike a note and render its first 5 ms, and a second of one note."""
    begin, seconds = [], []
    for clip in spread(clips, 12):
        tones = voice.start(rate)
        tones.turn(default_knobs(manifest, instrument=clip.instrument))
        start = time.thread_time()
        tones.strike(0, clip.pitch, max(1, clip.velocity))
        tones.render(256)
        middle = time.thread_time()
        for _ in range(rate // 1024):
            tones.render(1024)
        begin.append(middle - start)
        seconds.append(time.thread_time() - start)
    return {
        "begin_ms": float(1000 * np.median(begin)),
        "second_ms": float(1000 * np.median(seconds)),
        "times_real_time": float(1 / max(np.median(seconds), 1e-6)),
    }


def goals(figures: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What was aimed at: figure, limit, and whether it is met."""
    pitch, known, distance = figures["pitch"], figures["recognised"], figures["distance"]

    def in_octaves(row: dict[str, float]) -> float:
        return row["near"] + row["octaves"]

    found = {
        "pitch within 50 cents, at least as of the real notes": (pitch["model"]["near"], pitch["real"]["near"]),
        "octaves aside": (in_octaves(pitch["model"]), in_octaves(pitch["real"])),
        "instrument recognised, of the rate of real notes": (known["model"] / max(known["real"], 1e-9), 0.8),
    }
    rows = {name: {"found": a, "goal": f">= {b:.3g}", "met": a >= b} for name, (a, b) in found.items()}
    ratio = distance["model"]["of round trip"]
    rows["STFT distance, of the round trip's"] = {"found": ratio, "goal": "<= 1.25", "met": ratio <= 1.25}
    return rows


def overview(figures: dict[str, Any]) -> dict[str, str]:
    """What the overview of all models says."""
    pitch, known, ndb, distance = (figures[name] for name in ("pitch", "recognised", "ndb", "distance"))
    return {
        "pitch (real)": f"{pitch['model']['near']:.2f} ({pitch['real']['near']:.2f})",
        "recognised (real)": f"{known['model']:.2f} ({known['real']:.2f})",
        "NDB (real)": f"{ndb['model']:.2f} ({ndb['real']:.2f})",
        "STFT (round trip)": f"{distance['model']['mean']:.2f} ({distance['round trip']['mean']:.2f})",
        "× real time": f"{figures['cost']['times_real_time']:.0f}",
    }


# --- to see and to hear


def show(done: Evaluation, voice: VoiceModel, manifest: Manifest, notes: Notes) -> None:
    """Choose pictures and examples."""
    order = sorted(range(len(notes.clips)), key=lambda i: (notes.clips[i].instrument not in CHOSEN, i))
    chosen: dict[str, int] = {}
    for i in order:
        chosen.setdefault(notes.clips[i].instrument, i)
    for i in list(chosen.values())[:4]:
        name = f"{notes.clips[i].instrument} {notes.clips[i].pitch}"
        done.rows.append(
            [
                Shown(f"{name}, real", notes.real[i], notes.rate),
                Shown("model", notes.made[i], notes.rate),
                Shown("round trip", notes.tripped[i], notes.rate),
            ]
        )
    done.examples["notes"] = (phrase(voice, manifest), EXAMPLE_RATE)
    if {"morph", "instrument_b"} <= {knob.id for knob in manifest.knobs}:
        done.examples["morph"] = (morphed(voice, manifest), EXAMPLE_RATE)


def _instruments(manifest: Manifest) -> list[str]:
    return ([name for name in CHOSEN if name in manifest.condition_genres] or list(manifest.condition_genres))[:4]


def phrase(voice: VoiceModel, manifest: Manifest, rate: int = EXAMPLE_RATE) -> Sound:
    """A chord, broken, by up to four instruments one after the other."""
    step = rate // 3
    parts = []
    for name in _instruments(manifest):
        notes = [(pitch, i * step, i * step + step) for i, pitch in enumerate(SCALE)]
        parts.append(play(voice, default_knobs(manifest, instrument=name), notes, rate, len(SCALE) * step + rate // 8))
    return np.concatenate(parts)


def morphed(voice: VoiceModel, manifest: Manifest, rate: int = EXAMPLE_RATE, seconds: float = 5.0) -> Sound:
    """A held chord that goes from one instrument to another and back."""
    first, *others = _instruments(manifest)
    pair = {"instrument": first, "instrument_b": others[-1] if others else first, "morph": 0.0}
    frames = int(seconds * rate)
    turns = [(at, {"morph": float(0.5 - 0.5 * np.cos(2 * np.pi * at / frames))}) for at in range(0, frames, rate // 50)]
    notes = [(pitch, 0, int(0.9 * frames)) for pitch in SCALE[:3]]
    return play(voice, default_knobs(manifest, **pair), notes, rate, frames, turns=turns)


# --- as tables


def sections(figures: dict[str, Any]) -> dict[str, list[Any]]:
    """The figures as sections of a card."""
    ear, ndb, recognised = figures["ear"], figures["ndb"], figures["recognised"]
    heard = ear["heard"]
    return {
        "Goals": [
            f"On {figures['notes']} held-out notes of {figures['instruments']} instruments ({figures['split']} split "
            f"of `{figures['corpus']}`), at their pitch and velocity, brought to the level of the real ones.",
            figures["goals"],
        ],
        "Pitch": [
            "Shares of the notes with a median fundamental (swift-f0, MIDI 30-96) within 50 cents of the label, off by "
            "octaves, and without one.",
            figures["pitch"],
        ],
        "By ear": [
            f"A classifier of {ear['labels']} instruments, trained on {heard['train']} real notes: right for "
            f"{ear['folds']:.2f} of them in folds by pitch, for {ear['held_out']:.2f} of {heard['held_out']} held-out "
            f"ones. NDB: the share of {ndb['bins']} bins of log mels whose proportion is not that of the training "
            "notes.",
            {name: {"recognised": recognised[name], "NDB": ndb[name]} for name in recognised},
            f"Recognised in less than half of their notes: {', '.join(figures['missed']) or 'none'}.",
        ],
        "Distance from the real note": [
            "Multi-resolution STFT distance (512, 1024, 2048) of the model, of its representation's own round trip, "
            "of the training note of that instrument with the nearest pitch, and of that note resampled to the pitch: "
            "a sampler made of all the training notes.",
            figures["distance"],
        ],
        "Cost": [
            "Milliseconds of one thread at 48 kHz: to strike a note and render 5 ms, and for a second of one note.",
            {"": figures["cost"]},
        ],
    }
