"""How a band obeys a person, in every genre of the model that ships: `python -m tests.trials.led > docs/led.md`.

A left hand of 64 changes leads chords and bass. Then a person plays with each mode for five minutes of music.
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
from tests.engine.performance.acts.test_company import BEAT, TEMPO
from tests.support.live import play_on
from tests.trials import person

MODEL = "lstm-band"
CHANGES = 64
MINUTES = 5
CHORDS = ("C", "Am7", "F", "G7", "Dm7", "Bb", "Em", "A7", "Fmaj7", "Gm7", "E7", "Ab", "Bm7b5", "C/E", "D", "Ebmaj7")
PAGE = """# Led by a person

Printed by `python -m tests.trials.led`, of the model {model}, at the default *Harmony*. *Obeyed*: notes of chords and
bass on strong beats that are tones of the chord, from one beat after each of {changes} changes of a left hand.

Then a scripted person (phrases and chords by rule) plays with each mode for {minutes} minutes at {tempo} beats a
minute, and each take is rendered again and is the same.

- *answer*, twice: questions end after two bars, or with a beat of silence; every third interrupts the band. *Yields*:
  beats that the lead sounds on as a question begins, the most. *Late*: ms from the end of a question to the first note
  of its answer, as rendered, p95. *Rhythm* (F1 of onsets) and *contour* (correlation) of answers with their questions,
  and in brackets of pairs shuffled a thousand times; with * where one shuffle in a hundred or more is as alike.
- *accompany*: notes of the band in the register of the person's last two bars, and all.
- *duet*: beats that the lead sounds on as the person begins, the most; beats from a beat after they stop until it goes
  on, p50 and p95.
- *jam*: bars in which the band rests.
"""
COLUMNS = (
    "genre", "obeyed", "answers", "yields", "late p95, ms", "rhythm, bars", "contour, bars", "rhythm, silence",
    "contour, silence", "over the register", "duet yields", "duet goes on", "jam rests",
)  # fmt: skip


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


def row(genre: str, bars: int) -> list[str]:
    """The figures of a genre."""
    said = [person.conversation(genre, bars, question) for question in ("2 bars", "silence")]
    alike = [person.likeness(each.pairs, measure) for each in said for measure in (person.rhythm, person.contour)]
    over, notes = person.over_register(genre, bars)
    duet_yields, goes_on = person.duet(genre, bars)
    yields = max(beats for each in said for beats in each.yields)
    late = np.percentile([ms for each in said for ms in each.late], 95)
    return [
        genre,
        f"{obedience(genre):.2f}",
        str(sum(len(each.pairs) for each in said)),
        f"{yields:.2f}",
        f"{late:.0f}",
        *(f"{own:.2f} ({shuffled:.2f}){'*' * (share >= 0.01)}" for own, shuffled, share in alike),
        f"{over} of {notes}",
        f"{max(duet_yields):.2f}",
        " ".join(f"{beats:.2f}" for beats in np.percentile(goes_on, [50, 95])),
        str(person.jam(genre, bars)),
    ]


def main(genres: Sequence[str]) -> None:
    """Print the page, for these genres; for all if there are none."""
    manifest = next(entry.manifest for entry in list_models() if entry.path.name == MODEL)
    assert manifest
    known = next(knob.choices for knob in manifest.knobs if knob.id == GENRE)
    print(PAGE.format(model=MODEL, changes=CHANGES, tempo=TEMPO, minutes=MINUTES))
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    for genre in genres or [genre for genre in known if genre != NONE]:
        print(f"| {' | '.join(row(genre, MINUTES * TEMPO // 4))} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
