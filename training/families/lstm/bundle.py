"""Export of the LSTM: how its step graph is run."""

from __future__ import annotations

from training.families.notes.bundle import NoteBundling
from training.families.notes.predictor import Recurrent


class LstmBundling(NoteBundling):
    """See `families.bundling.Bundling`."""

    stepper = Recurrent
