"""The device process: PortAudio and nothing else.

    python -m instrument.io.audio.device RING [DEVICE]    play what arrives in the ring until the parent is gone
    python -m instrument.io.audio.device --list           print the outputs there are, as JSON

Its callback copies from the ring and never allocates more than a few words, locks or logs. The device list is
frozen when PortAudio starts, so every question and every reopening is a process of its own.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.io.audio.ring import FRAMES, AudioRing
from instrument.io.child import exit_after, serve
from instrument.io.names import pick
from instrument.io.shared import RUNNING

# The driver families we use, best first, with the latency asked of each: PortAudio's own "low", or seconds.
# The others give the same devices with more latency, and serve where none of these is there.
HOSTS: dict[str, str | float] = {
    "JACK Audio Connection Kit": "low",
    "Core Audio": "low",
    "Windows WASAPI": "low",
    "ALSA": 0.025,  # "low" is 8.7 ms, which leaves a callback in Python no slack behind PipeWire or PulseAudio
}
JACK_NAME = b"Hocket audio"  # PortAudio keeps the pointer, so these stay
JACK_NAME_LIST = b"Hocket audio list"  # of its own: a player that came meanwhile would be "Hocket audio-01"

_RAMP = 64  # frames over which a starved ring falls to silence and comes back, so that it does not click
_WATCH_S = 0.02


def _portaudio(name: bytes) -> Any:
    """The sounddevice module, called `name` on JACK; its absence is an error with a way out."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # PortAudio without JACK, or none at all: told below
            ctypes.CDLL("libportaudio.so.2").PaJack_SetClientName(name)
    try:
        import sounddevice
    except OSError as error:
        raise HocketError(
            f"no PortAudio on this machine ({error}): install it "
            "(Debian, Ubuntu: sudo apt install libportaudio2; Fedora: sudo dnf install portaudio)"
        ) from error
    except ImportError as error:
        raise HocketError("the package sounddevice is missing: pip install sounddevice") from error
    return sounddevice


def outputs(sd: Any) -> list[dict[str, Any]]:
    """The output devices of the preferred driver families, the default first."""
    families = {h["name"]: h for h in sd.query_hostapis()}
    order = [families[name] for name in HOSTS if name in families] or list(families.values())
    found = []
    for family in order:
        default = family["default_output_device"]
        for number in sorted(family["devices"], key=lambda n: n != default):
            info = sd.query_devices(number)
            if info["max_output_channels"] > 0:
                rate = int(info["default_samplerate"])
                found.append(
                    {
                        "number": number,
                        "name": info["name"],
                        "host": family["name"],
                        "rate": rate,
                        "channels": info["max_output_channels"],
                    }
                )
    return found


