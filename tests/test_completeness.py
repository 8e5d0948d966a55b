"""Nothing is half there: operators have kernels and tests, kernels templates, passes tests, codes uses."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from mcucompile.errors import CODES, MISSING_TOOLS
from mcucompile.ir import Op
from mcucompile.kernels import all_kernels, kernels_of
from mcucompile.kernels.kernel import Kernel
from mcucompile.ops import ALL
from mcucompile.passes.base import Pass
from mcucompile.pipeline import PASSES_AFTER, PASSES_BEFORE, PASSES_COMPRESSED, PASSES_FIXED, pass_name
from mcucompile.target.cores import Isa

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "mcucompile").rglob("*.py"))
TEMPLATES = sorted((ROOT / "templates").rglob("*.j2"))
PASSES = {pass_name(p): p for p in (*PASSES_BEFORE, *PASSES_COMPRESSED, *PASSES_AFTER, *PASSES_FIXED)}


def source_of_tests(folder: str) -> str:
    return "\n".join(p.read_text() for p in sorted((ROOT / "tests" / folder).rglob("test_*.py")))


def test_test_files_have_names_of_their_own() -> None:
    """pytest imports them by these names, and leaves out the second one."""
    names = [p.name for p in (ROOT / "tests").rglob("test_*.py")]
    assert {name for name in names if names.count(name) > 1} == set()


@pytest.mark.parametrize("op", ALL, ids=lambda op: op.name)
def test_operator_is_frozen_and_documented(op: type[Op]) -> None:
    assert dataclasses.is_dataclass(op)
    assert op.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert op.__doc__


def test_operator_names_are_unique() -> None:
    assert len({op.name for op in ALL}) == len(ALL)
    imported = [name for op in ALL for name in op.onnx]
    assert len(set(imported)) == len(imported), "two operators import one ONNX operator"


@pytest.mark.parametrize("op", [op for op in ALL if op.name != "reshape"], ids=lambda op: op.name)
def test_operator_has_a_portable_kernel(op: type[Op]) -> None:
    """A Reshape needs none: it shares its input's buffer."""
    assert any(k.isa is Isa.SCALAR for k in kernels_of(op))


@pytest.mark.parametrize("op", ALL, ids=lambda op: op.name)
def test_operator_is_tested(op: type[Op]) -> None:
    assert re.search(rf"\b{op.__name__}\b", source_of_tests("ops"))


@pytest.mark.parametrize("op", [op for op in ALL if op.name != "reshape"], ids=lambda op: op.name)
def test_operator_has_kernel_tests(op: type[Op]) -> None:
    assert re.search(rf"\b{op.__name__}\b", source_of_tests("kernels"))


@pytest.mark.parametrize("kernel", all_kernels(), ids=lambda k: k.template)
def test_kernel_has_its_template(kernel: Kernel) -> None:
    assert (ROOT / "templates" / kernel.template).is_file()


def test_no_template_is_left_over() -> None:
    used = {k.template for k in all_kernels()}
    text = "\n".join(p.read_text() for p in [*TEMPLATES, *SOURCES])
    for path in TEMPLATES:
        name = path.relative_to(ROOT / "templates").as_posix()
        assert name in used or f'"{name}"' in text or path.name in text, f"nothing uses {name}"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: p.relative_to(ROOT / "templates").as_posix())
def test_template_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 250


@pytest.mark.parametrize("name", sorted(PASSES))
def test_pass_is_tested_and_documented(name: str) -> None:
    p: Pass = PASSES[name]
    assert isinstance(p.exact, bool)
    module = (ROOT / "mcucompile" / "passes" / f"{name}.py").read_text()
    assert "-->" in module, "a pass shows before --> after"
    assert (ROOT / "tests" / "passes" / f"test_{name}.py").is_file()


def test_error_codes_are_catalogued_and_used() -> None:
    text = "\n".join(p.read_text() for p in SOURCES if p.name != "errors.py")
    used = set(re.findall(r'"(E\d{4})"', text))
    assert used <= set(CODES)
    assert set(CODES) <= used, f"never raised: {sorted(set(CODES) - used)}"
    assert set(CODES) >= MISSING_TOOLS
