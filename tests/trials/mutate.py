"""Damage done at random to structured data: JSON, JSON lines, and trees of plain values."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator, MutableMapping, MutableSequence
from typing import Any

Tree = Any  # what JSON and msgpack hold

DEEP = "@deep"  # in JSON, lists within lists, deeper than any parser goes
CANARY = "../../../../etc/hostname"  # outside of every folder that a file may name
TRAPS: tuple[Callable[[random.Random], Tree], ...] = (
    lambda rng: rng.choice((None, True, False, -1, 0, 1, 0.5)),
    lambda rng: rng.choice((1 << 31, -(1 << 31), 1 << 63, 9_000_000_000, 1 << 70, -(1 << 70))),
    lambda rng: rng.choice((1e308, -1e308, 5e-324, float("nan"), float("inf"), -0.0)),
    lambda rng: rng.choice(
        ("", "\0", "a\0b", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "a\nb", "⁂")
    ),
    lambda rng: rng.choice((CANARY, "/etc/hostname", ".", "..", "~", "C:\\x", "con", "-rf", "%s%n", "{0}")),
    lambda rng: rng.choice("x0") * rng.choice((63, 65, 20_001, 70_000)),
    lambda rng: rng.choice(([], {}, [[]], {"": 0}, [0] * 5_000, {"type": "input"})),
    lambda rng: rng.randrange(-10, 200),
    lambda rng: rng.uniform(-2, 2),
    lambda rng: DEEP,
)


def places(tree: Tree) -> Iterator[tuple[MutableMapping[Any, Tree] | MutableSequence[Tree], Any]]:
    """(container, key) of every value of a tree, at any depth."""
    waiting = [tree]
    while waiting:
        container = waiting.pop()
        keys = (
            container if isinstance(container, dict) else range(len(container)) if isinstance(container, list) else ()
        )
        for key in keys:
            yield container, key
            waiting.append(container[key])


def mutated(tree: Tree, rng: random.Random) -> Tree:
    """A copy with one to four damages: a trap, a value of another place, a missing, doubled or renamed one, a number
    that is a little off."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        there = list(places(tree))
        if not there:
            return rng.choice(TRAPS)(rng)
        container, key = rng.choice(there)
        value = container[key]
        match rng.randrange(7):
            case 0 | 1:
                container[key] = rng.choice(TRAPS)(rng)
            case 2:
                other, place = rng.choice(there)
                container[key] = copy.deepcopy(other[place])
            case 3:
                del container[key]
            case 4 if isinstance(container, dict):
                container[rng.choice((f"{key}x", "", "version", "type", str(key).upper()))] = container.pop(key)
            case 4 | 5 if isinstance(container, list):
                container[key:key] = [copy.deepcopy(value)] * rng.choice((1, 2, 20, 1_000 if len(there) < 300 else 2))
            case 6 if isinstance(value, int | float) and not isinstance(value, bool):
                container[key] = value * rng.choice((-1, 2, 0.5, 1000)) + rng.choice((0, 1, -1))
            case _:
                container[key] = rng.choice(TRAPS)(rng)
    return tree


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Bytes with one kind of damage that knows no structure."""
    changed, place = bytearray(data), rng.randrange(len(data) + 1)
    match rng.randrange(4):
        case 0:
            for _ in range(rng.randrange(1, 9)):
                changed[rng.randrange(len(changed))] = rng.randrange(256)
        case 1:
            del changed[place:]
        case 2:
            changed[place : place + rng.randrange(64)] = rng.randbytes(rng.randrange(64))
        case 3:
            changed[place:place] = changed[: rng.randrange(4096)]
    return bytes(changed)


def json_mutant(data: bytes, rng: random.Random) -> bytes:
    """A JSON file with damage, mostly of its values."""
    if rng.random() < 0.15:
        return damaged(data, rng)
    return _dumped(mutated(json.loads(data), rng))


def lines_mutant(data: bytes, rng: random.Random) -> bytes:
    """A file of JSON lines with damage: to values of a line, or to the order of lines."""
    if rng.random() < 0.15:
        return damaged(data, rng)
    lines = data.split(b"\n")
    for _ in range(rng.choice((1, 1, 2, 4))):
        i = 0 if rng.random() < 0.3 else rng.randrange(len(lines))
        match rng.randrange(8):
            case 0:
                lines.insert(rng.randrange(len(lines) + 1), lines[i])
            case 1:
                del lines[i]
                lines = lines or [b""]
            case 2:
                lines[i] = damaged(lines[i], rng) if lines[i] else b"{"
            case _:
                lines[i] = (
                    _dumped(mutated(json.loads(lines[i]), rng)) if lines[i].strip() and _is_json(lines[i]) else b"[]"
                )
    return b"\n".join(lines)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _dumped(tree: Tree) -> bytes:
    return json.dumps(tree).encode().replace(f'"{DEEP}"'.encode(), b"[" * 100_000 + b"]" * 100_000)
