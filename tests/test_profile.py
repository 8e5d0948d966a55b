"""Profiles: layers and what is between them, with cycles and without."""

from __future__ import annotations

from pathlib import Path

import pytest
from needs import needs_emulator

import mcucompile
from mcucompile import profile
from mcucompile.api import Compiled
from mcucompile.errors import CompileError
from mcucompile.run.cycles import cycle_plugin
from mcucompile.run.plugin import Plugin, interface_version

EXAMPLES = Path(__file__).parents[1] / "examples"


def compiled(board: str) -> Compiled:
    model, samples = EXAMPLES / "digits" / "digits.onnx", EXAMPLES / "digits" / "calibration.npz"
    return mcucompile.compile(model, board=board, calibration=samples)


@needs_emulator
@pytest.mark.parametrize("board", ["qemu-m0", "qemu-m4", "qemu-m55"])
def test_layers_and_overhead_are_the_total(board: str) -> None:
    if cycle_plugin().path is None:
        pytest.skip(f"cycles cannot be estimated: {cycle_plugin().missing}")
    network = compiled(board)
    first = network.profile()
    assert first.total == sum(layer.instructions for layer in first.layers) + first.overhead
    assert 0 < first.overhead < 0.01 * first.total
    assert first.cycles is not None
    assert 0 <= first.cycles - sum(layer.cycles or 0 for layer in first.layers) < 0.01 * first.cycles
    assert all(layer.instructions > 0 and layer.cycles and layer.code_nbytes > 0 for layer in first.layers)
    library = first.firmware
    assert sum(layer.step.weight_nbytes for layer in first.layers) == network.program.weight_nbytes
    assert 0.75 * library.library_code_nbytes < sum(layer.code_nbytes for layer in first.layers), "most is in kernels"
    assert sum(layer.code_nbytes for layer in first.layers) < library.library_code_nbytes
    assert first.figures() == network.profile().figures(), "nothing depends on the host"


@needs_emulator
def test_without_the_plugin_instructions_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    network = compiled("qemu-m4")
    with_plugin = network.profile()
    monkeypatch.setattr(profile, "cycle_plugin", lambda: Plugin(None, "there is no C compiler for the host"))
    without = network.profile()
    assert without.cycles is None and without.prediction_error is None
    assert without.note.endswith("there is no C compiler for the host")
    for a, b in zip(with_plugin.layers, without.layers, strict=True):
        assert b.cycles is None
        assert abs(a.instructions - b.instructions) <= 20, "the first step has the call of all, others that of the hook"
    assert abs(with_plugin.total - without.total) <= 12


@needs_emulator
def test_a_run_that_cannot_be_divided_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def undivided(*_: object, **__: object) -> None:
        raise CompileError("E0608", "the run cannot be divided into the network's steps")

    monkeypatch.setattr(profile, "measure", undivided)
    found = compiled("qemu-m4").profile()
    assert found.cycles is None
    assert found.total > 0
    assert "cannot be divided" in found.note


def test_interface_version() -> None:
    assert interface_version("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)") == 1
    assert interface_version("QEMU emulator version 9.0.1") == 1
    assert interface_version("QEMU emulator version 9.1.0") == 3
    assert interface_version("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)") == 3
    assert interface_version("") == 1
