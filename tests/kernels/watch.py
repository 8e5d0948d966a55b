"""Finds what kernels read and write outside their operands, to the byte, with the emulator's plugin accesses.c.

Guards around operands show stray writes, and a sanitizer stray reads of the portable kernels. The plugin shows both, of
every kernel on every core, also where other operands or constants happen to lie.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from elftools.elf.elffile import ELFFile

from mcucompile.run.plugin import Plugin, build_plugin
from mcucompile.target.board import Board

FUNCTIONS = ("readable", "writable", "begin", "end")
REPORT = "stray.txt"
PLACEMENTS = ("apart", "planned")


def plugin() -> Plugin:
    return build_plugin(Path(__file__).parent / "accesses.c")


def options(elf: Path, board: Board) -> tuple[str, ...]:
    """QEMU's options that watch the rig's program; none, with a warning, where the emulator takes no plugins."""
    if plugin().path is None:
        warnings.warn(f"reads and writes outside of operands are not looked for: {plugin().missing}", stacklevel=2)
        return ()
    at, code = symbols(elf), board.region("code")
    ranges = {
        "stack": (at["__stack_limit"], at["__stack_top"]),
        "code": (code.origin, at["blob"]),
        "literals": (at["blob_end"], code.origin + code.nbytes),
    }
    functions = {name: at[f"watch_{name}"] for name in FUNCTIONS}
    return plugin().options({**functions, **{k: f"{a}-{b}" for k, (a, b) in ranges.items()}, "report": REPORT})


def symbols(elf: Path) -> dict[str, int]:
    with elf.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        assert table is not None
        return {s.name: s["st_value"] for s in table.iter_symbols()}


def strays(work_dir: Path, names: Sequence[Sequence[str]]) -> list[str]:
    """What the plugin found. `names`: per row of the program's table, the row's own name and those of its operands."""
    if plugin().path is None:
        return []
    *found, last = (work_dir / REPORT).read_text().splitlines()
    assert last == f"{len(PLACEMENTS) * len(names)} parts watched", last
    functions = sorted((at & ~1, name) for name, at in symbols(work_dir / "rig.elf").items() if name[:1] != "$")
    return [described(line.split(), names, functions) for line in found]


def described(words: list[str], names: Sequence[Sequence[str]], functions: list[tuple[int, str]]) -> str:
    part, nbytes, address, pc, *bounds = (int(w) for k, w in enumerate(words) if k != 1)
    (row, *operands), placement = names[part // 2], PLACEMENTS[part % 2]
    ranges = list(zip(bounds[::2], bounds[1::2], strict=True))
    if placement == "planned":  # the constants, and then the arena, in which the other operands lie
        operands = [*(name for name in operands if name.startswith("constant")), "arena"]
    k = min(range(len(ranges)), key=lambda i: max(ranges[i][0] - address, address + nbytes - 1 - ranges[i][1]))
    first, last = ranges[k]
    what = f"{words[1]} {nbytes} bytes at {address - first} of {operands[k]}, which has {last + 1 - first}"
    inside = max(name_at for name_at in functions if name_at[0] <= pc)[1]
    return f"{row} {placement}: {what}, in {inside} at {pc:#x}"
