"""Compare the registers that the firmware's drivers use with the makers' own descriptions of the parts (SVD files).

    pip download --no-deps pyocd==0.46.0 cmsis-svd==0.4 emdbg==1.8.1 labwired==0.25.0
    apt-get source --download-only pico-sdk    # Debian 13 or later: pico-sdk_*.orig.tar.gz
    python scripts/check_registers.py *.whl *.tar.gz

Arguments are SVD files, folders, and packages that hold SVD files, or LabWired's form of them; they are read where they
are, and installed pyOCD and LabWired are read in any case. For every board whose file names a description in [setup]
svd, each register macro of its drivers must be there under the same name and address, each field macro under the same
name at the same bits, and the serial port under its base address with its interrupt. What no description covers is
listed as unchecked, and so is what differs from the description of a part's relative where there is none of the part
itself. Registers of Arm's processors are in none of the descriptions, and not compared.

Exit code: 0 when nothing differs, 1 when something does, 2 for wrong arguments, 3 without a compiler, 4 when no board
that was asked for was compared.
"""

from __future__ import annotations

import argparse
import ast
import operator
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from labwired_parts import installed_labwired, labwired_parts
from svd import Svd, SvdRegister, installed, read_svd, svd_texts

from mcucompile.errors import CompileError
from mcucompile.resources import folder
from mcucompile.run.tools import find_toolchain
from mcucompile.target.board import Board, list_boards, load_board

CORE_REGISTERS = 0xE0000000  # from here on the addresses belong to Arm's processor
# Makers changed names from part to part: ours, as a pattern, and theirs.
ALIASES = (
    (r"PWR_(CR|CSR)", r"PWR_\g<1>1"),
    (r"RCC_PLLCFGR", "RCC_PLLSYSCFGR"),
    (r"(LP)?U?S?ART_(.*)", r"UART_UART\2"),
    (r"P\d_(.*)", r"GPIO_\1"),
)
FIELD_ALIASES = (
    (r"MODER(\d+)", r"MODE\1"),
    (r"OSPEEDR(\d+)", r"OSPEED\1"),
    (r"PUPDR(\d+)", r"PUPD\1"),
    (r"AFR[LH](\d+)", r"AFSEL\1"),
    (r"RXNE(IE)?", r"RXFNE\1"),  # where the USART has a FIFO
    (r"TXE", "TXFNF"),
)


@dataclass(frozen=True)
class Macro:
    parameters: tuple[str, ...]
    body: str


@dataclass
class Findings:
    board: str
    checked: int = 0
    wrong: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)


# The drivers.


def macros_of(board: Board) -> dict[str, Macro]:
    """All macros that the board's drivers define, as the preprocessor sees them with the board's constants."""
    assert board.setup is not None and board.uart is not None
    toolchain, project = find_toolchain(), folder("templates") / "project"
    family, found = board.setup.family, {}
    defines = (*board.setup.defines, *board.uart.defines, f"-DCLOCK_HZ={board.clock_hz}u", "-DMAX_PAYLOAD=512u")
    names = (f"setup_{family.driver}.c", f"uart_{board.uart.kind}.c", f"{family.ticks}.c")
    for path in (project / name for name in names):
        command = [*toolchain.command, *toolchain.target_flags(board.core), "-ffreestanding", *defines]
        command += [f"-I{project}", "-E", "-dM", str(path)]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        for line in text.splitlines():
            if match := re.fullmatch(r"#define (\w+)(?:\(([^)]*)\))? (.*)", line):
                parameters = tuple(p.strip() for p in match[2].split(",")) if match[2] else ()
                found[match[1]] = Macro(parameters, match[3])
    return found


OPERATORS = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Mod: operator.mod,
    ast.BitOr: operator.or_, ast.LShift: operator.lshift,
}  # fmt: skip


def value(text: str, macros: dict[str, Macro], names: dict[str, int]) -> int:
    """A constant expression of C, as far as the drivers use them."""
    return evaluate(ast.parse(re.sub(r"\b(0x[0-9a-fA-F]+|\d+)u\b", r"\1", text), mode="eval").body, macros, names)


