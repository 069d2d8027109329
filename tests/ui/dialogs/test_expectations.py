"""The page of what players expect counts right, and names tests that exist."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "expectations.md"
ROW = re.compile(r"^\| (\d+) \| (.+?) \| (holds|in part|no) \| (.+?) \| (?:`(.+?)`)? ?\|$", re.MULTILINE)


def test_every_line_says_where_and_names_a_test_that_exists() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = ROW.findall(text)
    assert [int(row[0]) for row in rows] == list(range(1, 54))
    counts = Counter(row[2] for row in rows)
    said = re.search(r"Of 53, (\d+) hold, (\d+) hold in part, (\d+) do not", text)
    assert said is not None
    assert tuple(map(int, said.groups())) == (counts["holds"], counts["in part"], counts["no"])
    for _, what, holds, where, test in rows:
        assert where.strip(), what
        assert bool(test) == (holds != "no"), f"{what}: what is there has a test"
        if test:
            file, _, name = test.partition("::")
            assert f"def {name}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), test
