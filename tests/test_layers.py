"""Each layer imports only those before it, and each third party has one door."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "mcucompile"
# Layers in order; names on one line form one layer and may use each other.
LAYERS = (
    ("errors", "resources", "reading", "node_names"),
    ("ir",),
    ("encodings",),
    ("ops",),
    ("reference",),
    ("data",),
    ("passes", "frontend"),
    ("target",),
    ("kernels",),
    ("lower",),
    ("emit",),
    ("export",),
    ("run",),
    (
        *("options", "files", "metrics", "mismatch", "verify", "profile", "network_type", "lowering", "notes"),
        *("report", "pipeline", "recipe", "compression", "effects", "layer_effects", "front", "origins", "saved"),
        *("arguments", "api"),
    ),
    ("train",),
    (
        *("show", "show_effects", "show_runs", "listing", "parser", "entry", "figures", "compare", "html"),
        *("tables", "show_boards", "connection", "output"),
        *("cli", "__main__"),
    ),
)
RANK = {name: i for i, names in enumerate(LAYERS) for name in names}
DOORS = {
    "onnx": ("frontend",),
    "jinja2": ("emit",),
    "torch": ("train",),
    "ortools": ("lower",),
    "serial": ("run",),
    "elftools": ("run",),
    "tensorly": ("passes",),
    "pyocd": ("run",),
    "usb": ("run",),
}
MODULES = sorted(p for p in ROOT.rglob("*.py") if p != ROOT / "__init__.py")


def layer_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[0]


def imported(path: Path) -> list[str]:
    """Absolute names of what a module imports, also inside functions."""
    package = ["mcucompile", *path.relative_to(ROOT).with_suffix("").parts]
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [f"{module}.{alias.name}" for alias in node.names]
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_only_lower_layers(path: Path) -> None:
    own = RANK[layer_of(path)]
    for name in imported(path):
        parts = name.split(".")
        if parts[0] != "mcucompile" or len(parts) < 2 or parts[1] == "__version__":
            continue
        assert RANK[parts[1]] <= own, f"{path.relative_to(ROOT)} may not import {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_third_parties_have_one_door(path: Path) -> None:
    for name in imported(path):
        doors = DOORS.get(name.split(".")[0])
        assert doors is None or layer_of(path) in doors, f"only {doors} may import {name}"


def test_every_module_has_a_layer() -> None:
    assert {layer_of(p) for p in MODULES} <= set(RANK)
