"""How often a small network tells renders from real pieces, by two and by sixteen bars: a classifier two-sample test
(Lopez-Paz and Oquab, 2017). It is trained for this alone, on the validation and test split, and chooses nothing.

It hears what is struck and what sounds, by sixteenth and pitch. It does not hear drums, parts, dynamics and what is
finer than a sixteenth, as these tell files from one another by how they were made.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from instrument.errors import HocketError
from instrument.music.notes import Part
from instrument.music.reading import to_piece
from training.data import sources
from training.data.notes import midi
from training.evaluation.bands.excerpt import Excerpt, cut
from training.evaluation.bands.references import LEFT_OUT
from training.measures.bars import SIXTEENTH

BARS = (2, 16)
SPLITS = ("valid", "test")
FOLDS = 3
MOST_PIECES = 18  # real ones of a genre
WINDOWS = {2: 24, 16: 10}  # of a piece, at most
LOWEST, PITCHES = 24, 72
STEPS = 16  # a bar, in 4/4, the only metre that is judged
SEED, UPDATES, BATCH, RATE, DECAY = 1502, 300, 32, 2e-3, 1e-3
CHANNELS = 32
MOST_UP, MOST_DOWN = 6, 5  # semitones by which windows are transposed in training

Rolls = NDArray[np.bool_]  # (n, 2 * PITCHES, steps): struck, then sounding
Judged = dict[str, dict[str, float]]  # bars -> genre, and "all" -> share of the windows that it is right about


class Window(NamedTuple):
    """A stretch of a piece. fold: that of its piece; rendered: or real."""

    roll: NDArray[np.bool_]
    genre: str
    fold: int
    rendered: bool


class Ear(nn.Module):
    """Convolutions along time, each with half the steps, then mean and maximum."""

    def __init__(self) -> None:
        super().__init__()
        sizes = (2 * PITCHES, *[CHANNELS] * 4)
        self.layers = nn.ModuleList(nn.Conv1d(a, b, 5, padding=2) for a, b in pairwise(sizes))
        self.last = nn.Sequential(nn.Dropout(0.3), nn.Linear(2 * CHANNELS, 1))

    def forward(self, rolls: Tensor) -> Tensor:
        """Logits (n,) that these (n, 2 * PITCHES, steps) are rendered."""
        hidden = rolls
        for layer in self.layers:
            hidden = nn.functional.max_pool1d(torch.relu(layer(hidden)), 2)
        logits: Tensor = self.last(torch.cat([hidden.mean(2), hidden.amax(2)], 1))[:, 0]
        return logits


def discriminate(
    data: Path, renders: Path, genres: Sequence[str], seconds: float, log: Callable[[str], None]
) -> Judged:
    """How often renders GENRE-SEED.mid in a folder are told from the real pieces of a collection. 0.5 is chance.
    HocketError if there are too few of either."""
    pieces = [*_real(data, genres, seconds), *_rendered(renders, genres, seconds)]
    found: Judged = {}
    for bars in BARS:
        windows = balanced([w for excerpt, *where in pieces for w in _windows(excerpt, bars, *where)])
        right = cross_validated(windows)
        genre = np.array([window.genre for window in windows])
        shares = {name: round(float(right[genre == name].mean()), 3) for name in genres if (genre == name).any()}
        found[str(bars)] = {**shares, "all": round(float(np.mean(list(shares.values()))), 3)}
        log(f"{bars} bars: {len(windows)} windows, {found[str(bars)]['all']:.3f} right")
    return found


def cross_validated(windows: Sequence[Window], updates: int = UPDATES) -> NDArray[np.bool_]:
    """Whether each window is judged rightly by a network that was trained on those of the other folds."""
    rolls = np.stack([window.roll for window in windows])
    rendered = np.array([window.rendered for window in windows])
    folds = np.array([window.fold for window in windows])
    right = np.zeros(len(windows), bool)
    for fold in range(FOLDS):
        told, judged = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if len(judged):
            right[judged] = _judge(_trained(rolls[told], rendered[told], updates), rolls[judged]) == rendered[judged]
    return right


def balanced(windows: Sequence[Window]) -> list[Window]:
    """As many real windows as rendered ones of each genre and fold, evenly taken. HocketError if a genre has none."""
    kept: list[Window] = []
    for key in sorted({(window.genre, window.fold) for window in windows}):
        both = [[w for w in windows if (w.genre, w.fold, w.rendered) == (*key, kind)] for kind in (False, True)]
        count = min(map(len, both))
        kept += [own[i * len(own) // count] for own in both for i in range(count)]
    if len({window.fold for window in kept}) < FOLDS:
        raise HocketError("there are too few real pieces or renders to judge: give a collection and renders of 3 seeds")
    return kept


def roll(excerpt: Excerpt) -> NDArray[np.bool_]:
    """(2 * PITCHES, steps): which pitches are struck and which sound in each sixteenth, without drums."""
    steps = excerpt.bars * excerpt.bar // SIXTEENTH
    found = np.zeros((2, PITCHES, steps), bool)
    for tick, _, pitch, duration, _, part in excerpt.notes.tolist():
        if part != Part.DRUMS and 0 <= pitch - LOWEST < PITCHES:
            step = min(round(tick / SIXTEENTH), steps - 1)
            found[0, pitch - LOWEST, step] = True
            found[1, pitch - LOWEST, step : step + max(1, round(duration / SIXTEENTH))] = True
    return found.reshape(2 * PITCHES, steps)


def _windows(excerpt: Excerpt, bars: int, genre: str, fold: int, rendered: bool) -> list[Window]:
    whole, length = roll(excerpt), bars * STEPS
    starts = range(0, whole.shape[1] - length + 1, max(STEPS, length // 4) if bars > 2 else length)
    count = min(WINDOWS[bars], len(starts))
    chosen = [starts[i * len(starts) // count] for i in range(count)]
    return [Window(whole[:, at : at + length], genre, fold, rendered) for at in chosen]


def _real(data: Path, genres: Sequence[str], seconds: float) -> list[tuple[Excerpt, str, int, bool]]:
    chosen = [s for s in sources.find(data) if s.split in SPLITS and s.genre in genres]
    chosen = [s for s in chosen if not (s.realised or s.drums_only or s.path.startswith(LEFT_OUT))]
    ranked = sorted(chosen, key=lambda source: _number(source.path))
    found: list[tuple[Excerpt, str, int, bool]] = []
    left = dict.fromkeys(genres, MOST_PIECES)
    with sources.reader(data) as read:
        for source in ranked:
            if not left[source.genre]:
                continue
            try:
                excerpt = cut(midi.read(read(source))[0], seconds)
            except (HocketError, OSError, zipfile.BadZipFile):
                continue  # without bars, too short, of several metres, or unreadable
            if _fits(excerpt):
                left[source.genre] -= 1
                found.append((excerpt, source.genre, _number(source.group or source.path) % FOLDS, False))
    return found


def _rendered(folder: Path, genres: Sequence[str], seconds: float) -> list[tuple[Excerpt, str, int, bool]]:
    found = []
    for genre in genres:
        for number, path in enumerate(sorted(folder.glob(f"{genre}-*.mid"))):
            excerpt = cut(to_piece(midi.parse(path.read_bytes())), seconds)
            if _fits(excerpt):
                found.append((excerpt, genre, number % FOLDS, True))
    return found


def _fits(excerpt: Excerpt) -> bool:
    return excerpt.bar == STEPS * SIXTEENTH and excerpt.bars >= max(BARS)


def _number(text: str) -> int:
    return int(hashlib.sha256(f"{SEED} {text}".encode()).hexdigest()[:12], 16)


def _trained(rolls: Rolls, rendered: NDArray[np.bool_], updates: int) -> Ear:
    torch.manual_seed(SEED)
    random, net = np.random.default_rng(SEED), Ear()
    optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)
    for _ in range(updates):
        rows = random.choice(len(rolls), BATCH)
        moved = [transposed(rolls[row], int(random.integers(-MOST_DOWN, MOST_UP + 1))) for row in rows]
        wanted = torch.from_numpy(rendered[rows].astype(np.float32))
        loss = nn.functional.binary_cross_entropy_with_logits(net(_tensor(np.stack(moved))), wanted)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return net.eval()


def transposed(rolls: NDArray[np.bool_], semitones: int) -> NDArray[np.bool_]:
    """A roll moved up by so many semitones; what leaves its range is lost."""
    both = rolls.reshape(2, PITCHES, -1)
    moved = np.zeros_like(both)
    moved[:, max(0, semitones) : PITCHES + min(0, semitones)] = both[
        :, max(0, -semitones) : PITCHES + min(0, -semitones)
    ]
    return moved.reshape(rolls.shape)


def _judge(net: Ear, rolls: Rolls) -> NDArray[np.bool_]:
    with torch.no_grad():
        return np.concatenate([(net(_tensor(rolls[at : at + 256])) > 0).numpy() for at in range(0, len(rolls), 256)])


def _tensor(rolls: Rolls) -> Tensor:
    return torch.from_numpy(rolls.astype(np.float32))


def rows(now: Mapping[str, Mapping[str, float]], before: Mapping[str, Mapping[str, float]]) -> list[Sequence[str]]:
    """A table: by genre, two and sixteen bars, now and before."""
    found: list[Sequence[str]] = [("", *(f"{bars} bars{when}" for bars in BARS for when in ("", ", before")))]
    for genre in next(iter(now.values())):
        shares = [each.get(str(bars), {}).get(genre) for bars in BARS for each in (now, before)]
        found.append((genre, *("–" if share is None else f"{share:.2f}" for share in shares)))
    return found
