"""UF2: the file, decoded by the format's description, and drives that take it, fill up, or go away."""

from __future__ import annotations

import os
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from jobs import PROGRAM, job

from mcucompile.errors import CompileError
from mcucompile.run.flash import uf2
from mcucompile.run.flash.engine import Job

PICO = """\
UF2 Bootloader v3.0
Model: Raspberry Pi RP2
Board-ID: RPI-RP2
"""


def decode(content: bytes, family: int) -> dict[int, bytes]:
    """Address -> payload. The format: github.com/microsoft/uf2, its table of the 512 bytes of a block."""
    assert len(content) % 512 == 0
    count, found = len(content) // 512, {}
    for i in range(count):
        block = content[512 * i : 512 * i + 512]
        magic0, magic1, flags, address, nbytes, index, total, known = struct.unpack_from("<8I", block)
        (end,) = struct.unpack_from("<I", block, 508)
        assert (magic0, magic1, end) == (0x0A324655, 0x9E5D5157, 0x0AB16F30)
        assert (flags, index, total, known) == (0x00002000, i, count, family)
        assert nbytes == 256 and address % 256 == 0
        found[address] = block[32 : 32 + nbytes]
    return found


def drive(folder: Path, name: str = "RPI-RP2", info: str = PICO) -> Path:
    place = folder / name
    place.mkdir()
    (place / "INFO_UF2.TXT").write_text(info)
    return place


@contextmanager
def restarting(place: Path, blocks: int) -> Iterator[dict[str, bytes]]:
    """A bootloader that takes its file when all blocks are there, and is gone with its drive then."""
    taken: dict[str, bytes] = {}

    def watch() -> None:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            files = list(place.glob("*.uf2"))
            if files and files[0].stat().st_size == 512 * blocks:
                taken[files[0].name] = files[0].read_bytes()
                (place / "INFO_UF2.TXT").unlink()
                return
            time.sleep(0.01)

    thread = threading.Thread(target=watch)
    thread.start()
    yield taken
    thread.join(25)


def refused(made: Job) -> CompileError:
    with pytest.raises(CompileError) as caught:
        uf2.program(made)
    assert caught.value.fix
    return caught.value


@pytest.mark.parametrize(("board", "family"), [("raspberry-pi-pico", 0xE48BFF56), ("raspberry-pi-pico-2", 0xE48BFF59)])
def test_program(tmp_path: Path, board: str, family: int) -> None:
    place = drive(tmp_path, info=PICO if board == "raspberry-pi-pico" else PICO.replace("RPI-RP2", "RP2350"))
    done: list[tuple[int, int]] = []
    made = job(tmp_path, board, drive=place, progress=lambda *step: done.append(step))
    pages = list(made.image.pages(256))
    with restarting(place, len(pages)) as taken:
        written = uf2.program(made)
    assert not written.is_read_back
    assert done == sorted(done)
    assert done[-2:] == [(len(pages), len(pages) + 1), (len(pages) + 1, len(pages) + 1)], "the start is a step, too"
    (content,) = taken.values()
    found = decode(content, family)
    whole = b"".join(found[address] for address in sorted(found))
    start = made.image.origin - min(found)
    assert whole[start : start + len(PROGRAM)] == PROGRAM
    assert set(whole[start + len(PROGRAM) :]) <= {0xFF}


def test_the_drive_is_found_among_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = job(tmp_path, "raspberry-pi-pico")
    (tmp_path / "media" / "stick").mkdir(parents=True)
    drive(tmp_path / "media", "OTHER", PICO.replace("RPI-RP2", "nRF52840-Feather"))
    right = drive(tmp_path / "media", "PICO")
    places = sorted((tmp_path / "media").iterdir())
    assert uf2.find_drive(made, places) == right
    drive(tmp_path / "media", "SECOND")
    with pytest.raises(CompileError) as caught:
        uf2.find_drive(made, sorted((tmp_path / "media").iterdir()))
    assert caught.value.code == "E0803"
    assert "--drive" in caught.value.fix


