"""Program -> the files of the generated library. The only importer of jinja2."""

from __future__ import annotations

from functools import cache
from typing import Any

import jinja2

from .. import __version__
from ..ir import Argument, KernelInstance, Program
from ..resources import folder
from .filters import c_comment, c_float, c_values


@cache
def environment() -> jinja2.Environment:
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder("templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    env.filters.update(c_values=c_values, c_comment=c_comment, c_float=c_float)
    env.tests["a_loop"] = lambda count: count > 1
    return env


def render(template: str, **context: Any) -> str:
    """A template with the given names."""
    return environment().get_template(template).render(**context)


def kernel_text(kernel: KernelInstance) -> str:
    """The C of one kernel function."""
    text = render(kernel.template, fn=kernel.function, p=kernel.params, description=c_comment(kernel.description))
    return tidy(text)


def tidy(text: str) -> str:
    """Without trailing blanks and runs of empty lines, which templates leave where they printed nothing."""
    lines = [line.rstrip() for line in text.split("\n")]
    kept = [line for i, line in enumerate(lines) if line or (i > 0 and lines[i - 1])]
    return "\n".join(kept).strip("\n") + "\n"


def argument_text(argument: Argument) -> str:
    if argument.constant is not None:
        return argument.constant
    return f"({argument.c_type} *)(arena + {argument.offset})"


def emit(program: Program) -> dict[str, str]:
    """File name -> text of the library, without build files."""
    name = program.name
    context = {
        "program": program,
        "name": name,
        "NAME": name.upper(),
        "version": __version__,
        "argument": argument_text,
        "kernels": [kernel_text(k) for k in program.kernels],
    }
    files = {
        f"{name}.h": "model.h.j2",
        f"{name}.c": "model.c.j2",
        f"{name}_kernels.h": "model_kernels.h.j2",
        f"{name}_kernels.c": "model_kernels.c.j2",
        f"{name}_weights.h": "model_weights.h.j2",
        f"{name}_weights.c": "model_weights.c.j2",
        "CMakeLists.txt": "CMakeLists.txt.j2",
    }
    return {file: tidy(render(template, **context)) for file, template in files.items()}
