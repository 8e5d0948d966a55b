"""Networks of the MLPerf Tiny benchmark: what its runner sends to a board, and what it reads.

The runner is the benchmark's own program on the host; templates/project/mlperf.c answers it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import CompileError
from ..ir import DType
from ..ir.program import Port, Program


@dataclass(frozen=True)
class Benchmark:
    """`loads`: "stored", an input as the network stores it, or "pixels", bytes of which the network takes x - 128.

    `scores`: "outputs", their real values, or "reconstruction", the mean squared difference of output and input.
    The sizes are numbers of values, of one input and of the outputs.
    """

    model: str
    input_size: int
    output_size: int
    loads: str = "stored"
    scores: str = "outputs"


_ALL = (
    Benchmark("kws01", 49 * 10, 12),
    Benchmark("vww01", 96 * 96 * 3, 2, "pixels"),
    Benchmark("ic01", 32 * 32 * 3, 10, "pixels"),
    Benchmark("ad01", 5 * 128, 5 * 128, scores="reconstruction"),
)
BENCHMARKS = {benchmark.model: benchmark for benchmark in _ALL}


@dataclass(frozen=True)
class MlperfNetwork:
    """A network's only input and output, under the name that the runner knows it by."""

    benchmark: Benchmark
    input: Port
    output: Port


def mlperf_network(program: Program, model: str) -> MlperfNetwork:
    """The program as the benchmark's network `model`. Raises E0701 when its inputs and outputs are others."""
    if model not in BENCHMARKS:
        raise CompileError("E0701", f"MLPerf Tiny has no model {model!r}", fix=f"one of: {', '.join(BENCHMARKS)}")
    if len(program.inputs) != 1 or len(program.outputs) != 1:
        counts = f"{len(program.inputs)} inputs and {len(program.outputs)} outputs"
        raise CompileError("E0701", f"the runner of MLPerf Tiny loads one input and reads one output, not {counts}")
    network = MlperfNetwork(BENCHMARKS[model], program.inputs[0], program.outputs[0])
    _check_sizes(network)
    _check_types(network)
    return network


def _check_sizes(network: MlperfNetwork) -> None:
    """The runner sends and reads so many, whatever the network takes and gives."""
    wanted = network.benchmark
    if (network.input.size, network.output.size) != (wanted.input_size, wanted.output_size):
        needs = f"{wanted.input_size:,} values in and {wanted.output_size:,} out"
        raise _wrong_ports(network, needs, "take the network of that benchmark, or the benchmark of this network")


def _check_types(network: MlperfNetwork) -> None:
    found = (network.input.dtype, network.output.dtype)
    if network.benchmark.scores == "reconstruction" and found != (DType.F32, DType.F32):
        raise _wrong_ports(network, "real numbers in and out", "compile with --io float")
    if network.benchmark.loads == "pixels" and network.input.dtype is not DType.I8:
        raise _wrong_ports(network, "int8 pixels", "compile with --io int8")


def _wrong_ports(network: MlperfNetwork, needs: str, fix: str) -> CompileError:
    ports = ", ".join(f"{p.name} {p.dtype.value} {list(p.shape)}" for p in (network.input, network.output))
    return CompileError("E0701", f"{network.benchmark.model} needs {needs}", why=f"the network has {ports}", fix=fix)
