"""Hocket: a real-time instrument whose players are neural networks."""

import os

__version__ = "0.2.0"

# Read when numpy is first imported. Products of small matrices gain nothing by a second thread, which would keep a core
# from what must be in time, and be waited for.
for _name in ("OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ.setdefault(_name, "1")

# Read when onnxruntime is first imported. From 1.29 on its packages for Linux otherwise report sessions and the machine
# to their maker, and keep a database for that in the cache folder.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
