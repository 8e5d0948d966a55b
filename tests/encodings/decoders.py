"""Decoders in C, compiled for the host under address and undefined-behaviour sanitizers, a program for each."""

from __future__ import annotations

import struct
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from mcucompile.emit.c import render, tidy
from mcucompile.emit.snippets import snippets, used_snippets
from mcucompile.encodings import Encoded, Encoding, Params
from mcucompile.ir import Array, DType
from mcucompile.run.host import SANITIZERS, WARNINGS, find_host_compiler

HERE = Path(__file__).parent
NO_SANITIZERS = "needs a C compiler for the host, with its sanitizers"


@dataclass(frozen=True)
class Call:
    """How a stream is asked for: the counts of the calls, and how far the destination is from an aligned address."""

    counts: tuple[int, ...]
    skew: int = 0


def decoder_text(template: str, params: Params, fn: str = "decoder") -> str:
    """The C of a decoder with the snippets that it uses."""
    text = render(template, fn=fn, p=params, description="")
    return tidy(shared_text(text) + text)


def shared_text(text: str) -> str:
    """The snippets that C text uses."""
    return "".join(f"{snippets()[s]}\n" for s in used_snippets(text))


def stream_types(encoded: Encoded) -> tuple[str, ...]:
    """The C types of a stream's arrays."""
    return tuple(DType(values.dtype.name).c for _, values in encoded.arrays)


@cache
def has_sanitizers() -> bool:
    """Whether the host has a C compiler that can build and run a program with them; some systems lack their runtime."""
    compiler = find_host_compiler()
    if compiler is None:
        return False
    with tempfile.TemporaryDirectory(prefix="mcucompile-decoder-") as temporary:
        (Path(temporary) / "empty.c").write_text("int main(void) { return 0; }\n")
        commands = ([compiler, *SANITIZERS, "empty.c", "-o", "empty"], [f"{temporary}/empty"])
        return all(subprocess.run(c, cwd=temporary, capture_output=True).returncode == 0 for c in commands)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Goes with the process."""
    return tempfile.TemporaryDirectory(prefix="mcucompile-decoders-")


@cache
def program(template: str, params: Params, types: tuple[str, ...]) -> Path:
    """A program around the decoder (decoders.c)."""
    compiler = find_host_compiler()
    assert compiler
    work_dir = Path(_folder().name) / f"{len(list(Path(_folder().name).iterdir()))}"
    work_dir.mkdir()
    passed = ", ".join(f"(const {t} *)(a)[{k}], (n)[{k}]" for k, t in enumerate(types))
    text = (
        f"#include <stddef.h>\n#include <stdint.h>\n{decoder_text(template, params)}\n"
        f"#define DECODER_STATE decoder_state\n#define DECODER_ARRAYS {len(types)}\n"
        f"#define DECODER_START(s, a, n) decoder_start(s, {passed})\n#define DECODER_NEXT decoder_next\n"
    )
    (work_dir / "decoder.h").write_text(text)
    command = [compiler, *WARNINGS, *SANITIZERS, "-O1", f"-I{work_dir}", str(HERE / "decoders.c"), "-o", "decoder"]
    done = subprocess.run(command, cwd=work_dir, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:4000]
    return work_dir / "decoder"


def decoded(encoding: Encoding, streams: Sequence[tuple[Encoded, Call]]) -> list[Array]:
    """What the C makes of each stream, all with the params of the first. Fails on what a sanitizer finds, or a hang."""
    first = streams[0][0]
    assert all(e.params == first.params for e, _ in streams)
    request = b"".join(_request(e, call) for e, call in streams)
    command = [program(encoding.template, first.params, stream_types(first))]
    done = subprocess.run(command, input=request, capture_output=True, timeout=60)
    assert done.returncode == 0, f"{encoding.name}: {done.stderr.decode(errors='replace')[:3000]}"
    ends = np.cumsum([0, *(sum(call.counts) for _, call in streams)])
    assert len(done.stdout) == ends[-1]
    return [np.frombuffer(done.stdout[a:b], np.int8) for a, b in pairwise(ends)]


def _request(encoded: Encoded, call: Call) -> bytes:
    parts = [struct.pack("<2i", call.skew, len(call.counts))]
    for _, values in encoded.arrays:
        parts += [struct.pack("<2i", values.nbytes, values.shape[0]), np.ascontiguousarray(values).tobytes()]
    return b"".join([*parts, np.array(call.counts, "<i4").tobytes()])
