"""QEMU starts, ends with its context, and is never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import tiny

from mcucompile.errors import CompileError
from mcucompile.run import qemu as qemu_module
from mcucompile.run.build import build
from mcucompile.run.qemu import Qemu
from mcucompile.run.tools import find_qemu
from mcucompile.target.board import load_board

HOST = """
import sys, time
from pathlib import Path
from mcucompile.run.qemu import Qemu
from mcucompile.target.board import load_board
with Qemu(load_board("qemu-m4"), Path(sys.argv[1])) as qemu:
    print(qemu.pid, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def elf(emulator: None, library: Path, tmp_path: Path) -> Path:
    return build(library, tiny.INTERFACE, load_board("qemu-m4"), tmp_path / "work").elf


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().split()[2]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until_gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_running(pid)


def test_it_ends_with_its_context(elf: Path) -> None:
    with Qemu(load_board("qemu-m4"), elf) as qemu:
        qemu.check_alive()
        pid = qemu.pid
    assert not is_running(pid)


def test_it_ends_when_the_body_fails(elf: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Qemu(load_board("qemu-m4"), elf) as qemu:
        raise KeyboardInterrupt
    assert not is_running(qemu.pid)


def test_it_ends_when_it_does_not_listen(elf: Path) -> None:
    with Qemu(load_board("qemu-m4"), elf) as qemu:
        os.kill(qemu.pid, signal.SIGSTOP)
    assert not is_running(qemu.pid)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux kills a child with its parent")
def test_it_ends_when_the_host_is_killed(elf: Path) -> None:
    host = subprocess.Popen([sys.executable, "-c", HOST, str(elf)], stdout=subprocess.PIPE)
    assert host.stdout
    pid = int(host.stdout.readline())
    assert is_running(pid)
    host.kill()
    host.communicate()
    assert wait_until_gone(pid)


def test_an_unexpected_end_is_an_error(elf: Path) -> None:
    with Qemu(load_board("qemu-m4"), elf) as qemu:
        os.kill(qemu.pid, signal.SIGKILL)
        with pytest.raises(CompileError) as caught:
            qemu.check_alive()
    assert caught.value.code == "E0604"
    assert "-9" in caught.value.what


def wake_again_and_again(qemu: Qemu) -> None:
    while True:
        qemu.wake()


def test_commands_to_what_has_ended_are_an_error(elf: Path) -> None:
    """And no broken pipe, which the command line takes for a reader of its output that has gone."""
    with Qemu(load_board("qemu-m4"), elf) as qemu:
        os.kill(qemu.pid, signal.SIGKILL)
        with pytest.raises(CompileError) as caught:
            wake_again_and_again(qemu)
    assert caught.value.code == "E0604"


def test_its_own_message_is_passed_on(elf: Path) -> None:
    board = load_board("qemu-m4")
    assert board.emulator
    wrong = replace(board, emulator=replace(board.emulator, machine="no-such-machine"))
    with pytest.raises(CompileError) as caught, Qemu(wrong, elf):
        pass
    assert caught.value.code == "E0604"
    assert "unsupported machine" in caught.value.why


def test_a_real_board_is_not_emulated(elf: Path) -> None:
    with pytest.raises(CompileError) as caught:
        Qemu(load_board("nucleo-f446re"), elf)
    assert caught.value.code == "E0303"


def test_without_qemu(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        monkeypatch.setattr("mcucompile.run.tools.find_tool", lambda name: None)
        return find_qemu()

    monkeypatch.setattr(qemu_module, "find_qemu", missing)
    with pytest.raises(CompileError) as caught:
        Qemu(load_board("qemu-m4"), Path("firmware.elf"))
    assert (caught.value.code, caught.value.exit_code) == ("E0602", 3)
