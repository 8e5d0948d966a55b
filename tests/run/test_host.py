"""The network as a program of the host."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny

from mcucompile.errors import CompileError
from mcucompile.run import host
from mcucompile.run.host import HostLibrary
from mcucompile.run.interface import Block, Interface

SAMPLE = [bytes([1, 2, 3, 255, 5, 128, 7, 8]), bytes([10, 20, 30, 127, 50, 128, 70, 1])]


@pytest.mark.parametrize("sanitize", [False, True])
def test_outputs_and_trace(host_compiler: str, library: Path, sanitize: bool) -> None:
    network = HostLibrary(library, tiny.INTERFACE, sanitize=sanitize)
    added, negated, total = tiny.expected(*SAMPLE)
    assert network.run(SAMPLE) == [negated, total]
    assert [(s.step, s.output, s.data) for s in network.trace(SAMPLE)] == [
        (0, 0, added),
        (1, 0, negated),
        (1, 1, total),
    ]


def test_batch_keeps_the_order(host_compiler: str, library: Path) -> None:
    samples = [[bytes([i] * 8), bytes(range(8))] for i in range(50)]
    expected = [list(tiny.expected(*sample)[1:]) for sample in samples]
    assert HostLibrary(library, tiny.INTERFACE).run_batch(samples) == expected


def test_sanitizer_finds_a_write_past_the_end(host_compiler: str, tmp_path: Path) -> None:
    library = tiny.write(tmp_path, kernels=tiny.KERNELS.replace("total[i] = running", "total[i + 1] = running"))
    with pytest.raises(CompileError) as caught:
        HostLibrary(library, tiny.INTERFACE, sanitize=True).run(SAMPLE)
    assert caught.value.code == "E0608"
    assert "AddressSanitizer" in caught.value.why


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("tiny_add(arena, ", "return 5; tiny_add(arena, ", "run function reported"),
        ("arena = a != NULL", "if (size == 0) { return 1; }\n    arena = a != NULL", "init function refused"),
        ("tiny_add(arena, ", "*(volatile int *)0 = 1; tiny_add(arena, ", "crashed"),
    ],
)
def test_a_failing_network_is_an_error(host_compiler: str, tmp_path: Path, old: str, new: str, message: str) -> None:
    library = tiny.write(tmp_path, network=tiny.NETWORK.replace(old, new, 1))
    with pytest.raises(CompileError) as caught:
        HostLibrary(library, tiny.INTERFACE, opt="-O0").run(SAMPLE)
    assert caught.value.code == "E0608"
    assert message in caught.value.what


def test_a_hanging_network_is_an_error(host_compiler: str, tmp_path: Path) -> None:
    library = tiny.write(
        tmp_path, network=tiny.NETWORK.replace("tiny_add(arena, ", "for (;;) {}\n    tiny_add(arena, ", 1)
    )
    with pytest.raises(CompileError) as caught:
        HostLibrary(library, tiny.INTERFACE, timeout=0.5).run(SAMPLE)
    assert caught.value.code == "E0605"


def test_wrong_inputs_are_refused(host_compiler: str, library: Path) -> None:
    with pytest.raises(CompileError) as caught:
        HostLibrary(library, tiny.INTERFACE).run([bytes(8), bytes(9)])
    assert caught.value.code == "E0202"


def test_outputs_other_than_described_are_an_error(host_compiler: str, library: Path) -> None:
    interface = Interface("tiny", tiny.INTERFACE.inputs, (Block("negated", 8),), ())
    network = HostLibrary(library, interface)
    network.interface = tiny.INTERFACE
    with pytest.raises(CompileError) as caught:
        network.run(SAMPLE)
    assert caught.value.code == "E0608"


def test_code_that_does_not_compile(host_compiler: str, tmp_path: Path) -> None:
    library = tiny.write(tmp_path, kernels=tiny.KERNELS.replace("(int8_t)-sum[i]", "-sum[i] * 300"))
    with pytest.raises(CompileError) as caught:
        HostLibrary(library, tiny.INTERFACE)
    assert caught.value.code == "E0603"
    assert "tiny_kernels.c" in caught.value.why


def test_no_compiler(monkeypatch: pytest.MonkeyPatch, library: Path) -> None:
    monkeypatch.setattr(host, "find_host_compiler", lambda: None)
    with pytest.raises(CompileError) as caught:
        HostLibrary(library, tiny.INTERFACE)
    assert (caught.value.code, caught.value.exit_code) == ("E0601", 3)
