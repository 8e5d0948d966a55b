"""mcucompile: trained ONNX networks to bit-exact C for Cortex-M.

compiled = mcucompile.compile("model.onnx", "qemu-m4", calibration="data.npz")
compiled.write("out")
assert compiled.verify().ok
"""

from typing import Any

__version__ = "0.1.0"
__all__ = ["Compiled", "CompileError", "compile"]


def __getattr__(name: str) -> Any:
    # Loaded on first use, so that a layer can be imported without those above it.
    if name in ("compile", "Compiled"):
        from . import api

        return getattr(api, name)
    if name == "CompileError":
        from .errors import CompileError

        return CompileError
    raise AttributeError(f"module 'mcucompile' has no attribute {name!r}")
