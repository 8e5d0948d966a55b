"""Run a compiled network on a board, emulated or real, and compare every byte with the reference."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import reference
from .ir import Array, Graph, Program, Tensor
from .run.build import Firmware, build
from .run.device import Device, open_device
from .run.interface import Interface
from .target.board import Board

SERIAL_SAMPLES = 10  # at least so many inputs and outputs go over the serial line; more may take a faster way

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Mismatch:
    """The first differing element of a tensor, in the first sample that differs."""

    tensor: str
    source: str
    sample: int
    differing: int
    size: int
    first: int
    expected: float
    found: float

    def __str__(self) -> str:
        return (
            f"%{self.tensor} ('{self.source}'), sample {self.sample}: {self.differing} of {self.size} values differ, "
            f"first at {self.first}: expected {self.expected:g}, found {self.found:g}"
        )


@dataclass(frozen=True, eq=False)
class Verification:
    """`outputs` by name are what the device answered, [samples, ...] as stored; float networks compare within `ulp`."""

    board: str
    samples: int
    over_serial: int
    mismatch: Mismatch | None
    layers_compared: int
    layers_fused: tuple[str, ...]
    outputs: Mapping[str, Array]
    firmware: Firmware
    stack_nbytes: int
    max_ulp: float = 0.0

    @property
    def ok(self) -> bool:
        return self.mismatch is None


FLOAT_ULP = 256
"""float32 networks: units in the last place, of the largest magnitude in the tensor, within which values are equal."""


def to_bytes(graph: Graph, inputs: Mapping[str, Array], index: int) -> list[bytes]:
    return [np.ascontiguousarray(inputs[t.name][index], t.dtype.numpy).tobytes() for t in graph.inputs]


def from_bytes(tensors: Sequence[Tensor], data: Sequence[bytes]) -> list[Array]:
    return [np.frombuffer(d, t.dtype.numpy).reshape(t.shape) for t, d in zip(tensors, data, strict=True)]


def ulp_errors(found: Array, expected: Array) -> Array:
    """Differences in units in the last place of the largest magnitude in `expected`; infinite for a stray NaN."""
    finite = np.isfinite(expected)
    unit = np.spacing(np.float32(np.abs(expected[finite]).max(initial=1e-30)))
    with np.errstate(invalid="ignore"):
        errors = np.abs(found.astype(np.float64) - expected.astype(np.float64)) / float(unit)
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    return np.where(same, 0.0, np.where(np.isnan(errors), np.inf, errors))


def ulp_distance(found: Array, expected: Array) -> float:
    """The largest of `ulp_errors`."""
    return float(ulp_errors(found, expected).max(initial=0.0))


def differs(found: Array, expected: Array) -> Array:
    """Where two tensors differ: in any bit for integers, by more than FLOAT_ULP for floats."""
    wrong: Array = ulp_errors(found, expected) > FLOAT_ULP if expected.dtype == np.float32 else found != expected
    return wrong


def first_mismatch(tensor: Tensor, source: str, sample: int, found: Array, expected: Array) -> Mismatch | None:
    where = np.flatnonzero(differs(found, expected))
    if not where.size:
        return None
    at = int(where[0])
    values = float(expected.ravel()[at]), float(found.ravel()[at])
    return Mismatch(tensor.name, source, sample, where.size, expected.size, at, *values)


def verify_outputs(
    graph: Graph, device: Device, inputs: Mapping[str, Array], progress: Progress | None = None
) -> tuple[Mismatch | None, dict[str, Array], int, float]:
    """First mismatch, all outputs, how many samples went over the serial line, the largest ULP distance."""
    count = len(next(iter(inputs.values())))
    collected: dict[str, list[Array]] = {t.name: [] for t in graph.outputs}
    mismatch, worst = None, 0.0
    for index, outputs in device_outputs(graph, device, inputs, count):
        expected = reference.evaluate(graph, {n: v[index] for n, v in inputs.items()})
        for t, found in zip(graph.outputs, outputs, strict=True):
            collected[t.name].append(found)
            if found.dtype == np.float32:
                worst = max(worst, ulp_distance(found, expected[t.name]))
            mismatch = mismatch or first_mismatch(t, source_of(graph, t), index, found, expected[t.name])
        if progress:
            progress(index + 1, count)
    return mismatch, {n: np.stack(v) for n, v in collected.items()}, min(count, SERIAL_SAMPLES), worst


def device_outputs(
    graph: Graph, device: Device, inputs: Mapping[str, Array], count: int
) -> Iterator[tuple[int, list[Array]]]:
    """The first samples over the serial line, the rest by the fastest way the device has."""
    serial = min(count, SERIAL_SAMPLES)
    for i in range(serial):
        yield i, from_bytes(graph.outputs, device.run(to_bytes(graph, inputs, i)))
    if count > serial:
        rest = device.run_batch([to_bytes(graph, inputs, i) for i in range(serial, count)])
        for i, data in enumerate(rest, serial):
            yield i, from_bytes(graph.outputs, data)


def source_of(graph: Graph, tensor: Tensor) -> str:
    producer = graph.producer(tensor)
    return " + ".join(producer.source) if producer else "graph input"


def verify_layers(
    graph: Graph, program: Program, device: Device, inputs: Mapping[str, Array]
) -> tuple[Mismatch | None, int]:
    """Compare what every step wrote, for the first sample: the first mismatch in execution order, tensors compared."""
    values = reference.trace(graph, {n: v[0] for n, v in inputs.items()})
    by_name = {t.name: t for t in graph.activations()}
    tensors = [by_name[port.name] for step in program.steps for port in step.outputs]
    written = device.trace(to_bytes(graph, inputs, 0))
    for t, item in zip(tensors, written, strict=True):
        found = np.frombuffer(item.data, t.dtype.numpy).reshape(t.shape)
        mismatch = first_mismatch(t, source_of(graph, t), 0, found, values[t])
        if mismatch:
            return mismatch, len(tensors)
    return None, len(tensors)


def run(
    graph: Graph,
    program: Program,
    library: Path,
    board: Board,
    inputs: Mapping[str, Array],
    *,
    per_layer: bool = False,
    port: str | None = None,
    opt: str = "-O2",
    progress: Progress | None = None,
) -> Verification:
    """Build the library in folder `library`, run it on the board, compare. Raises E0303, E0501, E0502, E06xx."""
    interface = Interface.of(program)
    with tempfile.TemporaryDirectory(prefix="mcucompile-") as work:
        firmware = build(library, interface, board, Path(work), opt=opt, hook=per_layer)
        with open_device(firmware, board, port=port) as device:
            layer_mismatch, layers = None, 0
            if per_layer:
                layer_mismatch, layers = verify_layers(graph, program, device, inputs)
            mismatch, outputs, serial, worst = verify_outputs(graph, device, inputs, progress)
            stack = device.stack_nbytes
    count = len(next(iter(inputs.values())))
    return Verification(
        board=board.name,
        samples=count,
        over_serial=serial,
        mismatch=layer_mismatch or mismatch,
        layers_compared=layers,
        layers_fused=fused_sources(graph),
        outputs=outputs,
        firmware=firmware,
        stack_nbytes=stack,
        max_ulp=worst,
    )


def fused_sources(graph: Graph) -> tuple[str, ...]:
    """ONNX nodes that have no tensor of their own any more: all but the last source of every node."""
    return tuple(s for n in graph.nodes for s in n.source[:-1])
