"""The window and a real engine: the two meet, the engine is killed and comes back, and nothing is left behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication

from instrument.engine.ipc.client import EngineClient
from instrument.engine.ipc.messages import SavePatch
from instrument.engine.performance.patches import load_patch
from instrument.errors import HocketError
from instrument.models.sharing import export_model
from instrument.music.midifile import write_midi
from instrument.music.notes import Marker, Note, Part, Piece
from instrument.music.timebase import Metre
from instrument.paths import patches_dir
from instrument.ui import theme
from instrument.ui.app import run_window
from instrument.ui.knobs.knob import KnobDial
from instrument.ui.link import LinkState
from instrument.ui.window import Window
from tests.support.engine import OPTIONS, ROOT, end, there

Story = Callable[[Window], Iterator[Callable[[], object]]]
PATIENCE_MS = 40_000
STEP_MS = 30


class Teller:
    """Runs a story inside the window's own event loop: it goes on whenever what it waits for is so."""

    def __init__(self, story: Story) -> None:
        self.finished = False
        self.failure: BaseException | None = None
        self._story = story
        self._steps: Iterator[Callable[[], object]] | None = None
        self._awaited: Callable[[], object] = lambda: True
        self._left = PATIENCE_MS
        self._window: Window | None = None
        self._timer = QTimer()
        self._timer.timeout.connect(self._go_on)
        self._timer.start(STEP_MS)

    def _go_on(self) -> None:
        try:
            self._left -= STEP_MS
            if self._steps is None:
                windows = [w for w in QApplication.topLevelWidgets() if isinstance(w, Window) and w.isVisible()]
                if windows:
                    self._window = windows[0]
                    self._steps = self._story(self._window)
            elif self._awaited():
                self._awaited = next(self._steps)
            assert self._left > 0, "waited in vain"
        except StopIteration:
            self._end(True)
        except BaseException as failure:  # noqa: BLE001 - told by the test
            self.failure = failure
            self._end(False)

    def stop(self) -> None:
        self._timer.stop()

    def _end(self, finished: bool) -> None:
        self.finished = finished
        self.stop()
        if self._window is not None:
            self._window.close()


def tell(story: Story, **options: str) -> None:
    teller = Teller(story)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        run_window({**OPTIONS, **options})
    finally:
        teller.stop()
        for number, handler in before.items():
            signal.signal(number, handler)
    if teller.failure:
        raise teller.failure
    assert teller.finished


