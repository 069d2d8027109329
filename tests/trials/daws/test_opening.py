"""Exported MIDI files opened by other programs: tempo, metre, key, markers of sections and chords, names of parts."""

from __future__ import annotations

from pathlib import Path

import mido
import pytest

from instrument.engine.offline.bounce import bounce
from instrument.engine.offline.midi_file import key_signatures, tempos
from instrument.engine.offline.render import Options, render
from instrument.models.catalog import open_player
from instrument.music.charts import plan_markers
from tests.support.xvfb import Xvfb, xvfb
from tests.trials.daws.opening import Opened, in_ardour, in_midicsv, in_rosegarden

__all__ = ["xvfb"]

pytestmark = [pytest.mark.trial, pytest.mark.timeout(300)]

OPTIONS = Options(patch="Village reel", bars=12, seed=2, ats=("12.5:tempo=140", "18:key=A"))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Opened]:
    """A file, and what was played."""
    path = tmp_path_factory.mktemp("exported") / "reel.mid"
    what = render(OPTIONS, open_player)
    bounce(what, path)
    assert what.plan
    keys = [key for _, key in key_signatures(what.take, what.end)]
    return path, Opened(
        [(tick / 24, bpm) for tick, bpm in sorted(tempos(what.take, what.end).items())],
        [(metre.tick / 24, metre.numerator, metre.denominator) for metre in what.metres.metres],
        [f"{key.removesuffix('m')} {'minor' if key.endswith('m') else 'major'}" for key in keys],
        [(marker.tick / 24, marker.text) for marker in plan_markers(what.plan, 0, what.end)],
        [track.name for track in mido.MidiFile(path).tracks[1:]],
    )


def test_the_file_has_what_is_asked_about(exported: tuple[Path, Opened]) -> None:
    _, played = exported
    assert [tempo for _, tempo in played.tempos][-1] == 140
    assert played.metres == [(0, 6, 8)]
    assert len(played.keys) == 2
    assert len(played.markers) > 5
    assert any(text.startswith("section ") for _, text in played.markers)
    assert len(played.parts) == 2


def same(opened: Opened, played: Opened) -> None:
    """Tempos are whole microseconds a beat in a file."""
    assert [beat for beat, _ in opened.tempos] == [beat for beat, _ in played.tempos]
    assert [bpm for _, bpm in opened.tempos] == pytest.approx([bpm for _, bpm in played.tempos], rel=1e-5)
    assert opened._replace(tempos=[]) == played._replace(tempos=[])


def test_midicsv_reads_it(exported: tuple[Path, Opened]) -> None:
    path, played = exported
    same(in_midicsv(path), played)


def test_rosegarden_opens_it(exported: tuple[Path, Opened], tmp_path: Path, xvfb: Xvfb) -> None:
    path, played = exported
    same(in_rosegarden(path, tmp_path, xvfb), played)


def test_ardour_imports_it(exported: tuple[Path, Opened], tmp_path: Path, xvfb: Xvfb) -> None:
    """Ardour 7.3 has no keys, rounds changes of tempo to beats, and reads markers only in files of one track."""
    path, played = exported
    opened = in_ardour(path, tmp_path, xvfb)
    (_, first), (beat, then) = opened.tempos
    assert beat == pytest.approx(played.tempos[1][0], abs=0.5)
    assert (first, then) == pytest.approx([bpm for _, bpm in played.tempos], rel=1e-5)
    assert opened.metres == played.metres
    assert len(opened.parts) == len(played.parts)
    for there, part in zip(opened.parts, played.parts, strict=True):
        assert part in there
    assert opened.markers == []
