"""What the formats need to know of a generated library, and what a format is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import __version__
from ..emit.c import needs, render
from ..ir import Program
from ..target.cores import Core, Isa
from .sample import Sample

# The cores that have the instructions; fields for platforms and architectures know none of them.
RUNS_ON: Mapping[Isa, str] = {
    Isa.SCALAR: "any core",
    Isa.MAINLINE: "Cortex-M3, M4, M7, M33 and later, not M0, M0+ or M23",
    Isa.DSP: "Cortex-M4, M7, and M33 or later with DSP instructions",
    Isa.MVE: "Cortex-M52, M55 and M85, with Helium",
}


@dataclass(frozen=True, eq=False)
class Library:
    """A generated library: `c_files` are its sources and headers, file name -> content; `sample` checks builds;
    `board` is the name of the board that it was compiled for."""

    program: Program
    core: Core
    c_files: Mapping[str, bytes]
    sample: Sample
    board: str

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def version(self) -> str:
        """Of the form 1.2.3, which all formats understand."""
        found = re.match(r"\d+\.\d+\.\d+", __version__)
        assert found, f"version {__version__} does not begin with three numbers"
        return found[0]

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(sorted(file for file in self.c_files if file.endswith(".c")))

    @property
    def headers(self) -> tuple[str, ...]:
        return tuple(sorted(file for file in self.c_files if file.endswith(".h")))

    @property
    def isa(self) -> Isa:
        """The least instruction set that its kernels can do with."""
        return max((isa for isa in Isa if needs(self.program.kernels, isa)), default=Isa.SCALAR)

    @property
    def description(self) -> str:
        stops = "" if self.isa is Isa.SCALAR else "; for others it does not compile"
        cores = f"{RUNS_ON[self.isa]}{stops}"
        return f"{self.name}: a neural network in plain C, compiled by mcucompile {__version__} for {cores}"

    def render(self, template: str, **more: Any) -> bytes:
        """A template of templates/export/ with what all of them use."""
        return render(
            f"export/{template}", library=self, name=self.name, NAME=self.name.upper(), program=self.program,
            core=self.core, version=__version__, **more,
        ).encode()  # fmt: skip


@dataclass(frozen=True)
class Run:
    """Lines for a shell in the output folder that build and run the example: on an emulated `core`, "" = the host."""

    core: str
    lines: tuple[str, ...]


def elsewhere(_: Library) -> Sequence[Run]:
    """Of a format whose example needs a board."""
    return ()


@dataclass(frozen=True)
class Format:
    """`files` are what it adds, path -> content; `use` says, of a folder {folder} and a library {name}, what to do, and
    `check`, in the words of a README, where its example is; `runs` are the ways to run that one without a board."""

    name: str
    use: str
    check: str
    files: Callable[[Library], Mapping[str, bytes]]
    runs: Callable[[Library], Sequence[Run]] = elsewhere
