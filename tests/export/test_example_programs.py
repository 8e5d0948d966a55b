"""What the examples check: on networks of all kinds, by numbers that are the reference's, and by wrong ones."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from building import WARNINGS, run

import mcucompile
from mcucompile.api import Compiled
from mcucompile.export import sample
from mcucompile.export.example import main_c
from mcucompile.export.sample import FORMULAS, GOLDEN, generated
from mcucompile.ir import Port
from mcucompile.target.board import Board, load_board

MODELS = Path(__file__).parents[1] / "models"
CORE = Path(__file__).parent / "arduino" / "own" / "native" / "cores" / "own"
KINDS = ("c", "sketch")
DIFFERENT = re.compile(r"net: DIFFERENT at (\w+)\[(\d+)\]: (\S+), expected (\S+)\n")


@pytest.fixture(scope="module")
def floats() -> Compiled:
    """Two inputs and many outputs."""
    model = MODELS / "activations.onnx"
    return mcucompile.compile(model, "qemu-m0", name="net", dtype="float32", effort="-O0", export="makefile,arduino")


def source_of(folder: Path, kind: str) -> Path:
    (path,) = folder.rglob("main.c" if kind == "c" else "*.ino")
    return path


def told(folder: Path, tool: Callable[[str], str], kind: str) -> tuple[int, str]:
    """What the C example or the sketch returns and prints."""
    objects = folder.parent / "objects"
    if not objects.exists():
        objects.mkdir()
        run(tool("gcc"), *WARNINGS.split(), "-c", *sorted(folder.glob("*.c")), cwd=objects)
    source, program = source_of(folder, kind), objects / "program"
    if kind == "c":
        run(tool("gcc"), *WARNINGS.split(), f"-I{folder}", source, *objects.glob("*.o"), "-o", program)
    else:
        (objects / "sketch.cpp").write_text("#include <Arduino.h>\n" + source.read_text())
        sources = (objects / "sketch.cpp", CORE / "main.cpp", *objects.glob("*.o"))
        run(tool("g++"), "-Wall", "-Wextra", "-Werror", f"-I{folder}", f"-I{CORE}", *sources, "-o", program)
    done = subprocess.run([program], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout


def written(compiled: Compiled, folder: Path) -> Path:
    compiled.write(folder)
    return folder


def array(text: str, name: str) -> np.ndarray:
    found = re.search(rf"^static const \w+ {name}\[\w*\] = \{{([^}}]*)\}};", text, re.MULTILINE)
    assert found, name
    return np.array([float(v.rstrip("f")) for v in re.sub(r"/\*.*?\*/", "", found[1]).replace(",", " ").split()])


def changed(path: Path, name: str, index: int, change: Callable[[str], str]) -> None:
    """One value of an array in a source file becomes another."""
    text = path.read_text()
    start = text.index(f" {name}[")
    value = list(re.compile(r"-?[\d.e+-]+f?(?=[,\n])").finditer(text, text.index("{\n", start)))[index]
    path.write_text(text[: value.start()] + change(value[0]) + text[value.end() :])


@pytest.mark.parametrize("kind", KINDS)
def test_the_sample_is_the_first_of_the_reference(kind: str, folder: Path, floats: Compiled, tmp_path: Path) -> None:
    text = source_of(folder, kind).read_text()
    with np.load(folder / "reference.npz") as reference:
        assert array(text, "sample").tolist() == reference["input/image"][0].ravel().tolist()
        assert array(text, "expected").tolist() == reference["output/scores"][0].ravel().tolist()
    text = source_of(written(floats, tmp_path / "floats"), kind).read_text()
    with np.load(tmp_path / "floats" / "reference.npz") as reference:
        for side, name, ports in (("input", "sample", floats.program.inputs),
                                  ("output", "expected", floats.program.outputs)):  # fmt: skip
            for number, port in enumerate(ports, 1):
                found = array(text, f"{name}{number}").astype(np.float32)
                np.testing.assert_array_equal(found, reference[f"{side}/{port.name}"][0].ravel())


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_value_is_found(kind: str, folder: Path, tool: Callable[[str], str]) -> None:
    changed(source_of(folder, kind), "expected", 7, lambda text: str(int(text) - 1))
    status, text = told(folder, tool, kind)
    with np.load(folder / "reference.npz") as reference:
        right = int(reference["output/scores"][0, 0, 7])
    assert text == f"net: DIFFERENT at scores[7]: {right}, expected {right - 1}\n"
    assert kind == "sketch" or status == 1


@pytest.mark.parametrize("kind", KINDS)
def test_another_input_is_told(kind: str, folder: Path, tool: Callable[[str], str]) -> None:
    """The answer depends on what the example fills in."""
    path = source_of(folder, kind)
    path.write_text(path.read_text().replace("memcpy(net_image(), sample,", "memset(net_image(), 0,"))
    assert DIFFERENT.fullmatch(told(folder, tool, kind)[1])


@pytest.mark.parametrize("kind", KINDS)
def test_many_floats(kind: str, floats: Compiled, tmp_path: Path, tool: Callable[[str], str]) -> None:
    """Equal within the tolerance of `verify`: eight units in the last place of the tensor's largest value, or more."""
    folder = written(floats, tmp_path / "out")
    assert told(folder, tool, kind) == (0, "net: equal\n")
    (number,) = [k for k, port in enumerate(floats.program.outputs, 1) if port.name == "global_max"]
    values = floats.library.sample.outputs["global_max"]
    tolerance = floats.library.sample.tolerances["global_max"]
    largest = float(np.abs(values).max())
    assert 8 * 2.0**-24 * largest <= tolerance <= 20 * 2.0**-23 * largest
    for times, is_equal in ((0.5, True), (2.0, False)):
        path = source_of(written(floats, tmp_path / "out"), kind)
        changed(path, f"expected{number}", 0, lambda v, by=times * tolerance: f"{float(v.rstrip('f')) + by:.9g}f")  # type: ignore[misc]
        text = told(folder, tool, kind)[1]
        assert (text == "net: equal\n") == is_equal
        assert is_equal or text.startswith("net: DIFFERENT at global_max[0]: ")


