"""Models with nodes of QONNX, for tests."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, helper
from onnx_models import Value, model

DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas")
Array = npt.NDArray[Any]


class QonnxNodes:
    """Nodes and their constants in the making; `as_nodes` gives every constant as a Constant node."""

    def __init__(self, domain: str = DOMAINS[0], as_nodes: bool = False) -> None:
        self.domain, self.as_nodes = domain, as_nodes
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, Array] = {}

    def constant(self, name: str, value: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        array = np.asarray(value, dtype)
        if self.as_nodes:
            tensor = helper.make_tensor(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape, array.ravel())
            self.nodes.append(helper.make_node("Constant", [], [name], name=f"{name}/Constant", value=tensor))
        else:
            self.constants[name] = array
        return name

    def add(self, op: str, inputs: Sequence[str], output: str, domain: str = "", **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], name=f"{output}/{op}", domain=domain, **attributes))
        return output

    def quant(
        self, x: str, output: str, scale: npt.ArrayLike, bits: float, zero: npt.ArrayLike = 0.0, signed: int = 1,
        narrow: int = 0, mode: str = "ROUND",
    ) -> str:  # fmt: skip
        parameters = {"scale": scale, "zero": zero, "bits": bits}
        names = [self.constant(f"{output}.{name}", value) for name, value in parameters.items()]
        attributes = {"signed": signed, "narrow": narrow, "rounding_mode": mode}
        return self.add("Quant", [x, *names], output, self.domain, **attributes)

    def bipolar(self, x: str, output: str, scale: npt.ArrayLike) -> str:
        return self.add("BipolarQuant", [x, self.constant(f"{output}.scale", scale)], output, self.domain)

    def trunc(self, x: str, output: str, *parameters: float, **attributes: Any) -> str:
        names = [self.constant(f"{output}.{i}", value) for i, value in enumerate(parameters)]
        return self.add("Trunc", [x, *names], output, self.domain, **attributes)

    def model(self, inputs: Sequence[Value], outputs: Sequence[Value]) -> ModelProto:
        proto = model(self.nodes, inputs, outputs, 13, self.constants)
        proto.opset_import.append(helper.make_opsetid(self.domain, 1))
        return proto
