"""From model file to prepared graph: what --dtype, --io and --ram mean, and that passes keep what they promise."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from mcucompile import reference
from mcucompile.arguments import program_name
from mcucompile.cli import main
from mcucompile.data import Samples, reference_inputs
from mcucompile.errors import CompileError
from mcucompile.ir import DType, Graph
from mcucompile.lowering import lower_for
from mcucompile.options import BoundaryType, NetworkType, Options
from mcucompile.passes.base import Pass
from mcucompile.pipeline import prepare, run_passes
from mcucompile.resources import folder as folder_of
from mcucompile.target.board import load_board

MODELS = Path(__file__).parent / "models"
DIGITS = Path(__file__).parent.parent / "examples" / "digits"
FLOAT, QDQ = DIGITS / "digits.onnx", MODELS / "classifier_qdq_int8.onnx"
CALIBRATION = DIGITS / "calibration.npz"


def code_of(model: Path, options: Options, calibration: Path | None = None) -> str:
    with pytest.raises(CompileError) as e:
        prepare(model, "net", options, calibration)
    return e.value.code


def test_float_network_needs_calibration_and_names_the_way_out() -> None:
    with pytest.raises(CompileError) as e:
        prepare(FLOAT, "net", Options(), None)
    assert e.value.code == "E0201"
    assert "--dtype float32" in e.value.fix
    assert "--calibration" in e.value.fix


@pytest.mark.parametrize("dtype", [NetworkType.FLOAT32, NetworkType.INT16X8])
def test_quantized_network_keeps_its_type(dtype: NetworkType) -> None:
    assert code_of(QDQ, Options(dtype=dtype)) == "E0205"


def activation_types(graph: Graph) -> set[DType]:
    return {t.dtype for t in graph.activations()}


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [(NetworkType.AUTO, {DType.I8}), (NetworkType.INT16X8, {DType.I16}), (NetworkType.FLOAT32, {DType.F32})],
)
def test_dtype_of_a_float_network(dtype: NetworkType, expected: set[DType]) -> None:
    prepared = prepare(FLOAT, "net", Options(dtype=dtype), CALIBRATION)
    assert activation_types(prepared.graph) == expected


def test_float_boundary_quantizes_inside() -> None:
    inside = prepare(FLOAT, "net", Options(io=BoundaryType.FLOAT), CALIBRATION).graph
    outside = prepare(FLOAT, "net", Options(), CALIBRATION).graph
    assert [(t.name, t.dtype) for t in inside.inputs] == [("image", DType.F32)]
    assert [(t.name, t.dtype) for t in outside.inputs] == [("image", DType.I8)]
    image = np.load(DIGITS / "test.npz")["image"][:1]
    quant_in, quant_out = outside.inputs[0].quant, outside.outputs[0].quant
    assert quant_in
    assert quant_out
    real = reference.evaluate(inside, {"image": image})["scores"]
    stored = reference.evaluate(outside, {"image": quant_in.quantize(image)})["scores"]
    np.testing.assert_array_equal(real, quant_out.dequantize(stored))


def test_ram_limit_names_the_peak_and_what_helps() -> None:
    graph = prepare(FLOAT, "net", Options(dtype=NetworkType.FLOAT32), None).graph
    with pytest.raises(CompileError) as e:
        lower_for(graph, load_board("qemu-m4"), Options(ram=1000))
    assert e.value.code == "E0501"
    assert "--ram allows 1,000" in e.value.what
    found = re.search(r"--ram ([0-9]+)", e.value.fix)
    assert found
    need = int(found[1])
    assert f"{need:,} bytes of RAM" in e.value.what
    assert "--dtype int8" in e.value.fix
    assert lower_for(graph, load_board("qemu-m4"), Options(ram=need)).program.arena_nbytes == need
    with pytest.raises(CompileError):
        lower_for(graph, load_board("qemu-m4"), Options(ram=need - 4))


def small_board(folder: Path, kind: str, nbytes: int) -> Path:
    """A board file whose only region of this kind has so many bytes."""
    text = (folder_of("boards") / "qemu-m4.toml").read_text()
    path = folder / "small.toml"
    path.write_text(re.sub(rf'(kind = "{kind}"\n.*\n)size = .*', rf"\g<1>size = {nbytes}", text))
    return path


@pytest.mark.parametrize(("kind", "code"), [("ram", "E0501"), ("flash", "E0502")])
def test_a_board_too_small_is_refused_before_anything_is_written(
    kind: str, code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The constants of the digits network have about 20 KB, its arena about 7 KB; --ram lifts no board's limit."""
    output, board = tmp_path / "out", small_board(tmp_path, kind, 4000)
    assert load_board(str(board)).ram_nbytes == 4000 or load_board(str(board)).flash_nbytes == 4000
    command = ["compile", str(FLOAT), "--calibration", str(CALIBRATION), "--board", str(board), "--ram", "1M"]
    assert main([*command, "-o", str(output)]) == 2
    said = capsys.readouterr().err
    assert f"error[{code}]" in said
    assert "small" in said
    assert not output.exists()


@dataclasses.dataclass(frozen=True)
class Breaker(Pass):
    exact = True

    def run(self, graph: Graph) -> int:
        graph.nodes.reverse()
        return 1


def test_a_pass_that_breaks_the_graph_is_named() -> None:
    graph = prepare(FLOAT, "net", Options(dtype=NetworkType.FLOAT32), None).graph
    with pytest.raises(AssertionError, match="breaker broke the graph"):
        run_passes(graph, (Breaker(),))


def test_reference_inputs_come_from_the_calibration_data() -> None:
    samples = Samples({"image": np.full((1, 1, 1, 28, 28), 0.5, np.float32)})
    prepared = prepare(FLOAT, "net", Options(), samples)
    quant = prepared.graph.inputs[0].quant
    assert quant
    assert (reference_inputs(prepared.graph, prepared.samples)["image"] == quant.integer(0.5)).all()


def test_random_reference_inputs_are_the_same_every_time() -> None:
    prepared = prepare(QDQ, "net", Options(), None)
    first, second = (reference_inputs(prepared.graph, prepared.samples) for _ in range(2))
    assert all((first[n] == second[n]).all() for n in first)


def test_program_name() -> None:
    assert program_name(Path("x/My Model-2.onnx"), None) == "my_model_2"
    with pytest.raises(CompileError) as e:
        program_name(None, "2nd")
    assert e.value.code == "E0701"
