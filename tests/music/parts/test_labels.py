"""Parts of constructed tracks: what they play decides, and names where that leaves it open."""

from dataclasses import replace

import numpy as np
import pytest

from instrument.music.notes import Part
from instrument.music.parts import features as part_features
from instrument.music.parts.labels import FEWEST, LABELS, WEIGHTS, label_tracks, named_parts, probabilities
from instrument.music.reading import RawTrack

BEAT = 480
BARS = 16
CHORDS = ((0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14))  # C, Am, F, G above C
TUNE = (0, 2, 4, 5, 7, 5, 4, 2, 4, 7, 9, 7, 5, 4, 2, 0)


def rows(notes, name: str = "", program: int = 0, drums: bool = False) -> RawTrack:
    """A track of (beat, beats, pitch)."""
    starts, durations, pitches = np.array(notes, np.float64).T
    columns = (starts * BEAT, durations * BEAT, pitches, np.full(len(starts), 80))
    return RawTrack(name, program, drums, *(np.rint(column).astype(np.int64) for column in columns))


def tune(octave: int = 0, **facts) -> RawTrack:
    return rows([(i, 0.9, 72 + 12 * octave + TUNE[i % 16]) for i in range(4 * BARS)], **facts)


def chords(octave: int = 0, **facts) -> RawTrack:
    return rows(
        [(4 * bar + half, 1.9, 55 + 12 * octave + tone) for bar in range(BARS) for half in (0, 2)
         for tone in CHORDS[bar % 4]], **facts,
    )  # fmt: skip


def bass(octave: int = 0, **facts) -> RawTrack:
    return rows(
        [(4 * bar + beat, 0.9, 36 + 12 * octave + CHORDS[bar % 4][0] % 12 - 12 * (CHORDS[bar % 4][0] > 6))
         for bar in range(BARS) for beat in range(4)], **facts,
    )  # fmt: skip


def parts(*tracks: RawTrack) -> list[Part]:
    return [label.part for label in label_tracks(tracks, BEAT)]


def test_nameless_tracks_of_a_band_are_labelled_in_any_order():
    band = {Part.BASS: bass(), Part.CHORDS: chords(), Part.MELODY: tune(), Part.DRUMS: rows([(0, 1, 36)], drums=True)}
    assert parts(*band.values()) == list(band)
    assert parts(*reversed(band.values())) == list(reversed(band))


def test_what_is_clear_counts_more_than_a_name():
    assert parts(tune(name="chords"), chords(name="bass"), bass(name="melody")) == [
        Part.MELODY,
        Part.CHORDS,
        Part.BASS,
    ]
    assert parts(tune(program=33), chords(), bass()) == [Part.MELODY, Part.CHORDS, Part.BASS]


def test_a_name_decides_where_the_notes_leave_it_open():
    # One note a bar in the middle of things.
    unclear = rows([(4 * bar, 2.0, 57) for bar in range(BARS)])
    others = tune(), chords(), bass()
    assert probabilities([unclear, *others], BEAT)[0].max() < 0.9
    for name, part in (("Lead", Part.MELODY), ("pad", Part.CHORDS), ("Bass", Part.BASS), ("other", Part.OTHER)):
        assert parts(replace(unclear, name=name), *others)[0] == part
    assert parts(replace(unclear, program=35), *others)[0] == Part.BASS


def test_a_few_notes_are_believed_by_name():
    few = [tune(name="bass"), chords()]
    short = replace(few[0], **{c: getattr(few[0], c)[: FEWEST - 1] for c in ("starts", "durations", "pitches")})
    assert parts(*few)[0] == Part.MELODY
    assert parts(short, few[1])[0] == Part.BASS


def test_names_that_hocket_writes_are_right_when_there_are_no_others():
    assert parts(tune(name="Bass"), chords(name="Melody"), bass(name="Other")) == [Part.BASS, Part.MELODY, Part.OTHER]
    assert parts(tune(name="Bass"), chords(name="Melody"), bass(name="Cello")) == [
        Part.MELODY,
        Part.CHORDS,
        Part.BASS,
    ]


