"""mcucompile: trained ONNX networks to bit-exact C for Cortex-M.

compiled = mcucompile.compile("model.onnx", "qemu-m4", calibration="data.npz")
compiled.write("out")
assert compiled.verify().ok
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = [
    "Board",
    "Compiled",
    "CompileError",
    "Flashed",
    "How",
    "Metrics",
    "Profile",
    "Samples",
    "Verification",
    "compile",
    "load_compiled",
]

HOMES = {
    "Board": "target.board", "Compiled": "api", "CompileError": "errors", "Metrics": "metrics", "Profile": "profile",
    "Flashed": "run.flash", "How": "run.flash", "Samples": "data", "Verification": "verify", "compile": "api",
    "load_compiled": "api",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    # Loaded on first use, so that a layer can be imported without those above it.
    if name in HOMES:
        return getattr(import_module(f".{HOMES[name]}", __name__), name)
    raise AttributeError(f"module 'mcucompile' has no attribute {name!r}")
