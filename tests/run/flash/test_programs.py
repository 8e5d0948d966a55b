"""OpenOCD and commands of the user's, against small programs that check what they are given."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest
from jobs import PROGRAM, job

from mcucompile.errors import MISSING_TOOLS, CompileError
from mcucompile.run.flash import command, openocd, process
from mcucompile.run.flash.engine import Job

OPENOCD = """\
#!/bin/sh
test "$1" = -f && test "$2" = interface/stlink.cfg || { echo "first: $*"; exit 9; }
test "$3" = -f && test "$4" = target/stm32f4x.cfg || { echo "second: $*"; exit 9; }
test "$5" = -c && test "$6" = "program firmware.elf verify reset exit" && test $# = 6 || { echo "third: $*"; exit 9; }
test "$(cat firmware.elf)" = "$(printf '\\177ELF of a test')" || { echo "no program"; exit 9; }
"""
GOOD = """\
echo "** Programming Started **"
echo "** Programming Finished **"
echo "** Verify Started **"
echo "** Verified OK **"
"""


def executable(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def error_of(engine: object, made: Job) -> CompileError:
    with pytest.raises(CompileError) as caught:
        engine(made)  # type: ignore[operator]
    return caught.value


def test_openocd_gets_the_boards_files(path: Path, tmp_path: Path) -> None:
    executable(path, "openocd", OPENOCD + GOOD)
    done: list[tuple[int, int]] = []
    written = openocd.program(job(tmp_path, "nucleo-f446re", progress=lambda *step: done.append(step)))
    assert written.is_read_back
    assert done == [(1, 1)]


def test_openocd_takes_the_probe_that_was_named(tmp_path: Path) -> None:
    words = openocd.arguments(job(tmp_path, "nucleo-f446re", probe="066AFF"))
    assert words[4:6] == ["-c", "adapter serial 066AFF"]


@pytest.mark.parametrize(
    ("output", "code"),
    [
        ("Error: open failed", "E0802"),
        ("Error: unable to find a matching CMSIS-DAP device", "E0802"),
        ("Error: No J-Link device found", "E0802"),
        ("Error: no device found\\nError: unable to open ftdi device with vid 0403, pid bcd9", "E0802"),
        ("Error: libusb_open() failed with LIBUSB_ERROR_ACCESS\\nError: open failed", "E0806"),
        ("Error: stm32x device protected", "E0804"),
        ("Info : RDP level 0 (0xAA)\\nError: flash write failed", "E0807"),
        ("Info : Padding block 3, not protected\\nError: timed out", "E0807"),
        ("Info : RDP level 1 (0x55)\\nError: failed erasing sectors 0 to 1", "E0804"),
        ("Info : RDP level 0.5 (0x55)\\nError: failed erasing sectors 0 to 1", "E0804"),
        (
            "Error: [nrf52.cpu] Could not find MEM-AP to control the core\\n****** WARNING ******\\n"
            "nRF52 device has AP lock engaged (see UICR APPROTECT register).\\nDebug access is denied.",
            "E0804",
        ),
        ("Error: contents differ\\n** Verify Failed **", "E0808"),
        ("Error: JTAG tap: stm32f4x.cpu  UNEXPECTED: 0x06413041", "E0805"),
        ("Error: timed out while waiting for target halted", "E0807"),
    ],
)
def test_what_openocd_complains_of(path: Path, tmp_path: Path, output: str, code: str) -> None:
    executable(path, "openocd", f"#!/bin/sh\nprintf '{output}\\n' >&2\nexit 1\n")
    error = error_of(openocd.program, job(tmp_path, "nucleo-f446re"))
    assert error.code == code
    assert error.fix
    assert "Error" in error.why


def test_openocd_that_is_older_than_the_part(path: Path, tmp_path: Path) -> None:
    """As releases from before the STM32U5 say it."""
    text = "embedded:startup.tcl:26: Error: Can't find target/stm32u5x.cfg\nin procedure 'script'\nat file"
    executable(path, "openocd", f'#!/bin/sh\nprintf "{text}\\n" >&2\nexit 1\n')
    error = error_of(openocd.program, job(tmp_path, "nucleo-f446re"))
    assert error.code == "E0810"
    assert error.what == "this OpenOCD has no target/stm32u5x.cfg"
    assert "nothing was erased" in error.why and "may hold a part" not in error.why
    assert "newer OpenOCD" in error.fix and "cable" not in error.fix


@pytest.mark.parametrize("text", ["exit 0", GOOD + "exit 1", GOOD.replace("Verified OK", "Programming Finished")])
def test_openocd_that_only_says_that_it_is_done(path: Path, tmp_path: Path, text: str) -> None:
    executable(path, "openocd", f"#!/bin/sh\n{text}\n")
    assert error_of(openocd.program, job(tmp_path, "nucleo-f446re")).code == "E0807"


def test_openocd_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openocd, "find_tool", lambda name: None)
    error = error_of(openocd.program, job(tmp_path, "nucleo-f446re"))
    assert error.code in MISSING_TOOLS
    assert error.exit_code == 3


def test_a_command_gets_every_form_of_the_program(path: Path, tmp_path: Path) -> None:
    text = '#!/bin/sh\ncp "$1" "$OUT/elf"; cp "$2" "$OUT/raw"; cp "$3" "$OUT/hex"; echo "$4|$5" > "$OUT/rest"\n'
    tool = executable(path, "my tool", text.replace("$OUT", str(tmp_path)))
    template = f"'{tool}' {{elf}} {{bin}} {{hex}} --port={{port}} '; $(no shell)'"
    made = job(tmp_path, "nucleo-f446re", port="/dev/ttyACM0", command=template)
    written = command.program(made)
    assert not written.is_read_back
    assert (tmp_path / "elf").read_bytes() == made.image.elf.read_bytes()
    assert (tmp_path / "raw").read_bytes() == PROGRAM
    assert (tmp_path / "hex").read_text() == made.image.intel_hex()
    assert (tmp_path / "rest").read_text() == "--port=/dev/ttyACM0|; $(no shell)\n"


def test_a_command_that_fails(path: Path, tmp_path: Path) -> None:
    executable(path, "mytool", "#!/bin/sh\necho 'no such device'\nexit 4\n")
    error = error_of(command.program, job(tmp_path, "nucleo-f446re", command="mytool {bin}"))
    assert error.code == "E0807"
    assert "no such device" in error.why and "exit code 4" in error.why


BAD_WORDS = ("{file}", "{elf", "{}", "'open", "{elf.name}", "{elf!x}", "{elf:d}", "{elf:{bin}}")


@pytest.mark.parametrize("template", ["", "   ", *(f"tool {word}" for word in BAD_WORDS)])
def test_commands_that_cannot_be_filled_in(template: str) -> None:
    with pytest.raises(CompileError) as caught:
        command.split(template)
    assert caught.value.code == "E0701"
    assert command.split("tool {elf} '{{x}}'") == ["tool", "{elf}", "{{x}}"]


@pytest.mark.parametrize("template", ["echo hi", "tool --port={port}", "tool '{{elf}}'"])
def test_a_command_that_does_not_get_the_program(template: str) -> None:
    with pytest.raises(CompileError) as caught:
        command.split(template)
    assert caught.value.code == "E0701"
    assert "{elf}, {bin}, {hex}" in caught.value.why


def test_a_boards_own_command_that_fails_says_what_it_needs(path: Path, tmp_path: Path) -> None:
    executable(path, "bossac", "#!/bin/sh\necho 'No device found on ttyUSB0'\nexit 1\n")
    board = "arduino-nano-33-ble"
    (tmp_path / "other").mkdir()
    error = error_of(command.program, job(tmp_path, board, port="/dev/ttyUSB0"))
    assert error.code == "E0807"
    assert "No device found" in error.why
    assert "press reset twice" in error.fix and "verify --no-flash" in error.fix
    missing = error_of(command.program, job(tmp_path / "other", board))
    assert missing.code == "E0610"
    assert "press reset twice" in missing.fix


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    error = error_of(command.program, job(tmp_path, "nucleo-f446re", command="no-such-tool {bin}"))
    assert error.exit_code == 3


def test_a_tool_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(CompileError) as caught:
        process.run_tool(
            job(tmp_path, "nucleo-f446re"), "tool", ["sh", "-c", "sleep 60 & echo $! > child; sleep 60"], tmp_path, 0.5
        )
    assert caught.value.code == "E0807"
    assert time.monotonic() - start < 10
    child = Path("/proc") / (tmp_path / "child").read_text().strip() / "stat"
    deadline = time.monotonic() + 10
    while child.exists() and ") Z " not in child.read_text():
        assert time.monotonic() < deadline, "it lives on"
        time.sleep(0.02)


def test_the_image_is_what_the_board_gets(tmp_path: Path) -> None:
    made = job(tmp_path, "nucleo-f446re")
    files = command.write_files(made, tmp_path)
    assert Path(files["bin"]).read_bytes() == PROGRAM
