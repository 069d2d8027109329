"""Licences: what may train a bundle that ships, and what is left out for that."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import msgspec

from training.core.recipe import Data

SHIPPED = "CC BY-SA 4.0"
OWN = "yours, not stated"


def licence_allows_shipping(licence: str) -> bool:
    """Whether pieces under this licence may train a bundle that ships: all but the GPL's."""
    return re.search(r"GPL|General Public", licence, re.IGNORECASE) is None


def left_out(data: Data) -> str:
    """A line about the training pieces or clips of prepared data that are left out for their licence, with their
    number; "" if there are none."""
    if not data.ship_only:
        return ""
    try:
        index = msgspec.json.decode((Path(data.folder) / "index.json").read_bytes())
    except (OSError, msgspec.MsgspecError):
        return ""  # data of another form; what is wrong with it is said where it is opened
    items = [one for one in index.get("pieces") or index.get("clips") or [] if one.get("split") == "train"]
    refused = Counter(one["licence"] for one in items if not licence_allows_shipping(one.get("licence") or ""))
    if not refused:
        return ""
    named = ", ".join(f"{count} under {licence}" for licence, count in sorted(refused.items()))
    return f"{refused.total()} of {len(items)} in {data.folder} are left out, as the bundle is to ship: {named}"
