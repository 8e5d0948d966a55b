"""The example of two networks in one firmware: built by make, run on the emulated core, equal to both references."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mcucompile.run.tools import find_tool

ROOT = Path(__file__).parents[1]
TOOLS = ("arm-none-eabi-gcc", "qemu-system-arm", "make")


def make_run(folder: Path) -> subprocess.CompletedProcess[str]:
    """`make run` into the folder; stdout has what both streams told."""
    path = os.pathsep.join([os.environ["PATH"], *{str(Path(find_tool(name) or "").parent) for name in TOOLS}])
    python = sys.executable
    return subprocess.run(
        ["make", "-C", ROOT / "examples" / "two_networks", "run", f"BUILD={folder}", f"PYTHON={python}",
         f"MCUCOMPILE={python} -m mcucompile.cli"],
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=600,
    )  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that make filled, and what the firmware printed."""
    missing = [name for name in TOOLS if find_tool(name) is None]
    if missing:
        pytest.skip(f"{missing[0]} is not installed")
    folder = tmp_path_factory.mktemp("two_networks")
    done = make_run(folder)
    assert done.returncode == 0, done.stdout
    return folder, done.stdout


@pytest.mark.parametrize("network", ["digits", "binary"])
def test_outputs_are_the_references(built: tuple[Path, str], network: str) -> None:
    folder, printed = built
    lines = re.findall(rf"^{network} (\d+): ([-0-9 ]+)$", printed, re.MULTILINE)
    with np.load(folder / network / "reference.npz") as arrays:
        expected = arrays["output/scores"].reshape(-1, 10)
    assert [int(sample) for sample, _ in lines] == list(range(5))
    np.testing.assert_array_equal([[int(v) for v in scores.split()] for _, scores in lines], expected[:5])
    assert len({tuple(row) for row in expected[:5].tolist()}) > 1, "the samples differ"


def test_networks_take_turns_in_the_program(built: tuple[Path, str]) -> None:
    names = re.findall(r"^(digits|binary) \d+:", built[1], re.MULTILINE)
    assert names == ["digits", "binary"] * 5


def test_one_arena_is_all_the_ram_they_have(built: tuple[Path, str]) -> None:
    """Apart from it, each network has a pointer to it."""
    folder, printed = built
    told = re.search(r"^arena: (\d+) bytes, for (\d+) and (\d+)$", printed, re.MULTILINE)
    assert told
    assert int(told[1]) == -(-max(int(told[2]), int(told[3])) // 8) * 8
    nm = [str(find_tool("arm-none-eabi-gcc")).replace("gcc", "nm"), "-S", str(folder / "firmware.elf")]
    symbols = subprocess.run(nm, capture_output=True, text=True, check=True).stdout
    sizes = {
        name: int(size, 16) for size, name in re.findall(r"^\w+ (\w+) [bBdD] (\w*arena\w*)$", symbols, re.MULTILINE)
    }
    assert sizes == {"arena": int(told[1]), "digits_arena": 4, "binary_arena": 4}


def test_verdict(built: tuple[Path, str]) -> None:
    """The last test: it spoils an expected score."""
    folder, printed = built
    assert re.search(r"^equal: all 10 answers$", printed, re.MULTILINE) and "DIFFERENT" not in printed
    samples = folder / "samples.h"
    head, name, rest = samples.read_text().partition("digits_expected[SAMPLES][10] = {\n    {")
    first = re.match(r"-?\d+", rest)
    assert name and first
    samples.write_text(f"{head}{name}{int(first[0]) ^ 1}{rest[first.end() :]}")
    done = make_run(folder)
    assert done.returncode != 0
    assert f"DIFFERENT at scores[0]: {first[0]}, expected {int(first[0]) ^ 1}\n" in done.stdout
    assert "DIFFERENT: 1 of 10 answers\n" in done.stdout