def evaluate(node: ast.expr, macros: dict[str, Macro], names: dict[str, int]) -> int:
    if isinstance(node, ast.Constant):
        return int(node.value)  # type: ignore[arg-type]
    if isinstance(node, ast.BinOp):
        left, right = (evaluate(n, macros, names) for n in (node.left, node.right))
        return int(OPERATORS[type(node.op)](left, right))
    assert isinstance(node, ast.Name), ast.dump(node)
    return names[node.id] if node.id in names else value(macros[node.id].body, macros, names)


def uses(board: Board, macro: Macro, name: str) -> Iterator[tuple[str, dict[str, int]]]:
    """The name and arguments of each use of a macro: for the pins of the serial line, or counter 0."""
    assert board.uart is not None
    if not macro.parameters:
        yield name, {}
        return
    for pin in filter(None, (board.uart.tx, board.uart.rx)):
        arguments = {"port": pin.port, "pin": pin.number, "n": 0}
        if name.startswith(("GPIOx_AFRL", "GPIOx_CRL")) != (pin.number < 8) and re.match("GPIOx_(AFR|CR)", name):
            continue
        letter = chr(ord("A") + pin.port)
        spelled = name.replace("GPIOx", f"GPIO{letter}").replace("IOPx", f"IOP{letter}").replace("Px_", f"P{pin.port}_")
        spelled = spelled.replace("PIOx_", f"PIO{pin.port}_")
        spelled = re.sub(r"(?<=[A-Z0-9_])n(?=_|$)", str(0 if macro.parameters == ("n",) else pin.number), spelled)
        yield spelled, arguments


# The comparison.


def check(board: Board, svd: Svd) -> Findings:
    """What differs from the description of a relative instead of the part itself is only unchecked."""
    assert board.uart is not None and board.setup is not None
    findings, macros = Findings(board.name), macros_of(board)
    check_port(board, svd, findings)
    known: dict[str, SvdRegister] = {}
    for name, macro in macros.items():
        if macro.body.startswith("REGISTER("):
            for spelled, arguments in uses(board, macro, name):
                address = value(macro.body.removeprefix("REGISTER(").removesuffix(")"), macros, arguments)
                check_register(name, spelled, address, svd, known, findings)
    for name, macro in macros.items():
        if found := re.fullmatch(r"(BIT|FIELD)\((.*)\)", macro.body):
            owner = max((r for r in known if name.startswith(f"{r}_")), key=len, default=None)
            if owner is not None:
                for spelled, arguments in uses(board, macro, name):
                    low, width = bits_of(found[1], found[2], macros, arguments)
                    check_field(spelled, spelled[len(owner) + 1 :], (low, width), known[owner], findings)
    if svd.name not in board.setup.svd[:1]:
        findings.unchecked += findings.wrong
        findings.wrong = []
    return findings


def bits_of(kind: str, text: str, macros: dict[str, Macro], arguments: dict[str, int]) -> tuple[int, int]:
    if kind == "BIT":
        return value(text, macros, arguments), 1
    low, width = text.rsplit(",", 1)
    return value(low.strip(), macros, arguments), value(width.strip(), macros, arguments)


def check_port(board: Board, svd: Svd, findings: Findings) -> None:
    assert board.uart is not None
    if board.uart.base not in svd.interrupts:
        findings.unchecked.append(f"no peripheral at {board.uart.base:#x}, the serial port")
    elif board.uart.irq not in svd.interrupts[board.uart.base]:
        numbers = sorted(svd.interrupts[board.uart.base])
        place = findings.wrong if numbers else findings.unchecked
        place.append(f"the serial port's interrupt is {board.uart.irq}; {svd.name} has {numbers}")
    else:
        findings.checked += 1


def check_register(
    name: str, spelled: str, address: int, svd: Svd, known: dict[str, SvdRegister], findings: Findings
) -> None:
    if address >= CORE_REGISTERS:
        return
    there = svd.registers.get(address, [])
    forms = [r for r in there if same_register(spelled, r)]
    if forms:
        known[name] = replace(forms[0], fields={n: b for form in forms for n, b in form.fields.items()})
        findings.checked += 1
    elif there:
        findings.wrong.append(
            f"{spelled} is at {address:#x}, where {svd.name} has {there[0].peripheral}.{there[0].name}"
        )
    else:
        findings.unchecked.append(f"{spelled} at {address:#x}: {svd.name} has nothing there")


