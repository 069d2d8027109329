"""An engine that plays on a real JACK server, watched from outside, for trials of what may happen to it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from instrument.bench.tools import CONTROL as CONTROL_PROCESS
from instrument.bench.tools import finish, first_line
from instrument.engine.ipc.messages import Play, Quit, Stop
from instrument.io.child import spawn
from instrument.midi_spec import CONTROL, NOTES_OFF, SOUND_OFF, parse
from tests.engine.test_recovery import listen, note_ons
from tests.support.engine import StartEngine, Watcher, children, command_line, end
from tests.support.jack import JackProbe, JackServer, wait_for

WELL_S = 30.0  # the longest that anything may take to be well again
RELEASE_S = 4.0  # after which a note that sounds on after a stop is stuck


def sounding(events: Iterable[tuple[float, bytes]]) -> set[tuple[int, int]]:
    """(channel, key) of the notes that sound after (ns, message) in order, for a receiver that heeds all-notes-off."""
    held: set[tuple[int, int]] = set()
    for _, message in events:
        parsed = parse(message)
        if parsed.starts:
            held.add((parsed.channel, parsed.first))
        elif parsed.ends:
            held.discard((parsed.channel, parsed.first))
        elif parsed.kind == CONTROL and parsed.first in (SOUND_OFF, NOTES_OFF):
            held = {note for note in held if note[0] != parsed.channel}
    return held


class Stage:
    """A playing engine, the server, and a probe at its MIDI port. starved: blocks so far, of all engines."""

    def __init__(self, jack: JackServer, start_engine: StartEngine) -> None:
        self.jack = jack
        self._start = start_engine
        self.starved = 0
        self.engine = self._engine()
        self.probe = JackProbe()
        listen(self.probe)
        self.engine.client.ask(Play())
        self.wait_for_notes(time.perf_counter_ns(), 4)

    def _engine(self) -> Watcher:
        return self._start(audio="", midi="virtual", linger="60")

    def restart(self) -> None:
        """Have a client start another engine, which plays."""
        self.count()
        self.engine = self._engine()
        listen(self.probe)
        self.engine.client.ask(Play())

    def new_probe(self) -> None:
        """Replace a probe that died with its server."""
        self.probe.__exit__()
        self.probe = JackProbe()
        listen(self.probe)

    def count(self) -> None:
        """Add the starved blocks of the present engine, which is to end."""
        with suppress(StopIteration):
            self.starved += self.engine.telemetry.starved

    def pid(self, module: str) -> int:
        """The process of the engine that runs `module`."""
        assert self.engine.client.process
        root = self.engine.client.process.pid
        found: list[int] = []
        wait_for(
            lambda: found.extend(pid for pid in children(root) if module in command_line(pid)) or found,
            what=f"the process of {module}",
        )
        return found[0]

    def wait_for_notes(self, since_ns: float, count: int = 3) -> None:
        """Wait until so many notes have come from the port since an instant."""

        def there() -> bool:
            self.engine.reports += self.engine.client.poll()
            return sum(ns > since_ns for ns, _ in note_ons(self.probe.events())) >= count

        wait_for(there, WELL_S, "notes from the port")

    def well_again(self, since: float) -> float:
        """Wait until notes come and every device works. Returns the seconds from `since` (`perf_counter`)."""
        engine = self.engine
        engine.until(lambda: engine.telemetry.playing and not any("is lost" in b for b in engine.telemetry.banners),
                     WELL_S, "devices that work")  # fmt: skip
        working = time.perf_counter()
        self.wait_for_notes(since * 1e9)
        notes = [ns / 1e9 for ns, _ in note_ons(self.probe.events()) if ns > since * 1e9]
        self.wait_for_notes(time.perf_counter_ns())  # and go on
        return max(working, notes[0]) - since

    def stuck(self) -> int:
        """Stop. Returns how many notes sound on."""
        self.engine.client.ask(Stop())
        ends = time.monotonic() + RELEASE_S
        while (held := sounding(self.probe.events())) and time.monotonic() < ends:
            time.sleep(0.05)
        return len(held)

    def close(self) -> None:
        """End everything."""
        self.probe.__exit__()
        if self.engine.client.alive:
            self.engine.client.send(Quit())
        assert self.engine.client.process
        end(self.engine.client.process)


@contextmanager
def control() -> Iterator[Callable[[], int | None]]:
    """A process that feeds silence to the server's device meanwhile; call what is given, at the end, for how many
    blocks it missed (None: it did not live to tell)."""
    process = spawn(CONTROL_PROCESS, "stream", output=subprocess.PIPE)
    first_line(process)
    told: list[int | None] = []

    def tell() -> int | None:
        if not told:
            told.append(finish(process))
        return told[0]

    try:
        yield tell
    finally:
        tell()
