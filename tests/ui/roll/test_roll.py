from __future__ import annotations

from itertools import count, pairwise

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from instrument.engine.ipc.messages import NoteReport, Press, Remake, Telemetry
from instrument.music.notes import Part
from instrument.ui import theme
from instrument.ui.roll.notes import KEPT_TICKS, Bars, Playhead, RollNotes, drum_lane
from instrument.ui.roll.piano_roll import PianoRoll
from instrument.ui.roll.score import Score
from tests.ui.stand_in import EngineStandIn, bar_of_music, hear

FRAME_S, FRAMES = 1 / 30, 60


def note(tick: int, pitch: int = 60, duration: int = 24, part: Part = Part.MELODY, velocity: int = 120) -> NoteReport:
    return NoteReport(0, tick, 0, pitch, duration, velocity, part)


def report(
    tick: float,
    committed: tuple[NoteReport, ...] = (),
    plan: tuple[NoteReport, ...] | None = None,
    playing: bool = True,
    bar: int = 1,
    beat: int = 1,
) -> Telemetry:
    return hear(
        EngineStandIn(),
        tick=tick,
        committed=committed,
        plan=plan,
        playing=playing,
        bar=bar,
        beat=beat,
        bpm=120.0,
    )


# Notes


def test_old_notes_are_forgotten() -> None:
    notes = RollNotes()
    notes.commit([note(tick) for tick in range(0, 3 * KEPT_TICKS, 24)])
    assert notes.committed[0].tick == notes.committed[-1].tick - KEPT_TICKS


def test_versions_change_only_with_the_notes() -> None:
    notes = RollNotes()
    notes.commit([])
    notes.set_planned(())
    assert (notes.count, notes.planned_version) == (0, 0)
    notes.commit([note(0)])
    plan = (note(24),)
    notes.set_planned(plan)
    notes.set_planned((note(24),))
    assert (notes.count, notes.planned_version) == (1, 1)


def test_the_span_leaves_drums_out() -> None:
    notes = RollNotes()
    assert notes.span is None
    notes.commit([note(0, 50), note(0, 36, part=Part.DRUMS)])
    notes.set_planned((note(24, 72),))
    assert notes.span == (50, 72)
    assert notes.drums


def test_drums_sound_for_a_stroke() -> None:
    notes = RollNotes()
    notes.commit([note(0, duration=96), note(0, 49, 96, Part.DRUMS)])
    assert [n.part for n in notes.sounding(3)] == [Part.MELODY, Part.DRUMS]
    assert [n.part for n in notes.sounding(48)] == [Part.MELODY]
    assert notes.sounding(96) == []


def test_drums_have_lanes() -> None:
    assert [drum_lane(key) for key in (36, 38, 45, 42, 51, 75)] == [0, 1, 2, 3, 4, 5]


# Time


def test_the_playhead_runs_smoothly_between_uneven_reports() -> None:
    playhead, rate = Playhead(), 120 * 24 / 60
    playhead.report(0, 120, 0)
    places = []
    jitter = (0, 0.011, -0.008, 0.004)
    for frame in range(1, 120):
        now = frame * FRAME_S
        playhead.report((now + jitter[frame % 4]) * rate, 120, now)
        places.append(playhead.at(now))
    steps = [b - a for a, b in pairwise(places)]
    assert max(steps) < 1.15 * rate * FRAME_S
    assert min(steps) > 0.85 * rate * FRAME_S
    assert places[-1] == pytest.approx(119 * FRAME_S * rate, abs=0.5)


def test_the_playhead_jumps_when_the_music_does_and_waits_when_nothing_comes() -> None:
    playhead = Playhead()
    playhead.report(0, 120, 0)
    playhead.report(960, 120, 0.1)
    assert playhead.at(0.1) == 960
    assert playhead.at(10) == playhead.at(20) <= 960 + 0.25 * 48
    playhead.halt(12)
    assert playhead.at(30) == 12