def plain(text: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", text.upper())


def same_register(ours: str, theirs: SvdRegister) -> bool:
    """Numbers of peripherals do not count: the address has found the right one."""
    peripheral = re.sub(r"\d+$", "", theirs.peripheral.upper())
    peripheral = re.sub(r"^(LPUART|USART|UARTE?)$", "UART", peripheral)
    name = re.sub(r"_(EN|DIS)ABLED$", "", theirs.name.upper())  # two forms of a register, with and without a FIFO
    block, _, rest = name.partition("_")
    names = {name, rest} if rest and peripheral.startswith(block) else {name}
    wanted = names | {f"{p}_{n}" for p in (peripheral, theirs.peripheral) for n in names}
    ours = re.sub(r"^(USART|LPUART)_", "UART_", ours)
    candidates = {ours, *(re.sub(f"^{a}$", b, ours) for a, b in ALIASES)}
    candidates |= {re.sub(r"^([A-Z]+)\d+_", r"\1_", c) for c in candidates}
    return not set(map(plain, wanted)).isdisjoint(map(plain, candidates))


def check_field(spelled: str, name: str, bits: tuple[int, int], register: SvdRegister, findings: Findings) -> None:
    name = re.sub(r".*?_", "", name) if name not in register.fields and "_" in name else name
    candidates = [name, *(re.sub(f"^{a}$", b, name) for a, b in FIELD_ALIASES)]
    there = next((register.fields[c] for c in candidates if c in register.fields), split(name, register))
    if there == bits:
        findings.checked += 1
    elif there is None and bits in register.fields.values():
        other = next(n for n, b in register.fields.items() if b == bits)
        findings.wrong.append(f"{spelled}: these bits are called {other}")
    elif there is None:
        findings.unchecked.append(f"{spelled}: {register.peripheral}.{register.name} is described without it")
    else:
        findings.wrong.append(f"{spelled} is {bits}; it should be {there} (lowest bit, width)")


def split(name: str, register: SvdRegister) -> tuple[int, int] | None:
    """A field that is described bit by bit: NAME0, NAME1 and so on."""
    lows: list[int] = []
    while (there := register.fields.get(f"{name}{len(lows)}")) is not None and there[1] == 1:
        lows.append(there[0])
    return (lows[0], len(lows)) if lows and lows == list(range(lows[0], lows[0] + len(lows))) else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sources", nargs="*", type=Path, help="SVD files, folders or packages with SVD files")
    parser.add_argument("--board", action="append", help="only this board")
    arguments = parser.parse_args()
    absent = [str(s) for s in arguments.sources if not s.exists()]
    if absent:
        parser.error(f"not there: {', '.join(absent)}")
    try:
        boards = [b for b in map(load_board, arguments.board or list_boards()) if b.setup]
        return report(boards, descriptions([*arguments.sources, *installed(), *installed_labwired()]))
    except CompileError as e:
        print(e, file=sys.stderr)
        return 3 if e.code.startswith("E06") else 2


def descriptions(sources: list[Path]) -> dict[str, Callable[[], Svd]]:
    """What reads the description of each part, by its name in small letters: a maker's own file before a copy."""
    found: dict[str, Callable[[], Svd]] = {}
    for name, content in svd_texts(sources):
        found.setdefault(name.lower(), partial(read_svd, name, content))
    for name, read in labwired_parts(sources):
        found.setdefault(name, read)
    return found


def report(boards: list[Board], found: dict[str, Callable[[], Svd]]) -> int:
    bad = compared = 0
    for board in boards:
        assert board.setup is not None
        name = next((n for n in board.setup.svd if n.lower() in found), None)
        if name is None:
            print(f"{board.name}: unchecked; no description named {' or '.join(board.setup.svd) or '(none)'}")
            continue
        findings = check(board, replace(found[name.lower()](), name=name))
        bad, compared = bad + len(findings.wrong), compared + 1
        print(f"{board.name}: {findings.checked} registers and fields as in {name}, {len(findings.wrong)} wrong")
        for line in findings.wrong:
            print(f"  wrong: {line}")
        for line in findings.unchecked:
            print(f"  unchecked: {line}")
    if not compared:
        print("no board was compared", file=sys.stderr)
    return 1 if bad else 0 if compared else 4


if __name__ == "__main__":
    sys.exit(main())