def test_a_track_alone_is_a_tune_or_chords_and_no_bass():
    assert parts(tune()) == [Part.MELODY]
    assert parts(tune(-3)) == [Part.MELODY]
    assert parts(chords()) == [Part.CHORDS]
    assert parts(bass()) == [Part.MELODY]


def test_lines_in_unison_are_no_bass_above_middle_c():
    assert parts(tune(), tune()) == [Part.MELODY, Part.MELODY]
    found = probabilities([bass(3), tune(1)], BEAT)
    assert (found[:, LABELS.index(Part.BASS)] == 0).all()
    np.testing.assert_allclose(found.sum(1), 1)


def test_inner_voices_accompany():
    steps = (0, 2, 4, 5, 4, 2, 0, 2)
    voices = [
        rows([(i, 1, base + steps[(i + shift) % 8]) for i in range(4 * BARS)])
        for base, shift in ((72, 0), (64, 2), (57, 5), (45, 3))
    ]
    assert parts(*voices) == [Part.MELODY, Part.CHORDS, Part.CHORDS, Part.BASS]


def test_drums_are_drums_whatever_they_are_called():
    found = label_tracks([rows([(0, 1, 36)], name="melody", drums=True), tune()], BEAT)
    assert [(label.part, label.predicted) for label in found] == [(Part.DRUMS, None), (Part.MELODY, Part.MELODY)]


def test_labels_keep_the_part_by_name_and_the_one_by_notes():
    found = label_tracks([tune(name="Bass"), chords(name="Piano"), bass(name="Melody")], BEAT)
    assert [(label.named, label.predicted) for label in found] == [
        (Part.BASS, Part.MELODY),
        (Part.CHORDS, Part.CHORDS),
        (Part.MELODY, Part.BASS),
    ]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["MELODY", "BRIDGE", "PIANO"], [Part.MELODY, None, Part.CHORDS]),
        (["Singstimme, Gesang", "Klavier"], [Part.MELODY, Part.CHORDS]),
        (["Piano", "Piano"], [None, None]),
        (["soprano", "alto", "tenor", "bass"], [Part.MELODY, Part.CHORDS, Part.CHORDS, Part.BASS]),
        (["Tenor sax", "Violin 1", "Violino II", "Violin"], [None, Part.MELODY, Part.CHORDS, None]),
        (["Double Bass drum", "Bassoon", "The Old Reel", "Other"], [None, None, None, Part.OTHER]),
    ],
)
def test_what_names_say(names, said):
    assert named_parts([tune(name=name) for name in names]) == said


def test_features_are_those_of_the_notes():
    table = part_features.features([tune(), chords(), bass()], BEAT)
    values = dict(zip(part_features.FEATURES, table.T.tolist(), strict=True))
    assert values["chord share"] == [0, 1, 0]
    assert values["voices"] == [0, 2, 0]
    assert values["top"] == [1, pytest.approx(0, abs=0.06), 0]
    assert values["bottom"] == [0, 0, 1]
    assert values["together"] == [1, 1, 1]
    assert values["density"][1] == pytest.approx(np.log2(32 / 62))
    assert values["length"][2] == pytest.approx(np.log2(0.9))
    assert values["height"][2] == pytest.approx((np.mean([36, 33, 41, 31]) - 60) / 12)
    assert values["polyphony"][1] == 2
    assert values["even"] == [1, 1, 1]


def test_features_do_not_depend_on_the_resolution():
    def finer(track: RawTrack) -> RawTrack:
        return replace(track, starts=track.starts * 4, durations=track.durations * 4)

    band = [tune(), chords(), bass()]
    np.testing.assert_allclose(
        part_features.features(band, BEAT), part_features.features([finer(t) for t in band], BEAT * 4)
    )


def test_every_feature_has_its_weights():
    assert tuple(WEIGHTS) == part_features.FEATURES
    assert {len(row) for row in WEIGHTS.values()} == {len(LABELS)}
    assert part_features.features([], BEAT).shape == (0, len(WEIGHTS))
    assert probabilities([], BEAT).shape == (0, len(LABELS))