def test_bars_follow_the_engines_count_through_a_change_of_metre() -> None:
    bars = Bars()
    bars.report(100, 2, 1)
    assert bars.lines(0, 200).bars == [(0, 1), (96, 2), (192, 3)]
    assert bars.lines(0, 90).beats == [24, 48, 72]
    bars.metre = "6/8"
    bars.report(193, 3, 1)  # still where 4/4 would be
    bars.report(192 + 72 + 13, 4, 2)  # a bar of 72 ticks has passed, in eighths
    assert bars.lines(192, 350)[0] == [(192, 3), (264, 4), (336, 5)]
    bars.restart()
    assert bars.lines(0, 100)[0] == [(0, 1), (72, 2)]


# Score


def test_a_new_performance_clears_the_last_but_keeps_its_plan() -> None:
    score = Score()
    score.show_telemetry(report(200, (note(190),), (note(220),)), 0)
    score.advance(0.1)
    ghosts = (note(0), note(24))
    score.show_telemetry(report(0, plan=ghosts, playing=False), 0.2)
    assert not score.notes.committed
    assert score.notes.planned == ghosts
    score.show_telemetry(report(0.5), 0.3)
    score.advance(0.3)
    assert score.notes.planned == ghosts
    assert score.position == pytest.approx(0.5)


def test_after_stop_the_last_picture_stays_until_there_is_another() -> None:
    score = Score()
    score.show_telemetry(report(200, (note(190),)), 0)
    score.advance(0)
    score.show_telemetry(report(0, playing=False), 0.1)
    score.advance(1)
    assert list(score.notes.committed) == [note(190)]
    assert score.position == 200
    assert score.sounding == []


def test_rows_are_dark_outside_the_scale() -> None:
    score = Score()
    assert [score.is_dark(p) for p in (60, 61, 62)] == [False, True, False]  # like the keys
    score.show_values({"band/key": "D", "band/scale": "major"})
    assert [score.is_dark(p) for p in (60, 61, 62)] == [True, False, False]
    assert score.root == 2


# Roll


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def roll(qtbot: QtBot, clock: Clock) -> PianoRoll:
    made = PianoRoll(clock=clock)
    qtbot.addWidget(made)
    made.resize(1000, 420)
    with qtbot.waitExposed(made):
        made.show()
    made.advance()
    return made


def paint(roll: PianoRoll, frames: int = 60) -> None:
    """Let the view settle on the pitches in use, and repaint."""
    for _ in range(frames):
        roll.advance()
    roll._view.viewport().repaint()


def pixel(roll: PianoRoll, tick: float, row: float, drums: bool = False) -> QColor:
    lane = roll.drum_lane if drums else roll.lane
    view = roll._view
    at = QPoint(round(roll.x_of(tick)), view.y() + round(roll.y_of(row, lane)))
    return roll.grab().toImage().pixelColor(at)


def test_committed_notes_are_solid_and_planned_ones_ghosts(roll: PianoRoll) -> None:
    roll.show_telemetry(report(0, plan=(note(48, 64), note(96, 55, part=Part.BASS)), playing=False))
    roll.show_telemetry(report(40, (note(0, 60, 24), note(0, 64, 24, Part.CHORDS))))
    paint(roll)
    solid = pixel(roll, 12, 60.5)
    assert abs(solid.hue() - QColor(theme.PARTS[Part.MELODY]).hue()) < 5
    assert abs(pixel(roll, 12, 64.5).hue() - QColor(theme.PARTS[Part.CHORDS]).hue()) < 8
    ghost = pixel(roll, 60, 64.5)
    assert abs(ghost.hue() - QColor(theme.PARTS[0]).hue()) < 15
    assert ghost.lightness() < solid.lightness() / 2
    assert ghost.lightness() > pixel(roll, 60, 62.5).lightness()


def test_velocity_is_brightness(roll: PianoRoll) -> None:
    roll.show_telemetry(report(60, (note(0, 60, velocity=10), note(0, 64, velocity=127))))
    paint(roll)
    assert pixel(roll, 12, 60.5).lightness() < pixel(roll, 12, 64.5).lightness()


