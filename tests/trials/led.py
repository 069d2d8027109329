"""How a band obeys a person, in every genre of the model that ships: `python -m tests.trials.led > docs/led.md`.

A left hand of 64 changes leads chords and bass. In a conversation of two minutes the lead answers questions.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence

import numpy as np

from instrument.engine.performance.arrangement import GENRE
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.performance import Performance
from instrument.engine.voices.programs import NONE
from instrument.models.catalog import list_models, open_player
from instrument.music.chords.names import parse_chord
from instrument.music.notes import Part
from tests.engine.performance.acts.test_company import (
    BEAT,
    MINUTE,
    TEMPO,
    contour_likeness,
    conversation,
    likeness,
    rhythm_likeness,
)
from tests.support.live import play_on

MODEL = "lstm-band"
CHANGES = 64
BARS = 50  # of a conversation: two minutes
CHORDS = ("C", "Am7", "F", "G7", "Dm7", "Bb", "Em", "A7", "Fmaj7", "Gm7", "E7", "Ab", "Bm7b5", "C/E", "D", "Ebmaj7")
HEADER = """# Led by a person

Printed by `python -m tests.trials.led`, of the model {model}, at the default *Harmony*. *Obeyed*: notes of chords and
bass on strong beats that are tones of the chord, from one beat after each of {changes} changes of a left hand. Then the
mode *answer*, over two minutes at {tempo} beats a minute: answers, ms from the end of a question to the first note of
its answer as rendered, and how like answers are to their own questions and to the other ones, in rhythm (F1 of onsets)
and in contour (correlation).

| genre | obeyed | answers | late p95, ms | rhythm: own | others | contour: own | others |
|---|---|---|---|---|---|---|---|"""


def obedience(genre: str) -> float:
    """The share of strong notes of chords and bass that are in the chord, one beat after it has changed."""
    patch = Patch(
        knobs={"seed": 3, "lead": "hold", "chords": "on", "bass": "on"},
        players=(PlayerPatch(MODEL, {"genre": genre}),),
    )
    playing, chance, inside = Performance(patch, open_player), random.Random(1), list[bool]()
    for _ in range(CHANGES):
        symbol = chance.choice(CHORDS)
        playing.lead(symbol)
        since, tones = playing.floor, parse_chord(symbol).tones
        notes = [note for _, note in play_on(playing, 4 * BEAT) if note.part in (Part.CHORDS, Part.BASS)]
        inside += [n.pitch % 12 in tones for n in notes if n.tick % (2 * BEAT) == 0 and n.tick >= since + BEAT]
    return float(np.mean(inside))


def main(genres: Sequence[str]) -> None:
    """Print the page, for these genres; for all if there are none."""
    manifest = next(entry.manifest for entry in list_models() if entry.path.name == MODEL)
    assert manifest
    known = next(knob.choices for knob in manifest.knobs if knob.id == GENRE)
    print(HEADER.format(model=MODEL, changes=CHANGES, tempo=TEMPO))
    for genre in genres or [genre for genre in known if genre != NONE]:
        pairs = conversation(genre, BARS, verify=False)
        late = np.percentile([ticks for _, _, ticks in pairs], 95) * MINUTE / TEMPO / BEAT
        found = [f"{share:.2f}" for alike in (rhythm_likeness, contour_likeness) for share in likeness(pairs, alike)]
        row = genre, f"{obedience(genre):.2f}", str(len(pairs)), f"{late:.0f}", *found
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
