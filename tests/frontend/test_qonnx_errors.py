"""What QONNX can say and mcucompile cannot do is listed with the node's name and a fix; nonsense is no traceback."""

import contextlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, helper
from onnx_models import floats
from qonnx_models import DOMAINS, QonnxNodes

from mcucompile.errors import CompileError
from mcucompile.frontend import load
from mcucompile.ir import verify

SHAPE = (2, 3, 4)
GOOD: dict[str, Any] = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}


def network(
    op: str, parameters: list[Any], attributes: dict[str, Any], on_weights: bool = False, domain: str = DOMAINS[0]
) -> ModelProto:
    """The node on x, or on a constant that is added to x. A parameter None is absent, "x" is computed."""
    g = QonnxNodes()
    w = g.constant("w", np.linspace(-1, 1, 24).reshape(SHAPE)) if on_weights else "x"
    names = ["" if p is None else p if isinstance(p, str) else g.constant(f"p{i}", p) for i, p in enumerate(parameters)]
    g.add(op, [w, *names], "q" if on_weights else "y", domain, **attributes)
    if on_weights:
        g.add("Add", ["x", "q"], "y")
    proto = g.model([floats("x", *SHAPE)], [floats("y", *SHAPE)])
    if domain not in ("", *DOMAINS):
        proto.opset_import.append(helper.make_opsetid(domain, 1))
    return proto


def listed(proto: ModelProto) -> str:
    with pytest.raises(CompileError) as caught:
        load(proto.SerializeToString())
    assert caught.value.code == "E0103" and caught.value.fix
    return caught.value.why


QUANT = {
    "no bits": ([0.1, 0.0, 0.0], {}, "bits=0"),
    "half a bit": ([0.1, 0.0, 2.5], {}, "bits=2.5"),
    "too many bits": ([0.1, 0.0, 17.0], {}, "bits=17"),
    "several widths": ([0.1, 0.0, [4.0, 8.0]], {}, "bits=4, 8"),
    "bits that are no number": ([0.1, 0.0, np.nan], {}, "bits=nan"),
    "computed scale": (["x", 0.0, 4.0], {}, "input 1 ('x') is not constant"),
    "computed bits": ([0.1, 0.0, "x"], {}, "input 3 ('x') is not constant"),
    "absent zero point": ([0.1, None, 4.0], {}, "input 2 is missing"),
    "absent bits": ([0.1, 0.0], {}, "input 3 is missing"),
    "empty scale": ([np.zeros(0), 0.0, 4.0], {}, "not constant"),
    "activations per channel": ([[0.1, 0.2, 0.3, 0.4], 0.0, 4.0], {}, "quantize activations per tensor"),
    "zero point between integers": ([0.1, 0.5, 4.0], {}, "whole number"),
    "endless zero point": ([0.1, np.inf, 4.0], {}, "whole number"),
    "signed rounding to zero": ([0.1, 0.0, 4.0], {"rounding_mode": "ROUND_TO_ZERO"}, "ROUND_TO_ZERO"),
    "signed rounding away": ([0.1, 0.0, 4.0], {"rounding_mode": "UP"}, "use the rounding mode ROUND"),
    "unknown rounding": ([0.1, 0.0, 4.0], {"rounding_mode": "STOCHASTIC"}, "STOCHASTIC"),
    "number as rounding": ([0.1, 0.0, 4.0], {"rounding_mode": 3}, "rounding_mode"),
    "no sign": ([0.1, 0.0, 4.0], {"signed": None}, "signed"),
    "twice signed": ([0.1, 0.0, 4.0], {"signed": 2}, "signed"),
    "text as narrow": ([0.1, 0.0, 4.0], {"narrow": "yes"}, "narrow"),
    "one bit with a zero point": ([0.1, 1.0, 1.0], {}, "BipolarQuant"),
    "binary per channel": ([[0.1, 0.2, 0.3, 0.4], 0.0, 1.0], {}, "one scale per tensor"),
}


@pytest.mark.parametrize(("parameters", "attributes", "text"), QUANT.values(), ids=QUANT)
def test_quant(parameters: list[Any], attributes: dict[str, Any], text: str) -> None:
    given_attributes = {k: v for k, v in (GOOD | attributes).items() if v is not None}
    why = listed(network("Quant", parameters, given_attributes))
    assert text in why and "Quant 'y/Quant'" in why