def test_what_sounds_is_brighter_and_its_key_is_lit(roll: PianoRoll, clock: Clock) -> None:
    roll.show_telemetry(report(0, (note(0, 60, 24), note(48, 64, 24))))
    roll.show_telemetry(report(50))
    clock.now = 0.04
    paint(roll)
    assert roll.score.sounding == [note(48, 64, 24)]
    assert pixel(roll, 49.5, 64.5).lightness() > pixel(roll, 60, 64.5).lightness()
    key = roll.grab().toImage().pixelColor(10, roll._view.y() + round(roll.y_of(64.5, roll.lane)))
    assert key == QColor(theme.PARTS[Part.MELODY])


def test_drums_get_lanes_of_their_own_once_there_are_any(roll: PianoRoll) -> None:
    roll.show_telemetry(report(60, (note(0, 60),)))
    paint(roll)
    assert not roll.drum_lane.isVisible()
    roll.show_telemetry(report(60, (note(12, 38, part=Part.DRUMS),)))
    paint(roll)
    assert roll.drum_lane.isVisible()
    x = 12 + 2 * roll.ticks_across / roll._view.width()
    assert abs(pixel(roll, x, 1.5, drums=True).hue() - QColor(theme.PARTS[Part.DRUMS]).hue()) < 8


def test_the_playhead_walks_first_and_stands_later(roll: PianoRoll) -> None:
    def place() -> float:
        paint(roll, 1)
        return (roll.x_of(roll.score.position) - roll.keys.width()) / roll._view.width()

    assert place() == pytest.approx(0.03, abs=0.01)
    roll.show_telemetry(report(100))
    assert 0.1 < place() < 0.3
    roll.show_telemetry(report(5000))
    assert place() == pytest.approx(0.6, abs=0.01)


def test_nothing_is_painted_while_nothing_happens(roll: PianoRoll) -> None:
    roll.show_telemetry(report(0, plan=(note(0),), playing=False))
    paint(roll, 100)
    painted = []
    roll._ruler.update = lambda: painted.append(1)  # type: ignore[method-assign, assignment]
    for _ in range(10):
        roll.show_telemetry(report(0, playing=False))
        roll.advance()
    assert painted == []


def test_it_zooms_in_time_by_wheel_and_keys(qtbot: QtBot, roll: PianoRoll) -> None:
    before = roll.ticks_across
    qtbot.keyClicks(roll, "++")
    assert roll.ticks_across == pytest.approx(before * 0.64)
    qtbot.keyClicks(roll, "-" * 30)
    assert roll.ticks_across == 16 * 96
    QTest.wheelEvent(roll.window().windowHandle(), QPoint(300, 200), QPoint(0, 120))
    assert roll.ticks_across < 16 * 96


def test_a_double_click_on_a_note_asks_for_its_bar_anew(qtbot: QtBot, roll: PianoRoll) -> None:
    drum = NoteReport(3, 120, 0, 36, 12, 90, Part.DRUMS)
    roll.show_telemetry(report(0, (note(0),), (NoteReport(2, 200, 0, 64, 24, 90, Part.MELODY), drum)))
    paint(roll)
    asked: list[Remake] = []
    roll.asked.connect(asked.append)
    view = roll._view
    for tick, row, lane in ((210, 64.5, roll.lane), (124, 0.5, roll.drum_lane), (300, 64.5, roll.lane)):
        at = QPoint(round(roll.x_of(tick)), view.y() + round(roll.y_of(row, lane)))
        QTest.mouseDClick(roll, Qt.MouseButton.LeftButton, pos=at)
    assert asked == [Remake(3, 2), Remake(2, 3)], "beside a note nothing happens"


def test_one_can_look_back_and_follow_again(qtbot: QtBot, roll: PianoRoll) -> None:
    roll.show_telemetry(report(5000))
    paint(roll, 1)
    (following, _), _ = roll.lane.viewRange()
    QTest.mousePress(roll, Qt.MouseButton.LeftButton, pos=QPoint(300, 200))
    QTest.mouseMove(roll, QPoint(400, 200))
    QTest.mouseRelease(roll, Qt.MouseButton.LeftButton, pos=QPoint(400, 200))
    paint(roll, 1)
    dragged = roll.lane.viewRange()[0][0]
    assert dragged == pytest.approx(following - 100 * roll.ticks_across / roll._view.width(), abs=2)
    roll.show_telemetry(report(5100))
    paint(roll, 1)
    assert roll.lane.viewRange()[0][0] == dragged, "it stays there"
    assert not roll.tools.isVisible(), "a drag is no click"
    qtbot.mouseClick(roll.follow, Qt.MouseButton.LeftButton)
    paint(roll, 1)
    assert roll.lane.viewRange()[0][0] > following
    assert not roll.follow.isVisible()


