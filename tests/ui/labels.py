"""What a window shows in words."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QWidget


def with_text(parent: QWidget) -> list[Any]:
    """Everything in `parent` that can be seen and has a text."""
    return [each for each in parent.findChildren(QWidget) if each.isVisible() and callable(getattr(each, "text", None))]
