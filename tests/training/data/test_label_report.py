"""What `prepare` says of parts."""

from instrument.music.notes import Part
from instrument.music.parts.labels import Label
from training.data.notes.label_report import report, track_labels


def labels(*tracks: tuple[Part, Part | None, Part | None, int]):
    return track_labels((Label(part, named, predicted), notes) for part, named, predicted, notes in tracks)


TUNE = (Part.MELODY, Part.MELODY, Part.MELODY, 100)
MISNAMED = (Part.CHORDS, Part.MELODY, Part.CHORDS, 50)
NAMELESS = (Part.BASS, None, Part.BASS, 30)
OPEN = (Part.OTHER, None, Part.BASS, 20)
DRUMS = (Part.DRUMS, Part.BASS, None, 500)


def test_agreement_is_of_named_tracks_outside_the_training_split():
    lines = list(
        report(
            [
                ("test", labels(TUNE, MISNAMED, DRUMS)),
                ("valid", labels(TUNE, NAMELESS, OPEN)),
                ("train", labels(TUNE, TUNE)),
            ]
        )
    )
    assert lines == [
        "parts by notes agree with clear names of valid and test tracks: melody 0.67 of 3",
        "pitched notes without a part: 20 of 500 (4.0%); by names alone it would be 50 (10.0%)",
    ]


def test_what_is_too_little_to_be_compared():
    few = (Part.MELODY, Part.MELODY, Part.BASS, 7)
    assert list(report([("test", labels(TUNE)), ("test", labels(few, NAMELESS))])) == [
        "pitched notes without a part: 0 of 137 (0.0%); by names alone it would be 30 (21.9%)"
    ]
    assert list(report([("test", labels(DRUMS))])) == []
