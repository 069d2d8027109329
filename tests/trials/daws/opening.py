"""What other programs read in a MIDI file: midicsv, and Rosegarden and Ardour on a screen without a monitor."""

from __future__ import annotations

import base64
import csv
import gzip
import os
import shutil
import signal
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.jack import wait_for
from tests.support.xvfb import Xvfb

PATIENCE_S = 90.0  # on a busy machine
FIFTHS = ["Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#"]
NO_SHARPS = {"major": 7, "minor": 10}  # where C and A are in it


class Opened(NamedTuple):
    """What a program has read; times in beats (quarter notes).

    tempos: (beat, beats a minute); metres: (beat, numerator, denominator); keys: in order; markers: (beat, text).
    """

    tempos: list[tuple[float, float]]
    metres: list[tuple[float, int, int]]
    keys: list[str]
    markers: list[tuple[float, str]]
    parts: list[str]


def need(*programs: str) -> None:
    """Skip the test if a program is missing."""
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")


# --- midicsv ---


def in_midicsv(path: Path) -> Opened:
    """By midicsv, which prints each event of a file."""
    need("midicsv")
    text = subprocess.run(["midicsv", str(path)], capture_output=True, check=True).stdout.decode("latin-1")
    rows = list(csv.reader(text.splitlines(), skipinitialspace=True))
    division = next(int(row[5]) for row in rows if row[2] == "Header")
    opened = Opened([], [], [], [], [])
    for track, tick, kind, *rest in rows:
        beat = int(tick) / division
        match kind:
            case "Tempo":
                opened.tempos.append((beat, 60e6 / int(rest[0])))
            case "Time_signature":
                opened.metres.append((beat, int(rest[0]), 2 ** int(rest[1])))
            case "Key_signature":
                opened.keys.append(f"{FIFTHS[int(rest[0]) + NO_SHARPS[rest[1]]]} {rest[1]}")
            case "Marker_t":
                opened.markers.append((beat, rest[0]))
            case "Title_t" if track != "1":  # the first track is that of tempo and markers
                opened.parts.append(rest[0])
    return opened


# --- On a screen ---


