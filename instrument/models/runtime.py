"""onnxruntime, wrapped: one thread, no spinning, graphs from checked bytes."""

from __future__ import annotations

import functools
from typing import Any

from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.models.denormals import run_as_zero

MEMORY = 2 << 30  # bytes that all graphs of a process may take; more is an error of the graph that asks for it
LARGEST = 1e9  # an output beyond it is no result of a whole network


@functools.cache
def _onnxruntime():  # type: ignore[no-untyped-def]
    try:
        import onnxruntime
    except ImportError as error:
        raise HocketError(f"onnxruntime cannot be loaded ({error}): pip install onnxruntime") from error
    onnxruntime.set_default_logger_severity(4)
    device = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    onnxruntime.create_and_register_allocator(device, onnxruntime.OrtArenaCfg(MEMORY, -1, -1, -1))
    return onnxruntime


class Session:
    """A graph ready to run on the processor, deterministic in one thread."""

    def __init__(self, data: bytes, name: str, unpacked: bool = False) -> None:
        """data: an ONNX file that passed `check_graph`; name: for errors; unpacked: 8-bit weights are dequantised once,
        on loading, and not in every run (half the time, four times the memory). HocketError if it does not load."""
        ort = _onnxruntime()
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.use_env_allocators", "1")  # with the limit on memory
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.disable_quant_qdq", str(int(unpacked)))
        options.log_severity_level = 4
        try:
            self._session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises its own and plain RuntimeErrors alike
            raise HocketError(f"{name} does not load: {_line(error)}") from error
        self.inputs = {i.name: (tuple(_dim(d) for d in i.shape), i.type) for i in self._session.get_inputs()}
        self.outputs = {o.name: (tuple(_dim(d) for d in o.shape), o.type) for o in self._session.get_outputs()}
        self._names = [o.name for o in self._session.get_outputs()]
        self._name = name

    def run(self, feeds: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """All outputs, in the graph's order. HocketError if the graph fails, or gives NaN or numbers over `LARGEST`."""
        try:
            found: list[NDArray[Any]] = run_as_zero(lambda: self._session.run(self._names, feeds))
        except Exception as error:
            raise HocketError(f"{self._name} failed: {_line(error)}") from error
        for name, output in zip(self._names, found, strict=True):
            # Comparisons with NaN are false, and minimum and maximum keep it.
            if output.size and not (output.max() <= LARGEST and output.min() >= -LARGEST):
                raise HocketError(f"{self._name} gives no usable numbers in {name!r}: install its bundle again")
        return found


def _line(error: Exception) -> str:
    """The first line of an error, cut to a readable length; of one of its arena, that memory is short."""
    if "BFCArena" in str(error):
        return f"it takes more memory than the {MEMORY >> 20} MB that all models may take"
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]


def _dim(value: int | str | None) -> int:
    return value if isinstance(value, int) else -1


ONNX_TYPES = {"float32": "tensor(float)", "int64": "tensor(int64)"}
