"""QONNX: what comes out of the import is the published definition, value by value."""

import numpy as np
import pytest
import qonnx_definition as definition
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx_models import Array, compiled, floats
from qonnx_models import DOMAINS, QonnxNodes

from mcucompile.errors import CompileError
from mcucompile.frontend import load
from mcucompile.ir import DType, Graph
from mcucompile.ops.clamp import Clamp
from mcucompile.reference import evaluate, trace

MODES = ("ROUND", "HALF_EVEN", "HALF_UP", "HALF_DOWN", "FLOOR", "CEIL", "UP", "DOWN", "ROUND_TO_ZERO")
SHAPE = (4, 3, 5, 2)


def values(scale: float, seed: int = 0, reach: float = 400.0) -> Array:
    """Real numbers around the grid: halves, quarters and whole steps, and others."""
    rng = np.random.default_rng(seed)
    steps = np.concatenate([rng.integers(-400, 400, 60) / 4, rng.uniform(-reach, reach, 60)])
    return np.asarray((steps * scale).reshape(SHAPE), np.float32)


def weight_model(g: QonnxNodes, w: str) -> bytes:
    """y = x + w, which shows w as it is."""
    g.add("Add", ["x", w], "y")
    return g.model([floats("x", *SHAPE)], [floats("y", *SHAPE)]).SerializeToString()


def constant_of(graph: Graph) -> Array:
    (tensor,) = graph.constants()
    assert tensor.const is not None and tensor.quant is not None and tensor.quant.zero == 0
    return tensor.quant.dequantize(tensor.const)


class TestConstants:
    """Every rounding mode, range and zero point is exact."""

    @settings(max_examples=150, deadline=None)
    @given(
        st.integers(2, 8), st.booleans(), st.booleans(), st.sampled_from(MODES), st.integers(-3, 200),
        st.sampled_from([0.125, 0.1, 3.0, 0.007]), st.booleans(), st.sampled_from(DOMAINS),
    )  # fmt: skip
    def test_quant(
        self, bits: int, signed: bool, narrow: bool, mode: str, zero: int, scale: float, as_nodes: bool, domain: str
    ) -> None:
        g, w = QonnxNodes(domain, as_nodes), values(scale)
        g.quant(g.constant("w", w), "wq", scale, bits, zero, signed, narrow, mode)
        found = constant_of(load(weight_model(g, "wq")).graph)
        np.testing.assert_array_equal(found, definition.quant(w, scale, zero, bits, signed, narrow, mode))

    @pytest.mark.parametrize("shape", [(4, 1, 1, 1), (1, 3, 1, 1), (3, 1, 1), (2,)])
    def test_scale_per_channel_broadcasts(self, shape: tuple[int, ...]) -> None:
        scale = np.linspace(0.05, 0.2, int(np.prod(shape)), dtype=np.float32).reshape(shape)
        zero = np.arange(scale.size, dtype=np.float32).reshape(shape)
        g, w = QonnxNodes(), values(0.1)
        g.quant(g.constant("w", w), "wq", scale, 4, zero)
        found = constant_of(load(weight_model(g, "wq")).graph)
        np.testing.assert_array_equal(found, definition.quant(w, scale, zero, 4, True, False, "ROUND"))

    @pytest.mark.parametrize("scale", [0.25, np.float32([0.1, 0.2, 0.3, 0.4]).reshape(4, 1, 1, 1)])
    def test_bipolar(self, scale: Array) -> None:
        g, w = QonnxNodes(), values(1.0)
        w[0, 0, 0] = [0.0, -0.0]
        g.bipolar(g.constant("w", w), "wq", scale)
        graph = load(weight_model(g, "wq")).graph
        np.testing.assert_array_equal(constant_of(graph), definition.bipolar(w, scale))
        assert set(np.unique(graph.constants()[0].const)) == {-1, 1}

    def test_one_signed_bit_is_bipolar(self) -> None:
        g, w = QonnxNodes(), values(1.0)
        g.quant(g.constant("w", w), "wq", 0.5, 1)
        found = constant_of(load(weight_model(g, "wq")).graph)
        np.testing.assert_array_equal(found, definition.quant(w, 0.5, 0, 1, True, False, "ROUND"))

    @pytest.mark.parametrize("mode", MODES)
    def test_trunc(self, mode: str) -> None:
        g, w = QonnxNodes(), np.rint(values(1.0)) * np.float32(0.25)
        g.trunc(g.constant("w", w), "wq", 0.25, 0.0, 10, 6, rounding_mode=mode)
        found = constant_of(load(weight_model(g, "wq")).graph)
        np.testing.assert_array_equal(found, definition.trunc(w, 0.25, 10, 6, mode))

    def test_bias_of_32_bits(self) -> None:
        g, w = QonnxNodes(), values(1.0)
        g.quant(g.constant("w", w), "wq", 1e-4, 32)
        found = constant_of(load(weight_model(g, "wq")).graph)
        np.testing.assert_array_equal(found, definition.quant(w, 1e-4, 0, 32, True, False, "ROUND"))

    @pytest.mark.parametrize(("bits", "dtype"), [(2, DType.I8), (8, DType.I8), (9, DType.I16), (20, DType.I32)])
    def test_narrowest_type(self, bits: int, dtype: DType) -> None:
        g = QonnxNodes()
        g.quant(g.constant("w", values(1.0, reach=1e7)), "wq", 1.0, bits)
        assert load(weight_model(g, "wq")).graph.constants()[0].dtype is dtype


