"""The device process: PortAudio and nothing else.

    python -m instrument.io.audio.device RING [DEVICE]    play what arrives in the ring until the parent is gone
    python -m instrument.io.audio.device --list           print the outputs there are, as JSON

Its callback copies from the ring; it allocates at most a few words, and never locks or logs. PortAudio reads the list
of devices once, when it starts, so every listing and every reopening needs a new process.
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

# The driver families used, best first, with the latency requested: PortAudio's own "low", or seconds. The others give
# the same devices with more latency, and are used where none of these is there.
HOSTS: dict[str, str | float] = {
    "JACK Audio Connection Kit": "low",
    "Core Audio": "low",
    "Windows WASAPI": "low",
    "ALSA": 0.025,  # "low" is 8.7 ms, which leaves a callback in Python no slack behind PipeWire or PulseAudio
}
JACK_NAME = b"Hocket audio"  # module constants, as PortAudio keeps the pointer
JACK_NAME_LIST = b"Hocket audio list"  # another name, so that a player that starts meanwhile is not "Hocket audio-01"

_RAMP = 64  # frames of the fades to silence and back around a starved block, against clicks
_WATCH_S = 0.02
_IMPOSSIBLE_S = 1.0  # a latency of this or more is none: PipeWire gives negative ones, which have no sign here


def _portaudio(name: bytes) -> Any:
    """The sounddevice module, called `name` on JACK; HocketError says how to install it."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # PortAudio without JACK, or no PortAudio: reported below
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
    """The callback: copies the ring to the device, silence where it is empty, and publishes counters."""

    def __init__(self, ring: AudioRing, channels: int) -> None:
        self._sound = ring.sound
        self._words = ring.words
        self._pairs = ring.pairs
        self._channels = channels
        self._starving = False
        self._rise = np.linspace(0, 1, _RAMP, endpoint=False, dtype=np.float32)[:, None]
        self._fall = self._rise[::-1].copy()
        self._rise_at = self._fall_at = _RAMP  # frames done of each fade; _RAMP: it is over
        self._level = np.zeros(channels, np.float32)  # the frame that fades out
        self._last = np.zeros(channels, np.float32)
        self._scratch = np.zeros((_RAMP, channels), np.float32)
        self.latency_s = 0.0  # the stream's own figure, for drivers without timestamps
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
        missing = n < frames and there > 0  # before the first frame nothing is missing
        words[at["starved"]] += missing
        self._smooth(out, n, missing)
        ahead = times.outputBufferDacTime - times.currentTime
        ahead_ns = int((ahead if 0 < ahead < _IMPOSSIBLE_S else self.latency_s) * 1e9)
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
        """Fade out after the last of `n` frames where some are missing, and fade in after a gap."""
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
        player.latency_s = stream.latency if 0 <= stream.latency < _IMPOSSIBLE_S else 0.0
        ring.put("rate", int(stream.samplerate))
        ring.put_text("device", info["name"])
        stream.start()
    except sd.PortAudioError as error:
        raise HocketError(f"the audio device {info['name']!r} did not open: {error}") from error
    while stream.active:
        if ring.get("closing"):
            stream.abort()  # an orderly end, so that a sound server need not wait
            stream.close()
            return
        if ring.get("blocks"):
            ring.put("state", RUNNING)
        time.sleep(_WATCH_S)
    raise HocketError(f"the audio device {info['name']!r} is gone")


def main(arguments: list[str]) -> int:
    """Run as the module says; the exit status."""
    if arguments == ["--list"]:
        exit_after()
        try:
            print(json.dumps(outputs(_portaudio(JACK_NAME_LIST))), flush=True)
        except HocketError as error:
            print(error)
            return 1
        os._exit(0)  # without a library's clean-up, in which a dying server may hang
    ring = AudioRing.open(arguments[0])
    serve(ring, lambda: play(ring, "".join(arguments[1:])))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
