"""Versions of saved files."""

from __future__ import annotations

import msgspec
import pytest

from instrument.errors import HocketError
from instrument.saved import Format


class Inner(msgspec.Struct):
    version: int
    b: int


class Outer(msgspec.Struct):
    version: int
    a: int
    inner: Inner | None = None


INNER = Format(3, {1: lambda fields: {"b": fields["b"] + 1}, 2: lambda fields: {"b": fields["b"] * 10}})
OUTER = Format(2, {1: lambda fields: {"a": fields.pop("old"), **fields}}, inside={"inner": INNER})


def test_all_steps_from_any_version_to_the_newest_are_taken_inside_too():
    assert INNER.restored(b'{"version": 3, "b": 5}', Inner, "it") == Inner(3, 5)
    assert INNER.restored(b'{"version": 2, "b": 5}', Inner, "it") == Inner(3, 50)
    assert INNER.restored(b'{"version": 1, "b": 5}', Inner, "it") == Inner(3, 60)
    data = b'{"version": 1, "old": 7, "inner": {"version": 2, "b": 5}}'
    assert OUTER.restored(data, Outer, "it") == Outer(2, 7, Inner(3, 50))
    assert OUTER.restored(b'{"version": 2, "a": 7}', Outer, "it") == Outer(2, 7)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"version": 9, "a": 1}', "the file has version 9, this Hocket reads up to version 2: update Hocket"),
        (
            '{"version": 2, "a": 1, "inner": {"version": 4, "b": 1}}',
            "the file has version 4, this Hocket reads up to version 3: update Hocket",
        ),
        ('{"version": 0, "a": 1}', "the file has version 0: it is damaged, or not one of Hocket's"),
        ('{"version": "1", "a": 1}', "the file has version '1': it is damaged, or not one of Hocket's"),
        ('{"a": 1}', "the file has version None: it is damaged, or not one of Hocket's"),
    ],
)
def test_other_versions_are_refused_in_one_line(text, says):
    with pytest.raises(HocketError) as error:
        OUTER.restored(text.encode(), Outer, "the file")
    assert str(error.value) == says


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"version": 1}', '{"version": 2, "a": "x"}', '{"version": 2, "a": 1, "inner": 3}']
)
def test_damaged_files_are_refused(text):
    with pytest.raises(HocketError, match="the file is damaged: "):
        OUTER.restored(text.encode(), Outer, "the file")
