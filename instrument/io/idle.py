"""A bare process that plays silence: the control against which the engine's starved blocks are judged.

    python -m instrument.io.idle LEAD_MS [DEVICE]    play silence until standard input ends, then print the status

It writes the same ring through the same device process as the engine, and does nothing else; the blocks it
misses are the machine's.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading

import numpy as np

from instrument.errors import HocketError
from instrument.io.audio.output import open_audio
from instrument.io.audio.ring import CHANNELS
from instrument.io.child import KILL_S, spawn
from instrument.io.ports import AudioStatus

_MODULE = "instrument.io.idle"
_WAKE_S = 0.005
_FINISH_S = 10.0


class IdleStream:
    """Silence playing in another process from now until `finish`."""

    def __init__(self, device: str = "", lead_ms: int = 30) -> None:
        """device, lead_ms: as the engine's; "null" measures the null device."""
        self._process = spawn(_MODULE, str(lead_ms), device, output=subprocess.PIPE)

    def finish(self) -> AudioStatus:
        """Stop and report. Raises HocketError when the device did not open."""
        try:
            output, _ = self._process.communicate(timeout=_FINISH_S)
        except subprocess.TimeoutExpired:
            raise HocketError("the idle stream did not end: the audio driver hangs") from None
        finally:
            self._process.kill()
            self._process.wait(KILL_S)
        lines = output.decode().splitlines() or ["the idle stream ended without a word"]
        if self._process.returncode:
            raise HocketError(lines[-1])
        return AudioStatus(**json.loads(lines[-1]))


def main(arguments: list[str]) -> int:
    """Run as said above; the exit status."""
    ended = threading.Event()

    def watch() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=watch, daemon=True).start()
    try:
        audio = open_audio(arguments[1] or None)
    except HocketError as error:
        print(error)
        return 1
    lead = int(arguments[0]) * audio.rate // 1000
    while not ended.wait(_WAKE_S):
        if frames := audio.free(lead):
            audio.write(np.zeros((frames, CHANNELS), np.float32))
        audio.poll()
    status = audio.status()
    audio.close()
    print(json.dumps(dataclasses.asdict(status)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