WEIGHTS = {
    "scales along two axes": ([np.ones((2, 3, 1)), 0.0, 4.0], "one per channel"),
    "too many scales": ([np.ones(7), 0.0, 4.0], ""),
    "more bits than 32": ([0.1, 0.0, 33.0], "bits=33"),
}


@pytest.mark.parametrize(("parameters", "text"), WEIGHTS.values(), ids=WEIGHTS)
def test_weights(parameters: list[Any], text: str) -> None:
    with pytest.raises(CompileError) as caught:
        load(network("Quant", parameters, GOOD, on_weights=True).SerializeToString())
    assert caught.value.code in ("E0103", "E0107") and text in caught.value.why


@pytest.mark.parametrize("scale", [0.0, -0.1, np.inf, np.nan])
@pytest.mark.parametrize("on_weights", [False, True])
@pytest.mark.parametrize("op", ["Quant", "BipolarQuant"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_scale_out_of_range(scale: float, on_weights: bool, op: str) -> None:
    parameters = [scale, 0.0, 4.0] if op == "Quant" else [scale]
    with pytest.raises(CompileError) as caught:
        load(network(op, parameters, GOOD if op == "Quant" else {}, on_weights).SerializeToString())
    assert caught.value.code in ("E0103", "E0204") and op in str(caught.value)


TRUNC = {
    "more bits than before": ([0.1, 0.0, 4.0, 6.0], {}, "from 4 to 6 bits"),
    "zero point": ([0.1, 1.0, 8.0, 4.0], {}, "zero point"),
    "per channel": ([[0.1, 0.2, 0.3, 0.4], 0.0, 8.0, 4.0], {}, "per channel"),
    "nine bits": ([0.1, 0.0, 12.0, 9.0], {}, "output bits=9"),
    "finer scale": ([0.1, 0.0, 8.0, 0.05, 4.0], {}, "finer"),
    "signed rounding to zero": ([0.1, 0.0, 8.0, 4.0], {"rounding_mode": "DOWN"}, "DOWN"),
}


@pytest.mark.parametrize(("parameters", "attributes", "text"), TRUNC.values(), ids=TRUNC)
def test_trunc(parameters: list[Any], attributes: dict[str, Any], text: str) -> None:
    assert text in listed(network("Trunc", parameters, attributes))


@pytest.mark.parametrize("domain", ["", "custom", "qonnx.custom_op.fpgadataflow"])
def test_same_name_in_another_domain(domain: str) -> None:
    assert "domain" in listed(network("Quant", [0.1, 0.0, 4.0], GOOD, domain=domain))


def test_other_operators_of_the_domain() -> None:
    assert "domain" in listed(network("MultiThreshold", [[[0.1, 0.2]]], {}))


def test_everything_is_listed_at_once() -> None:
    g = QonnxNodes()
    g.quant("x", "a", 0.1, 3.5)
    g.quant("x", "b", 0.1, 4, 0.5)
    g.add("Add", ["a", "b"], "c")
    g.quant("x", "d", [0.1, 0.2, 0.3, 0.4], 4)
    g.add("Add", ["c", "d"], "y")
    why = listed(g.model([floats("x", *SHAPE)], [floats("y", *SHAPE)]))
    assert [line.split(":")[0] for line in why.splitlines()] == [
        "Quant 'a/Quant'",
        "Quant 'b/Quant'",
        "Quant 'd/Quant'",
    ]


NUMBERS = st.one_of(
    st.none(), st.just("x"), st.floats(allow_nan=True, allow_infinity=True, width=32), st.integers(-2, 40).map(float),
    st.lists(st.floats(0, 2, width=32), max_size=5), st.just(np.ones((2, 3, 4))), st.just(np.ones((1, 1, 1, 1, 4))),
)  # fmt: skip
ATTRIBUTE = st.one_of(
    st.integers(-1, 2), st.floats(-1, 1), st.sampled_from(["ROUND", "FLOOR", "round", "", "DOWN", "X" * 99]),
    st.lists(st.integers(0, 1), min_size=1, max_size=3),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["Quant", "IntQuant", "BipolarQuant", "Trunc"]), st.lists(NUMBERS, max_size=6),
    st.dictionaries(st.sampled_from(["signed", "narrow", "rounding_mode", "other"]), ATTRIBUTE), st.booleans(),
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nonsense_is_an_error_or_a_graph(
    op: str, parameters: list[Any], attributes: dict[str, Any], weights: bool
) -> None:
    with contextlib.suppress(CompileError):
        verify(load(network(op, parameters, attributes, weights).SerializeToString()).graph)
