"""Decoders are C99 and C++ without a warning, for gcc and clang, at every level of optimization."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from board_decoders import COMMON_HEAD, Stream, decoders_text
from test_boards import PLACES, values_of

from mcucompile.encodings import ALL, BY_NAME, Layout, walk_of
from mcucompile.run.host import WARNINGS
from mcucompile.run.tools import Toolchain, find_tool, find_toolchain
from mcucompile.target.cores import CORES


def every_decoder() -> list[Stream]:
    """One of each set of parameters."""
    walk = walk_of(PLACES)
    assert walk
    found = {}
    for encoding in ALL:
        for values in {len(v): v for v in (values_of(encoding.name), *variants(encoding.name))}.values():
            for mirrored, shifted in ((False, False), (True, False), (False, True)):
                layout = Layout(mirrored, 0, shifted, walk if encoding.needs_walk else ())
                encoded = encoding.encode(values, layout)
                found[encoding.template, encoded.params] = Stream(encoding, encoded, 0)
    return list(found.values())


def variants(name: str) -> list[np.ndarray]:
    """Values with other parameters."""
    rng = np.random.default_rng(0)
    if name == "codebook":
        return [rng.integers(0, 1 << bits, 900 + bits).astype(np.int8) for bits in (1, 2, 3, 5, 6)]
    if name == "words":
        sizes = [(size, bits) for size in (2, 4, 8) for bits in range(1, 9)]
        dictionaries = [rng.integers(-128, 128, (1 << bits, size), np.int8) for size, bits in sizes]
        return [d[rng.integers(0, len(d), 700 + k)].reshape(-1) for k, d in enumerate(dictionaries)]
    if name == "huffman":
        return [rng.normal(0, 9, 901).astype(np.int8)]
    return [rng.integers(0, 5, 70_000).astype(np.int8)] if name == "lossless" else []


def source(work_dir: Path) -> None:
    (work_dir / "all.c").write_text(COMMON_HEAD + decoders_text(every_decoder()))


def refused(command: list[str], work_dir: Path) -> str:
    done = subprocess.run(command, cwd=work_dir, capture_output=True, text=True, timeout=300)
    return done.stderr[:4000] if done.returncode else ""


@pytest.mark.skipif(not find_tool("arm-none-eabi-gcc"), reason="needs arm-none-eabi-gcc")
@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m4f", "cortex-m55"])
def test_gcc(core: str, tmp_path: Path) -> None:
    source(tmp_path)
    toolchain = find_toolchain()
    command = [*toolchain.command, *toolchain.target_flags(CORES[core]), "-ffreestanding", *WARNINGS]
    quiet = "-Wno-unused-function"  # nothing calls them here
    for opt in ("-O0", "-Os", "-O3"):
        assert refused([*command, quiet, opt, "-c", "all.c"], tmp_path) == ""
    plus = [*command, "-x", "c++", "-std=c++11", quiet, "-fsyntax-only", "all.c"]
    assert refused([part for part in plus if part != "-std=c99"], tmp_path) == ""


def test_clang(tmp_path: Path) -> None:
    pytest.importorskip("ziglang", reason="clang comes with the Python package ziglang")
    source(tmp_path)
    zig = Toolchain("zig", (sys.executable, "-m", "ziglang", "cc"))
    command = [*zig.command, *zig.target_flags(CORES["cortex-m4f"]), "-ffreestanding", *WARNINGS]
    assert refused([*command, "-Wno-unused-function", "-O2", "-c", "all.c"], tmp_path) == ""


def test_a_decoder_of_every_kind_is_compiled() -> None:
    assert {s.encoding.name for s in every_decoder()} == set(BY_NAME)
