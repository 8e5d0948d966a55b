"""What to do about an output that no input has a part in."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper
from small_model import BOARD, model

from mcucompile import api
from mcucompile.errors import CompileError


def test_fix() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Relu", ["c"], ["d"])]
    with pytest.raises(CompileError, match="one thing") as error:
        api.compile(model(nodes, {"x": (3,)}, ["y", "d"], c=np.ones(3, np.float32)), BOARD, dtype="float32")
    assert "output 'd'" in error.value.where
    assert "remove this output" in error.value.fix
    assert "cast" not in error.value.fix