def test_pages_stand_still_where_less_is_to_move(roll: PianoRoll) -> None:
    roll.still = True
    lefts = []
    for tick in range(0, 1200, 24):
        roll.show_telemetry(report(tick))
        paint(roll, 1)
        lefts.append(roll.lane.viewRange()[0][0])
        assert roll.keys.width() <= roll.x_of(roll.score.position) <= roll.width()
    assert len(set(lefts)) == 3


def test_what_can_be_done_to_a_bar_is_shown_at_a_click(qtbot: QtBot, roll: PianoRoll) -> None:
    roll.show_telemetry(report(0, (), (NoteReport(2, 200, 0, 64, 24, 90, Part.MELODY),)))
    paint(roll)
    asked: list[object] = []
    roll.asked.connect(asked.append)
    at = QPoint(round(roll.x_of(210)), roll._view.y() + round(roll.y_of(64.5, roll.lane)))
    qtbot.mouseClick(roll, Qt.MouseButton.LeftButton, pos=at)
    tools = roll.tools
    assert tools.isVisible()
    assert (tools.bar, tools.player) == (2, 2)
    for button in (tools.remake, tools.other, tools.undo):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert asked == [Remake(3, 2), Press("remake/other"), Press("remake/undo")]
    assert not tools.isVisible()


def test_a_hint_stands_where_there_are_no_notes(roll: PianoRoll) -> None:
    roll.show_hint("Press Space to play")
    assert roll._hint.isVisible()
    roll.show_telemetry(report(0, plan=(note(0),), playing=False))
    paint(roll, 1)
    assert not roll._hint.isVisible()


@pytest.mark.parametrize("pitches", [(0, 127), (60, 60)])
def test_every_range_of_pitches_is_shown(roll: PianoRoll, pitches: tuple[int, int]) -> None:
    roll.show_telemetry(report(50, tuple(note(0, pitch) for pitch in pitches)))
    paint(roll, 100)
    _, (bottom, top) = roll.lane.viewRange()
    assert bottom <= pitches[0]
    assert pitches[1] + 1 <= top


def test_five_hundred_notes_are_shown_and_kept_while_they_move(roll: PianoRoll, clock: Clock) -> None:
    roll.zoom_time(8 / 6)
    bars = (list(bar_of_music(bar)) for bar in count())
    committed, plan = [], []
    while len(committed) < 350:
        committed += next(bars)
    first = committed[-1].tick + 24
    while len(plan) < 150:
        plan += next(bars)
    roll.show_telemetry(report(first - 1, tuple(committed), tuple(plan)))
    paint(roll)
    for frame in range(FRAMES):
        came = (note(first + frame, 60 + frame % 12),) if frame % 4 == 0 else ()
        clock.now = frame * FRAME_S
        roll.show_telemetry(report(first + 48 * frame * FRAME_S, came, tuple(plan[frame // 12 :])))
        roll.advance()
        roll._view.viewport().repaint()  # and with it all that waits to be painted
    assert len(roll.score.notes.committed) + len(roll.score.notes.planned) > 480


def test_space_is_not_eaten(qtbot: QtBot, roll: PianoRoll) -> None:
    roll.setFocus()
    qtbot.keyClick(roll, Qt.Key.Key_Space)
    assert roll.ticks_across == 6 * 96


def test_first_light_is_seen_faintly_until_the_engine_reports(roll: PianoRoll) -> None:
    roll.score.show_ghosts()
    roll.show_hint("Starting", over=True)
    paint(roll, 1)
    ghosts = roll.score.notes.planned
    assert {ghost.part for ghost in ghosts} >= {Part.MELODY, Part.CHORDS, Part.BASS, Part.DRUMS}
    assert roll._hint.isVisible()
    roll.show_telemetry(report(0, plan=(note(0),), playing=False))
    assert roll.score.notes.planned == (note(0),)
