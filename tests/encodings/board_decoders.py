"""Decoders on the emulated boards: what they write, what that costs, and how large they are."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from decoders import shared_text, stream_types

from mcucompile.emit.c import render, tidy
from mcucompile.emit.project import render_linker_script
from mcucompile.encodings import Encoded, Encoding
from mcucompile.ir import Array
from mcucompile.resources import folder
from mcucompile.run.cycles import _MODELS as MODELS
from mcucompile.run.cycles import Cost, cycle_plugin, function_symbols
from mcucompile.run.host import WARNINGS
from mcucompile.run.tools import find_qemu, find_toolchain
from mcucompile.target.board import Board, load_board
from mcucompile.target.cores import Isa

STACK_NBYTES = 4096
BUFFER_NBYTES = 16384
FIRMWARE = ("startup", "setup_none", "ticks", "semihosting", "memory")
CLOCK = ("-DCLOCK_HZ=1u", "-DFALLBACK_HZ=1u")


@dataclass(frozen=True, eq=False)
class Stream:
    """A stream that is decoded in calls for `tile` values, all to the same place."""

    encoding: Encoding
    encoded: Encoded
    tile: int


def run(streams: Sequence[Stream], board_name: str, opt: str = "-O2") -> tuple[list[Array], list[Cost], list[int]]:
    """What each stream became, its cost and the bytes of code of its decoder."""
    board = load_board(board_name)
    with tempfile.TemporaryDirectory(prefix="mcucompile-decoders-") as temporary:
        work_dir = Path(temporary)
        _write(streams, board.isa, work_dir)
        _build(work_dir, board, opt)
        functions = function_symbols(work_dir / "bench.elf")
        costs = _execute(work_dir, board, len(streams))
        sizes = [
            sum(functions.get(f"d{i}_{f}", (0, 0))[1] for f in ("next", "start", "length", "vectors"))
            for i in range(len(streams))
        ]
        data = (work_dir / "results.bin").read_bytes()
    ends = np.cumsum([0, *(s.encoded.count for s in streams)])
    assert len(data) == ends[-1]
    return [np.frombuffer(data[a:b], np.int8) for a, b in pairwise(ends)], costs, sizes


def decoders_text(streams: Sequence[Stream], isa: Isa) -> str:
    """The C of all decoders, with prefixes d0, d1 and so on."""
    texts = [
        render(s.encoding.template_for(isa.name), fn=f"d{i}", p=s.encoded.params, description="")
        for i, s in enumerate(streams)
    ]
    header = "#include <arm_mve.h>\n" if isa is Isa.MVE else ""
    return tidy(header + shared_text("\n".join(texts)) + "\n".join(texts))


def _write(streams: Sequence[Stream], isa: Isa, work_dir: Path) -> None:
    blob = bytearray()
    steps = []
    for i, stream in enumerate(streams):
        passed = []
        for (_, values), c_type in zip(stream.encoded.arrays, stream_types(stream.encoded), strict=True):
            blob += bytes(-len(blob) % 8)
            passed.append(f"(const {c_type} *)(const void *)(blob + {len(blob)}), {values.shape[0]}")
            blob += np.ascontiguousarray(values).tobytes()
        steps.append(_step(i, stream, ", ".join(passed)))
    calls = "".join(f"    step_{i}();\n" for i in range(len(streams)))
    outputs = "".join(f"    output(step_{i}, {s.encoded.count});\n" for i, s in enumerate(streams))
    text = f"{COMMON_HEAD}{HEAD}\n{decoders_text(streams, isa)}\n{''.join(steps)}\n{RUN % (calls, outputs)}"
    (work_dir / "bench.c").write_text(text)
    (work_dir / "blob.bin").write_bytes(blob)


def _step(i: int, stream: Stream, passed: str) -> str:
    count, tile = stream.encoded.count, min(stream.tile, stream.encoded.count)
    return f"""
static MCU_NOINLINE void step_{i}(void)
{{
    d{i}_state state;
    int32_t at = 0;
    d{i}_start(&state, {passed});
    for (; at + {tile} <= {count}; at += {tile})
        d{i}_next(&state, keep ? buffer + at : buffer, {tile});
    if (at < {count})
        d{i}_next(&state, keep ? buffer + at : buffer, {count} - at);
}}
"""


COMMON_HEAD = "#include <stddef.h>\n#include <stdint.h>\n"
HEAD = f"""
#include "semihosting.h"
#include "server.h"
#define MCU_NOINLINE __attribute__((noinline))
__asm__(".section .rodata\\n.balign 8\\n.global blob\\nblob:\\n.incbin \\"blob.bin\\"\\n.text\\n");
extern const uint8_t blob[];
static int8_t buffer[{BUFFER_NBYTES}] __attribute__((aligned(8)));
static int file;
static int keep;
"""
RUN = """
void bench_run(void);
MCU_NOINLINE void bench_run(void)
{
%s    __asm__ volatile(""); /* the last call is a call */
}
static MCU_NOINLINE void output(void (*step)(void), uint32_t count)
{
    keep = 1;
    step();
    if (!file_write(file, buffer, count))
        emulator_exit(90u);
}
void server_report_fault(const uint32_t *registers, uint32_t count)
{
    (void)registers;
    (void)count;
    emulator_exit(92u);
}
int main(void);
int main(void)
{
    file = file_open("results.bin", FILE_WRITE);
    bench_run();
%s    emulator_exit(0u);
    return 0;
}
"""


def _build(work_dir: Path, board: Board, opt: str) -> None:
    toolchain, project = find_toolchain(), folder("templates") / "project"
    (work_dir / "link.ld").write_text(render_linker_script(board, STACK_NBYTES))
    compile_c = [
        *toolchain.command,
        *toolchain.target_flags(board.core),
        "-ffreestanding",
        f"-I{work_dir}",
        f"-I{project}",
    ]
    _call(work_dir, *compile_c, *WARNINGS, opt, "-c", "bench.c")
    for name in FIRMWARE:
        _call(work_dir, *compile_c, "-std=c99", "-O2", "-fno-builtin", *CLOCK, "-c", str(project / f"{name}.c"))
    objects = ["bench.o", *(f"{name}.o" for name in FIRMWARE)]
    link = [*toolchain.command, *toolchain.target_flags(board.core), "-O2", *toolchain.link_flags]
    _call(work_dir, *link, "-Wl,-T,link.ld", *objects, *toolchain.link_libraries, "-o", "bench.elf")


def _execute(work_dir: Path, board: Board, count: int) -> list[Cost]:
    assert board.emulator is not None
    at = {name: address for name, (address, _) in function_symbols(work_dir / "bench.elf").items()}
    (work_dir / "steps").write_text("".join(f"{at[f'step_{i}']:x}\n" for i in range(count)))
    report = work_dir / "report"
    plugin = {
        "core": MODELS[board.core.name],
        "run": f"{at['bench_run']:#x}",
        "steps": work_dir / "steps",
        "report": report,
    }
    _call(
        work_dir, find_qemu(), "-M", board.emulator.machine, *board.emulator.options, "-kernel", "bench.elf",
        "-display", "none", "-monitor", "none", "-serial", "null",
        "-semihosting-config", "enable=on,target=native", *cycle_plugin().options(plugin),
    )  # fmt: skip
    exceptions, unknown, _, _, *numbers = map(int, report.read_text().split())
    assert exceptions == unknown == 0
    return [Cost(*pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]


def _call(work_dir: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=work_dir, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-4000:]}"