def activation_model(g: QonnxNodes) -> bytes:
    return g.model([floats("x", *SHAPE)], [floats("y", *SHAPE)]).SerializeToString()


def run(data: bytes, x: Array) -> Array:
    return evaluate(load(data).graph, {"x": x})["y"]


class TestActivations:
    """Rounding to nearest is exact; the tensor that is stored keeps to the range of its bits."""

    @settings(max_examples=100, deadline=None)
    @given(st.integers(2, 16), st.booleans(), st.booleans(), st.sampled_from([0.125, 0.1, 3.0, 0.007]))
    def test_nearest(self, bits: int, signed: bool, narrow: bool, scale: float) -> None:
        g, x = QonnxNodes(), values(scale)
        g.quant("x", "y", scale, bits, 0, signed, narrow)
        found = run(activation_model(g), x)
        np.testing.assert_array_equal(found, definition.quant(x, scale, 0, bits, signed, narrow, "ROUND"))

    @settings(max_examples=100, deadline=None)
    @given(st.integers(2, 8), st.booleans(), st.integers(-6, 300), st.sampled_from([0.125, 0.1, 3.0]))
    def test_zero_point(self, bits: int, signed: bool, zero: int, scale: float) -> None:
        """Exact but next to ties, where the definition adds the zero point before it rounds."""
        g, x = QonnxNodes(), values(scale)
        g.quant("x", "y", scale, bits, zero, signed)
        found = run(activation_model(g), x)
        differs = found != definition.quant(x, scale, zero, bits, signed, False, "ROUND")
        assert np.all(np.abs(x[differs] / scale % 1 - 0.5) < 1e-4)
        assert not differs.any() or zero % 2 or scale == 0.1

    @settings(max_examples=100, deadline=None)
    @given(st.integers(2, 8), st.booleans(), st.booleans(), st.sampled_from(["FLOOR", "CEIL"]), st.integers(0, 5))
    def test_directed(self, bits: int, signed: bool, narrow: bool, mode: str, zero: int) -> None:
        """Exact for quarters of steps."""
        g, x = QonnxNodes(), values(0.5, reach=0.0)
        g.quant("x", "y", 0.5, bits, zero, signed, narrow, mode)
        wanted = definition.quant(x, 0.5, zero, bits, signed, narrow, mode)
        np.testing.assert_array_equal(run(activation_model(g), x), wanted)

    @pytest.mark.parametrize("mode", ["DOWN", "ROUND_TO_ZERO", "UP", "HALF_UP", "HALF_DOWN"])
    @pytest.mark.parametrize("zero", [0, 3, 8, 15])
    def test_away_from_and_toward_zero_where_all_integers_have_one_sign(self, mode: str, zero: int) -> None:
        """Exact for quarters of steps. It is the sign of the integer with its zero point, not that of the value."""
        g, x = QonnxNodes(), np.arange(-60, 60, dtype=np.float32).reshape(SHAPE) / 8
        g.quant("x", "y", 0.5, 4, zero, 0, 0, mode)
        wanted = definition.quant(x, 0.5, zero, 4, False, False, mode)
        np.testing.assert_array_equal(run(activation_model(g), x), wanted)

    @pytest.mark.parametrize("mode", ["DOWN", "UP"])
    @pytest.mark.parametrize("zero", [-8, 0, 7])
    def test_signs_are_not_told_by_the_zero_point(self, mode: str, zero: int) -> None:
        """All values are on one side of the zero point, and integers on both sides of 0."""
        g = QonnxNodes()
        g.quant("x", "y", 0.5, 4, zero, 1, 0, mode)
        with pytest.raises(CompileError, match=f"signed activations with the rounding mode {mode}"):
            load(activation_model(g))

    @pytest.mark.parametrize("mode", ["HALF_UP", "HALF_DOWN"])
    def test_other_nearest_modes_of_signed_integers_differ_at_ties_only(self, mode: str) -> None:
        g, x = QonnxNodes(), values(0.5)
        g.quant("x", "y", 0.5, 8, 0, 1, 0, mode)
        differs = run(activation_model(g), x) != definition.quant(x, 0.5, 0, 8, True, False, mode)
        assert np.all(np.abs(x[differs] / 0.5 % 1) == 0.5) and differs.any()

    @pytest.mark.parametrize(
        ("mode", "signed", "zero", "told"),
        [("ROUND", 1, 0, ""), ("HALF_EVEN", 0, 4, ""), ("ROUND", 0, 3, "even without the zero point"),
         ("HALF_UP", 1, 0, "ties go to the even"), ("HALF_DOWN", 1, 0, "ties go to the even"),
         ("HALF_UP", 0, 0, "1/4096 step"), ("FLOOR", 1, 3, "1/4096 step"), ("CEIL", 0, 0, "1/4096 step")],
    )  # fmt: skip
    def test_what_is_not_followed_exactly_is_told(self, mode: str, signed: int, zero: int, told: str) -> None:
        g = QonnxNodes()
        g.quant("x", "y", 0.5, 8, zero, signed, 0, mode)
        notes = load(activation_model(g)).notes
        assert bool(notes) == bool(told)
        assert all(told in note and f"Quant 'y/Quant' asks for the rounding mode {mode}" in note for note in notes)
        assert compiled(activation_model(g))  # the note is in the way of nothing

    def test_exact_constants_have_no_note(self) -> None:
        for mode in MODES:
            g = QonnxNodes()
            g.quant(g.constant("w", values(0.5)), "wq", 0.5, 8, 3, 1, 0, mode)
            assert load(weight_model(g, "wq")).notes == ()

    def test_odd_zero_point_differs_at_ties_only(self) -> None:
        g, x = QonnxNodes(), values(0.5)
        g.quant("x", "y", 0.5, 8, 3)
        differs = run(activation_model(g), x) != definition.quant(x, 0.5, 3, 8, True, False, "ROUND")
        assert np.all(np.abs(x[differs] / 0.5 % 1) == 0.5)

    @pytest.mark.parametrize(
        ("bits", "signed", "narrow", "low", "high"),
        [(4, 0, 0, 0, 15), (4, 1, 0, -8, 7), (4, 1, 1, -7, 7), (2, 0, 1, 0, 2), (7, 0, 0, 0, 127), (8, 0, 0, -128, 127),
         (8, 0, 1, -128, 126), (8, 1, 1, -127, 127)],
    )  # fmt: skip
    def test_stored_range(self, bits: int, signed: int, narrow: int, low: int, high: int) -> None:
        g = QonnxNodes()
        g.quant("x", "y", 0.5, bits, 0, signed, narrow)
        graph = load(activation_model(g)).graph
        (stored,) = [(t, v) for t, v in trace(graph, {"x": values(1.0)}).items() if t.dtype is DType.I8]
        assert (stored[1].min(), stored[1].max()) == (low, high)
        assert any(isinstance(n.op, Clamp) for n in graph.nodes) == ((low, high) != (-128, 127))

    def test_compiled_network_limits_what_its_caller_stores(self) -> None:
        g = QonnxNodes()
        g.quant("x", "y", 0.5, 4, 0, 1, 1)
        graph = compiled(activation_model(g))
        found = evaluate(graph, {"x": np.arange(-60, 60, dtype=np.int8).reshape(SHAPE)})["y"]
        assert (found.dtype, found.min(), found.max()) == (np.int8, -7, 7)

    @pytest.mark.parametrize("domain", DOMAINS)
    @pytest.mark.parametrize("as_nodes", [False, True])
    def test_domains_and_constant_nodes(self, domain: str, as_nodes: bool) -> None:
        g, x = QonnxNodes(domain, as_nodes), values(0.1)
        g.quant("x", "y", [[0.1]], 4)
        np.testing.assert_array_equal(run(activation_model(g), x), definition.quant(x, 0.1, 0, 4, True, False, "ROUND"))


