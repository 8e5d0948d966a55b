"""From ONNX files to graphs and back. Nothing else imports onnx.

`load(source, shapes)` reads a file, its bytes, or what `model_file` read; every defect of the file is a CompileError
(E0101 to E0108).
"""

from __future__ import annotations

from collections.abc import Mapping

from ..ir import Shape
from .importer import WRITTEN_AS, Imported, Importer
from .read import ModelFile, Source, model_file, read_model

__all__ = ["WRITTEN_AS", "Imported", "ModelFile", "Source", "load", "model_file"]


def load(source: Source, shapes: Mapping[str, Shape] | None = None) -> Imported:
    """The graph of an ONNX model, float or quantized: QuantizeLinear/DequantizeLinear, QOperator, QONNX.

    `shapes` gives the shapes of inputs that the file leaves open, by the input's name.
    """
    return Importer(read_model(source), shapes or {}).run()
