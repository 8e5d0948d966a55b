"""Runs kernels one by one, on the host under sanitizers and on the emulated boards, against the reference.

    check([Case("relu 1x5", graph, samples), ...])

Every kernel that fits a case's only node is compiled: scalar ones for the host with address and undefined-behaviour
sanitizers, and all that a board's instruction set allows for each board, one program per board. Without a host
compiler with sanitizers that part is left out, and a test that has no other part is skipped. Each is run twice per
sample: with every operand apart and guard bytes around it, and in the arena that the planner made of the kernel's
trace, where input and output may overlap. Inputs must be unchanged after the first run, and on boards nothing may be
read beside the operands (watch.py). Every byte of the outputs must be the reference's, or, for floats, within
`tolerance`.
"""

from __future__ import annotations

import struct
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import watch
from needs import NO_EMULATOR, has_emulator

from mcucompile.emit.c import kernels_text
from mcucompile.emit.project import render_linker_script
from mcucompile.ir import Array, Graph, Program
from mcucompile.kernels.kernel import Kernel
from mcucompile.kernels.unpacked.kernel import Unpacked
from mcucompile.lower.lower import lower
from mcucompile.lower.select import fitting
from mcucompile.reference import evaluate
from mcucompile.resources import folder
from mcucompile.run.host import SANITIZERS, find_host_compiler
from mcucompile.run.tools import find_qemu, find_toolchain
from mcucompile.target.board import Board, load_board
from mcucompile.target.cores import CORES, Core, Isa

HERE = Path(__file__).parent
BOARDS = ("qemu-m0", "qemu-m3", "qemu-m4", "qemu-m7", "qemu-m33", "qemu-m55")
ALIKE = ("qemu-m7", "qemu-m33")  # run what a Cortex-M4 does
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror")
FIRMWARE = ("startup", "setup_none", "ticks", "semihosting", "memory")
CLOCK = ("-DCLOCK_HZ=1u", "-DFALLBACK_HZ=1u")
NO_SANITIZERS = "needs a C compiler for the host, with its sanitizers"
STACK_NBYTES = 8192
STATUS_OK = 0
STATUS = {1: "wrote outside its operands", 2: "changed an input"}
INPUT, OUTPUT, CONSTANT, SCRATCH = range(4)

# Sample -> per output, how far each float may be from the reference.
Tolerance = Callable[[dict[str, Array]], dict[str, Array]]


@dataclass(frozen=True, eq=False)
class Case:
    """A graph of one node, with inputs to run it on."""

    name: str
    graph: Graph
    samples: tuple[dict[str, Array], ...]
    tolerance: Tolerance | None = None


@dataclass(frozen=True, eq=False)
class Run:
    """A case with one of its kernels."""

    case: Case
    kernel: Kernel
    program: Program

    @property
    def name(self) -> str:
        return f"{self.case.name} [{self.kernel.variant}.{self.kernel.isa.name.lower()}]"


def keeps_plain(kernel: Kernel) -> bool:
    """Whether a kernel keeps weights as they are.

    Small layers happen to have few different weights, and so kernels that unpack them fit. These have tests of their
    own, which pair every encoding with every kernel; here they would double what is compiled.
    """
    return kernel.encoding == "plain"


def check(
    cases: Sequence[Case],
    boards: Sequence[str] = BOARDS,
    opt: str = "-O2",
    host: bool = True,
    only: Callable[[Kernel], bool] = keeps_plain,
) -> None:
    """Fails with the list of everything that is wrong. `only` narrows the kernels."""
    failures: list[str] = []
    on_host, on_boards = host and has_sanitizers(), tuple(boards) if has_emulator() else ()
    if not on_host and not on_boards:
        pytest.skip(NO_EMULATOR if boards else NO_SANITIZERS)
    if on_host:
        runs = runs_of(cases, CORES["cortex-m4f"], Isa.SCALAR, only)
        failures += [f"host: {f}" for f in failures_of(runs, run_on_host(runs))]
    for name in on_boards:
        board = load_board(name)
        runs = runs_of(cases, board.core, board.isa, only)
        results, strays = run_on_board(runs, board, opt)
        failures += [f"{name}: {f}" for f in (*failures_of(runs, results), *strays)]
    assert not failures, f"{len(failures)} failures:\n" + "\n".join(failures[:40])


def runs_of(cases: Sequence[Case], core: Core, isa: Isa, only: Callable[[Kernel], bool]) -> list[Run]:
    """Every kernel that the instruction set allows, for every case."""
    runs: list[Run] = []
    for case in cases:
        (node,) = case.graph.nodes
        for kernel in filter(only, fitting(node, isa)):
            graph = replace(case.graph, name=f"run{len(runs)}")
            runs.append(Run(case, kernel, lower(graph, core, isa, partial(_always, kernel))))
    assert runs, "no kernel is left to run: a check of nothing holds"
    return runs


