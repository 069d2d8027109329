"""Opening devices: the one that was asked for, else the next best, and a banner that says so."""

from __future__ import annotations

from instrument.errors import HocketError
from instrument.io.audio import NULL, NullAudio, open_audio
from instrument.io.midi import VIRTUAL, NullMidi, open_midi
from instrument.io.ports import AudioOutput, AudioStatus, MidiOutput, MidiStatus


def best_audio(wanted: str) -> tuple[AudioOutput, str]:
    """An open audio output and a banner, empty where it is `wanted` (a device's name, "" the default, "null")."""
    problem = ""
    for name in dict.fromkeys((wanted, "")):
        try:
            audio = open_audio(name or None)
            return audio, problem and f"{problem}; playing to {audio.status().device}"
        except HocketError as error:
            problem = problem or str(error)
    audio = NullAudio()
    audio.start()
    return audio, f"no audio device, playing to the null device: {problem}"


def best_midi(wanted: str) -> tuple[MidiOutput, str]:
    """An open MIDI output and a banner, empty where it is `wanted` (a port's name, "" the virtual one, "null")."""
    problem = ""
    for name in dict.fromkeys((wanted or VIRTUAL, VIRTUAL)):
        try:
            midi = open_midi(name)
            return midi, problem and f"{problem}; sending to {midi.status().port}"
        except HocketError as error:
            problem = problem or str(error)
    return NullMidi(), f"no MIDI port, sending to nobody: {problem}"


def audio_banner(status: AudioStatus) -> str:
    """What is wrong with the audio device, if anything."""
    if status.state != "lost":
        return ""
    return f"audio device {status.device or 'by default'} is lost, reconnecting: {status.detail}"


def midi_banner(status: MidiStatus) -> str:
    """What is wrong with the MIDI port, if anything."""
    return f"MIDI port {status.port} is lost, reconnecting: {status.detail}" if status.state == "lost" else ""


def audio_text(status: AudioStatus) -> str:
    """The device as the window shows it."""
    return NULL if status.device == NULL else f"{status.device or 'default'}, {status.rate} Hz"


def midi_text(status: MidiStatus) -> str:
    """The port as the window shows it."""
    return status.port if status.backend == status.port else f"{status.port} ({status.backend})"
