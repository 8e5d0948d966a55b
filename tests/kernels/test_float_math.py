"""templates/lib/c against float64: every stated error bound, over floats of all sizes."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from mcucompile.emit.snippets import snippets, used_snippets
from mcucompile.ir import Array
from mcucompile.run.host import find_host_compiler

FUNCTIONS = ("exp", "log", "sigmoid", "tanh")
STEP = 997  # of the 2**32 floats; odd and prime, so that all mantissas are met


LEVELS = ("-O0", "-O2", "-O3 -mfma")  # with fused operations at hand, which gnu99 would use


def build(folder: Path, level: str) -> ctypes.CDLL:
    """The functions applied to arrays."""
    loops = "\n".join(
        f"void all_{f}(const float *x, float *y, int n);\n"
        f"MCU_FLOAT void all_{f}(const float *x, float *y, int n)\n"
        f"{{ for (int i = 0; i < n; i++) y[i] = mcu_{f}(x[i]); }}"
        for f in FUNCTIONS
    )
    texts = [*(snippets()[name] for name in used_snippets(loops)), loops]
    (folder / "float_math.c").write_text("#include <stdint.h>\n" + "\n".join(texts) + "\n")
    compiler = find_host_compiler()
    if compiler is None:
        pytest.skip("needs a C compiler for the host")
    options = [*level.split(), "-std=gnu99", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-shared", "-fPIC"]
    target = f"float_math{LEVELS.index(level)}.so"
    subprocess.run([compiler, *options, "float_math.c", "-o", target], cwd=folder, check=True)
    return ctypes.CDLL(str(folder / target))


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> list[ctypes.CDLL]:
    folder = tmp_path_factory.mktemp("float_math")
    return [build(folder, level) for level in LEVELS]


@pytest.fixture(scope="module")
def library(libraries: list[ctypes.CDLL]) -> ctypes.CDLL:
    return libraries[1]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_same_bits_at_every_level(libraries: list[ctypes.CDLL], function: str) -> None:
    for x in floats(1e-37, 3e38) if function == "log" else floats(-1e30, 1e30):
        results = [apply(library, function, x).view(np.uint32) for library in libraries]
        assert all(np.array_equal(results[0], other) for other in results[1:])


def apply(library: ctypes.CDLL, function: str, x: Array) -> Array:
    y = np.empty_like(x)
    library[f"all_{function}"](
        x.ctypes.data_as(ctypes.c_void_p), y.ctypes.data_as(ctypes.c_void_p), ctypes.c_int(x.size)
    )
    return y


def floats(low: float, high: float) -> Iterator[Array]:
    """Every STEP-th float, positive and negative, that lies in [low, high]."""
    for start in range(0, 1 << 32, 1 << 30):
        x = np.arange(start, start + (1 << 30), STEP, np.uint32).view(np.float32)
        yield x[(x >= low) & (x <= high)]


def worst_error(library: ctypes.CDLL, function: str, exact: Callable[[Array], Array], low: float, high: float) -> float:
    """In units in the last place of the exact value."""
    worst = 0.0
    for x in floats(low, high):
        if x.size:
            want = exact(x.astype(np.float64))
            unit = np.spacing(np.abs(want).astype(np.float32)).astype(np.float64)
            worst = max(worst, float((np.abs(apply(library, function, x) - want) / unit).max()))
    return worst


def sigmoid(x: Array) -> Array:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def test_exp(library: ctypes.CDLL) -> None:
    assert worst_error(library, "exp", np.exp, -1e30, 88.7228) < 1.0


def test_log(library: ctypes.CDLL) -> None:
    assert worst_error(library, "log", np.log, 1.2e-38, 3.4e38) < 0.8


def test_sigmoid(library: ctypes.CDLL) -> None:
    assert worst_error(library, "sigmoid", sigmoid, -1e30, 1e30) < 2.4


def test_tanh(library: ctypes.CDLL) -> None:
    assert worst_error(library, "tanh", np.tanh, -1e30, 1e30) < 1.3


def test_ends(library: ctypes.CDLL) -> None:
    x = np.asarray([np.inf, -np.inf, np.nan, 0.0, -0.0, 100.0, -200.0], np.float32)
    np.testing.assert_array_equal(apply(library, "exp", x), np.float32([np.inf, 0, np.nan, 1, 1, np.inf, 0]))
    np.testing.assert_array_equal(apply(library, "tanh", x), np.float32([1, -1, np.nan, 0, 0, 1, -1]))
    np.testing.assert_array_equal(apply(library, "sigmoid", x)[:5], np.float32([1, 0, np.nan, 0.5, 0.5]))
