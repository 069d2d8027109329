"""The validations of a run so far: the best one, the parent's, and how long there has been no better."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

NAMES = ("best", "best_fields", "parent", "validated", "not_better")


class Standing:
    """best, best_fields: total (lower is better) and fields of the best validation; parent: those of the model that
    the run starts from, None if there is none, empty until it was validated; validated: batch of the last validation;
    not_better: validations since the best one."""

    def __init__(self) -> None:
        self.best, self.best_fields = math.inf, dict[str, float]()
        self.parent: dict[str, Any] | None = None
        self.validated = 0
        self.not_better = 0

    def expect_parent(self) -> None:
        """The first validation, before the first batch, will be the parent's."""
        self.parent, self.validated = {}, -1

    def take(self, total: float, fields: dict[str, float], batch: int) -> bool:
        """Take in a validation after so many batches; returns whether it is the best."""
        if self.parent == {}:
            self.parent = {"total": total, "fields": fields}
        self.validated = batch
        self.not_better += 1
        if not total < self.best:
            return False
        self.best, self.best_fields, self.not_better = total, fields, 0
        return True

    def is_due(self, batch: int, every: int, end: int) -> bool:
        """Whether to validate after so many batches, `every` so many and at the end."""
        return batch > self.validated and (batch == end or batch % every == 0)

    def result(self, path: Path) -> str:
        """Sentences about the best validation, whose weights are in `path`, and what was gained over the parent."""
        best = f"The best validation, {self.best:.4f}, is kept in {path}."
        if not self.parent:
            return best
        before = {"total": self.parent["total"], **self.parent["fields"]}
        after = {"total": self.best, **self.best_fields}
        changes = ", ".join(f"{name} {before[name]:.4f} -> {after[name]:.4f}" for name in before if name in after)
        if self.best < self.parent["total"]:
            return f"{best} Before -> after: {changes}."
        return (
            f"{best} Before -> after: {changes}. Nothing was gained: these are the weights it started from. Try a "
            "lower learning_rate, more batches, or more pieces"
        )

    def facts(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {name: getattr(self, name) for name in NAMES}

    def restore(self, facts: dict[str, Any]) -> None:
        """Continue from facts; older ones have the best total alone."""
        for name in NAMES:
            setattr(self, name, facts.get(name, getattr(self, name)))
