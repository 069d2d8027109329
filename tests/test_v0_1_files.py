"""What version 0.1 saved while playing opens, and says what it said: patches, takes, recordings, state and bundles. The
files are described in tests/fixtures/v0_1/README.md; what training wrote is in tests/training/test_v0_1_files.py."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from instrument.engine.ipc.bindings import Binding
from instrument.engine.ipc.messages import Anchor
from instrument.engine.note_thread import NoteThread
from instrument.engine.offline.bounce import bounce
from instrument.engine.offline.render import Options, differences, render
from instrument.engine.performance.patches import (
    Patch,
    PlayerPatch,
    Routing,
    VoicePatch,
    autosaved,
    load_patch,
    save_patch,
)
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.takes import Input, Joined, Left, Released, Take, Turn, load_take
from instrument.engine.pool.model_pool import ModelPool
from instrument.errors import HocketError
from instrument.io.clocks import ManualClock
from instrument.models.bundle import open_bundle
from instrument.models.catalog import list_models, open_note_bundle, open_player, open_sound_bundle
from instrument.models.families import plays_notes
from instrument.models.latent import from_text
from instrument.models.sound.base import one_note
from instrument.music.midifile import read_midi
from instrument.music.notes import Note, Part
from instrument.music.timebase import Metre
from instrument.paths import state_dir
from tests.support.sound.analysis import level_db

SAVED = Path(__file__).parent / "fixtures" / "v0_1"
MODELS, TAKES = SAVED / "models", SAVED / "takes"
TAKE_NAMES = ("everything", "broken-off", "pad", "two-players")


def open_saved(slug: str):
    """The model of a saved bundle; what it needs besides is what ships now."""
    bundle = open_bundle(MODELS / slug, trusted=True)
    return open_note_bundle(bundle) if plays_notes(bundle.manifest.family) else open_sound_bundle(bundle)


def patch(name: str) -> Patch:
    return load_patch(str(SAVED / "patches" / f"{name}.json"))


def take(name: str) -> Take:
    return load_take(TAKES / f"{name}.take.json")


def entries(name: str, kind: type) -> list:
    return [entry for entry in take(name).entries if isinstance(entry, kind)]


# --- patches and state


def test_a_patch_with_voices_routing_and_controllers():
    saved = patch("By hand")
    assert saved.name == "By hand"
    assert saved.knobs == {
        "tempo": 96.0, "metre": "3/4", "key": "G", "scale": "major", "seed": 11.0, "drums": "off", "low": 40.0,
        "swing": 0.5, "feel": 0.0, "dynamics": 0.0, "plan": "free",
        "melody": "auto", "chords": "auto", "bass": "auto", "other": "auto",
    }  # fmt: skip
    assert saved.players == (
        PlayerPatch("small-tuned", {"genre": "folk", "temperature": 0.7}),
        PlayerPatch("small-transformer", {"genre": "waltz"}),
    )
    assert saved.voices == {"melody": VoicePatch(73, -0.25, -6.0), "bass": VoicePatch(program=33)}
    assert saved.routing == Routing(
        audio="Built-in Audio", midi="Synth", midi_in="Keyboard", offset_ms=-7.5,
        channels={"melody": 3, "drums": 10}, bindings=(Binding("0/temperature", 1), Binding("band/tempo", 74)),
    )  # fmt: skip


def test_a_patch_with_a_voice_and_a_stream():
    saved = patch("Sound players")
    assert [player.model for player in saved.players] == ["small-tuned", "small-ddsp", "small-cmelgan"]
    assert (saved.knobs["tempo"], saved.knobs["scale"], saved.knobs["bass"]) == (132.0, "dorian", "off")
    notes, voice, stream = (player.knobs for player in saved.players)
    assert (notes["genre"], notes["temperature"]) == ("folk", 1.55)
    assert (voice["part"], voice["level"], voice["morph"]) == ("keys", -6.0, 0.5)
    assert (stream["genre"], stream["blend"]) == ("plucked", 0.25)
    assert saved.routing.offset_ms == -12.5
    assert saved.routing.bindings == (Binding("0/temperature", 1), Binding("1/morph", 20))


def test_a_patch_with_a_latent_pad():
    (player,) = patch("Latent pad").players
    assert (player.model, player.knobs["x"], player.knobs["y"]) == ("small-musicvae", -0.5, 0.25)
    assert [(anchor.name, anchor.x, anchor.y) for anchor in player.anchors] == [
        ("All genres", -0.75, 0.5), ("Found", 0.625, 0.25), ("openewld scarborough fair", 0.25, -0.75),
    ]  # fmt: skip
    assert player.anchors[0].latent == "Ez80P4nAfsF8QWe91L8AQQ=="
    assert [len(from_text(anchor.latent, 8)) for anchor in player.anchors] == [8, 8, 8]


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("By hand", ("notes", "notes")),
        ("Sound players", ("notes", "voice", "stream")),
        ("Latent pad", ("notes",)),
    ],
)
def test_a_patch_plays_with_every_knob_as_saved_and_is_saved_the_same(name, kinds, tmp_path):
    saved = patch(name)
    performance = Performance(saved, open_saved)
    assert performance.kinds == kinds
    knobs = {f"band/{knob}": value for knob, value in saved.knobs.items()}
    for number, player in enumerate(saved.players):
        knobs |= {f"{number}/{knob}": value for knob, value in player.knobs.items()}
    assert {knob: performance.values[knob] for knob in knobs} == knobs
    assert [pad or () for pad in performance.pads] == [player.anchors for player in saved.players]
    copy = str(tmp_path / f"{name}.json")
    assert save_patch(saved, copy) == saved
    assert load_patch(copy) == saved


def test_learned_controllers_turn_their_knobs():
    notes = NoteThread(ManualClock(0), ModelPool(open_saved), patch("Sound players"), ())
    moved = [(1, 127), (1, 0), (20, 0), (20, 127)]  # from end to end, as a knob has to be caught
    notes.midi_learn.control([(0, bytes((0xB0, number, value))) for number, value in moved])
    values = notes.performance.values
    assert (values["0/temperature"], values["1/morph"]) == (0.1, 1.0)


def test_the_state_for_the_next_start():
    shutil.copy(SAVED / "state" / "autosave.json", state_dir() / "autosave.json")
    saved = autosaved()
    assert saved is not None
    assert (saved.name, saved.knobs["tempo"], saved.routing.offset_ms) == ("Sound players", 97.0, -12.5)
    assert [player.model for player in saved.players] == ["small-tuned", "small-ddsp", "small-cmelgan"]
    assert saved.players[2].knobs["blend"] == 1.0
    assert {each.number: each.name for each in saved.routing.bindings} == {
        1: "0/temperature", 74: "band/tempo", 21: "2/blend",
    }  # fmt: skip


WINDOW = """
import sys
from pathlib import Path
from PySide6.QtWidgets import QApplication
from instrument.ui import theme
from instrument.ui.app import _zoom
from instrument.ui.settings import open_settings
from instrument.ui.window import Window
app = QApplication([])
settings, notice = open_settings(Path(sys.argv[1]))
assert (notice, _zoom(settings)) == ("", 0.9)
theme.apply(app, _zoom(settings))
print(Window(lambda first: None, settings).height())
"""


def test_the_window_comes_back_in_its_size(tmp_path):
    """In a process of its own, as Qt takes back a size only on a screen as wide as that on which it was saved."""
    shutil.copy(SAVED / "state" / "window.ini", tmp_path)
    opened = subprocess.run(
        [sys.executable, "-c", WINDOW, str(tmp_path / "window.ini")], capture_output=True, text=True, timeout=100,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"}, check=False,
    )  # fmt: skip
    assert (opened.stdout, opened.returncode) == ("640\n", 0), opened.stderr


# --- takes


def test_a_take_in_which_everything_happens():
    saved = take("everything")
    assert [bundle.slug for bundle in saved.header.bundles] == ["small-tuned"]
    assert saved.header.patch.knobs["tempo"] == 112.0
    assert Counter(type(entry).__name__ for entry in saved.entries) == {
        "Input": 15, "Turn": 12, "Released": 4, "Joined": 3, "Left": 1, "Stopped": 1,
    }  # fmt: skip
    assert saved.heard_count == 56
    assert saved.stopped == pytest.approx(330.602848)
    turns = [(turn.knob, turn.value) for turn in entries("everything", Turn)]
    assert turns[:3] == [("tempo", 132.0), ("1/part", "keys"), ("1/level", -6.0)]
    assert ("level", -3.0) in turns
    assert ("2/blend", 0.75) in turns
    inputs = entries("everything", Input)
    assert [one.knobs["genre"] for one in inputs if "genre" in one.knobs] == ["folk", "song", "waltz"]
    assert [one.bundle.slug for one in inputs if one.bundle] == ["small-transformer"]
    live = [note for one in inputs for note in one.live]
    assert [note.pitch for note in live] == [60, 64, 67, 72]
    assert all(isinstance(note, Note) and note.part == Part.MELODY for note in live)
    assert [one.pitch for one in entries("everything", Released)] == [60, 64, 67, 72]
    joined = entries("everything", Joined)
    assert [one.bundle.slug for one in joined] == ["small-ddsp", "small-cmelgan", "small-gansynth"]
    assert joined[1].knobs["genre"] == "ambient"
    assert [one.player for one in entries("everything", Left)] == [2]


def test_a_take_on_a_latent_pad():
    saved = take("pad")
    slugs = [bundle.slug for bundle in saved.header.bundles]
    assert slugs == ["small-transformer", "small-ddsp", "small-gansynth"]
    pads = [one.anchors for one in entries("pad", Input) if one.anchors is not None]
    assert [len(pad) for pad in pads] == [1, 2, 3, 3, 4, 3]
    assert all(isinstance(anchor, Anchor) for anchor in pads[-1])
    assert [anchor.name for anchor in pads[-1]] == ["All genres", "openewld scarborough fair", "Phrase"]
    assert [one.knobs["x"] for one in entries("pad", Input) if "x" in one.knobs] == [-0.5, 0.375]
    assert saved.heard_count == 11


def test_a_take_of_two_players_and_one_that_broke_off():
    heard = list(take("two-players").heard())
    assert Counter(player for player, _ in heard) == {0: 24, 1: 26}
    assert heard[0] == (0, Note(0, 0, 54, 20, 62, Part.CHORDS))
    broken = take("broken-off")
    assert (broken.stopped, broken.heard_count) == (None, 26)
    whole = list(take("everything").heard())
    assert list(broken.heard()) == whole[:26], "it is the beginning of the other"


@pytest.mark.parametrize("name", TAKE_NAMES)
def test_a_take_is_rendered_to_the_notes_that_were_heard(name, tmp_path):
    saved = take(name)
    assert differences(saved, open_saved) == []
    rendering = render(Options(take=str(TAKES / f"{name}.take.json")), open_saved)
    bounced = tmp_path / "again.mid"
    bounce(rendering, bounced)
    now, then = read_midi(bounced), read_midi(TAKES / f"{name}.rendered.mid")
    assert now.as_notes() == then.as_notes()
    assert (now.tempos, now.metres) == (then.tempos, then.metres)


@pytest.mark.parametrize("name", TAKE_NAMES)
def test_a_take_is_rendered_to_the_notes_that_were_heard_without_its_bundles_too(name, tmp_path):
    def none_here(slug: str):
        raise HocketError(f"unknown model {slug!r}")

    rendering = render(Options(take=str(TAKES / f"{name}.take.json")), none_here)
    players = {notice.partition(":")[0] for notice in rendering.notices}
    assert "player 0 plays the notes that were recorded" in players
    assert any("is silent" in notice for notice in players) == bool(entries(name, Joined) or name == "pad")
    bounce(rendering, tmp_path / "again.mid")
    now, then = read_midi(tmp_path / "again.mid"), read_midi(TAKES / f"{name}.rendered.mid")
    assert now.as_notes() == then.as_notes()
    assert (now.tempos, now.metres) == (then.tempos, then.metres)
    with pytest.raises(HocketError, match="unknown model"):
        differences(take(name), none_here)


def test_sound_players_of_a_take_end_as_they_were():
    ended = render(Options(take=str(TAKES / "everything.take.json")), open_saved).patch
    assert [player.model for player in ended.players] == ["small-transformer", "small-ddsp", "small-gansynth"]
    notes, first, second = (player.knobs for player in ended.players)
    assert (notes["genre"], first["part"], first["level"]) == ("waltz", "keys", -6.0)
    assert second["level"] == -10.0
    assert ended.knobs["tempo"] == pytest.approx(104.2637)


@pytest.mark.parametrize("name", ["everything", "pad", "two-players"])
def test_the_midi_that_was_recorded_is_that_of_the_take(name):
    recorded, rendered = read_midi(TAKES / f"{name}.mid"), read_midi(TAKES / f"{name}.rendered.mid")
    assert recorded.as_notes() == rendered.as_notes()
    assert len(recorded.as_notes()) == {"everything": 56, "pad": 11, "two-players": 47}[name]


def test_tempos_and_metres_of_recorded_midi():
    assert [round(bpm, 2) for _, bpm in read_midi(TAKES / "everything.mid").tempos] == [132.0, 150.0, 104.26]
    assert read_midi(TAKES / "two-players.mid").metres == (Metre(0, 3, 4), Metre(144, 4, 4))


def test_the_sound_that_was_recorded():
    sound, rate = soundfile.read(TAKES / "everything.wav")
    assert (sound.shape, rate) == ((24576, 2), 48_000)
    assert np.abs(sound).max() == pytest.approx(0.00586, abs=1e-5)


# --- bundles


def test_bundles_in_the_player_s_folder_are_listed_and_opened(hocket_home):
    shutil.copytree(MODELS, Path(hocket_home) / "models")
    found = {entry.slug: entry for entry in list_models() if entry.slug.startswith("small-")}
    assert {slug: (entry.kind, entry.problem) for slug, entry in found.items()} == {
        "small-cmelgan": ("stream", ""), "small-ddsp": ("voice", ""), "small-gansynth": ("voice", ""),
        "small-musicvae": ("notes", ""), "small-transformer": ("notes", ""), "small-tuned": ("notes", ""),
    }  # fmt: skip
    manifest, _ = open_player("small-tuned")
    assert (manifest.name, manifest.family, manifest.genres) == ("Small tuned", "lstm", ("folk", "song"))


@pytest.mark.parametrize(
    ("slug", "name", "hash", "latent", "conditions", "first_knobs"),
    [
        ("small-tuned", "Small tuned", "db6d7947ee90", 0, ("folk", "song"), ["genre", "style"]),
        ("small-transformer", "Small Transformer", "32c97d2d22ed", 0, ("march", "waltz"), ["genre", "style"]),
        ("small-musicvae", "Small MusicVAE", "2d09601fe811", 8, ("march", "waltz"), ["genre", "temperature"]),
        ("small-ddsp", "Small DDSP", "e427f7a34f6c", 4, ("flute", "organ", "reed"),
         ["instrument", "instrument_b"]),
        ("small-gansynth", "Small GANSynth", "5a097ae38d70", 4, ("flute", "organ", "reed"),
         ["instrument", "instrument_b"]),
        ("small-cmelgan", "Small stream", "8a0ba8e398d8", 4, ("ambient", "drumming", "plucked"),
         ["genre", "genre_b"]),
    ],
)  # fmt: skip
def test_a_bundle_is_named_as_takes_name_it(slug, name, hash, latent, conditions, first_knobs):
    bundle = open_bundle(MODELS / slug, trusted=True)
    manifest = bundle.manifest
    assert (manifest.slug, manifest.name, manifest.condition_genres) == (slug, name, conditions)
    assert manifest.legacy_hash.startswith(hash)
    assert [knob.id for knob in manifest.knobs][:2] == first_knobs
    assert bundle.golden(), "its file has the hash that the manifest gives"
    assert (manifest.latent, manifest.latents is not None) == (latent, latent > 0)


@pytest.mark.parametrize(("slug", "db"), [("small-ddsp", -50.14), ("small-gansynth", -36.89)])
def test_a_voice_sounds_as_loud_as_it_did(slug, db):
    _, voice = open_saved(slug)
    assert level_db(one_note(voice.start(48_000), 60, 100, 0.3, 0.4, 48_000)) == pytest.approx(db, abs=0.5)


def test_a_stream_sounds_as_loud_as_it_did():
    manifest, stream = open_saved("small-cmelgan")
    assert manifest.needs == ("vocoder-44k",)
    stream.reset(1, 0)
    knobs = {knob.id: knob.default for knob in manifest.knobs}
    sound = np.concatenate([stream.render(knobs) for _ in range(20)])
    assert level_db(sound) == pytest.approx(-37.49, abs=0.5)
