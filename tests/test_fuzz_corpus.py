"""The damaged files that are kept: each is read, or refused in one line, as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from instrument.errors import LONGEST, HocketError
from tests.trials.fuzz import CORPUS, KINDS, OLD, placed

FILES = sorted(path for path in CORPUS.glob("*/*") if path.is_file())


def test_every_kind_is_there() -> None:
    assert {path.parent.name for path in FILES} == set(KINDS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_damaged_file_is_read_or_refused(path: Path, tmp_path: Path) -> None:
    kind = KINDS[path.parent.name]
    bundle = path.name.rpartition("-")[0].rpartition("-")[0]
    case = placed(kind, OLD / "models" / bundle / kind.name if bundle else path, path.read_bytes(), tmp_path)
    if "-read." in path.name:
        kind.use(case)
    else:
        with pytest.raises(HocketError) as refusal:
            kind.use(case)
        assert 0 < len(str(refusal.value)) <= LONGEST
        assert "\n" not in str(refusal.value)
