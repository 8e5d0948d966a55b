"""Inputs and outputs under every name and in every combination: the C compiles, and runs to the reference's bytes."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mcucompile import api
from mcucompile.arguments import program_name
from mcucompile.data import Samples
from mcucompile.errors import CompileError
from mcucompile.ir import DType
from mcucompile.ir.c_names import is_library_name, library_identifier, port_identifier
from mcucompile.run.host import HostLibrary, find_host_compiler
from mcucompile.run.interface import Interface

needs_host = pytest.mark.skipif(find_host_compiler() is None, reason="needs a C compiler for the host")
OWN = ("init", "run", "reset", "ARENA", "STATE", "state", "weights", "on_step", "STEP", "size", "NO_OWN_ARENA")
FUNCTIONS_OF_C = ("int", "register", "class", "template", "NULL", "main", "memory", "own_arena", "net", "NET")
CASES = ("a", "A", "a_SIZE", "A_SIZE", "y_bias", "y_weight")
BOARD = "qemu-m4"
KINDS = [("float32", "int8"), ("int8", "int8"), ("int8", "float")]


def model(nodes: Sequence[onnx.NodeProto], inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    """A model whose inputs have four floats; the constants `w` and `b` are there for a Gemm."""
    rng = np.random.default_rng(0)
    constants = {"w": rng.standard_normal((4, 4)).astype(np.float32), "b": np.ones(4, np.float32)}
    used = {name for n in nodes for name in n.input}
    graph = helper.make_graph(
        list(nodes), "g", [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in inputs],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in outputs],
        [numpy_helper.from_array(v, k) for k, v in constants.items() if k in used],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def node(op: str, inputs: str, output: str) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), [output], name=f"{output}/{op}")


def samples(inputs: Sequence[str]) -> Samples:
    rng = np.random.default_rng(1)
    return Samples({port_identifier(n): rng.standard_normal((8, 1, 4)).astype(np.float32) for n in inputs})


def run_on_host(compiled: api.Compiled, folder: Path) -> dict[str, np.ndarray]:
    """The outputs for two samples, after they were found to be the reference's: floats, sums of five of about 3, within
    the rounding of another order.
    """
    inputs = {n: v[:2] for n, v in compiled.stored_inputs(samples_of(compiled)).items()}
    expected = compiled.expected(inputs)
    host = HostLibrary(compiled.write_library(folder), Interface.of(compiled.program), sanitize=False)
    for i in range(2):
        found = host.run([inputs[t.name][i].tobytes() for t in compiled.graph.inputs])
        for t, data in zip(compiled.graph.outputs, found, strict=True):
            got = np.frombuffer(data, t.dtype.numpy).reshape(t.shape)
            np.testing.assert_allclose(got, expected[t.name][i], rtol=0, atol=2e-6 if t.dtype is DType.F32 else 0)
    return expected


def samples_of(compiled: api.Compiled) -> Samples:
    return compiled.prepared.samples or samples([t.name for t in compiled.graph.inputs])


def compiled_with(names: Sequence[str], dtype: str = "float32", io: str = "int8") -> api.Compiled:
    """A network whose inputs and outputs have these names, half of them each, and one input and output more."""
    inputs, outputs = names[::2], names[1::2]
    nodes = [node("Gemm", "x w b", "y")]
    for i, o in zip(inputs, outputs, strict=True):
        nodes += [node("Add", f"y {i}", f"inner/{o}"), node("Relu", f"inner/{o}", o)]
    content = model(nodes, ["x", *inputs], ["y", *outputs])
    return compiled_to(content, samples(["x", *inputs]), dtype, io)


def compiled_to(content: bytes, calibration: Samples, dtype: str, io: str = "int8") -> api.Compiled:
    """With portable kernels, which run on the host."""
    return api.compile(content, BOARD, name="net", dtype=dtype, io=io, calibration=calibration, effort="-O0")


ALL = (*OWN, *FUNCTIONS_OF_C, *CASES)
NAMES = ALL if len(ALL) % 2 == 0 else (*ALL, "last")


@needs_host
@pytest.mark.parametrize(("dtype", "io"), KINDS)
def test_names_that_the_library_or_the_language_has_too(dtype: str, io: str, tmp_path: Path) -> None:
    compiled = compiled_with(NAMES, dtype, io)
    ports = [t.name for t in (*compiled.graph.inputs, *compiled.graph.outputs)]
    assert sorted(ports) == sorted(["x", "y", *map(port_identifier, NAMES)])
    run_on_host(compiled, tmp_path / "library")


@needs_host
def test_names_of_kernels_and_constants(tmp_path: Path) -> None:
    """An output may be called what a function or an array is called, too."""
    first = compiled_with(("p", "q"))
    symbols = [*(k.function for k in first.program.kernels), *(c.name for c in first.program.constants)]
    names = [s.removeprefix("net_") for s in symbols]
    compiled = compiled_with(names if len(names) % 2 == 0 else [*names, "last"])
    assert {t.name for t in (*compiled.graph.inputs, *compiled.graph.outputs)} > set(names)
    run_on_host(compiled, tmp_path / "library")


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_names_in_cpp(tmp_path: Path) -> None:
    library = compiled_with(NAMES).write_library(tmp_path / "library")
    for source in sorted(library.glob("*.c")):
        command = ["g++", "-x", "c++", "-std=c++11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", str(source)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_macros_and_functions_are_defined_once() -> None:
    header = compiled_with(NAMES).files["net.h"].decode()
    macros = re.findall(r"#define (\w+)", header)
    functions = re.findall(r"(\w+)\(", header.split("extern", 1)[1])
    assert len(macros) == len(set(macros))
    assert not set(macros) & set(functions)


NODES = (
    node("Relu", "x", "h"), node("Identity", "h", "y1"), node("Identity", "h", "y2"), node("Identity", "y2", "y3"),
    node("Gemm", "h w b", "z"), node("Identity", "x", "through"),
)  # fmt: skip
OUTPUTS = (
    ("z", "z"), ("x", "z"), ("y2", "y1"), ("y1", "y2", "y1", "z"), ("y3", "h", "y1"), ("h", "h", "h"),
    ("through", "x", "z"), ("x", "x"),
)  # fmt: skip


@needs_host
@pytest.mark.parametrize(("dtype", "io"), KINDS)
@pytest.mark.parametrize("outputs", OUTPUTS, ids=" ".join)
def test_outputs_that_are_one_tensor(outputs: tuple[str, ...], dtype: str, io: str, tmp_path: Path) -> None:
    compiled = compiled_to(model(NODES, ["x"], outputs), samples(["x"]), dtype, io)
    found = run_on_host(compiled, tmp_path / "library")
    names = [t.name for t in compiled.graph.outputs]
    assert len(set(names)) == len(outputs)
    x = samples(["x"]).inputs["x"][:2]
    relu = np.maximum(x, 0)
    wanted = {"x": x, "through": x, "h": relu, "y1": relu, "y2": relu, "y3": relu}
    for onnx_name, t in zip(outputs, compiled.graph.outputs, strict=True):
        if onnx_name in wanted:
            real = t.quant.dequantize(found[t.name]) if t.quant else found[t.name]
            bound = 0.0 if dtype == "float32" else 0.02
            np.testing.assert_allclose(real, wanted[onnx_name], atol=bound)


@needs_host
def test_one_tensor_has_one_buffer() -> None:
    outputs = ("h", "y1", "h", "y3")
    compiled = compiled_to(model(NODES, ["x"], outputs), samples(["x"]), "float32")
    assert len({p.offset for p in compiled.program.outputs}) == 1


def test_the_twin_of_repeated_outputs_is_the_same_network(tmp_path: Path) -> None:
    outputs = ("y2", "y1", "y1", "x")
    compiled = compiled_to(model(NODES, ["x"], outputs), samples(["x"]), "int8")
    compiled.write(tmp_path / "out")
    assert api.load_compiled(tmp_path / "out").files["net.c"] == compiled.files["net.c"]


@pytest.mark.parametrize(
    ("file", "name"),
    [("My Model-2", "my_model_2"), ("string", "string_net"), ("Test", "test_net"), ("2nd", "t_2nd"), ("int", "int")],
)
def test_names_of_files_become_sound_names_of_libraries(file: str, name: str) -> None:
    assert program_name(Path(f"{file}.onnx"), None) == name
    assert program_name(None, name) == name


@pytest.mark.parametrize("name", ["2nd", "a-b", "", "NET", "stdint", "String", "all", "program", "_x", "n" * 101])
def test_names_that_give_no_library(name: str) -> None:
    with pytest.raises(CompileError) as e:
        program_name(None, name)
    assert e.value.code == "E0701"
    suggested = e.value.fix.removeprefix("e.g. --name ")
    assert suggested == library_identifier(name)
    assert is_library_name(suggested)
