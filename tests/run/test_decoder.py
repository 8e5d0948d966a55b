"""The decoder of the cycle plugin against the GNU tools: objdump's mnemonics, and the assembler's encodings."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import pytest

from mcucompile.run.plugin import HEADERS

# The first pattern that fits the mnemonic says the classes that the instruction may have; suffixes of conditions and
# widths are cut off before, and where operands matter, they follow a blank.
CONDITION = "(eq|ne|cs|cc|mi|pl|vs|vc|hi|ls|ge|lt|gt|le|hs|lo)?"
INTEGER = (
    (r"it[te]*", "it"),
    (r"nop|yield|wfe|wfi|sev|pld|pldw|pli|csdb|dbg", "nop"),
    (r"svc|bkpt|udf|cps\w*|mrs|msr|dsb|dmb|isb|tta?|sg|clrex|setend|hlt", "system"),
    (r"cbn?z", "branch-zero"),
    (r"bl", "call"),
    (r"blx(ns)?", "call-register"),
    (rf"(bx|bxns){CONDITION}", "branch-register"),
    (rf"b{CONDITION}", "branch branch-if"),
    (r"tb[bh]", "branch-table"),
    (r"(pop|ldm)\S* .*pc.*", "load-pc"),
    (r"(pop|ldm)\S*( .*)?", "load-multiple load"),
    (r"(push|stm)\S*( .*)?", "store-multiple store"),
    (r"ldr\S* pc,.*", "load-pc"),
    (rf"ldrd{CONDITION}", "load-double"),
    (rf"strd{CONDITION}", "store-double"),
    (rf"ldr(b|h|sb|sh){CONDITION}", "load-small"),
    (rf"str(b|h){CONDITION}", "store-small"),
    (r"ldr\S*|lda\S*", "load"),
    (r"str\S*|stl\S*", "store"),
    (rf"[su]div{CONDITION}", "div"),
    (rf"muls?{CONDITION}", "mul"),
    (rf"ml[as]{CONDITION}", "mla"),
    (rf"[su]mull{CONDITION}", "long-mul"),
    (r"([su]mlal|umaal|smlsld)\S*", "long-mla"),
    (r"(smla|smls|smmla|smmls|usada8)\S*", "dsp-mla"),
    (r"(smu|smmul|usad8)\S*", "dsp-mul"),
    (r"clz\S*|(s|u)?(rev|rbit|bfi|bfc|[su]bfx|[su]xt[bh])(16|sh)?" + CONDITION, "bitfield"),
    (
        r"([su]xta?b16|[su]xta[bh]|pkh|[su]sat|qd?(add|sub)|sel|(s|q|sh|u|uq|uh)(add|sub)(8|16)|\w*(asx|sax))\S*",
        "dsp-alu",
    ),
    (rf"(lsl|lsr|asr|ror|rrx)s?{CONDITION}", "shift"),
    (r"(mov|add)\S* pc,.*", "branch-register"),
    (r"\w+ .*(lsl|lsr|asr|ror|rrx).*", "alu-shifted-operand shift"),
    (r"(adr|add|adc|sub|sbc|rsb|and|orr|eor|bic|orn|mvn|mov|cmp|cmn|tst|teq|neg)\S*", "alu shift"),
)
FLOATING = (
    (r"v(ldm|pop)\S*", "fp-load-multiple"),
    (r"v(stm|push)\S*", "fp-store-multiple"),
    (r"vldr\S* [sd].*", "fp-load"),
    (r"vstr\S* [sd].*", "fp-store"),
    (r"(vmrs|vmsr|vldr|vstr)\S*( .*)?", "system"),
    (r"vmov\S* (.*[, ])?(r\d+|lr|ip|sp|fp|sl)\b.*", "fp-core-move"),
    (r"(vmov|vabs|vneg|vsel|vmaxnm|vminnm)\S*", "fp-move"),
    (rf"v(add|sub){CONDITION}", "fp-add"),
    (rf"vn?mul{CONDITION}", "fp-mul"),
    (r"vn?ml[as]\S*", "fp-mla"),
    (r"vfn?m[as]\S*", "fp-fma"),
    (rf"vdiv{CONDITION}", "fp-div"),
    (rf"vsqrt{CONDITION}", "fp-sqrt"),
    (r"(vcvt|vrint)\S*", "fp-convert"),
    (r"vcmp\S*", "fp-compare"),
)
ARCHIVES = ("thumb/v6-m/nofp", "thumb/v7-m/nofp", "thumb/v7e-m+fp/hard", "thumb/v8-m.main+dp/hard")
# What compilers rarely print, with its class; assembled for Armv8.1-M with MVE.
RARE = {
    "dsp-mla": "smlad r0,r1,r2,r3;smladx r0,r1,r2,r3;smlsd r0,r1,r2,r3;smmla r0,r1,r2,r3;smmlar r0,r1,r2,r3;"
    "smlabb r0,r1,r2,r3;smlatt r0,r1,r2,r3;smlawb r0,r1,r2,r3;usada8 r0,r1,r2,r3",
    "dsp-mul": "smuad r0,r1,r2;smusd r0,r1,r2;smulbb r0,r1,r2;smulwt r0,r1,r2;smmul r0,r1,r2;usad8 r0,r1,r2",
    "long-mla": "smlald r0,r1,r2,r3;smlsld r0,r1,r2,r3;smlalbb r0,r1,r2,r3;umaal r0,r1,r2,r3",
    "dsp-alu": "sxtb16 r0,r1;sxtb16 r0,r1,ror #8;sxtab16 r0,r1,r2;uxtab r0,r1,r2;pkhbt r0,r1,r2,lsl #16;ssat r0,#8,r1;"
    "ssat r0,#8,r1,asr #3;usat r0,#8,r1;ssat16 r0,#8,r1;qadd r0,r1,r2;qdadd r0,r1,r2;sadd16 r0,r1,r2;sel r0,r1,r2",
    "bitfield": "clz r0,r1;rbit r0,r1;rev r0,r1;bfi r0,r1,#3,#4;bfc r0,#3,#4;ubfx r0,r1,#3,#4;sbfx r0,r1,#3,#4",
    "branch-table": "tbb [pc,r0];tbh [pc,r0,lsl #1]",
    "load-pc": "ldr pc,[r0];ldr pc,[sp],#4;ldmdb r0!,{r1,r8,pc};pop {r4,pc}",
    "load": "ldrex r0,[r1];ldrexb r0,[r1];lda r0,[r1]",
    "store": "strex r0,r1,[r2];stl r0,[r1]",
    "select": "csel r0,r1,r2,eq;csinc r0,r1,r2,ne;csneg r0,r1,r2,ne;cset r0,eq",
    "long-shift": "lsll r0,r1,#3;asrl r0,r1,r2;sqrshrl r0,r1,#64,r2;uqshll r0,r1,#3;sqshl r3,#3;uqrshl r2,r3",
    "loop-start": "dls lr,r0;wls lr,r0,1f;dlstp.8 lr,r0;wlstp.32 lr,r0,1f",
    "loop-end": "le lr,2b;letp lr,2b",
    "mve-predicate": "vctp.8 r0;vctp.32 r1",
    "mve-load": "vldrb.s16 q0,[r0];vldrb.u32 q0,[r0],#4;vldrh.u32 q7,[r3,#8]!;vldrw.u32 q0,[r8,#16]",
    "mve-store": "vstrb.16 q0,[r0];vstrh.32 q1,[r2],#8;vstrw.32 q3,[r9]",
    "mve-gather": "vldrb.u8 q0,[r0,q1];vldrh.u16 q0,[r0,q1,uxtw #1];vldrw.u32 q0,[r0,q1,uxtw #2];vldrd.u64 q0,[r0,q1];"
    "vldrb.s32 q0,[r0,q1];vldrw.u32 q0,[q1,#4];vldrw.u32 q0,[q1,#-4]!;vldrd.u64 q0,[q1,#8]",
    "mve-scatter": "vstrb.8 q0,[r0,q1];vstrw.32 q0,[q1,#4];vstrw.32 q0,[r0,q1,uxtw #2]",
    "mve-load-interleaved": "vld20.8 {q0,q1},[r0];vld21.16 {q0,q1},[r0]!;vld43.8 {q4,q5,q6,q7},[r2]!",
    "mve-store-interleaved": "vst20.8 {q0,q1},[r0];vst41.16 {q0,q1,q2,q3},[r0]",
    "mve-alu": "vadd.i32 q0,q1,q2;vqadd.s8 q0,q1,r2;vshl.s32 q0,r2;vrshl.s32 q0,q1,q2;vshr.s32 q0,q1,#3;vdup.8 q0,r1;"
    "vqmovnb.s32 q0,q1;vmovlt.u8 q0,q1;vpsel q0,q1,q2;vmax.s8 q0,q1,q2;vand q0,q1,q2;vmov.i32 q0,#255;"
    "vidup.u32 q0,r2,#4",
    "mve-mul": "vmul.i32 q0,q1,q2;vmulh.s32 q0,q1,q2;vqrdmulh.s32 q0,q1,q2;vqrdmulh.s32 q0,q1,r2;vmullb.s16 q0,q1,q2",
    "mve-mla": "vmla.s32 q0,q1,r2;vmlas.s32 q0,q1,r2;vqrdmlah.s16 q0,q1,r2",
    "mve-dot": "vmladava.s8 r0,q0,q1;vmladav.u8 r2,q3,q4;vmlaldava.s16 r0,r1,q0,q1;vrmlaldavh.s32 r0,r1,q0,q1",
    "mve-reduce": "vaddv.s8 r0,q1;vaddva.u32 r2,q1;vaddlv.s32 r0,r1,q1;vmaxv.s8 r0,q1;vminnmv.f32 r1,q2",
    "mve-compare": "vcmp.s8 gt,q0,q1;vcmp.f32 eq,q0,r1;vcmp.u16 hi,q0,q1",
    "mve-fp": "vadd.f32 q0,q1,q2;vmul.f32 q0,q1,r2;vcvt.s32.f32 q0,q1;vrintn.f32 q0,q1;vmaxnm.f32 q0,q1,q2",
    "mve-fma": "vfma.f32 q0,q1,q2;vfmas.f32 q0,q1,r2;vcmla.f32 q0,q1,q2,#90",
    "mve-core-move": "vmov q0[2],q0[0],r1,r2;vmov r1,r2,q0[3],q0[1]",
    "fp-core-move": "vmov.32 q0[0],r1;vmov.32 r1,q0[3];vmov.u8 r0,q3[7];vmov.16 q2[1],r7;vmov d3,r0,r1;"
    "vmov r0,r1,s4,s5",
}  # fmt: skip


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from mcucompile.run.host import find_host_compiler
    from mcucompile.run.tools import find_tool

    compiler = find_host_compiler()
    if compiler is None or not find_tool("arm-none-eabi-objdump"):
        pytest.skip("needs a C compiler for the host, and arm-none-eabi-binutils")
    program = tmp_path_factory.mktemp("decoder") / "decoder"
    sources = [Path(__file__).parent / "decoder.c", HEADERS / "decode.c", HEADERS / "decode_fp.c"]
    warnings = ["-Wall", "-Wextra", "-Wconversion", "-Wno-sign-conversion", "-Werror"]
    subprocess.run([compiler, "-std=c11", "-O1", *warnings, f"-I{HEADERS}", *sources, "-o", program], check=True)
    return program


def classes(decoder: Path, encodings: Iterable[str]) -> list[str]:
    text = "\n".join(encodings) + "\n"
    return subprocess.run([decoder], input=text, capture_output=True, text=True, check=True).stdout.split()


@cache
def expected(mnemonic: str, operands: str) -> tuple[str, ...] | None:
    """The classes that a line of disassembly may have; None for what objdump does not know either."""
    plain = re.sub(r"\.(n|w|f32|f64|s32|u32|32|8|16)\b|\.(f32|f64|s32|u32|f16|s8|u8|s16|u16|64)", "", mnemonic)
    for pattern, found in FLOATING if plain.startswith("v") else INTEGER:
        if re.fullmatch(pattern, plain) or re.fullmatch(pattern, f"{plain} {operands}"):
            return tuple(found.split())
    return None


def disassembly(archive: str) -> list[tuple[str, str, str]]:
    """(halfwords, mnemonic, operands) of the compiler's own library."""
    library = subprocess.run(["arm-none-eabi-gcc", "-print-file-name=libgcc.a"], capture_output=True, text=True).stdout
    path = Path(library.strip()).parent / archive / "libgcc.a"
    if not path.is_file():
        pytest.skip(f"the compiler has no {archive}/libgcc.a")
    text = subprocess.run(["arm-none-eabi-objdump", "-d", path], capture_output=True, text=True).stdout
    lines = re.findall(r"^ +[0-9a-f]+:\t((?:[0-9a-f]{4} ?){1,2})\s*\t([a-z]\S*)(?:\t(.*))?$", text, re.MULTILINE)
    return [(code, mnemonic, re.sub(r"\s*[@;<].*", "", operands)) for code, mnemonic, operands in lines]