@pytest.mark.parametrize("info", [PICO.replace("RPI-RP2", "RP2350"), "Board-ID:\n", "nothing of use"])
def test_another_boards_drive(tmp_path: Path, info: str) -> None:
    place = drive(tmp_path, info=info)
    assert refused(job(tmp_path, "raspberry-pi-pico", drive=place)).code == "E0805"
    assert [p.name for p in place.iterdir()] == ["INFO_UF2.TXT"], "nothing was written"


def test_no_drive(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    error = refused(job(tmp_path, "raspberry-pi-pico", drive=tmp_path / "empty"))
    assert error.code == "E0802"
    assert "BOOTSEL" in error.fix
    assert f"{tmp_path / 'empty'} has no INFO_UF2.TXT" in error.why


def test_drives_that_are_none_of_a_board_are_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says where was looked, and nothing of what else is mounted there."""
    (tmp_path / "mnt" / "backup").mkdir(parents=True)
    (tmp_path / "mnt" / "file").touch()
    monkeypatch.setattr(uf2, "mount_patterns", lambda: (f"{tmp_path}/mnt/*", f"{tmp_path}/media/*/*"))
    made = job(tmp_path, "raspberry-pi-pico")
    error = refused(made)
    assert error.code == "E0802"
    assert f"no INFO_UF2.TXT is in {tmp_path}/mnt/*, {tmp_path}/media/*/*" in error.why
    assert "backup" not in str(error)
    (tmp_path / "media" / "me").mkdir(parents=True)
    right = drive(tmp_path / "media" / "me")
    assert uf2.mount_places() == [right, tmp_path / "mnt" / "backup"]
    assert uf2.find_drive(made, uf2.mount_places()) == right


def test_a_bootloader_that_does_not_start_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uf2, "RESTART_SECONDS", 0.2)
    assert refused(job(tmp_path, "raspberry-pi-pico", drive=drive(tmp_path))).code == "E0807"


def test_a_full_drive(tmp_path: Path) -> None:
    place = drive(tmp_path)
    (place / "raspberry-pi-pico.uf2").symlink_to("/dev/full")
    error = refused(job(tmp_path, "raspberry-pi-pico", drive=place))
    assert error.code == "E0809"
    assert "full" in error.what


def test_a_drive_that_goes_away_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = drive(tmp_path)
    written = uf2.os.fsync

    def unplugged(descriptor: int) -> None:
        (place / "INFO_UF2.TXT").unlink()
        written(descriptor)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(uf2.os, "fsync", unplugged)
    error = refused(job(tmp_path, "raspberry-pi-pico", drive=place))
    assert error.code == "E0809"
    assert "went away" in error.what


def test_the_last_block_may_restart_it_before_the_file_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = drive(tmp_path)
    made = job(tmp_path, "raspberry-pi-pico", drive=place)
    whole = 512 * len(list(made.image.pages(256)))

    def restarted(descriptor: int) -> None:
        if uf2.os.fstat(descriptor).st_size == whole:
            (place / "INFO_UF2.TXT").unlink()
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(uf2.os, "fsync", restarted)
    assert not uf2.program(made).is_read_back


def test_drives_are_looked_for_where_systems_mount_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is no drive, and a folder that may not be read, as another user's drives, is none and no error."""
    (tmp_path / "me" / "RPI-RP2").mkdir(parents=True)
    (tmp_path / "me" / "notes.txt").write_text("")
    (tmp_path / "you" / "RPI-RP2").mkdir(parents=True)
    monkeypatch.setattr(uf2, "mount_patterns", lambda: [f"{tmp_path}/*/*", f"{tmp_path}/nobody/*"])
    (tmp_path / "you").chmod(0o000)
    try:
        found = uf2.mount_places()
        is_readable = os.access(tmp_path / "you", os.R_OK)  # as root may
    finally:
        (tmp_path / "you").chmod(0o700)
    yours = [tmp_path / "you" / "RPI-RP2"] if is_readable else []
    assert found == [tmp_path / "me" / "RPI-RP2", *yours]