def divided(board: Board, first: int) -> Board:
    """The board with an arena of so many bytes, and the rest of its RAM as a second memory for it."""
    (ram,) = (r for r in board.regions if "arena" in r.holds)
    small = replace(ram, name="small", nbytes=first, holds=("arena",))
    holds = ("more_arena", *(held for held in ram.holds if held != "arena"))
    more = replace(ram, name="more", origin=ram.origin + first, nbytes=ram.nbytes - first, holds=holds)
    return replace(board, regions=(*(r for r in board.regions if r is not ram), small, more))


@pytest.mark.parametrize("kind", KINDS)
def test_arena_in_several_memories(kind: str, compiled: Compiled, tmp_path: Path, tool: Callable[[str], str]) -> None:
    parted = compiled.for_board(divided(load_board("qemu-m0"), compiled.program.arena_nbytes - 100))
    assert len(parted.program.banks) == 2
    assert told(written(parted, tmp_path / "out"), tool, kind) == (0, "net: equal\n")


@pytest.mark.parametrize("kind", KINDS)
def test_large_inputs_are_computed_and_large_outputs_carried_in_part(
    kind: str, compiled: Compiled, tmp_path: Path, tool: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "LARGEST_NBYTES", 4)
    folder = written(compiled.for_board("qemu-m0"), tmp_path / "out")
    (port,) = compiled.program.inputs
    right = compiled.expected({port.name: generated(port)[np.newaxis]})["scores"].ravel()
    text = source_of(folder, kind).read_text()
    assert "sample[" not in text
    assert array(text, "expected").tolist() == right[::3].tolist()
    assert told(folder, tool, kind)[1] == "net: equal\n"
    changed(source_of(folder, kind), "expected", 2, lambda value: str(int(value) + 1))
    assert told(folder, tool, kind)[1] == f"net: DIFFERENT at scores[6]: {right[6]}, expected {right[6] + 1}\n"


def test_formula_is_the_same_in_c(tmp_path: Path, tool: Callable[[str], str]) -> None:
    ports = [Port(dtype.name, dtype, (3, 100), 0) for dtype in FORMULAS]
    lines = ["#include <stdint.h>", "#include <stdio.h>", "int main(void)", "{"]
    for port in ports:
        lines += [
            f"    for (uint32_t i = 0; i < {port.size}; i++) {{", f"        uint32_t word = i * {GOLDEN}u;",
            f"        {port.dtype.c} value = {FORMULAS[port.dtype][0]};",
            f'        printf("{port.name} %.17g\\n", (double)value);', "    }",
        ]  # fmt: skip
    (tmp_path / "formulas.c").write_text("\n".join([*lines, "    return 0;", "}", ""]))
    run(tool("gcc"), *WARNINGS.split(), tmp_path / "formulas.c", "-o", tmp_path / "formulas")
    rows = [line.split() for line in run(tmp_path / "formulas").splitlines()]
    for port in ports:
        found = np.array([float(value) for name, value in rows if name == port.name])
        values = generated(port).ravel()
        np.testing.assert_array_equal(found.astype(values.dtype), values)
        assert len(np.unique(values)) > 100 and values.max() <= np.float64(2) ** 32 - 1
    assert -1 <= generated(ports[0]).min() < -0.9 and 0.9 < generated(ports[0]).max() < 1


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_values_without_a_literal(value: float, floats: Compiled, tmp_path: Path, tool: Callable[[str], str]) -> None:
    """An answer that is not finite is expected as such: here wrongly."""
    library = floats.library
    outputs = dict(library.sample.outputs)
    name = floats.program.outputs[0].name
    outputs[name] = np.full_like(outputs[name], value)
    files = main_c(replace(library, sample=replace(library.sample, outputs=outputs)))
    folder = written(floats, tmp_path / "out")
    source_of(folder, "c").write_bytes(files["examples/minimal/main.c"])
    status, text = told(folder, tool, "c")
    found = DIFFERENT.fullmatch(text)
    assert status == 1 and found and found[1] == name
    assert str(float(found[4])) == str(value)
