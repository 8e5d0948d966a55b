"""What a network shall be compressed with: `--passes`, or a TOML file.

    prune_filters=0.4+criterion:taylor@conv*, low_rank=energy:0.95@fc*, cluster=16

A request is NAME[=OPTION+OPTION...][@PATTERN|PATTERN...]. An option is KEY:VALUE, the first one may be a value alone,
which then is the pass's first option. A pattern is compared with the names of a layer's ONNX nodes and of its output,
as file names are with * and ?, or behind a % with the output's alone; without one the pass takes every layer that it
can. The same in TOML:

    [[pass]]
    name = "prune_filters"
    amount = 0.4
    criterion = "taylor"
    layers = "conv*"           # or a list of patterns

A layer has one request of each pass: two that name the same layer contradict each other, and one without a pattern is
for the layers that others of its pass do not name. So in which order requests stand does not matter: passes run in the
order of `passes.compress.ALL`, and those of one pass in the order of their layers.
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from .errors import CompileError
from .ir import Graph, Node
from .passes.compress import ALL, Change, Compression, Stage
from .reading import read_text

Entry = Mapping[str, Any]
TOML_KEYS = ("name", "layers")


@dataclass(frozen=True)
class Request:
    """A pass with its options, and the patterns of the layers it is for; () for all."""

    compression: Compression
    patterns: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The form of --passes, with every option that is not the default."""
        c, fields = self.compression, dataclasses.fields(self.compression)
        given = [f.name for f in fields if getattr(c, f.name) != f.default]
        texts = (value_text(getattr(c, name)) for name in given)
        options = [t if name == fields[0].name else f"{name}:{t}" for name, t in zip(given, texts, strict=True)]
        layers = f"@{'|'.join(self.patterns)}" if self.patterns else ""
        return c.name + (f"={'+'.join(options)}" if options else "") + layers

    def names(self, node: Node) -> bool:
        """Whether one of its patterns is for the node; one without patterns names none."""
        return any(is_named(node, p) for p in self.patterns)


@dataclass(frozen=True)
class Recipe:
    """Requests in the order in which they run."""

    requests: tuple[Request, ...] = ()

    def of(self, *stages: Stage) -> list[Request]:
        return [r for r in self.requests if r.compression.stage in stages]

    def texts(self) -> tuple[str, ...]:
        """Each request in the form of --passes: `parse_recipe` makes the same recipe of them."""
        return tuple(map(str, self.requests))


@dataclass(frozen=True, eq=False)
class Applied:
    """What a request did, and the network as it was then: later passes do not change this copy."""

    request: Request
    changes: tuple[Change, ...]
    graph: Graph


NOTHING = Recipe()


def is_named(node: Node, pattern: str) -> bool:
    outputs = [t.name for t in node.outputs]
    if pattern.startswith("%"):
        return any(fnmatchcase(name, pattern[1:]) for name in outputs)
    return any(fnmatchcase(name, pattern) for name in (*node.source, *outputs))


def parse_recipe(given: str | Sequence[str | Entry]) -> Recipe:
    """A recipe from the text of --passes, or from a list of such texts and of tables as TOML has them. Raises E0701."""
    if not isinstance(given, str | list | tuple):
        raise CompileError("E0701", f"passes cannot be {given!r}", fix="give a text, or a list of texts and tables")
    items: Sequence[str | Entry] = [given] if isinstance(given, str) else given
    requests = [r for item in items for r in (parsed_text(item) if isinstance(item, str) else [parsed_table(item)])]
    order = {kind: i for i, kind in enumerate(ALL)}
    check_one_for_all(requests)
    return Recipe(tuple(sorted(requests, key=lambda r: order[type(r.compression)])))


def check_one_for_all(requests: Sequence[Request]) -> None:
    """Raises E0701 where two requests of a pass are for every layer."""
    first: dict[str, Request] = {}
    for request in requests:
        name = request.compression.name
        if not request.patterns and first.setdefault(name, request) is not request:
            raise CompileError(
                "E0701", f"{name} is asked for twice for every layer: {first[name]} and {request}",
                fix=f"leave one away, or say which layers it is for, e.g. {request}@*Conv*",
            )  # fmt: skip


def read_recipe(path: Path) -> list[Entry]:
    """The tables [[pass]] of a TOML file. Raises E0701 for one that is malformed, E0702 for one that cannot be read."""
    try:
        content = tomllib.loads(read_text(path))
    except OSError as e:
        raise CompileError("E0702", f"{path} cannot be read: {e.strerror}") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise CompileError("E0701", f"{path.name} is not TOML: {e}") from e
    tables = content.get("pass")
    if set(content) != {"pass"} or not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
        raise CompileError(
            "E0701",
            f"{path.name} is not a recipe",
            fix='write one table [[pass]] for each pass, with name = "..." in it',
        )
    return tables


def parsed_text(text: str) -> list[Request]:
    return [parsed_item(item.strip()) for item in text.split(",") if item.strip()]


def parsed_item(item: str) -> Request:
    """NAME[=OPTION+OPTION...][@PATTERN|PATTERN...]"""
    head, at, patterns = item.partition("@")
    name, _, options = head.partition("=")
    kind = compression_named(name.strip())
    values: dict[str, Any] = {}
    for i, option in enumerate(options.split("+") if options else []):
        key, colon, value = option.partition(":")
        if not colon:
            key, value = first_option(kind, option) if i == 0 else "", option
        add_option(kind, values, key.strip(), value.strip())
    return Request(made(kind, values), named(kind, [p.strip() for p in patterns.split("|")] if at else None))


