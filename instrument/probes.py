"""What `hocket doctor` tries out in a process of its own, since a driver, a server or Qt may hang or crash there.

python -m instrument.probes NAME    print what was found in one line, or why nothing was, with status 1
"""

from __future__ import annotations

import sys
from collections.abc import Callable


def onnxruntime() -> str:
    """Its version and what it can run models on."""
    import onnxruntime as runtime

    providers = (name.removesuffix("ExecutionProvider") for name in runtime.get_available_providers())
    return " ".join([runtime.__version__, *providers])


def audio() -> str:
    """The default output, and how many there are."""
    import sounddevice

    stereo = [device for device in sounddevice.query_devices() if device["max_output_channels"] > 1]
    if not stereo:
        raise LookupError("no output device")
    default = sounddevice.query_devices(kind="output")
    return f"{default['name']} at {default['default_samplerate']:.0f} Hz, {len(stereo)} in all"


def midi() -> str:
    """The ports to send to."""
    import rtmidi

    ports = rtmidi.MidiOut().get_ports()
    if not ports:
        raise LookupError("no port")
    return ", ".join(ports)


def jack() -> str:
    """The rate and the period of the running server."""
    import jack as client

    server = client.Client("hocket-doctor", no_start_server=True)
    return f"running at {server.samplerate} Hz, {server.blocksize} frames a period"


def window() -> str:
    """The platform and the screen on which a window opens."""
    from PySide6.QtGui import QGuiApplication

    app = QGuiApplication([])
    size = app.primaryScreen().size()
    return f"{app.platformName()} {size.width()} x {size.height()}"


PROBES: dict[str, Callable[[], str]] = {
    "onnxruntime": onnxruntime,
    "audio": audio,
    "midi": midi,
    "jack": jack,
    "window": window,
}


def main(arguments: list[str]) -> int:
    """Run the probe of that name; the exit status."""
    try:
        print(PROBES[arguments[0]](), flush=True)
    except Exception as error:  # noqa: BLE001  (whatever a library raises is the finding)
        print(str(error).strip() or type(error).__name__, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