class TestBinaryActivations:
    """Plus or minus the scale; zero counts as positive."""

    @pytest.mark.parametrize("scale", [1.0, 0.25, 0.1])
    @pytest.mark.parametrize("as_quant", [False, True])
    def test_signs(self, scale: float, as_quant: bool) -> None:
        g, x = QonnxNodes(), values(1.0)
        x[0, 0, 0] = [0.0, -0.0]
        if as_quant:
            g.quant("x", "y", scale, 1)
        else:
            g.bipolar("x", "y", scale)
        np.testing.assert_array_equal(run(activation_model(g), x), definition.bipolar(x, scale))

    def test_stored_as_one_and_minus_one(self) -> None:
        g = QonnxNodes()
        g.bipolar("x", "y", 0.3)
        stored = [
            v for t, v in trace(load(activation_model(g)).graph, {"x": values(1.0)}).items() if t.dtype is DType.I8
        ]
        assert set(np.unique(stored[0])) == {-1, 1}


class TestTrunc:
    """Dropping bits of values on a grid."""

    @pytest.mark.parametrize("mode", ["FLOOR", "CEIL", "DOWN"])
    @pytest.mark.parametrize("dropped", [0, 1, 2, 5])
    def test_directed_modes_are_exact(self, mode: str, dropped: int) -> None:
        scale, rng = 0.1, np.random.default_rng(0)
        x = (rng.integers(0, 1 << (4 + dropped), SHAPE) * np.float32(scale)).astype(np.float32)
        g = QonnxNodes()
        g.add("Relu", ["x"], "r")
        g.trunc("r", "y", scale, 0.0, 4 + dropped, 4, rounding_mode=mode)
        if mode == "DOWN":
            with pytest.raises(CompileError, match="E0103"):
                load(activation_model(g))
            return
        np.testing.assert_array_equal(run(activation_model(g), x), definition.trunc(x, scale, 4 + dropped, 4, mode))

    @pytest.mark.parametrize("signed", [0, 1])
    @pytest.mark.parametrize("mode", ["FLOOR", "CEIL"])
    def test_version_2_has_its_own_scale_and_range(self, signed: int, mode: str) -> None:
        x = (np.arange(-60, 60).reshape(SHAPE) * np.float32(0.3)).astype(np.float32)
        g = QonnxNodes()
        g.trunc("x", "y", 0.3, 0.0, 8, 1.2, 4, rounding_mode=mode, signed=signed, narrow=0)
        wanted = definition.trunc_2(x, 0.3, 1.2, 4, bool(signed), False, mode)
        np.testing.assert_array_equal(run(activation_model(g), x), wanted)

    def test_eight_bits_are_unsigned_behind_a_relu(self) -> None:
        x = np.arange(0, 1200, 10).reshape(SHAPE).astype(np.float32)
        g = QonnxNodes()
        g.add("Relu", ["x"], "r")
        g.trunc("r", "y", 1.0, 0.0, 11, 8)
        np.testing.assert_array_equal(run(activation_model(g), x), definition.trunc(x, 1.0, 11, 8, "FLOOR"))
