"""Marks of tests that need programs which a machine may not have."""

import pytest

from mcucompile.run.tools import find_tool

NO_EMULATOR = "needs arm-none-eabi-gcc and qemu-system-arm"


def has_emulator() -> bool:
    return bool(find_tool("qemu-system-arm") and find_tool("arm-none-eabi-gcc"))


needs_compiler = pytest.mark.skipif(not find_tool("arm-none-eabi-gcc"), reason="needs arm-none-eabi-gcc")
needs_emulator = pytest.mark.skipif(not has_emulator(), reason=NO_EMULATOR)
