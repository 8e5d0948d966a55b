"""Arduino's library specification (revision 2.2), a C++ compiler, and Arduino's own builder where it is installed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from building import run, runs_right

HARDWARE = Path(__file__).parent / "arduino"
CORE = HARDWARE / "own" / "native" / "cores" / "own"
REQUIRED = {
    "name": r"(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9 _.-]{0,62}",
    "version": r"\d+\.\d+\.\d+",
    "author": r".+",
    "maintainer": r"(?!(?i:arduino)).+",
    "sentence": r".+",
    "paragraph": r".*",
    "category": "Display|Communication|Signal Input/Output|Sensors|Device Control|Timing|Data Storage|Data Processing|"
    "Other",
    "url": r"[a-z]+:\S+",
    "architectures": r"\*|[a-z0-9_]+(,[a-z0-9_]+)*",
}  # fmt: skip
OPTIONAL = {"includes": r"\S+\.h(,\S+\.h)*"}


def properties(folder: Path) -> dict[str, str]:
    lines = (folder / "library.properties").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_properties_are_those_of_the_specification(folder: Path) -> None:
    found = properties(folder)
    assert REQUIRED.keys() <= found.keys() <= REQUIRED.keys() | OPTIONAL.keys()
    for key, value in found.items():
        assert re.fullmatch({**REQUIRED, **OPTIONAL}[key], value), (key, value)
    assert (folder / found["includes"]).is_file()


def test_layout_is_the_flat_one(folder: Path) -> None:
    """There, the root alone is compiled, and utility/; a folder src/ would make it the recursive one."""
    names = {p.name for p in folder.iterdir()}
    assert not names & {"src", "utility", "Examples", "example"}
    assert {p.name for p in folder.glob("*.c")} == {"net.c", "net_kernels.c", "net_weights.c"}
    assert not list(folder.glob("*.cpp")) + list(folder.glob("*.S")) + list(folder.glob("*.ino"))
    for sketch in folder.rglob("*.ino"):
        assert sketch.parent.name == sketch.stem and len(sketch.stem) <= 63
        assert {p.name for p in sketch.parent.iterdir()} == {sketch.name}, "all else there would be compiled with it"


def test_sketch_is_cpp(folder: Path, tmp_path: Path, tool: Callable[[str], str]) -> None:
    (sketch,) = folder.rglob("*.ino")
    (tmp_path / "sketch.cpp").write_text("#include <Arduino.h>\n" + sketch.read_text())
    flags = ("-Os", "-Wall", "-Wextra", "-Werror", f"-I{folder}", f"-I{CORE}")
    run(tool("gcc"), "-std=gnu11", "-c", *flags, *sorted(folder.glob("*.c")), cwd=tmp_path)
    objects = sorted(tmp_path.glob("*.o"))
    run(
        tool("g++"),
        "-std=gnu++11",
        *flags,
        tmp_path / "sketch.cpp",
        CORE / "main.cpp",
        *objects,
        "-o",
        "sketch",
        cwd=tmp_path,
    )
    runs_right(tmp_path / "sketch")


def test_builder(folder: Path, tmp_path: Path, tool: Callable[[str], str]) -> None:
    """Arduino's builder finds the library by the sketch's #include, compiles it with the sketch, and nothing else."""
    builder, ctags = tool("arduino-builder"), Path(tool("arduino-ctags"))
    (tmp_path / "libraries").mkdir()
    folder.rename(tmp_path / "libraries" / "net")
    (sketch,) = (tmp_path / "libraries").rglob("*.ino")
    (tmp_path / "build").mkdir()
    pattern = (
        '"{cmd.path}" -u --language-force=c++ -f - --c++-kinds=svpf --fields=KSTtzns --line-directives "{source_file}"'
    )
    told = run(
        builder, "-compile", "-verbose", "-hardware", HARDWARE, "-tools", ctags.parent, "-libraries",
        tmp_path / "libraries", "-fqbn", "own:native:host", "-build-path", tmp_path / "build", "-prefs",
        f"tools.ctags.cmd.path={ctags}", "-prefs", f"tools.ctags.pattern={pattern}", sketch,
    )  # fmt: skip
    assert "Using library net at version" in told
    built = {p.name for p in (tmp_path / "build").rglob("*.o")}
    assert built == {"net.c.o", "net_kernels.c.o", "net_weights.c.o", f"{sketch.name}.cpp.o", "main.cpp.o"}
    runs_right(tmp_path / "build" / f"{sketch.name}.elf")
