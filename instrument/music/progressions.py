"""Chord progressions, typed (Dm9 | G13 | % | Am7 D7) or named, and their plans."""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from instrument.errors import HocketError
from instrument.music.chords.degrees import check_mode, is_degree, parse_degree
from instrument.music.chords.names import Chord, parse_chord
from instrument.music.plan import Plan, PlanBar, PlannedChord, Recall
from instrument.music.timebase import Metre
from instrument.paths import assets_dir

TABLE = Path("progressions.toml")  # in assets/
RETURN_CLOSENESS = 0.7  # closeness with which a returning section recalls its first appearance
LONGEST_TEXT = 20_000
MOST_BARS = 2_000  # of a form written out
REPEAT, HOLD, ANY = "%", ("/", "."), "?"
_LABEL = re.compile(r"(?:^|(?<=[\s|]))([A-Za-z][\w']{0,19}):(?=\s|$)")
_METRE = re.compile(r"(\d{1,2})/(\d{1,2})$")


def read_metre(text: str) -> tuple[int, int]:
    """The metre of a text such as "4/4". Raises HocketError if it is not one."""
    found = _METRE.match(text.strip())
    if not found or not int(found[1]) or int(found[2]) not in (1, 2, 4, 8, 16):
        raise HocketError(f"{text!r} is no metre: give one such as 4/4, 3/4, 6/8 or 7/8")
    return int(found[1]), int(found[2])


def parse_progression(
    text: str,
    *,
    key: tuple[int, str] | None = None,
    metre: tuple[int, int] = (4, 4),
    form: str = "",
    closeness: float = RETURN_CLOSENESS,
) -> Plan:
    """The plan of a typed progression.

    Bars are separated by | or new lines. A bar has one or more chords, evenly spread; if they do not divide the bar,
    the first ones last longer. / or . holds a chord for another share, % repeats the last bar, N.C. is silence, and ?
    leaves the harmony free. Chords are symbols, or numbers and numerals, which need a `key`.

    "A:" before bars begins a section of this name. A line "form: AABA" (or `form`) gives the order of the sections,
    else each is played once. A section that returns recalls its first appearance with this `closeness`.

    Raises HocketError, naming the symbol or the bar, if something cannot be read.
    """
    if len(text) > LONGEST_TEXT:
        raise HocketError(f"a progression of {len(text)} letters is too long: at most {LONGEST_TEXT} are read")
    if key is not None:
        check_mode(key[1])
    sections, written = _sections(text)
    parsed = {label: _bars(body, label, metre, key) for label, body in sections.items()}
    if not any(parsed.values()):
        raise HocketError("this progression has no chords: write some, as in Dm9 | G13 | % | Am7 D7")
    order = _form(form or written, list(parsed)) if form or written else list(parsed)
    bars: list[PlanBar] = []
    first: dict[str, int] = {}
    for label in order:
        known = first.get(label)
        first.setdefault(label, len(bars))
        for i, bar in enumerate(parsed[label]):
            recall = None if known is None else Recall(known + i, closeness)
            bars.append(bar._replace(begins=i == 0, recall=recall))
        if len(bars) > MOST_BARS:
            raise HocketError(f"this form is longer than {MOST_BARS} bars: write a shorter one")
    return Plan(tuple(bars), key)


@dataclass(frozen=True, slots=True)
class Progression:
    """A progression of the table that ships: sections are label -> bars in numbers or numerals."""

    slug: str
    name: str
    genre: str
    metre: tuple[int, int]
    mode: str
    about: str
    form: str
    sections: tuple[tuple[str, str], ...]

    def plan(self, tonic: int) -> Plan:
        """Its plan in the key of a tonic, a pitch class 0..11."""
        text = "\n".join(f"{label}: {bars}" for label, bars in self.sections)
        return parse_progression(text, key=(tonic % 12, self.mode), metre=self.metre, form=self.form)