@pytest.fixture(autouse=True)
def scale_player(monkeypatch: pytest.MonkeyPatch, qapp: QApplication) -> Iterator[None]:
    """A small model, importable by the engine; afterwards the theme is as other tests want it."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    yield
    theme.apply(qapp)


def engine_of(window: Window) -> Any:
    client = window.link._client
    assert isinstance(client, EngineClient)
    return client.process


def test_the_engine_is_killed_and_the_window_brings_it_and_the_music_back() -> None:
    engines = []

    def story(window: Window) -> Iterator[Callable[[], object]]:
        yield lambda: window.link.state == LinkState.RUNNING and (0, "temperature") in window.board.controls
        engines.append(engine_of(window))
        yield lambda: len(window.roll.score.notes.planned) > 3
        window.play_or_stop()
        yield lambda: window.transport.playing and len(window.roll.score.notes.committed) > 3
        knob = window.board.controls[0, "temperature"]
        assert isinstance(knob, KnobDial)
        knob.setValue(80)
        yield lambda: not window.link.pending(0, "temperature")
        os.kill(engines[0].pid, signal.SIGKILL)
        yield lambda: window.link.state == LinkState.RESTARTING
        yield lambda: window.link.state == LinkState.RUNNING
        engines.append(engine_of(window))
        assert "started again" in window.banner.text
        yield lambda: window.transport.playing and len(window.roll.score.notes.committed) > 3
        window.play_or_stop()
        yield lambda: not window.transport.playing

    tell(story)
    assert engines[0].pid != engines[1].pid
    assert end(engines[1]) == 0
    assert not there(engines[1].pid)


def test_a_sound_is_added_turned_seen_and_removed() -> None:
    def story(window: Window) -> Iterator[Callable[[], object]]:
        yield lambda: window.link.state == LinkState.RUNNING and (0, "temperature") in window.board.controls
        window.play_or_stop()
        yield lambda: window.transport.playing
        window.band.add.picked.emit("sines")
        yield lambda: 1 in window.band.rows
        pitch, row = window.board.controls[1, "pitch"], window.band.rows[1]
        assert isinstance(pitch, KnobDial)
        assert {(1, id) for id in ("level", "mute", "tune", "duck")} <= set(window.board.controls)
        pitch.setValue(90)
        yield lambda: not window.link.pending(1, "pitch")
        assert window.transport.playing, "sounds come while the music goes on"
        yield lambda: row.meter.bar > -30 and any(window.stage.spectrogram.seen)
        row.remove.click()
        yield lambda: 1 not in window.band.rows
        assert window.transport.playing

    tell(story, players="tests.support.sound.players:open_any")


def drag(window: Window, kind: type[QDropEvent], file: Path) -> bool:
    """Whether a drag of that file over the middle of the window, or its drop, was taken."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(file))])
    place = QPoint(window.width() // 2, window.height() // 2)
    at = QPointF(place) if kind is QDropEvent else place
    event = kind(at, Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    event.ignore()
    QApplication.sendEvent(window, event)
    return event.isAccepted()


def drop(window: Window, file: Path) -> None:
    """Drop a file on the middle of the window, which takes it."""
    assert drag(window, QDragEnterEvent, file)
    assert drag(window, QDropEvent, file)


def test_files_dropped_on_the_window_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOCKET_HOME", str(tmp_path / "home"))
    whole = export_model("musicvae-melody2", tmp_path / "whole.hocket")
    broken, text, chart = tmp_path / "broken.hocket", tmp_path / "song.doc", tmp_path / "chart.txt"
    broken.write_bytes(whole.read_bytes()[:1000])
    chart.write_text("Am | F\nC | G\n")
    song = tmp_path / "song.mid"
    markers = (Marker(0, "chord Dm7"), Marker(96, "chord G7"))
    notes = np.array([Note(0, 0, 60, 180, 90, Part.MELODY)], np.int32)
    write_midi(Piece(notes, (Metre(0, 4, 4),), markers=markers), song)

    def story(window: Window) -> Iterator[Callable[[], object]]:
        yield lambda: window.link.state == LinkState.RUNNING and (0, "temperature") in window.board.controls
        drop(window, text)
        yield lambda: "ong.doc cannot be opened" in window.banner.text
        drop(window, whole)
        assert "ong.doc" not in window.banner.text, "what was said of an earlier drop is stale"
        yield lambda: "Installed: whole.hocket" in window.banner.text
        for file, said in ((broken, "broken.hocket"), (chart, "the chords of chart.txt"), (song, "chords of song.mid")):
            drop(window, file)
            yield lambda said=said: said in window.banner.text
        assert "broken" not in window.banner.text
        assert len(window.banner.text.splitlines()) == 1
        patch = patches_dir() / "Mine.json"
        window.link.send(SavePatch("Mine"))
        yield patch.exists
        drop(window, patch)
        yield lambda: "Loaded Mine.json" in window.banner.text
        assert load_patch("Mine").progression == "Dm7 | G7"

    tell(story)


def test_what_was_just_played_is_saved_and_played_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOCKET_HOME", str(tmp_path / "home"))

    def story(window: Window) -> Iterator[Callable[[], object]]:
        yield lambda: window.link.state == LinkState.RUNNING and (0, "temperature") in window.board.controls
        window.play_or_stop()
        yield lambda: window._telemetry.playing and window._telemetry.bar > 2
        window.play_or_stop()
        yield lambda: not window._telemetry.playing
        window.clips.kept.emit("clip/all")
        yield lambda: window.clips.clips
        menu = window.clips.clips[0].menu_of_clip()
        menu.actions()[0].trigger()
        yield lambda: window._telemetry.playing
        yield lambda: not window._telemetry.playing  # it ends where the take does

    tell(story)


def test_an_engine_that_cannot_start_is_an_error_of_one_line() -> None:
    with pytest.raises(HocketError, match=r"unknown model 'nope': choose one of"):
        tell(lambda window: iter([lambda: False]), model="nope")


def test_steps_are_undone_and_redone_with_a_real_engine() -> None:
    def story(window: Window) -> Iterator[Callable[[], object]]:
        yield lambda: window.link.state == LinkState.RUNNING and (0, "temperature") in window.board.controls
        knob = window.board.controls[0, "temperature"]
        assert isinstance(knob, KnobDial)
        window.play_or_stop()
        yield lambda: window.transport.playing
        before, slug = knob.exact, window.models[0].currentData()
        knob.setValue(80)
        turned = knob.exact
        yield lambda: window._telemetry.undo == "temperature"
        window.band.picked.emit("scale-2", 0)
        yield lambda: window._telemetry.undo == "players" and window.models[0].currentData() == "scale-2"
        undo, redo = (next(a for a in window._actions if a.text().startswith(word)) for word in ("Undo", "Redo"))
        undo.trigger()
        yield lambda: window.models[0].currentData() == slug
        undo.trigger()
        yield lambda: window.board.controls[0, "temperature"].exact == before
        assert window._telemetry.playing
        redo.trigger()
        yield lambda: window.board.controls[0, "temperature"].exact == turned
        undo.trigger()
        undo.trigger()
        yield lambda: "there is nothing to undo" in window.banner.text.lower()

    tell(story)