@pytest.mark.parametrize("archive", ARCHIVES)
def test_agrees_with_objdump(decoder: Path, archive: str) -> None:
    lines = disassembly(archive)
    found = classes(decoder, (code for code, _, _ in lines))
    known = [(line, got) for line, got in zip(lines, found, strict=True) if expected(*line[1:])]
    wrong = [f"{line}: {got}" for line, got in known if got not in (expected(*line[1:]) or ())]
    assert len(known) > 0.99 * len(lines) > 2000
    assert not wrong, "\n".join(sorted(set(wrong))[:30])


def encodings(lines: Sequence[str], folder: Path) -> list[str]:
    """What the assembler makes of single instructions, as halfwords."""
    text = "".join(f"L{i}: {line}\n" for i, line in enumerate(lines))
    (folder / "a.s").write_text(f".syntax unified\n.thumb\n2: nop\n{text}1: nop\n")
    options = ["-march=armv8.1-m.main+mve.fp+fp.dp", "-mthumb", "a.s", "-o", "a.o"]
    subprocess.run(["arm-none-eabi-as", *options], cwd=folder, check=True)
    subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", "-j", ".text", "a.o", "a.bin"], cwd=folder, check=True)
    code, at, result = (folder / "a.bin").read_bytes(), 2, []
    for _ in lines:
        nbytes = 4 if code[at + 1] >> 3 >= 0x1D else 2
        result.append(" ".join(f"{int.from_bytes(code[k : k + 2], 'little'):04x}" for k in range(at, at + nbytes, 2)))
        at += nbytes
    return result


def test_rare_instructions(decoder: Path, tmp_path: Path) -> None:
    lines = [(line, wanted) for wanted, text in RARE.items() for line in text.split(";")]
    found = classes(decoder, encodings([line for line, _ in lines], tmp_path))
    wrong = [
        f"{line}: {got} instead of {wanted}" for (line, wanted), got in zip(lines, found, strict=True) if got != wanted
    ]
    assert not wrong, "\n".join(wrong)
