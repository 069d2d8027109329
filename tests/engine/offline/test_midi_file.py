"""What was played, as a MIDI file: who plays what on which channel, in which key, time and sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mido import MidiFile

from instrument.engine.offline.bounce import bounce
from instrument.engine.offline.midi_file import arrangements, kept, sending_of, write_notes
from instrument.engine.offline.render import Options, Rendering, _rendering, render
from instrument.engine.performance.arrangement import arrangement_messages
from instrument.engine.performance.patches import Patch, PlayerPatch, Routing
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.takes import Keyboard, TakeRecorder
from instrument.music.charts import read_chart
from instrument.music.harmony import SCALES, key_signature
from instrument.music.midifile import read_midi
from instrument.music.notes import Note, Part
from instrument.music.timebase import Metre
from tests.support.players import open_scale


def rendered(**options: object) -> Rendering:
    return render(Options("scale", **options), open_scale)  # type: ignore[arg-type]


def played_by_two(routing: Routing) -> Rendering:
    """Two bars of two players, of which the second has bass and drums alone."""
    players = (
        PlayerPatch("scale", parts=("melody", "chords", "drums")),
        PlayerPatch("scale-2", parts=("bass", "drums")),
    )
    performance = Performance(Patch(players=players, routing=routing), open_scale)
    while performance.extend(192):
        pass
    performance.advance(192)
    performance.stop(192)
    return _rendering(performance, 192)


def test_a_track_names_player_and_part_and_has_the_channel_of_the_patch(tmp_path: Path) -> None:
    what = played_by_two(Routing(channels={"bass": 7, "drums": 12}))
    bounce(what, tmp_path / "a.mid")
    tracks = MidiFile(tmp_path / "a.mid").tracks[1:]
    channels = {track.name: {message.channel for message in track if not message.is_meta} for track in tracks}
    assert channels == {
        "Melody: scale": {0},
        "Chords: scale": {1},
        "Bass: scale-2": {6},
        "Drums: scale": {11},
        "Drums: scale-2": {11},
    }
    read = read_midi(tmp_path / "a.mid", aligned=False).notes
    assert read[:, 5].tolist() == [note.part for _, note in kept(what.played, what.end)]


def test_ports_channels_and_programs_of_a_file_are_those_to_which_the_notes_were_sent(tmp_path: Path) -> None:
    players = (PlayerPatch("scale", parts=("melody", "drums")), PlayerPatch("scale-2", parts=("melody", "bass")))
    knobs: dict[str, float | str] = {"ports": "players", "bass_program": "never"}
    performance = Performance(Patch(players=players, knobs=knobs), open_scale)
    while performance.extend(192):
        pass
    performance.advance(96)
    notes = list(performance.take.heard())
    performance.set("1/melody_channel", "7")
    performance.advance(192)
    assert list(performance.take.heard())[: len(notes)] == notes
    performance.stop(192)
    what = _rendering(performance, 192)
    bounce(what, tmp_path / "a.mid")
    found = {}
    for track in MidiFile(tmp_path / "a.mid").tracks[1:]:
        port = next((each.port for each in track if each.type == "midi_port"), 0)
        (channel,) = {each.channel for each in track if not each.is_meta}
        found[track.name] = port, channel, any(each.type == "program_change" for each in track)
    assert found == {
        "Melody: scale": (0, 0, True),
        "Drums: scale": (0, 9, True),
        "Melody: scale-2": (1, 6, True),
        "Bass: scale-2": (1, 2, False),
    }
    read = read_midi(tmp_path / "a.mid", aligned=False).notes
    assert read[:, 5].tolist() == [note.part for _, note in what.played]
    TakeRecorder(tmp_path / "a.take.json", what.take).close()
    again = render(Options(take=str(tmp_path / "a.take.json")), open_scale)
    assert again.played == what.played
    assert sending_of(again.take, 192).of(1, Part.MELODY) == (1, 6)


def test_what_a_person_played_has_tracks_of_its_own_with_pedal_and_bend(tmp_path: Path) -> None:
    """A channel for each of the keyboard's, so that a bend of one bends its notes only, and none of the band's."""
    what = played_by_two(Routing())
    on, off, pedal, bend = 0x90, 0x80, (0xB0, 64, 127), (0xE3, 0, 96)
    what.take.entries += [
        Keyboard(tick, message)
        for tick, message in (
            (24.125, (on, 60, 90)), (24.5, pedal), (30.0, (off, 60, 0)), (31.0, (on | 3, 61, 80)), (32.25, bend),
            (36.0, (off | 3, 61, 0)), (50.0, (0xB0, 64, 0)), (60.0, (on, 62, 70)), (500.0, (off, 62, 0)),
        )
    ]  # fmt: skip
    bounce(what, tmp_path / "a.mid")
    tracks = [track for track in MidiFile(tmp_path / "a.mid").tracks if track.name == "Melody: keyboard"]
    told = []
    for track in tracks:
        ticks = np.cumsum([message.time for message in track]).tolist()
        told.append([
            (tick, message.bytes()) for tick, message in zip(ticks, track, strict=True)
            if message.type in ("note_on", "note_off", "pitchwheel") or message.is_cc(64)
        ])  # fmt: skip
    assert told == [
        [(193, [0x94, 60, 90]), (196, [0xB4, 64, 127]), (241, [0x84, 60, 64]), (400, [0xB4, 64, 0]),
         (480, [0x94, 62, 70]), (480 + 8 * 132, [0x84, 62, 64])],
        [(248, [0x95, 61, 80]), (258, [0xE5, 0, 96]), (288, [0x85, 61, 64])],
    ]  # fmt: skip
    assert all(any(message.type == "program_change" for message in track) for track in tracks)


def test_it_has_tempo_bars_and_key(tmp_path: Path) -> None:
    what = rendered(
        bars=4, ats=["4:tempo=60", "6:scale=blues", "7:key=F"], sets=["metre=3/4", "key=Bb", "scale=dorian"]
    )
    bounce(what, tmp_path / "a.mid")
    piece = read_midi(tmp_path / "a.mid", aligned=False)
    assert piece.tempos == ((0, 120.0), (96, 60.0))
    assert piece.metres == (Metre(0, 3, 4),)
    conductor = MidiFile(tmp_path / "a.mid").tracks[0]
    ticks = np.cumsum([message.time for message in conductor]).tolist()
    keys = [(tick // 8, m.key) for tick, m in zip(ticks, conductor, strict=True) if m.type == "key_signature"]
    assert keys == [(0, "Ab"), (6 * 24, "Bbm"), (7 * 24, "Fm")]


def test_sections_and_chords_of_the_plan_are_markers_that_a_chart_is_read_from(tmp_path: Path) -> None:
    done = rendered(bars=8, progression="Dm9 | G13 | Cmaj7 | % | F | G7 Am | F | G7")
    assert done.plan
    bounce(done, tmp_path / "whole.mid")
    chart = read_chart(tmp_path / "whole.mid")
    assert [bar.chords for bar in chart.bars[:8]] == [bar.chords for bar in done.plan.bars[:8]]
    write_notes(done.played, done.take, done.metres, done.end, tmp_path / "clip.mid", 2 * 96 + 96 // 2, done.plan)
    markers = [(m.tick, m.text) for m in read_midi(tmp_path / "clip.mid").markers]
    assert markers[0] == (0, "Cmaj7")


def test_a_key_signature_has_the_notes_of_its_scale() -> None:
    assert [key_signature(2, scale) for scale in ("major", "dorian", "lydian", "minor", "blues")] == [
        "D", "C", "A", "Dm", "Dm",
    ]  # fmt: skip
    assert [scale for scale in SCALES if not key_signature(0, scale)] == ["chromatic", "whole tone"]


def test_what_two_players_strike_together_is_one_note_of_each_part() -> None:
    together = [(0, Note(0, 0, 60, 6, 80, 0)), (1, Note(0, 2, 60, 24, 90, 0)), (1, Note(0, 0, 60, 12, 90, 2))]
    assert kept(together, 96) == [(1, Note(0, 2, 60, 24, 90, 0)), (1, Note(0, 0, 60, 12, 90, 2))]


@pytest.mark.parametrize("second", [Part.CHORDS, Part.BASS])
def test_parts_that_share_a_channel_leave_no_note_on(tmp_path: Path, second: Part) -> None:
    """Each key of a channel is released before it is struck again, whichever track strikes it."""
    what = played_by_two(Routing(channels={"melody": 1, "chords": 1, "bass": 1}))
    notes = [(0, Note(24 * i, 0, 60, 30, 80, Part.MELODY)) for i in range(4)]
    notes += [(1, Note(24 * i, i % 2, 60, 40, 80, second)) for i in range(4)]
    write_notes(notes, what.take, what.metres, what.end, tmp_path / "a.mid")
    sounding: set[int] = set()
    for message in MidiFile(tmp_path / "a.mid"):  # all tracks, by time
        if message.type == "note_on":
            assert message.note not in sounding
            sounding.add(message.note)
        elif message.type == "note_off":
            sounding.remove(message.note)
    assert not sounding


def test_it_sounds_with_the_band_also_when_the_genre_changes(tmp_path: Path) -> None:
    what = rendered(bars=4, sets=["genre=march"], ats=["8:genre=waltz"])
    bounce(what, tmp_path / "band.mid")
    told = set()
    for track in MidiFile(tmp_path / "band.mid").tracks:
        ticks = np.cumsum([message.time for message in track])
        told |= {(tick // 8, bytes(message.bytes())) for tick, message in zip(ticks, track, strict=True)
                 if message.type in ("program_change", "control_change")}  # fmt: skip
    parts = {Part(note.part) for _, note in what.played}
    (zero, first), (turned, second) = arrangements(what.take)
    assert (zero, turned) == (0, 8 * 24)
    assert told == {(at, message) for at, seats in ((zero, first), (turned, second))
                    for message in arrangement_messages({part: seats[part] for part in parts})}  # fmt: skip