@contextmanager
def on_screen(server: Xvfb, home: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program with a window manager and a home of its own; both are ended."""
    need(command[0], "openbox", "xdotool")
    home.mkdir(parents=True, exist_ok=True)
    environment = {**_environment(server), "HOME": str(home), "XDG_RUNTIME_DIR": str(home)}
    environment |= {"XDG_CONFIG_HOME": str(home), "QT_QPA_PLATFORM": "xcb", "ARDOUR_TRY_AUTOSTART_ENGINE": "1"}
    with (home / "log").open("w") as log:
        started = [
            subprocess.Popen(words, env=environment, stdout=log, stderr=log) for words in (["openbox"], list(command))
        ]
        try:
            yield started[1]
        finally:
            for process in started:
                process.kill()
                process.wait(5)


def title(server: Xvfb) -> str:
    """That of the window in front."""
    command = ["xdotool", "getactivewindow", "getwindowname"]
    return subprocess.run(command, env=_environment(server), capture_output=True, text=True, check=False).stdout


def enter(server: Xvfb, window: str) -> None:
    """Press Enter in the window with this in its title, once it is there, until it is closed."""
    wait_for(lambda: window in title(server), PATIENCE_S, f"the window {window!r}")
    end = time.monotonic() + PATIENCE_S
    while window in title(server):
        assert time.monotonic() < end, f"{window!r} does not close"
        subprocess.run(["xdotool", "key", "Return"], env=_environment(server), check=True)
        time.sleep(0.5)


def _environment(server: Xvfb) -> dict[str, str]:
    return {**os.environ, "DISPLAY": server.display}


# --- Rosegarden ---


def in_rosegarden(path: Path, folder: Path, server: Xvfb) -> Opened:
    """Opened by Rosegarden and saved as a file of its own, which is read."""
    home = folder / "rosegarden"
    saved = home / path.with_suffix(".rg").name
    with on_screen(server, home, "rosegarden", "--nosplash", "--nosound", str(path)) as program:
        enter(server, "Welcome")
        wait_for(lambda: path.name in title(server), PATIENCE_S, "the file in Rosegarden")
        program.send_signal(signal.SIGUSR1)  # it saves
        enter(server, "Save as")
        wait_for(lambda: saved.exists() and _whole(saved), PATIENCE_S, "what Rosegarden saves")
    root = ElementTree.fromstring(gzip.decompress(saved.read_bytes()))

    def beat(element: ElementTree.Element) -> float:
        return int(element.get("time", 0)) / 960

    def keys(segment: ElementTree.Element) -> list[str]:
        changes = [event for event in segment.iter("event") if event.get("type") == "keychange"]
        return [p.get("string", "") for each in changes for p in each.iter("property") if p.get("name") == "key"]

    of_segments = [keys(segment) for segment in root.iter("segment")]
    assert all(each == of_segments[0] for each in of_segments)
    signatures = root.iter("timesignature")
    return Opened(
        [(beat(each), int(each.get("tempo", 0)) / 100_000) for each in root.iter("tempo")],
        [(beat(each), int(each.get("numerator", 0)), int(each.get("denominator", 0))) for each in signatures],
        of_segments[0],
        [(beat(each), each.get("name", "")) for each in root.iter("marker")],
        [label for each in root.iter("track") if (label := each.get("label", ""))],
    )


def _whole(saved: Path) -> bool:
    try:
        return gzip.decompress(saved.read_bytes()).rstrip().endswith(b"</rosegarden-data>")
    except (EOFError, OSError):
        return False


# --- Ardour ---

# Its window starts on its own engine without a sound card, asks nothing, and runs a hook as the session is there.
CONFIGURATION = """<?xml version="1.0" encoding="UTF-8"?>
<Ardour>
  <Config>
    <Option name="try-autostart-engine" value="1"/>
    <Option name="hide-dummy-backend" value="0"/>
  </Config>
  <Extra><AudioMIDISetup><EngineStates>
    <State backend="None (Dummy)" driver="Normal Speed" device="Silence" input-device="Silence" output-device="Silence"
      sample-rate="48000" buffer-size="1024" n-periods="0" input-latency="0" output-latency="0" active="1"
      use-buffered-io="0" midi-option="No MIDI I/O"/>
  </EngineStates></AudioMIDISetup></Extra>
</Ardour>
"""
HOOKS = """<?xml version="1.0" encoding="UTF-8"?>
<UIScripts><ActionHooks>
  <LuaCallback lua="Lua 5.3" id="77" name="import" signals="{signals}">{state}</LuaCallback>
</ActionHooks></UIScripts>
"""
EVERY_SIGNAL = "1" * 60  # of which the first calls the hook
SESSION = """
AudioEngine:set_backend("None (Dummy)", "", ""):set_device_name("Silence")
AudioEngine:start(false)
create_session(arg[1], "trial", 48000):save_state("")
close_session()
quit()
"""
IMPORT = """
local called = false
return function ()
  if called then return end
  called = true
  local files = C.StringVector()
  files:push_back("{path}")
  Editor:do_import(
    files, Editing.ImportDistinctFiles, Editing.ImportAsTrack, ARDOUR.SrcQuality.SrcBest,
    ARDOUR.MidiTrackNameSource.SMFTrackName, ARDOUR.MidiTempoMapDisposition.SMFTempoUse,
    Temporal.timepos_t(0), ARDOUR.PluginInfo(), ARDOUR.Track(), true)
  Session:save_state("")
end
"""


def in_ardour(path: Path, folder: Path, server: Xvfb) -> Opened:
    """Imported by Ardour with tempo map and markers, as its dialog does, and saved as a session, which is read."""
    need("ardour", "ardour7-lua")
    home = folder / "ardour"
    configuration = home / "ardour7"
    configuration.mkdir(parents=True)
    (configuration / ".a7").touch()  # it has been here before
    (configuration / "config").write_text(CONFIGURATION)
    script = home / "session.lua"
    script.write_text(SESSION)
    environment = {**os.environ, "XDG_CONFIG_HOME": str(home)}
    subprocess.run(["ardour7-lua", str(script), str(home / "trial")], env=environment, check=True, capture_output=True)
    hook = f"s = {{n = 'import', s = '', a = {{}}, f = [==[{IMPORT.format(path=path)}]==]}}"
    state = base64.b64encode(hook.encode()).decode()
    (configuration / "ui_scripts").write_text(HOOKS.format(signals=EVERY_SIGNAL, state=state))
    session = home / "trial" / "trial.ardour"
    with on_screen(server, home, "ardour", "--no-splash", "--no-announcements", str(session)):
        wait_for(lambda: 'default-type="midi"' in session.read_text(), PATIENCE_S, "the import")
    root = ElementTree.parse(session).getroot()

    def beat(element: ElementTree.Element) -> float:
        whole, ticks = element.get("quarters", "").split(":")
        return int(whole) + int(ticks) / 1920

    return Opened(
        [(beat(each), float(each.get("npm", 0))) for each in root.iter("Tempo")],
        [
            (beat(each), int(each.get("divisions-per-bar", 0)), int(each.get("note-value", 0)))
            for each in root.iter("Meter")
        ],
        [],  # Ardour 7 has no keys
        [(int(each.get("position", "b0")[1:]) / 1920, each.get("text", "")) for each in root.iter("Cue")],
        [each.get("name", "") for each in root.iter("Route") if each.get("default-type") == "midi"],
    )
