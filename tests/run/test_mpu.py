"""The regions that the firmware of a Cortex-M7 sets, on QEMU's model of one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mcucompile.resources import folder
from mcucompile.run.tools import find_tool

PSRAM, RAM = 0x60000000, 0x20000000  # of the machine; that at 0x60000000 has 16 MB
FLASH_NBYTES = 8 << 20
FORBID = "forbid_external_memory()"
# As on an i.MX RT: the flash lies where the external memory is.
FLASH_INSIDE = (
    "mpu_clear(), mpu_set_region(0, EXTERNAL_MEMORY, HALF_GB, ABSENT), mpu_set_region(1, EXTERNAL_MEMORY, "
    f"{FLASH_NBYTES}, IN_FIELD(MPU_RASR_AP, AP_READ_ONLY) | MPU_RASR_C), mpu_enable()"
)


@pytest.mark.parametrize(
    ("regions", "address", "is_read"),
    [
        ("(void)0", PSRAM, True),
        (FORBID, PSRAM, False),
        (FORBID, PSRAM + (16 << 20) - 4, False),
        (FORBID, RAM, True),
        (FORBID, 0, True),
        (FLASH_INSIDE, PSRAM, True),
        (FLASH_INSIDE, PSRAM + FLASH_NBYTES - 4, True),
        (FLASH_INSIDE, PSRAM + FLASH_NBYTES, False),
    ],
)
def test_what_may_be_read(tmp_path: Path, regions: str, address: int, is_read: bool) -> None:
    compiler, emulator = find_tool("arm-none-eabi-gcc"), find_tool("qemu-system-arm")
    if not compiler or not emulator:
        pytest.skip("needs arm-none-eabi-gcc and qemu-system-arm")
    elf = tmp_path / "mpu.elf"
    subprocess.run(
        [compiler, "-mcpu=cortex-m7", "-mthumb", "-O1", "-nostdlib", "-ffreestanding", "-Wall", "-Werror",
         f"-I{folder('templates') / 'project'}", f"-DSET_REGIONS={regions}", f"-DADDRESS={address}u",
         Path(__file__).parent / "mpu.c", "-Wl,-Ttext=0x400,--section-start=.vectors=0,-ereset", "-o", elf],
        check=True,
    )  # fmt: skip
    machine = [emulator, "-M", "mps2-an500", "-nographic", "-semihosting", "-kernel", elf]
    done = subprocess.run(machine, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    assert done.stdout == ("read\n" if is_read else "fault\n")
