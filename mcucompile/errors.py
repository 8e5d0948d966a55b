"""The one user-facing error, and the catalogue that `mcucompile explain` prints."""

from __future__ import annotations

import errno

USER_ERROR = 2
MISSING_TOOL = 3


class CompileError(Exception):
    """Something the user can fix: a code, what is wrong, where, why, and how to fix it."""

    def __init__(self, code: str, what: str, where: str = "", why: str = "", fix: str = "") -> None:
        assert code in CODES, f"{code} is not in the catalogue"
        super().__init__(what)
        self.code, self.what, self.where, self.why, self.fix = code, what, where, why, fix

    @property
    def exit_code(self) -> int:
        return MISSING_TOOL if self.code in MISSING_TOOLS else USER_ERROR

    def at(self, where: str) -> CompileError:
        """The same error, whose place is `where` unless it has a nearer one."""
        return CompileError(self.code, self.what, self.where or where, self.why, self.fix)

    def __str__(self) -> str:
        lines = [f"error[{self.code}]: {self.what}"]
        if self.where:
            lines.append(f"  --> {self.where}")
        lines += [f"    | {line}" for line in self.why.splitlines()]
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)


# Codes are grouped by hundreds: 01 model file, 02 quantization and data, 03 boards, 04 kernels and lowering,
# 05 memory, 06 tools, emulator and serial line, 07 command line and files, 08 flashing.
CODES: dict[str, str] = {
    "E0101": "The model file cannot be read as ONNX: it is empty, cut off, or not an ONNX file at all.",
    "E0102": "The model is not a valid ONNX graph: a name is defined twice, used before it is computed, missing, or in a cycle.",
    "E0103": "The network uses operators, attributes or types that mcucompile does not compile yet. All are listed at once.",
    "E0104": "A dimension of an input is symbolic. The batch becomes 1 by itself; give any other with --shape INPUT=1,3,32,32.",
    "E0105": "A tensor is too large for any microcontroller this tool targets; the file is probably damaged.",
    "E0106": "The model's opset or IR version is outside the supported range (opset 7 to 21).",
    "E0107": "Two parts of the model contradict each other: shapes or types do not fit the operator.",
    "E0108": "The value given with --shape does not fit the model.",
    "E0201": "The network is float and the chosen dtype needs calibration data: representative inputs, given with --calibration.",
    "E0202": "The calibration or test data does not fit the network: wrong name, shape or type, empty, or with NaN or infinity in it.",
    "E0203": "A 32-bit sum could overflow with the given weights, so the network cannot be compiled as it is.",
    "E0204": "A quantization parameter is out of range: a scale that is not positive, or a zero point that does not fit its type.",
    "E0205": "The requested dtype or numerics contradict the model.",
    "E0206": "The network cannot be compressed as the recipe asks: a pass finds no layer that it could change, or needs a float network.",
    "E0301": "There is no board of that name, and no file either. `mcucompile boards` lists what is known.",
    "E0302": "The board file has a wrong or missing entry.",
    "E0303": "The board has no way to run a program from here: it is neither emulated nor on a serial port.",
    "E0401": "No kernel computes this operator with these types on this core.",
    "E0402": "The weights cannot be kept in the encoding that is asked for: it does not represent them exactly, or no kernel of the operator takes it.",
    "E0501": "The network needs more RAM than --ram allows, or than the board leaves for it.",
    "E0502": "The network needs more flash than --flash-budget allows, or than the board has.",
    "E0503": "Proving a memory plan needs the optional package OR-tools.",
    "E0601": "No compiler was found: for a board install gcc-arm-none-eabi, or `pip install ziglang`; for the host gcc or clang.",
    "E0602": "qemu-system-arm was not found. Install the package qemu-system-arm.",
    "E0603": "The Arm compiler rejected the program or could not link it.",
    "E0604": "The emulator stopped unexpectedly.",
    "E0605": "The device did not answer in time: the firmware hangs, or the line is cut.",
    "E0606": "The serial line delivers damaged frames, even after retries.",
    "E0607": "The device answers, but runs another program than the one just built.",
    "E0608": "The device reported an error.",
    "E0609": "The serial port cannot be opened.",
    "E0610": "Which serial port the board is on cannot be told: none is on a USB device of this board, or several are. Name one with --port.",
    "E0701": "A command line option has a value that cannot be used.",
    "E0702": "A file or folder cannot be read or written.",
    "E0703": "The folder is not the output of `mcucompile compile`, or was changed afterwards.",
    "E0704": "There is no error of that code.",
    "E0801": "The flashing engine is not installed: `pip install 'mcucompile[boards]'` brings pyOCD, the package openocd OpenOCD.",
    "E0802": "Nothing was found to program the board through: no debug probe, no bootloader that answers, no UF2 drive.",
    "E0803": "Several debug probes or UF2 drives are connected, and which of them is the board's cannot be told.",
    "E0804": "The chip is locked: its flash is protected against reading or writing. Unlocking erases it, which mcucompile does not do by itself.",
    "E0805": "Another part than the board's is connected. Nothing was erased.",
    "E0806": "The operating system does not let this user at the debug probe. On Linux udev rules give access.",
    "E0807": "Programming failed, or the connection was lost meanwhile. The board may hold a part of the program; nothing was verified on it.",
    "E0808": "What was read back from flash is not what was written: the flash is worn out or protected, or the supply is weak.",
    "E0809": "The UF2 drive is full, or went away before the whole program was on it.",
    "E0810": "The board cannot be programmed with this engine: its file does not have what the engine needs, or the engine does not know the part.",
}
MISSING_TOOLS = frozenset({"E0503", "E0601", "E0602", "E0801"})


NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


def is_out_of_space(e: BaseException) -> bool:
    """Python finds no folder for temporary files where all disks are full, and does not say why."""
    is_without_folder = isinstance(e, FileNotFoundError) and "temporary directory" in (e.strerror or "")
    return is_without_folder or (isinstance(e, OSError) and e.errno in NO_SPACE)


def no_space() -> CompileError:
    """For what fails since a disk is full, which need not be the one that files were asked for on."""
    return CompileError(
        "E0702", "no space is left for what is written",
        why="that may be what is asked for, or temporary files",
        fix="free some space, or set TMPDIR to a folder for temporary files that has some",
    )  # fmt: skip
