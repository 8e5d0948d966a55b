"""Functions of one value: float meaning, every 8-bit value, and the stated bounds of the 16-bit tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_case import every_value, fixed_node, real, stored_tensor, worst_error
from onnx_case import check, const, floats, model, only

from mcucompile.errors import CompileError
from mcucompile.frontend import load
from mcucompile.ir import Clip, DType, Op, QuantParams
from mcucompile.ops import Clamp, HardSigmoid, HardSwish, LeakyRelu, PRelu, Requantize, Sigmoid, Tanh

FUNCTIONS = [Sigmoid(), Tanh(), HardSigmoid(alpha=1 / 6), HardSwish(), LeakyRelu(alpha=0.1)]
NAMES = [op.name for op in FUNCTIONS]
# max |second derivative|, and the largest jump of the slope, of each of them
CURVATURE = {"sigmoid": 0.0963, "tanh": 0.7699, "hard_sigmoid": 0.0, "hard_swish": 1 / 3, "leaky_relu": 0.0}
KINK = {"sigmoid": 0.0, "tanh": 0.0, "hard_sigmoid": 1 / 6, "hard_swish": 0.5, "leaky_relu": 0.0}


@pytest.mark.parametrize(
    ("op_type", "attributes"),
    [
        ("Sigmoid", {}),
        ("Tanh", {}),
        ("HardSigmoid", {}),
        ("HardSigmoid", {"alpha": 0.3, "beta": 0.1}),
        ("HardSwish", {}),
        ("LeakyRelu", {}),
        ("LeakyRelu", {"alpha": 0.3}),
        ("Relu", {}),
    ],
)
def test_function_is_onnx_runtimes(op_type: str, attributes: dict[str, float]) -> None:
    check(op_type, [floats(2, 3, 50, spread=5.0)], **attributes)


def test_sigmoid_of_large_arguments_neither_overflows_nor_warns() -> None:
    x = np.asarray([-1000.0, -90.0, 0.0, 90.0, 1000.0], np.float32)
    with np.errstate(all="raise", under="ignore"):
        (y,) = Sigmoid().reference(x)
    assert y.tolist() == [0.0, pytest.approx(8.194e-40, rel=1e-3), 0.5, 1.0, 1.0]


@pytest.mark.parametrize(
    "bounds", [(const(-1.0), const(1.5)), (const(-1.0), None), (None, const(1.5)), (const(2.0), const(-2.0)), ()]
)
def test_clip_is_onnx_runtimes(bounds: tuple[Any, ...]) -> None:
    check("Clip", [floats(4, 5), *bounds])


@pytest.mark.parametrize("slope_shape", [(3, 1, 1), (1, 3, 1, 1), (5,), (1,), ()])
def test_prelu_is_onnx_runtimes(slope_shape: tuple[int, ...]) -> None:
    graph = check("PRelu", [floats(2, 3, 4, 5), const(floats(*slope_shape, seed=1))])
    kind = PRelu if int(np.prod(slope_shape)) > 1 else LeakyRelu
    assert only(graph, kind)


def test_prelu_with_slopes_per_pixel_is_unsupported() -> None:
    with pytest.raises(CompileError) as error:
        load(model("PRelu", [floats(2, 3, 4, 5), const(floats(3, 4, 1))]))
    assert error.value.code == "E0103"


# --- integers


@settings(max_examples=25, deadline=None)
@given(
    op=st.sampled_from(FUNCTIONS),
    scale=st.floats(1e-3, 0.5),
    zero=st.integers(-128, 127),
    out_scale=st.floats(1e-3, 0.1),
    out_zero=st.integers(-128, 127),
)
def test_8_bit_table_is_what_qdq_says(op: Op, scale: float, zero: int, out_scale: float, out_zero: int) -> None:
    """Every stored value: DequantizeLinear, the function, QuantizeLinear."""
    x, y = stored_tensor("x", (256,), scale, zero), stored_tensor("y", (256,), out_scale, out_zero)
    node = fixed_node(op, [x], [y])
    stored = every_value(DType.I8)
    assert worst_error(node, stored) <= 0.5 + 1e-4
    assert x.quant and y.quant
    (exact,) = op.reference(x.quant.dequantize(stored).astype(np.float64))
    assert np.array_equal(node.op.reference_int(node, stored)[0], y.quant.quantize(exact.astype(np.float32)))


@pytest.mark.parametrize("op", FUNCTIONS, ids=NAMES)
@pytest.mark.parametrize("reach", [2.0, 8.0])
def test_16_bit_table_keeps_its_bound(op: Op, reach: float) -> None:
    """One step, the curvature between entries, and the kinks; over every stored value."""
    scale, out_scale = reach / 32768, (reach if op.name in ("hard_swish", "leaky_relu") else 1.0) / 32768
    x, y = stored_tensor("x", (65536,), scale, 0, DType.I16), stored_tensor("y", (65536,), out_scale, 0, DType.I16)
    bound = 1 + (128 * scale) ** 2 / 8 * CURVATURE[op.name] / out_scale + 32 * scale / out_scale * KINK[op.name]
    assert worst_error(fixed_node(op, [x], [y]), every_value(DType.I16)) <= bound + 1e-6


def test_table_of_int16_has_the_documented_form() -> None:
    x, y = stored_tensor("x", (1,), 1.0, 0, DType.I16), stored_tensor("y", (1,), 1.0, 0, DType.I16)
    op = fixed_node(LeakyRelu(alpha=0.5), [x], [y]).op
    assert isinstance(op, LeakyRelu) and op.table
    assert len(op.table) == 513
    assert (op.table[0], op.table[256], op.table[257], op.table[512]) == (-16384, 0, 128, 32767)


@pytest.mark.parametrize("dtype", [DType.I8, DType.I16])
@pytest.mark.parametrize("slopes", [(0.25, -0.5, 0.0), (3.0, 200.0, 1.0)])
def test_prelu_rounds_the_real_value(dtype: DType, slopes: tuple[float, ...]) -> None:
    zeros = (0, 0) if dtype is DType.I16 else (5, -9)
    x = stored_tensor("x", (dtype.high - dtype.low + 1, 3), 0.05, zeros[0], dtype)
    y = stored_tensor("y", x.shape, 0.07, zeros[1], dtype)
    stored = np.repeat(every_value(dtype)[:, None], 3, axis=1)
    node = fixed_node(PRelu(slopes, 1), [x], [y])
    assert worst_error(node, stored) <= 0.5 + 2.0**-12
    assert isinstance(node.op, PRelu) and node.op.fixed
    assert node.op.fixed.bits == (64 if dtype is DType.I16 or 200.0 in slopes else 32)


@pytest.mark.parametrize("x_type", [DType.I8, DType.U8, DType.I16])
@pytest.mark.parametrize("y_type", [DType.I8, DType.I16])
def test_requantize_rounds_the_real_value(x_type: DType, y_type: DType) -> None:
    """8-bit inputs to the last bit of QuantizeLinear; int16 inputs up to ties."""
    x = stored_tensor("x", (x_type.high - x_type.low + 1,), 0.03, 0 if x_type is DType.I16 else 17, x_type)
    y = stored_tensor("y", x.shape, 0.0411, 0 if y_type is DType.I16 else -3, y_type)
    node, stored = fixed_node(Requantize(), [x], [y]), every_value(x_type)
    assert worst_error(node, stored) <= 0.5 + 2.0**-12
    if x_type is not DType.I16:
        assert y.quant
        assert np.array_equal(
            node.op.reference_int(node, stored)[0], y.quant.quantize(real(x, stored).astype(np.float32))
        )


def test_clamp_limits_stored_values_without_rescaling() -> None:
    x, y = stored_tensor("x", (5,), 0.5, 10), stored_tensor("y", (5,), 0.5, 10)
    node = fixed_node(Clamp(Clip(0.0, 6.0)), [x], [y])
    stored = np.asarray([-128, 9, 10, 22, 23], np.int8)
    assert node.op.reference_int(node, stored)[0].tolist() == [10, 10, 10, 22, 22]
    y.quant = QuantParams.per_tensor(0.25, 10)
    with pytest.raises(AssertionError, match="does not rescale"):
        node.op.reference_int(node, stored)
