"""Program -> the files of the generated library. The only importer of jinja2."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import jinja2

from .. import __version__
from ..ir import Argument, KernelInstance, Program
from ..resources import folder
from ..target.cores import Core, Isa
from .filters import c_comment, c_float, c_values, plus, position, times, wrapped
from .snippets import private_prefix, snippets, used_snippets, with_prefix

BYTES = {"int8_t", "uint8_t", "const int8_t", "const uint8_t"}


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
    env.globals.update(times=times, plus=plus, position=position)
    return env


def render(template: str, **context: Any) -> str:
    """A template with the given names."""
    return environment().get_template(template).render(**context)


def kernel_text(kernel: KernelInstance) -> str:
    """The C of one kernel function, and of those that only it calls; `parts` are the names of the others."""
    parts = [k.function for k in kernel.parts]
    description = c_comment(kernel.description)
    return render(kernel.template, fn=kernel.function, p=kernel.params, description=description, parts=parts)


def tidy(text: str) -> str:
    """In lines that are not too long, without trailing blanks and without needless empty lines."""
    text = re.sub(r"[ \t]+\n", "\n", text)
    text = re.sub(r"\n{3,}", "\n\n", text)
    text = re.sub(r"\{\n\n(?= )", "{\n", text)
    text = re.sub(r"\n\n(?= *\}\n)", "\n", text)
    return "\n".join(map(wrapped, text.strip("\n").split("\n"))) + "\n"


def kernels_text(name: str, kernels: Sequence[KernelInstance], core: Core, taken: Sequence[str] = ()) -> str:
    """NAME_kernels.c: what the kernels share, then the kernels. `taken`: see `private_prefix`."""
    kernels = tuple(dict.fromkeys(k for kernel in kernels for k in kernel.with_parts))
    texts = [kernel_text(k) for k in kernels]
    text = render(
        "model_kernels.c.j2",
        name=name,
        version=__version__,
        core=core,
        uses_mainline=needs(kernels, Isa.MAINLINE),
        uses_dsp=needs(kernels, Isa.DSP),
        uses_mve=needs(kernels, Isa.MVE),
        parts=[snippets()[s] for s in used_snippets("\n".join(texts))] + texts,
    )
    return tidy(with_prefix(text, private_prefix(name, taken)))


def needs(kernels: Sequence[KernelInstance], isa: Isa) -> bool:
    return any(f".{isa.name.lower()}." in k.template for k in kernels)


def prototype(kernel: KernelInstance) -> str:
    """The declaration of a kernel's function, in plain C."""
    definition = re.search(rf"\bvoid {kernel.function}\(([^)]*)\)\n", kernel_text(kernel))
    assert definition, f"{kernel.template} does not define {kernel.function}"
    parameters = re.sub(r"\bMCU_\w+ |\bmcu_(?=float\b)", "", definition[1])
    return f"void {kernel.function}({parameters});"


def place_text(program: Program, prefix: str, offset: int) -> str:
    """The address of a byte of the arena, as uint8_t *."""
    if not program.banks:
        return plus(f"{prefix}arena", offset)
    k = max(k for k, bank in enumerate(program.banks) if bank.base <= offset)
    return plus(f"{prefix}arenas[{k}]", offset - program.banks[k].base)


def argument_text(argument: Argument, place: str) -> str:
    """`place`: the argument's address as uint8_t *, where it is in the arena."""
    if argument.constant is not None:
        return argument.constant
    if argument.c_type == "uint8_t":
        return place
    through = "" if argument.c_type in BYTES else "(void *)"
    return f"({argument.c_type} *){through}" + (f"({place})" if " " in place else place)


def emit(program: Program, core: Core) -> dict[str, str]:
    """File name -> text of the library, without build files. `core` is the one whose instructions the kernels use."""
    name = program.name
    ports = [p.name for p in (*program.inputs, *program.outputs)]
    prefix = private_prefix(name, ports)
    context = {
        "program": program,
        "name": name,
        "NAME": name.upper(),
        "version": __version__,
        "prefix": prefix,
        "suffixes": [str(k) if k else "" for k in range(max(len(program.banks), 1))],
        "core": core,
        "is_portable": not any(needs(program.kernels, isa) for isa in Isa if isa > Isa.SCALAR),
        "place": lambda offset: place_text(program, prefix, offset),
        "argument": lambda a: argument_text(a, place_text(program, prefix, a.offset or 0)),
        "prototypes": [prototype(k) for k in program.kernels if not k.is_static],
    }
    files = {
        f"{name}.h": "model.h.j2",
        f"{name}.c": "model.c.j2",
        f"{name}_kernels.h": "model_kernels.h.j2",
        f"{name}_weights.h": "model_weights.h.j2",
        f"{name}_weights.c": "model_weights.c.j2",
        "CMakeLists.txt": "CMakeLists.txt.j2",
    }
    texts = {file: tidy(render(template, **context)) for file, template in files.items()}
    return texts | {f"{name}_kernels.c": kernels_text(name, program.kernels, core, ports)}
