"""An operator on moved axes is the operator followed by the move, for every operator that claims so."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcucompile.ir import Array, Clip, Op, Perm, Shape, composed, inverse, keeps_order
from mcucompile.ops.add import Add
from mcucompile.ops.clamp import Clamp
from mcucompile.ops.concat import Concat
from mcucompile.ops.conv2d import Conv2d
from mcucompile.ops.dense import Dense
from mcucompile.ops.log_softmax import LogSoftmax
from mcucompile.ops.max_pool import MaxPool
from mcucompile.ops.pad import Pad
from mcucompile.ops.prelu import PRelu
from mcucompile.ops.reduce_mean import ReduceMean
from mcucompile.ops.sigmoid import Sigmoid
from mcucompile.ops.slice import Slice
from mcucompile.ops.softmax import Softmax
from mcucompile.ops.split import Split
from mcucompile.ops.window import Window
from mcucompile.passes.axes import reshaped

SHAPE = (2, 3, 4, 5)  # of the transposed tensor that the operator reads
perms = st.permutations(range(4)).map(tuple)
axis = st.integers(0, 3)


@st.composite
def operators(draw: st.DrawFn) -> Op:
    """Operators for a tensor of SHAPE."""
    k = draw(axis)
    return draw(
        st.sampled_from(
            [
                Clamp(Clip(-2.0, 5.0)),
                Sigmoid(),
                Split(k, (1, SHAPE[k] - 1)),
                Slice(tuple(int(i == k) for i in range(4)), tuple(d - (i == k) for i, d in enumerate(SHAPE)), (1,) * 4),
                Pad((0, k, 0, 1), (1, 0, k, 0), 2.0),
                ReduceMean((k,), keepdims=True),
                ReduceMean(tuple(sorted({k, 2})), keepdims=False),
                ReduceMean((0, 1, 2, 3), keepdims=False),
                PRelu(tuple(0.5 * i for i in range(SHAPE[k])), k),
                Softmax(),
                LogSoftmax(),
            ]
        )
    )


def transposed(perm: Perm, seed: int = 0) -> tuple[Array, Array]:
    """A tensor, and its transposition, which has SHAPE."""
    shape = tuple(SHAPE[i] for i in inverse(perm))
    x = np.random.default_rng(seed).integers(-9, 10, shape).astype(np.float32)
    return x, x.transpose(perm)


@given(operators(), perms)
def test_operator_on_moved_axes(op: Op, perm: Perm) -> None:
    x, y = transposed(perm)
    change = op.moved(perm)
    if change is None:
        assert isinstance(op, Softmax | LogSoftmax) and perm[-1] != 3
        return
    for wanted, found in zip(op.reference(y), change.op.reference(x), strict=True):
        np.testing.assert_allclose(found.transpose(change.perm), wanted, rtol=1e-6)


@given(perms, axis)
def test_two_operands(perm: Perm, k: int) -> None:
    (a, ta), (b, tb) = transposed(perm, 1), transposed(perm, 2)
    for op in (Add(), Concat(k)):
        change = op.moved(perm)
        assert change
        np.testing.assert_array_equal(change.op.reference(a, b)[0].transpose(change.perm), op.reference(ta, tb)[0])


@given(perms)
def test_dense_needs_its_last_axis(perm: Perm) -> None:
    x, y = transposed(perm)
    w, b = np.arange(10, dtype=np.float32).reshape(2, 5), np.ones(2, np.float32)
    change = Dense().moved(perm)
    assert (change is None) == (perm[-1] != 3)
    if change:
        np.testing.assert_array_equal(
            change.op.reference(x, w, b)[0].transpose(change.perm), Dense().reference(y, w, b)[0]
        )


@pytest.mark.parametrize("op", [Conv2d(Window((1, 1))), MaxPool(Window((1, 1)))])
def test_operators_on_images_keep_their_order(op: Op) -> None:
    assert op.moved((0, 3, 1, 2)) is None


@given(perms, perms)
def test_composition_and_inverse(first: Perm, second: Perm) -> None:
    x = np.arange(120).reshape(SHAPE)
    np.testing.assert_array_equal(x.transpose(first).transpose(second), x.transpose(composed(first, second)))
    assert composed(first, inverse(first)) == (0, 1, 2, 3)


@given(perms, st.tuples(*[st.sampled_from([1, 1, 2, 3])] * 4))
def test_free_transposition_leaves_memory_as_it_is(perm: Perm, shape: Shape) -> None:
    x = np.arange(np.prod(shape)).reshape(shape)
    is_same = np.array_equal(x.transpose(perm).ravel(), x.ravel())
    assert keeps_order(perm, shape) == is_same


@given(perms, st.tuples(*[st.sampled_from([1, 2, 3, 4])] * 4), st.data())
def test_reshape_before_instead_of_behind(perm: Perm, shape: Shape, data: st.DataObject) -> None:
    x = np.arange(np.prod(shape)).reshape(shape)
    y = x.transpose(perm)
    target = data.draw(st.sampled_from(factorizations(y.size)))
    found = reshaped(perm, shape, target)
    if found:
        new, behind = found
        np.testing.assert_array_equal(x.reshape(new).transpose(behind), y.reshape(target))


def factorizations(size: int) -> list[Shape]:
    """Shapes of up to four axes with that many elements."""
    divisors = [d for d in range(1, size + 1) if size % d == 0]
    return [
        (a, b, size // (a * b)) for a in divisors for b in divisors if size % (a * b) == 0
    ] + [(size,), (1, size, 1, 1)]  # fmt: skip


@pytest.mark.parametrize(
    ("perm", "shape", "target", "wanted"),
    [
        ((0, 3, 1, 2), (1, 4, 5, 6), (1, 6, 20), ((1, 20, 6), (0, 2, 1))),  # rows and columns join
        ((0, 3, 1, 2), (1, 4, 5, 6), (6, 4, 5), ((4, 5, 6), (2, 0, 1))),  # the batch vanishes
        ((0, 3, 1, 2), (1, 4, 5, 6), (1, 120), None),  # flattened: channels lie between
        ((0, 3, 1, 2), (1, 4, 5, 6), (1, 24, 5), None),
        ((0, 3, 1, 2), (1, 1, 1, 6), (1, 6), ((1, 6), (0, 1))),
        ((0, 3, 1, 2), (1, 4, 5, 6), (1, 2, 3, 4, 5), ((1, 4, 5, 2, 3), (0, 3, 4, 1, 2))),  # channels are cut
    ],
)
def test_reshapes(perm: Perm, shape: Shape, target: Shape, wanted: tuple[Shape, Perm] | None) -> None:
    assert reshaped(perm, shape, target) == wanted
