"""Node names with line breaks made a twin's sources others than the network's; directional marks upset the compiler."""

from __future__ import annotations

from pathlib import Path

from small_network import small_network

from mcucompile.api import load_compiled

NAMES = ("conv\nof two lines", "\u202e relu", "gemm\u2028\x1b[31m")


def test_a_folder_is_taken_up_again(tmp_path: Path) -> None:
    compiled = small_network(NAMES)
    compiled.write(tmp_path / "out")
    again = load_compiled(tmp_path / "out")
    assert again.program.weight_nbytes == compiled.program.weight_nbytes
    sources = [text.decode() for name, text in compiled.files.items() if name.endswith((".c", ".h"))]
    assert all(c.isprintable() or c == "\n" for text in sources for c in text)
