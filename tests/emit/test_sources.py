"""What the generated sources promise: no fused operations on floats, names of their own, only what they use."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

import mcucompile
from mcucompile.emit.snippets import private_prefix, snippets, used_snippets, with_prefix
from mcucompile.run.host import find_host_compiler
from mcucompile.run.tools import find_tool
from mcucompile.target.board import load_board

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "examples" / "digits"
CLASSIFIER = ROOT / "tests" / "models" / "classifier_qdq_int8.onnx"
GCC, GXX, OBJDUMP = (find_tool(f"arm-none-eabi-{tool}") for tool in ("gcc", "g++", "objdump"))
STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wcast-align", "-Werror", "-ffreestanding")
needs_arm = pytest.mark.skipif(not (GCC and GXX and OBJDUMP), reason="needs the Arm compiler")


@cache
def digits(board: str, dtype: str = "auto") -> mcucompile.Compiled:
    calibration = None if dtype == "float32" else DIGITS / "calibration.npz"
    return mcucompile.compile(DIGITS / "digits.onnx", board, dtype=dtype, calibration=calibration)


@cache
def classifier(board: str) -> mcucompile.Compiled:
    return mcucompile.compile(CLASSIFIER, board)


def call(*command: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_arm
@pytest.mark.parametrize("board", ["qemu-m4", "qemu-m7", "qemu-m55"])
def test_floats_are_not_fused(board: str, tmp_path: Path) -> None:
    """gnu99 allows gcc to fuse products and sums, which changes results."""
    compiled = digits(board, "float32")
    library = compiled.write_library(tmp_path / "library")
    flags = (*compiled.board.core.gcc_flags, "-std=gnu99", "-O2", "-ffreestanding")
    call(GCC or "", *flags, "-c", library / "digits_kernels.c", "-o", tmp_path / "kernels.o")
    code = call(OBJDUMP or "", "-d", tmp_path / "kernels.o")
    assert "vmul.f32" in code
    assert not re.findall(r"\tvf?n?m[als][as]?(?:\.f32)?\b|vfm|vfnm|vml[as]\.f32", code.replace("vmul.f32", ""))


@needs_arm
@pytest.mark.parametrize("board", ["qemu-m0", "qemu-m4", "qemu-m55"])
@pytest.mark.parametrize("cxx", [False, True])
def test_two_networks_in_one_translation_unit(board: str, cxx: bool, tmp_path: Path) -> None:
    compiled = digits(board), classifier(board)
    texts = []
    for c in compiled:
        library = c.write_library(tmp_path / c.name)
        texts += [f'#include "{path}"' for path in sorted(library.glob("*.c"))]
    (tmp_path / "all.c").write_text("\n".join(texts) + "\n")
    language = ("-x", "c++", "-std=c++11") if cxx else ("-std=c99",)
    compiler = (GXX if cxx else GCC) or ""
    call(compiler, *compiled[0].board.core.gcc_flags, *STRICT, "-O2", *language, "-c", tmp_path / "all.c",
         "-o", tmp_path / "all.o")  # fmt: skip


def test_two_networks_share_an_arena(tmp_path: Path) -> None:
    compiler = find_host_compiler()
    if compiler is None:
        pytest.skip("needs a C compiler for the host")
    networks = digits("qemu-m0"), classifier("qemu-m0")
    sources, body = [], []
    for c in networks:
        library = c.write_library(tmp_path / c.name)
        sources += [str(path) for path in sorted(library.glob("*.c"))]
        (x,), (y,) = c.graph.inputs, c.graph.outputs
        values = c.default_inputs()[x.name][:1]
        numbers = ", ".join(map(str, values.ravel().tolist()))
        body.append(
            f"    static const int8_t {c.name}_x[] = {{{numbers}}};\n"
            f"    if ({c.name}_{x.name}() != NULL || {c.name}_run() != -1) return 1;\n"
            f"    if ({c.name}_init(arena, sizeof arena, NULL) != 0) return 2;\n"
            f"    memcpy({c.name}_{x.name}(), {c.name}_x, sizeof {c.name}_x);\n"
            f"    if ({c.name}_run() != 0) return 3;\n"
            f'    for (int i = 0; i < {y.size}; i++) printf("%d ", {c.name}_{y.name}()[i]);\n'
        )
    includes = "\n".join(f'#include "{c.name}/{c.name}.h"' for c in networks)
    size = max(c.program.arena_nbytes for c in networks)
    program = f"static uint64_t arena[{size // 8 + 1}];\nint main(void)\n{{\n{''.join(body)}    return 0;\n}}\n"
    (tmp_path / "main.c").write_text(f"#include <stdio.h>\n#include <string.h>\n{includes}\n{program}")
    call(compiler, "-std=c99", *STRICT[:4], "main.c", *sources, "-o", "two", cwd=tmp_path)
    expected: list[int] = []
    for c in networks:
        inputs = {name: values[:1] for name, values in c.default_inputs().items()}
        expected += next(iter(c.expected(inputs).values())).ravel().tolist()
    assert list(map(int, call(tmp_path / "two").split())) == expected


@needs_arm
@pytest.mark.parametrize(("made_for", "built_for"), [("qemu-m4", "qemu-m0"), ("qemu-m55", "qemu-m4")])
def test_the_wrong_core_is_refused(made_for: str, built_for: str, tmp_path: Path) -> None:
    library = digits(made_for).write_library(tmp_path / "library")
    command = [str(GCC), *load_board(built_for).core.gcc_flags, "-ffreestanding", "-c", "digits_kernels.c"]
    done = subprocess.run(command, cwd=library, capture_output=True, text=True)
    assert done.returncode != 0
    assert f"digits is for {load_board(made_for).core.name}: build it with the flags that digits.h names" in done.stderr
    assert " ".join(load_board(made_for).core.gcc_flags) in (library / "digits.h").read_text()


@needs_arm
@pytest.mark.parametrize("board", ["qemu-m0", "qemu-m4", "qemu-m55"])
@pytest.mark.parametrize("dtype", ["auto", "float32"])
def test_strict_warnings_and_layout(board: str, dtype: str, tmp_path: Path) -> None:
    compiled = digits(board, dtype)
    library = compiled.write_library(tmp_path / "library")
    for path in sorted(library.glob("*.c")):
        call(GCC or "", *compiled.board.core.gcc_flags, *STRICT, "-O2", "-std=c99", "-c", path, "-o", tmp_path / "o")
    for path in library.glob("digits*.[ch]"):
        lines = path.read_text().splitlines()
        assert max(map(len, lines)) <= 120
        residue = re.compile(r"[\w)] \* 1\b(?![.\d])| [+-] \(-?\d+\)|\+ 0\b(?![.x\d])|; \w+ < 1;|^ +\{$")
        assert not [line for line in lines if residue.search(line) and not line.startswith("#define")]


@pytest.mark.parametrize("board", ["qemu-m0", "qemu-m4", "qemu-m55"])
@pytest.mark.parametrize("dtype", ["auto", "float32"])
def test_every_helper_is_used_and_named_after_the_network(board: str, dtype: str) -> None:
    text = digits(board, dtype).files["digits_kernels.c"].decode()
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    defined = re.findall(r"^#define (\w+)|^typedef .*?(\w+);|^} (\w+);|^\w[^\n;=]*?\b(\w+)\(", code, re.MULTILINE)
    names = {name for group in defined for name in group if name and name != "__attribute__"}
    assert names
    for name in names:
        assert name.lower().startswith("digits_"), name
        is_kernel = re.search(rf"^(?:\w+ )?void {name}\(", code, re.MULTILINE) and not name.startswith("static")
        assert is_kernel or len(re.findall(rf"\b{name}\b", code)) > 1, f"{name} is never used"


def test_snippets_come_behind_those_they_use() -> None:
    names = used_snippets("y = mcu_sigmoid(x); /* not mcu_tanh */")
    assert names == ["MCU_FLOAT", "mcu_float_bits", "mcu_round_even", "mcu_power_of_two", "mcu_exp", "mcu_sigmoid"]


@pytest.mark.parametrize("name", sorted(snippets()))
def test_snippet_defines_its_name(name: str) -> None:
    assert re.search(rf"\b{name}\b", re.sub(r"/\*.*?\*/", "", snippets()[name], flags=re.DOTALL))


def test_private_names_avoid_tensors() -> None:
    assert private_prefix("net", ["x", "y"]) == "net_"
    assert private_prefix("net", ["word"]) == "net_own_"
    assert with_prefix("mcu_word MCU_FLOAT mcu_net_run", "net_") == "net_word NET_FLOAT mcu_net_run"