def unpacks(kernel: Kernel) -> bool:
    return isinstance(kernel, Unpacked)


def _always(kernel: Kernel, *_: object) -> Kernel:
    return kernel


def failures_of(runs: Sequence[Run], results: bytes) -> list[str]:
    """What is wrong in the bytes that the program wrote: per run, sample and placement a status and the outputs."""
    failures, at = [], 0
    for run in runs:
        for sample in run.case.samples:
            wanted = evaluate(run.case.graph, sample)
            bounds = run.case.tolerance(sample) if run.case.tolerance else {}
            for placement in ("apart", "planned"):
                (status,) = struct.unpack_from("<I", results, at)
                at += 4
                if status != STATUS_OK:
                    failures.append(f"{run.name} {placement}: {STATUS[status]}")
                for port in run.program.outputs:
                    got = np.frombuffer(results, port.dtype.numpy, port.size, at).reshape(port.shape or (1,))
                    at += port.nbytes
                    wrong = difference(got, np.ascontiguousarray(wanted[port.name]), bounds.get(port.name))
                    failures += [f"{run.name} {placement}: {port.name} {wrong}"] if wrong else []
    assert at == len(results), f"the program wrote {len(results)} bytes instead of {at}"
    return failures


def difference(got: Array, wanted: Array, bound: Array | None) -> str:
    """Where and how the arrays differ, or ""."""
    if bound is None:
        wrong = got.view(np.uint8) != wanted.view(np.uint8)
        wrong = wrong.reshape(*got.shape, -1).any(axis=-1)
    else:
        wrong = ~(np.abs(got.astype(np.float64) - wanted) <= bound)
    if not wrong.any():
        return ""
    first = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f"{wrong.sum()} of {wrong.size} wrong, first at {first}: {got[first]} instead of {wanted[first]}"


@cache
def has_sanitizers() -> bool:
    """Whether the host has a C compiler that can build and run a program with them; some systems lack their runtime."""
    compiler = find_host_compiler()
    if compiler is None:
        return False
    with tempfile.TemporaryDirectory(prefix="mcucompile-rig-") as temporary:
        (Path(temporary) / "empty.c").write_text("int main(void) { return 0; }\n")
        build = [compiler, *SANITIZERS, "empty.c", "-o", "empty"]
        commands = (build, [str(Path(temporary) / "empty")])
        return all(subprocess.run(c, cwd=temporary, capture_output=True).returncode == 0 for c in commands)


def run_on_host(runs: Sequence[Run]) -> bytes:
    """Compiled with sanitizers; each operand is an allocation of its own. Fails on any finding."""
    with tempfile.TemporaryDirectory(prefix="mcucompile-rig-") as temporary:
        work_dir = Path(temporary)
        write_sources(runs, work_dir)
        compiler = find_host_compiler()
        assert compiler, "no C compiler for the host"
        sources = ["cases.c", str(HERE / "rig.c")]
        call(work_dir, compiler, *WARNINGS, *SANITIZERS, "-O1", f"-I{work_dir}", *sources, "-o", "rig")
        call(work_dir, str(work_dir / "rig"))
        return (work_dir / "results.bin").read_bytes()


def run_on_board(runs: Sequence[Run], board: Board, opt: str) -> tuple[bytes, list[str]]:
    """Compiled for the board and run on its emulator: what came out, and accesses beside the operands."""
    with tempfile.TemporaryDirectory(prefix="mcucompile-rig-") as temporary:
        work_dir = Path(temporary)
        write_sources(runs, work_dir)
        build_for_board(work_dir, board, opt)
        assert board.emulator is not None
        call(
            work_dir, find_qemu(), "-M", board.emulator.machine, *board.emulator.options, "-kernel", "rig.elf",
            "-display", "none", "-monitor", "none", "-serial", "null",
            "-semihosting-config", "enable=on,target=native", *watch.options(work_dir / "rig.elf", board),
        )  # fmt: skip
        return (work_dir / "results.bin").read_bytes(), watch.strays(work_dir, row_names(runs))


