"""Writes mcucompile/run/qemu_plugin/mve_table.h: the encodings, classes and operands of MVE's arithmetic.

    python scripts/mve_table.py

No encoding is typed by hand: every form of every instruction is assembled (arm-none-eabi-as) with many operands, and
the bits that never change are its mask. Rows that differ in one bit alone are merged.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).parents[1] / "mcucompile" / "run" / "qemu_plugin" / "mve_table.h"
VPT_MASK_BITS = (1 << 22) | (7 << 13)  # how far a VPT block reaches, which belongs to the block

# class | mnemonics | types | operands; operands. Types are put behind mnemonics; w is a type's width. Operands:
# D result, d result that is also read, G result in the first halfword, N M vectors; r t core registers, e one that is
# also written, o odd; E even result register, O the high half of its pair, A any result register; g h two registers;
# #LIST immediates.
FORMS = """
MVE_ALU | vadd vsub | i8 i16 i32 | D, N, M; D, N, r
MVE_ALU | vhadd vhsub vqadd vqsub | s8 s16 s32 u8 u16 u32 | D, N, M; D, N, r
MVE_ALU | vrhadd vabd vmax vmin | s8 s16 s32 u8 u16 u32 | D, N, M
MVE_ALU | vabs vneg vqabs vqneg vcls | s8 s16 s32 | D, M
MVE_ALU | vclz | i8 i16 i32 | D, M
MVE_ALU | vmaxa vmina | s8 s16 s32 | d, M
MVE_ALU | vand veor vbic vorn vorr | | D, N, M
MVE_ALU | vmvn | | D, M
MVE_ALU | vshl vqshl vrshl vqrshl | s8 s16 s32 u8 u16 u32 | D, M, N; d, r
MVE_ALU | vshl | i8 i16 i32 | D, M, #0 1 2 4 w-1
MVE_ALU | vshr vrshr | s8 s16 s32 u8 u16 u32 | D, M, #1 2 3 4 5 w
MVE_ALU | vqshl | s8 s16 s32 u8 u16 u32 | D, M, #0 1 2 4 w-1
MVE_ALU | vqshlu | s8 s16 s32 | D, M, #0 1 2 4 w-1
MVE_ALU | vsli | 8 16 32 | d, M, #0 1 2 4 w-1
MVE_ALU | vsri | 8 16 32 | d, M, #1 2 3 4 5 w
MVE_ALU | vshllb vshllt | s8 s16 u8 u16 | D, M, #1 2 3 4 5 w-1; D, M, #w
MVE_ALU | vmovlb vmovlt | s8 s16 u8 u16 | D, M
MVE_ALU | vshrnb vshrnt vrshrnb vrshrnt | i16 i32 | d, M, #1 2 3 4 5 w//2
MVE_ALU | vqshrnb vqshrnt vqrshrnb vqrshrnt | s16 s32 u16 u32 | d, M, #1 2 3 4 5 w//2
MVE_ALU | vqshrunb vqshrunt vqrshrunb vqrshrunt | s16 s32 | d, M, #1 2 3 4 5 w//2
MVE_ALU | vmovnb vmovnt | i16 i32 | d, M
MVE_ALU | vqmovunb vqmovunt | s16 s32 | d, M
MVE_ALU | vqmovnb vqmovnt | s16 s32 u16 u32 | d, M
MVE_ALU | vshlc | | d, e0, #1 2 4 8 16 32
MVE_ALU | vrev64 | 8 16 32 | D, M
MVE_ALU | vrev32 | 8 16 | D, M
MVE_ALU | vrev16 | 8 | D, M
MVE_ALU | vdup | 8 16 32 | G, t
MVE_ALU | vbrsr | 8 16 32 | D, N, r
MVE_ALU | vidup vddup | u8 u16 u32 | D, e, #1 2 4 8
MVE_ALU | viwdup vdwdup | u8 u16 u32 | D, e, o, #1 2 4 8
MVE_ALU | vpsel | | D, N, M
MVE_ALU | vcadd | i8 i16 i32 | D, N, M, #90 270
MVE_ALU | vhcadd | s8 s16 s32 | D, N, M, #90 270
MVE_ALU | vadc vadci vsbc vsbci | i32 | D, N, M
MVE_ALU | vmov vmvn | i32 | D, #0 255 0x55 0xaa; D, #0xff00 0x5500 0xaa00
MVE_ALU | vmov vmvn | i32 | D, #0xff0000 0x550000 0xaa0000; D, #0xff000000 0x55000000 0xaa000000
MVE_ALU | vmov vmvn | i16 | D, #0 255 0x55 0xaa; D, #0xff00 0x5500 0xaa00
MVE_ALU | vmov | i8 | D, #0 255 0x55 0xaa
MVE_ALU | vmov | i64 | D, #0 0xffffffffffffffff 0xff00ff00ff00ff00 0x00ff00ff00ff00ff
MVE_ALU | vmov | i32 | D, #0xffff 0x55ff 0xaaff; D, #0xffffff 0x55ffff 0xaaffff
MVE_ALU | vmov | f32 | D, #1.0 2.0 -1.0 0.125 31.0 1.9375
MVE_ALU | vorr vbic | i32 | d, #1 255 0x55 0xaa; d, #0xff00 0x5500 0xaa00
MVE_ALU | vorr vbic | i32 | d, #0xff0000 0x550000 0xaa0000; d, #0xff000000 0x55000000 0xaa000000
MVE_ALU | vorr vbic | i16 | d, #1 255 0x55 0xaa; d, #0xff00 0x5500 0xaa00
MVE_REDUCE | vaddv vaddva | s8 s16 s32 u8 u16 u32 | E, M
MVE_REDUCE | vaddlv vaddlva | s32 u32 | E, O, M
MVE_REDUCE | vabav | s8 s16 s32 u8 u16 u32 | A, N, M
MVE_REDUCE | vmaxv vminv | s8 s16 s32 u8 u16 u32 | A, M
MVE_REDUCE | vmaxav vminav | s8 s16 s32 | A, M
MVE_REDUCE | vmaxnmv vminnmv vmaxnmav vminnmav | f16 f32 | A, M
MVE_COMPARE | vcmp vpt | i8 i16 i32 | eq, N, M; ne, N, M; eq, N, r; ne, N, r
MVE_COMPARE | vcmp vpt | u8 u16 u32 | cs, N, M; hi, N, M; cs, N, r; hi, N, r
MVE_COMPARE | vcmp vpt | s8 s16 s32 | ge, N, M; lt, N, M; gt, N, M; le, N, M
MVE_COMPARE | vcmp vpt | s8 s16 s32 | ge, N, r; lt, N, r; gt, N, r; le, N, r
MVE_COMPARE | vcmp vpt | f16 f32 | eq, N, M; ne, N, M; ge, N, M; lt, N, M; gt, N, M; le, N, M
MVE_COMPARE | vcmp vpt | f16 f32 | eq, N, r; ne, N, r; ge, N, r; lt, N, r; gt, N, r; le, N, r
MVE_PREDICATE | vpst vpnot | |
MVE_MUL | vmul | i8 i16 i32 | D, N, M; D, N, r
MVE_MUL | vmulh vrmulh | s8 s16 s32 u8 u16 u32 | D, N, M
MVE_MUL | vqdmulh vqrdmulh | s8 s16 s32 | D, N, M; D, N, r
MVE_MUL | vmullb vmullt | s8 s16 s32 u8 u16 u32 p8 p16 | D, N, M
MVE_MUL | vqdmullb vqdmullt | s16 s32 | D, N, M; D, N, r
MVE_MLA | vmla vmlas | s8 s16 s32 u8 u16 u32 | d, N, r
MVE_MLA | vqdmlah vqrdmlah vqdmlash vqrdmlash | s8 s16 s32 | d, N, r
MVE_MLA | vqdmladh vqdmladhx vqrdmladh vqrdmladhx | s8 s16 s32 | d, N, M
MVE_MLA | vqdmlsdh vqdmlsdhx vqrdmlsdh vqrdmlsdhx | s8 s16 s32 | d, N, M
MVE_DOT | vmladav vmladava | s8 s16 s32 u8 u16 u32 | E, N, M
MVE_DOT | vmladavx vmladavax vmlsdav vmlsdava vmlsdavx vmlsdavax | s8 s16 s32 | E, N, M
MVE_DOT | vmlaldav vmlaldava | s16 s32 u16 u32 | E, O, N, M
MVE_DOT | vmlaldavx vmlaldavax vmlsldav vmlsldava vmlsldavx vmlsldavax | s16 s32 | E, O, N, M
MVE_DOT | vrmlaldavh vrmlaldavha | s32 u32 | E, O, N, M
MVE_DOT | vrmlaldavhx vrmlaldavhax vrmlsldavh vrmlsldavha vrmlsldavhx vrmlsldavhax | s32 | E, O, N, M
MVE_FP | vadd vsub vmul | f16 f32 | D, N, M; D, N, r
MVE_FMA | vfma vfms | f16 f32 | d, N, M
MVE_FMA | vfma vfmas | f16 f32 | d, N, r
MVE_FP | vabd vmaxnm vminnm | f16 f32 | D, N, M
MVE_FP | vabs vneg vrintn vrintx vrinta vrintz vrintm vrintp | f16 f32 | D, M
MVE_FP | vmaxnma vminnma | f16 f32 | d, M
MVE_FP | vcvt | s32.f32 u32.f32 f32.s32 f32.u32 s16.f16 u16.f16 f16.s16 f16.u16 | D, M; D, M, #1 2 3 4 5 w
MVE_FP | vcvta vcvtn vcvtp vcvtm | s32.f32 u32.f32 s16.f16 u16.f16 | D, M
MVE_FP | vcvtb vcvtt | f16.f32 | d, M
MVE_FP | vcvtb vcvtt | f32.f16 | D, M
MVE_FMA | vcmla | f16 f32 | d, N, M, #0 90 180 270
MVE_FP | vcmul | f16 f32 | D, N, M, #0 90 180 270
MVE_FP | vcadd | f16 f32 | D, N, M, #90 270
MVE_CORE_MOVE | vmov | | D[2], D[0], g, h; D[3], D[1], g, h; g, h, D[2], D[0]; g, h, D[3], D[1]
"""

# Per operand its flags, its register at first, and others that together change every bit of the field.
REGISTERS = {
    "D": ("QD", "q6 q7 q4 q2"),
    "d": ("QD | QD_READ", "q6 q7 q4 q2"),
    "G": ("QD_FIRST", "q6 q7 q4 q2"),
    "N": ("QN", "q5 q4 q7 q1"),
    "M": ("QM", "q3 q2 q1 q7"),
    "r": ("RM", "r3 r2 r1 r7 r11"),
    "e0": ("RM_WRITTEN", "r3 r2 r1 r7 r11"),
    "t": ("RT", "r3 r2 r1 r7 r11"),
    "e": ("RN_EVEN", "r6 r4 r2 r14"),
    "o": ("RM_ODD", "r3 r1 r7 r11"),
    "E": ("RDA", "r6 r4 r2 r14"),
    "O": ("RDA_HIGH", "r3 r1 r7 r11"),
    "A": ("RDA_ANY", "r3 r2 r1 r7 r11"),
    "g": ("TWO_CORE", "r3 r2 r1 r7 r11"),
    "h": ("", "r4 r5 r6 r0 r12"),
}
ACCUMULATES = r"vaddva|vaddlva|vml[as]l?davax?|vrml[as]ldavhax?|vmaxn?m?a?v|vminn?m?a?v|vabav"


@dataclass(frozen=True)
class Row:
    """An encoding matches when (encoding & mask) == match."""

    mask: int
    match: int
    class_: str
    operands: str

    def text(self) -> str:
        return f"{{{self.mask:#010x}u, {self.match:#010x}u, {self.class_}, {self.operands or 0}}},"


def main() -> None:
    forms = list(read_forms())
    lines = [variant for _, instruction in forms for variant in variants(instruction)]
    encodings = assemble(lines)
    rows: dict[tuple[int, int], Row] = {}
    for class_, instruction in forms:
        row = row_of(class_, instruction, [encodings[line] for line in variants(instruction) if line in encodings])
        rows.setdefault((row.mask, row.match), row)
    merged = sorted(merge(set(rows.values())), key=lambda r: (-r.mask.bit_count(), r.match))
    TABLE.write_text("/* Written by scripts/mve_table.py. */\n" + "\n".join(r.text() for r in merged) + "\n")


def read_forms() -> Iterator[tuple[str, str]]:
    """(class, instruction with placeholders) of every form."""
    for line in FORMS.strip().splitlines():
        class_, mnemonics, types, operands = (part.strip() for part in line.split("|"))
        for mnemonic in mnemonics.split():
            for type_ in types.split() or [""]:
                for form in operands.split(";"):
                    width = int(re.sub(r"\..*|\D", "", type_) or 0)
                    yield class_, f"{mnemonic}{'.' * bool(type_)}{type_} {with_width(form.strip(), width)}".strip()


def with_width(form: str, width: int) -> str:
    """The expressions of immediates, such as w//2, as numbers."""
    return re.sub(r"w(//2|-1)?", lambda m: str({"//2": width // 2, "-1": width - 1}.get(m[1], width)), form)


def operands_of(instruction: str) -> list[str]:
    return [o.strip() for o in instruction.partition(" ")[2].split(",") if o.strip()]


def choices(operand: str) -> list[str]:
    """What may stand for an operand, the first for most of the time."""
    if operand.startswith("#"):
        return [f"#{value}" for value in operand[1:].split()]
    name, bracket, lane = operand.partition("[")
    return [r + bracket + lane for r in REGISTERS[name][1].split()] if name in REGISTERS else [operand]


def variants(instruction: str) -> list[str]:
    """Lines of assembly in which each operand takes all of its values, one operand at a time."""
    mnemonic, _, _ = instruction.partition(" ")
    operands = operands_of(instruction)
    names = list(dict.fromkeys(o.partition("[")[0] for o in operands))
    lines = []
    for name in names or [""]:
        for k in range(len(choices(name)) if name else 1):
            taken = (choices(o)[k if o.partition("[")[0] == name else 0] for o in operands)
            lines.append(f"{mnemonic} {', '.join(taken)}".strip())
    return list(dict.fromkeys(lines))


def assemble(lines: list[str]) -> dict[str, int]:
    """The encoding of each line, first halfword first; without those that the assembler refuses."""
    with tempfile.TemporaryDirectory() as folder:
        while True:
            blocks = [f"{line}\n{' vaddt.i32 q0, q0, q0' * is_block(line)}\n" for line in lines]
            Path(folder, "a.s").write_text(".syntax unified\n.thumb\n" + "".join(blocks))
            command = ["arm-none-eabi-as", "-march=armv8.1-m.main+mve.fp+fp.dp", "-mthumb", "a.s", "-o", "a.o"]
            errors = subprocess.run(command, cwd=folder, capture_output=True, text=True).stderr
            refused = {(int(n) - 3) // 2 for n in re.findall(r"a\.s:(\d+): Error", errors)}
            if not refused:
                break
            lines = [line for i, line in enumerate(lines) if i not in refused]
        subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", "-j", ".text", "a.o", "a.bin"], cwd=folder, check=True)
        return dict(zip(lines, words(lines, Path(folder, "a.bin").read_bytes()), strict=True))


def words(lines: list[str], code: bytes) -> Iterator[int]:
    at = 0
    for line in lines:
        yield int.from_bytes(code[at : at + 2], "little") << 16 | int.from_bytes(code[at + 2 : at + 4], "little")
        at += 8 if is_block(line) else 4


def is_block(line: str) -> bool:
    """Whether the next instruction has to be a predicated one."""
    return line.startswith("vpt.") or line == "vpst"


def row_of(class_: str, instruction: str, encodings: list[int]) -> Row:
    changing = 0
    for encoding in encodings:
        changing |= encoding ^ encodings[0]
    changing |= VPT_MASK_BITS if class_ in ("MVE_COMPARE", "MVE_PREDICATE") else 0
    mask = ~changing & 0xFFFFFFFF
    added = "_ADDED" if re.fullmatch(ACCUMULATES, re.split(r"[. ]", instruction)[0]) else ""
    names = [o.partition("[")[0] for o in operands_of(instruction)]
    flags = [REGISTERS[n][0] + (added if n in "EOA" else "") for n in names if n in REGISTERS]
    return Row(mask, encodings[0] & mask, class_, " | ".join(dict.fromkeys(f for f in flags if f)))


def merge(rows: set[Row]) -> set[Row]:
    """Two rows that are alike but for one bit of `match` become one that does not look at the bit."""
    bits = [1 << i for i in range(32)]
    while True:
        candidates = ((r, b) for r in sorted(rows, key=Row.text) for b in bits if r.mask & b and not r.match & b)
        pair = next(((row, bit) for row, bit in candidates if with_bit(row, bit) in rows), None)
        if pair is None:
            return rows
        row, bit = pair
        rows -= {row, with_bit(row, bit)}
        rows |= {Row(row.mask & ~bit, row.match, row.class_, row.operands)}


def with_bit(row: Row, bit: int) -> Row:
    return Row(row.mask, row.match | bit, row.class_, row.operands)


if __name__ == "__main__":
    main()
