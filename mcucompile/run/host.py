"""Run a generated library on the host: compiled by the host's C compiler, in a process of its own.

Decided: a program fed through pipes. Because: a crash or a sanitizer's finding in generated code becomes an error that
names it. Instead of: a shared object under ctypes, which takes Python down with it and cannot have address sanitizer.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..emit.project import render_program
from ..errors import CompileError
from ..resources import folder
from .build import call
from .interface import Interface, StepOutput

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
_EXITS = {101: "the network's init function refused", 102: "the network's run function reported an error"}


def find_host_compiler() -> str | None:
    """The path of gcc, cc or clang, whichever comes first."""
    return next((path for path in map(shutil.which, ("gcc", "cc", "clang")) if path), None)


class HostLibrary:
    """The library in `library_dir`, compiled for the host. Raises E0601 without a host compiler, E0603 if it refuses.

    The program lives in a temporary folder that goes with the object.
    """

    def __init__(
        self, library_dir: Path, interface: Interface, *, opt: str = "-O1", sanitize: bool = False, timeout: float = 60
    ) -> None:
        self.interface, self.timeout = interface, timeout
        self._folder = tempfile.TemporaryDirectory(prefix="mcucompile-host-")
        self._program = Path(self._folder.name) / "network"
        self._compile(Path(library_dir).resolve(), (opt, *(SANITIZERS if sanitize else ())))

    def run(self, inputs: Sequence[bytes]) -> list[bytes]:
        """The outputs' bytes for one sample's inputs."""
        return self.run_batch([inputs])[0]

    def run_batch(self, samples: Sequence[Sequence[bytes]]) -> list[list[bytes]]:
        """The outputs of each sample."""
        return [outputs for _, outputs in self._execute(samples, ())]

    def trace(self, inputs: Sequence[bytes]) -> list[StepOutput]:
        """What every step wrote, in order, for one sample's inputs."""
        return self._execute([inputs], ("trace",))[0][0]

    def _execute(
        self, samples: Sequence[Sequence[bytes]], arguments: tuple[str, ...]
    ) -> list[tuple[list[StepOutput], list[bytes]]]:
        for inputs in samples:
            self.interface.check_inputs(inputs)
        stream = b"".join(data for inputs in samples for data in inputs)
        try:
            done = subprocess.run([self._program, *arguments], input=stream, capture_output=True, timeout=self.timeout)
        except subprocess.TimeoutExpired as e:
            raise CompileError("E0605", f"the network did not end within {self.timeout:g} s on the host") from e
        if done.returncode != 0:
            what = _EXITS.get(done.returncode, f"the network crashed on the host (exit {done.returncode})")
            raise CompileError("E0608", what, why=done.stderr.decode(errors="replace")[:4000])
        return self.interface.decode_batch(done.stdout)

    def _compile(self, library_dir: Path, options: tuple[str, ...]) -> None:
        compiler = find_host_compiler()
        if compiler is None:
            raise CompileError("E0601", "no C compiler for the host was found", fix="install gcc or clang")
        interface, project = self.interface, folder("templates") / "project"
        ports = (*interface.inputs, *interface.outputs)
        source = render_program(interface.name, ports, len(interface.inputs), len(interface.events), bytes(8))
        (self._program.parent / "program.c").write_text(source)
        hook = f"-D{interface.name.upper()}_ON_STEP=mcu_on_step"
        sources = [*sorted(library_dir.glob("*.c")), self._program.parent / "program.c", project / "host_main.c"]
        command = [compiler, *WARNINGS, *options, hook, f"-I{library_dir}", f"-I{project}", *map(str, sources)]
        done = call([*command, "-o", str(self._program)], self._program.parent)
        if done.returncode != 0:
            raise CompileError("E0603", "the host's C compiler rejected the network", why=done.stderr[:4000])
