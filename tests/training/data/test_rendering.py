"""Notes to sound by FluidSynth: in tune, in time, equal every time."""

from pathlib import Path

import numpy as np
import pytest

from instrument.errors import HocketError
from instrument.music.notes import Part, Piece, tidy
from instrument.music.reading import RawMidi, RawTrack
from training.data.sound.ensembles import ANY, ENSEMBLES, INSTRUMENTS
from training.data.sound.rendering import Renderer, Room, Score, find_fonts, scored, scored_as_written

FONT = Path(__file__).parents[3] / "assets" / "soundfont" / "hocket.sf3"
RATE = 16000
DRY = Room(level=0)


@pytest.fixture(scope="module")
def renderer():
    renderer = Renderer(RATE)
    yield renderer
    renderer.close()


def score(*notes: tuple[float, float, int], program: int = 73) -> Score:
    rows = np.array([(onset, end, 0, pitch, 100) for onset, end, pitch in notes], np.float64)
    return Score(rows, {0: program}, {0: 100})


def loudness(sound: np.ndarray, start: float, end: float) -> float:
    return float(np.sqrt(np.mean(sound[round(start * RATE) : round(end * RATE)] ** 2)))


@pytest.mark.parametrize("pitch", [57, 69, 81])
def test_a_tone_is_in_tune_and_ends_after_its_release(renderer: Renderer, pitch: int) -> None:
    sound = renderer.tone(FONT, (0, 73), pitch, 100, 1.0, 1.0)
    assert len(sound) == 2 * RATE
    spectrum = np.abs(np.fft.rfft(sound[4000:12000] * np.hanning(8000), 1 << 17))
    peaks = np.flatnonzero(spectrum > spectrum.max() / 4)
    hertz = 440 * 2 ** ((pitch - 69) / 12)
    near = min(abs(1200 * np.log2(p * RATE / (1 << 17) / hertz)) for p in peaks)
    assert near < 20
    assert loudness(sound, 1.6, 2.0) < 0.02 * loudness(sound, 0.5, 1.0)


def test_what_was_played_before_changes_nothing(renderer: Renderer) -> None:
    tune = score((0.0, 1.0, 60), (1.0, 2.0, 64), (2.0, 3.0, 67))
    first = renderer.play(tune, FONT, Room(), 0.5, 2.0)
    renderer.play(score((0.0, 9.0, 30), program=48), FONT, Room(0.9, 0.9), 0.0, 1.003)
    assert np.array_equal(renderer.play(tune, FONT, Room(), 0.5, 2.0), first)
    assert first.shape == (2 * RATE,)
    assert not np.array_equal(renderer.play(tune, FONT, Room(0.9, 0.9), 0.5, 2.0), first)


def test_windows_begin_where_they_say_and_hear_what_began_before(renderer: Renderer) -> None:
    tune = score((2.0, 2.5, 72), (10.0, 20.0, 60), program=19)
    whole = renderer.play(tune, FONT, DRY, 0.0, 4.0)
    assert loudness(whole, 0.0, 1.95) < 1e-4
    assert loudness(whole, 2.05, 2.5) > 0.01
    window = renderer.play(tune, FONT, DRY, 1.5, 1.0)
    assert loudness(window, 0.0, 0.45) < 1e-4 < loudness(window, 0.55, 1.0)
    assert loudness(renderer.play(tune, FONT, DRY, 15.0, 1.0), 0.0, 0.1) > 0.01


def test_a_key_struck_again_sounds_again(renderer: Renderer) -> None:
    overlapping = renderer.play(score((0.0, 1.0, 60), (0.5, 3.0, 60), program=19), FONT, DRY, 0.0, 3.0)
    assert loudness(overlapping, 2.0, 2.9) > 0.01


def test_a_piece_keeps_its_time_and_its_parts() -> None:
    notes = [(24, 0, 60, 24, 90, Part.MELODY), (48, 4, 40, 48, 80, Part.BASS), (72, 0, 36, 6, 99, Part.DRUMS)]
    piece = Piece(tidy(np.array(notes, np.int32)), (), ((0, 60.0), (48, 120.0)))
    done = scored(piece, ENSEMBLES["jazz"][0])
    assert done.notes.tolist() == [
        [0.0, 1.0, Part.MELODY, 60, 90],
        [pytest.approx(1 + 0.5 / 48), pytest.approx(2 + 0.5 / 48), Part.BASS, 40, 80],
        [1.5, 1.625, 9, 36, 99],
    ]
    assert done.programs == {Part.MELODY: 66, Part.BASS: 32, 9: 32}


def test_a_file_with_programs_keeps_them() -> None:
    def track(program: int, drum: bool = False) -> RawTrack:
        return RawTrack("", program, drum, *(np.array([v], np.int64) for v in (480, 240, 60, 90)))

    raw = RawMidi(480, [track(40), track(33), track(0, True)], tempos=[(0, 120.0)])
    done = scored_as_written(raw)
    assert done is not None
    assert done.programs == {0: 40, 1: 33, 9: 0}
    assert done.notes.tolist() == [[0.0, 0.25, channel, 60, 90] for channel in (0, 1, 9)]
    assert scored_as_written(RawMidi(480, [track(0), track(0, True)])) is None


def test_tables_are_of_general_midi() -> None:
    for ensemble in (*ANY, *(e for those in ENSEMBLES.values() for e in those)):
        assert all(0 <= program < 128 for program in ensemble)
    assert all(r.low < r.high < 128 and r.program < 128 for r in INSTRUMENTS.values())


def test_fonts_that_are_none(renderer: Renderer, tmp_path: Path) -> None:
    with pytest.raises(HocketError, match="is no sound font: give a file"):
        find_fonts((str(tmp_path / "none.sf2"),))
    (tmp_path / "bad.sf2").write_text("RIFF")
    for _ in range(2):
        with pytest.raises(HocketError, match="no sound font that FluidSynth can read"):
            renderer.tone(tmp_path / "bad.sf2", (0, 0), 60, 100, 0.1, 0.1)
    with pytest.raises(HocketError, match="has no preset 5 in bank 77"):
        renderer.tone(FONT, (77, 5), 60, 100, 0.1, 0.1)