def read_progressions(path: Path) -> dict[str, Progression]:
    """Slug -> progression, of a table such as assets/progressions.toml. Raises HocketError if it cannot be read."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise HocketError(f"cannot read the progressions {path} ({error.strerror}): install Hocket again") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise HocketError(f"{path} is no table of progressions: {error}") from error
    return {slug: _progression(slug, row) for slug, row in table.items()}


@functools.cache
def progressions() -> dict[str, Progression]:
    """Slug -> progression, from the table that ships."""
    return read_progressions(assets_dir() / TABLE)


def named_progression(slug: str) -> Progression:
    """A progression from the table that ships. Raises HocketError for an unknown slug."""
    found = progressions().get(slug)
    if found is None:
        raise HocketError(f"unknown progression {slug!r}: choose one of {', '.join(progressions())}")
    return found


def _progression(slug: str, row: Any) -> Progression:
    try:
        return Progression(
            slug,
            row["name"],
            row["genre"],
            read_metre(row["metre"]),
            row["mode"],
            row["about"],
            row["form"],
            tuple(row["sections"].items()),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise HocketError(
            f"the progression {slug!r} lacks {error}: give name, genre, metre, mode, about, form and sections"
        ) from error


def _sections(text: str) -> tuple[dict[str, str], str]:
    """Label -> the text of its bars, in the written order; and the form, "" if there is none."""
    parts = _LABEL.split(text)
    sections = {"": parts[0]} if parts[0].strip(" |\n\t\r") else {}
    form = ""
    for label, body in zip(parts[1::2], parts[2::2], strict=True):
        if label.lower() == "form":
            form, _, rest = body.strip().partition("\n")
            if rest.strip():
                raise HocketError(f"chords follow the form {form!r}: write the form last, or a label before them")
        elif label in sections:
            raise HocketError(f"the section {label!r} is there twice: write it once, and a form such as form: A A B A")
        else:
            sections[label] = body
    return sections, form


def _form(form: str, labels: list[str]) -> list[str]:
    order = re.split(r"[\s,–-]+", form.strip())
    if len(order) == 1 and order[0] not in labels:
        order = list(order[0])
    for label in order:
        if label not in labels:
            raise HocketError(f"the form has a section {label!r} without bars: there are {', '.join(labels) or 'none'}")
    return order


def _bars(body: str, label: str, metre: tuple[int, int], key: tuple[int, str] | None) -> list[PlanBar]:
    bars: list[PlanBar] = []
    for text in re.split(r"[|\n]", body):
        symbols = text.split()
        if symbols == [REPEAT]:
            if not bars:
                raise HocketError(f"{REPEAT} has no bar before it to repeat: write a chord first")
            bars.append(bars[-1])
        elif symbols:
            bars.append(PlanBar(metre, label, chords=_chords(symbols, metre, key)))
    return bars


def _chords(symbols: list[str], metre: tuple[int, int], key: tuple[int, str] | None) -> tuple[PlannedChord, ...]:
    if symbols == [ANY]:
        return ()
    if symbols[0] in HOLD:
        raise HocketError(f"the bar {' '.join(symbols)!r} begins with {symbols[0]}: begin it with a chord")
    found: list[PlannedChord] = []
    for offset, symbol in zip(_offsets(len(symbols), metre), symbols, strict=True):
        if symbol not in HOLD:
            found.append(PlannedChord(offset, _chord(symbol, key)))
    return tuple(found)


def _chord(symbol: str, key: tuple[int, str] | None) -> Chord:
    if symbol == REPEAT:
        raise HocketError(f"{REPEAT} repeats a whole bar: put it alone between two bar lines")
    if not is_degree(symbol):
        return parse_chord(symbol)
    if key is None:
        raise HocketError(f"{symbol!r} is a number of a chord: choose a key for it, or write chords as in Dm9, G13")
    return parse_degree(symbol, *key)


def _offsets(count: int, metre: tuple[int, int]) -> list[int]:
    """Offsets in ticks of `count` chords in a bar: on its beats if these are enough, else on half beats.

    If the chords do not divide the bar, the first ones last longer: three chords in 4/4 last two beats, one and one.
    """
    compound = metre[1] >= 8 and metre[0] % 3 == 0 and metre[0] > 3
    units = metre[0] // 3 if compound else metre[0]
    if count > units:
        units = metre[0] if compound else 2 * metre[0]
    if count > units:
        raise HocketError(f"a bar of {metre[0]}/{metre[1]} has {count} chords: write at most {units}")
    length, longer = divmod(units, count)
    return [(i * length + min(i, longer)) * Metre(0, *metre).bar_ticks // units for i in range(count)]