def build_for_board(work_dir: Path, board: Board, opt: str) -> None:
    """rig.elf from the sources in `work_dir`."""
    toolchain, project = find_toolchain(), folder("templates") / "project"
    (work_dir / "link.ld").write_text(render_linker_script(board, STACK_NBYTES))
    compile_c = [*toolchain.command, *toolchain.target_flags(board.core), "-ffreestanding"]
    includes = [f"-I{work_dir}", f"-I{project}"]
    call(work_dir, *compile_c, *WARNINGS, opt, *includes, "-c", "cases.c")
    for source in (HERE / "rig.c", *(project / f"{name}.c" for name in FIRMWARE)):
        call(work_dir, *compile_c, "-std=c99", "-O2", "-fno-builtin", *CLOCK, *includes, "-c", str(source))
    objects = ["cases.o", "rig.o", *(f"{name}.o" for name in FIRMWARE)]
    link = [*toolchain.command, *toolchain.target_flags(board.core), "-O2", *toolchain.link_flags]
    call(work_dir, *link, "-Wl,-T,link.ld", *objects, *toolchain.link_libraries, "-o", "rig.elf")


def call(work_dir: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=work_dir, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-6000:]}"


@dataclass
class Blob:
    """Inputs and constants, which the program includes as they are."""

    data: bytearray = field(default_factory=bytearray)

    def place(self, values: Array) -> int:
        self.data += bytes(-len(self.data) % 16)
        at = len(self.data)
        self.data += np.ascontiguousarray(values).tobytes()
        return at


def write_sources(runs: Sequence[Run], work_dir: Path) -> None:
    """cases.c with all kernels and the table of runs, and blob.bin."""
    blob = Blob()
    kernels, wrappers, rows = [], [], []
    prototypes = []
    for i, run in enumerate(runs):
        (step,) = run.program.steps
        kernels.append(step.kernel)
        types = ", ".join(f"{a.c_type} *" for a in step.arguments)
        prototypes.append(f"void {step.kernel.function}({types});")
        passed = ", ".join(f"({a.c_type} *)(void *)a[{k}]" for k, a in enumerate(step.arguments))
        wrappers.append(f"static void call_{i}(uint8_t *const *a) {{ {step.kernel.function}({passed}); }}")
        constants = {c.name: (blob.place(c.values), c.nbytes) for c in run.program.constants}
        for sample in run.case.samples:
            table = operand_rows(run, sample, blob, constants)
            cells = ", ".join(f"{{{', '.join(map(str, row))}}}" for row in table)
            rows.append(f"    {{call_{i}, {len(table)}, {run.program.arena_nbytes}, {{{cells}}}}},")
    text = kernels_text("rig", kernels, CORES["cortex-m55"])
    (work_dir / "rig_kernels.h").write_text('#include "rig.h"\n' + "\n".join(prototypes) + "\n")
    (work_dir / "rig.h").write_text((HERE / "rig.h").read_text())
    listing = ["const Row rows[] = {", *rows, "};", f"const uint32_t row_count = {len(rows)};"]
    (work_dir / "cases.c").write_text("\n".join([text, *wrappers, *listing]) + "\n")
    (work_dir / "blob.bin").write_bytes(blob.data)


def row_names(runs: Sequence[Run]) -> list[list[str]]:
    """Per row of the table of cases.c its name and its operands' names."""
    kinds = ("input", "output", "constant", "scratch")
    names = []
    for run in runs:
        rows = operand_rows(run, run.case.samples[0], Blob(), {c.name: (0, 0) for c in run.program.constants})
        operands = [f"{kinds[kind]} {i}" for i, (kind, *_) in enumerate(rows)]
        names += [[run.name, *operands]] * len(run.case.samples)
    return names


def operand_rows(
    run: Run, sample: dict[str, Array], blob: Blob, constants: dict[str, tuple[int, int]]
) -> list[tuple[int, int, int, int]]:
    """(kind, place in the blob, nbytes, offset in the planned arena) of each argument, as `Operand` of rig.h."""
    (step,), (node,) = run.program.steps, run.case.graph.nodes
    rows: list[tuple[int, int, int, int]] = []
    activations = iter([*node.activations(), *node.outputs])
    for argument in step.arguments:
        if argument.constant is not None:
            rows.append((CONSTANT, *constants[argument.constant], 0))
            continue
        assert argument.offset is not None
        tensor = next(activations, None)
        if tensor is None:
            rows.append((SCRATCH, 0, step.scratch_nbytes, argument.offset))
        elif tensor in node.outputs:
            rows.append((OUTPUT, 0, tensor.nbytes, argument.offset))
        else:
            values = np.asarray(sample[tensor.name], tensor.dtype.numpy)
            assert values.shape == tensor.shape, f"{run.name}: sample of shape {values.shape} for {tensor}"
            rows.append((INPUT, blob.place(values), tensor.nbytes, argument.offset))
    return rows
