"""Denormal numbers are zero while a graph runs, and only then."""

import platform
import sys

import numpy as np
import onnx
import pytest

from instrument.models.denormals import run_as_zero
from instrument.models.runtime import Session

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"), reason="only set on Linux"
)
TINY = np.array([1e-40], np.float32)


def doubled() -> Session:
    """A graph that adds its input to itself."""
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy")
    graph = onnx.helper.make_graph([onnx.helper.make_node("Add", ["x", "x"], ["y"])], "doubled", [x], [y])
    model = onnx.helper.make_model(graph, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 18)])
    return Session(model.SerializeToString(), "doubled")


def test_graphs_take_them_as_zero_and_nothing_else_does():
    assert (TINY + TINY)[0] > 0
    session = doubled()
    assert session.run({"x": TINY})[0][0] == 0
    assert session.run({"x": TINY + 1})[0][0] == 2
    assert (TINY + TINY)[0] > 0


def test_the_mode_is_restored_after_a_failure():
    with pytest.raises(ZeroDivisionError):
        run_as_zero(lambda: 1 / 0)
    assert (TINY + TINY)[0] > 0
    assert run_as_zero(lambda: float((TINY + TINY)[0])) == 0