def choose(found: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The device called `name` (or the only one whose name contains it); the default if `name` is empty.
    Raises HocketError with the names there are."""
    if not found:
        raise HocketError("no audio output device: plug one in, or start a sound server (JACK, PipeWire)")
    if not name:
        return found[0]
    return found[pick(name, [d["name"] for d in found], "one audio device", "null")]


class Player:
    """The callback: ring to device, silence where the ring is empty, and what happened, published."""

    def __init__(self, ring: AudioRing, channels: int) -> None:
        self._sound = ring.sound
        self._words = ring.words
        self._pairs = ring.pairs
        self._channels = channels
        self._starving = False
        self._rise = np.linspace(0, 1, _RAMP, endpoint=False, dtype=np.float32)[:, None]
        self._fall = self._rise[::-1].copy()
        self._rise_at = self._fall_at = _RAMP  # how far each has come; this far: it is over
        self._level = np.zeros(channels, np.float32)  # what falls
        self._last = np.zeros(channels, np.float32)
        self._scratch = np.zeros((_RAMP, channels), np.float32)
        self.latency_s = 0.0  # the stream's own word, for drivers that stamp nothing
        self._at = {name: ring.index(name) for name in (*ring.numbers, "heartbeat_ns")}

    def __call__(self, out: NDArray[np.float32], frames: int, times: Any, status: Any) -> None:
        """Fill `out` (frames, channels); `times` and `status` are PortAudio's."""
        now = time.perf_counter_ns()
        words, at = self._words, self._at
        played, silent, there = words[at["played"]], words[at["silent"]], words[at["written"]]
        n = min(there - played, frames)
        start = played % FRAMES
        first = min(n, FRAMES - start)
        self._copy(self._sound[start : start + first], out[:first])
        self._copy(self._sound[: n - first], out[first:n])
        out[n:] = 0
        missing = n < frames and there > 0  # before the first frame there is nothing to miss
        words[at["starved"]] += missing
        self._smooth(out, n, missing)
        ahead = times.outputBufferDacTime - times.currentTime
        ahead_ns = int((ahead if 0 < ahead < 1 else self.latency_s) * 1e9)
        self._pairs.push(played + silent, now + ahead_ns)
        words[at["silent"]] = silent + frames - n
        words[at["played"]] = played + n
        words[at["block"]] = frames
        words[at["latency_ns"]] = ahead_ns
        words[at["heartbeat_ns"]] = now
        if status.output_underflow:
            words[at["xruns"]] += 1
        words[at["blocks"]] += 1

    def _smooth(self, out: NDArray[np.float32], n: int, missing: bool) -> None:
        """Let what breaks off after `n` frames fall, and what comes after a gap rise."""
        if self._rise_at < _RAMP and n:
            k = min(n, _RAMP - self._rise_at)
            out[:k] *= self._rise[self._rise_at : self._rise_at + k]
            self._rise_at += k
        begin = 0
        if missing and (n or not self._starving):
            self._level[:] = out[n - 1] if n else self._last
            self._rise_at = self._fall_at = 0
            begin = n
        self._starving = missing
        if self._fall_at < _RAMP:
            k = min(len(out) - begin, _RAMP - self._fall_at)
            np.multiply(self._fall[self._fall_at : self._fall_at + k], self._level, out=self._scratch[:k])
            out[begin : begin + k] += self._scratch[:k]
            self._fall_at += k
        self._last[:] = out[-1]

    def _copy(self, sound: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        if self._channels == 2:
            out[:] = sound
        else:
            np.add(sound[:, :1], sound[:, 1:], out=out)
            out *= 0.5


def play(ring: AudioRing, name: str) -> None:
    """Open the device called `name` and play the ring until it is to close. Raises HocketError when the
    device does not open, or is gone."""
    sd = _portaudio(JACK_NAME)
    info = choose(outputs(sd), name)
    channels = min(2, info["channels"])
    player = Player(ring, channels)
    try:
        stream = sd.OutputStream(
            samplerate=info["rate"],
            device=info["number"],
            channels=channels,
            dtype="float32",
            latency=HOSTS.get(info["host"], "high"),
            callback=player,
        )
        player.latency_s = stream.latency
        ring.put("rate", int(stream.samplerate))
        ring.put_text("device", info["name"])
        stream.start()
    except sd.PortAudioError as error:
        raise HocketError(f"the audio device {info['name']!r} did not open: {error}") from error
    while stream.active:
        if ring.get("closing"):
            stream.abort()  # in order, so that a sound server need not wait for us
            stream.close()
            return
        if ring.get("blocks"):
            ring.put("state", RUNNING)
        time.sleep(_WATCH_S)
    raise HocketError(f"the audio device {info['name']!r} is gone")


def main(arguments: list[str]) -> int:
    """Run as said above; the exit status."""
    if arguments == ["--list"]:
        exit_after()
        try:
            print(json.dumps(outputs(_portaudio(JACK_NAME_LIST))), flush=True)
        except HocketError as error:
            print(error)
            return 1
        os._exit(0)  # a library's clean-up is where a dying server would hang us
    ring = AudioRing.open(arguments[0])
    serve(ring, lambda: play(ring, "".join(arguments[1:])))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