def parsed_table(table: Entry) -> Request:
    if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
        raise CompileError("E0701", f"a pass of a recipe has no name: {table!r}", fix='name = "prune_filters"')
    kind = compression_named(table["name"])
    layers = table.get("layers")
    patterns = named(kind, [layers] if isinstance(layers, str) else layers)
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in TOML_KEYS:
            add_option(kind, values, key, value)
    return Request(made(kind, values), patterns)


def named(kind: type[Compression], patterns: Any) -> tuple[str, ...]:
    """Checked patterns; None stands for all layers. An empty one is refused: a name was meant to stand there."""
    if patterns is None:
        return ()
    if not isinstance(patterns, list | tuple) or not patterns or not all(isinstance(p, str) and p for p in patterns):
        raise CompileError(
            "E0701", f"{kind.name}: layers cannot be {patterns!r}",
            fix="give a pattern, or several of them; without any the pass takes every layer",
        )  # fmt: skip
    return tuple(patterns)


def compression_named(name: str) -> type[Compression]:
    for kind in ALL:
        if kind.name == name:
            return kind
    raise CompileError(
        "E0701", f"there is no compression pass {name!r}", fix=f"one of: {', '.join(kind.name for kind in ALL)}"
    )


def first_option(kind: type[Compression], value: str) -> str:
    names = list(option_types(kind))
    if not names:
        raise CompileError("E0701", f"{kind.name} has no options, got {value!r}")
    return names[0]


def add_option(kind: type[Compression], values: dict[str, Any], key: str, value: Any) -> None:
    kinds = option_types(kind)
    if key not in kinds:
        options = ", ".join(kinds) or "none"
        raise CompileError("E0701", f"{kind.name} has no option {key!r}", fix=f"its options: {options}")
    if key in values:
        raise CompileError("E0701", f"{kind.name} has its option {key!r} twice")
    values[key] = converted(kind, key, value, kinds[key])


def made(kind: type[Compression], values: Mapping[str, Any]) -> Compression:
    missing = [f.name for f in dataclasses.fields(kind) if is_required(f) and f.name not in values]
    if missing:
        raise CompileError(
            "E0701", f"{kind.name} needs a value for {missing[0]!r}", fix=f"e.g. {kind.name}={kind.example}"
        )
    return without_idle(kind(**values), values)


def without_idle(compression: Compression, given: Mapping[str, Any]) -> Compression:
    """Raises E0701 where an option that was given decides nothing; one that is only switched off does no harm."""
    for option, why in compression.idle_options().items():
        if option in given and given[option] is not False:
            raise CompileError(
                "E0701", f"{compression.name}: {option} has no effect", why=why, fix=f"leave {option} away"
            )
    return compression


def is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


@cache
def option_types(kind: type[Compression]) -> dict[str, Any]:
    """Option -> its type, in order."""
    hints = typing.get_type_hints(kind)
    return {f.name: hints[f.name] for f in dataclasses.fields(kind)}


def converted(kind: type[Compression], key: str, value: Any, hint: Any) -> Any:
    """An option's value as its type. Raises E0701 saying what is allowed."""
    for choice in alternatives(hint):
        found = as_type(value, choice)
        if found is not None:
            return found
    allowed = " or ".join(type_text(t) for t in alternatives(hint))
    raise CompileError("E0701", f"{kind.name}: {key} cannot be {value!r}", fix=f"give {allowed}")


def alternatives(hint: Any) -> list[Any]:
    """The types that a hint allows; None only says that the option may be left away."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return [t for t in typing.get_args(hint) if t is not type(None)]
    return [hint]


def as_type(value: Any, kind: Any) -> Any:
    """The value as this type, from TOML or from text; None where it is none."""
    if typing.get_origin(kind) is typing.Literal:
        return next((member for member in typing.get_args(kind) if str(member) == str(value)), None)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next((member for member in kind if member.value == value), None)
    if kind is bool:
        return {"on": True, "true": True, "off": False, "false": False}.get(str(value).lower())
    if kind is str:
        return value if isinstance(value, str) else None
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return None
    try:
        number = kind(value)
    except (TypeError, ValueError, OverflowError):
        return None
    is_whole = not isinstance(value, float) or number == value
    return number if is_whole and math.isfinite(number) else None


def type_text(kind: Any) -> str:
    if typing.get_origin(kind) is typing.Literal:
        return "one of " + ", ".join(map(str, typing.get_args(kind)))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "one of " + ", ".join(str(member.value) for member in kind)
    return {int: "a whole number", float: "a number", bool: "on or off", str: "a text"}.get(kind, str(kind))


def options_text(kind: type[Compression]) -> str:
    """The options with their defaults, for a listing; the first one may be given without its name."""
    fields = dataclasses.fields(kind)
    return ", ".join(f.name if is_required(f) else f"{f.name}:{value_text(f.default)}" for f in fields)


def value_text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None:
        return ""
    text = str(value.value if isinstance(value, Enum) else value)
    return text.replace("e+", "e") if isinstance(value, float) else text  # a + would end the option
