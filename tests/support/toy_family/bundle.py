"""What of a bundle is the toy family's own."""

from __future__ import annotations

from training.families.notes.bundle import NoteBundling
from training.families.notes.predictor import Recurrent


class ToyBundling(NoteBundling):
    """See `training.families.bundling.Bundling`."""

    stepper = Recurrent
