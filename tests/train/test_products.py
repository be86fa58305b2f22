"""The compiled matrix products against numpy in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from drsl.train.kernels.products import Product, multiply

LIMIT = {torch.float32: 2e-6, torch.float64: 1e-14}


def matrix(rows, columns, dtype, seed, layout):
    """A matrix of random numbers: rows contiguous, columns contiguous, or neither."""
    found = torch.from_numpy(np.random.default_rng(seed).standard_normal((rows, columns))).to(dtype)
    if layout == "turned":
        return found.T.contiguous().T
    if layout == "part":
        return torch.cat([found, found + 1], dim=1).repeat_interleave(2, dim=1)[:, : 2 * columns : 2]
    return found


layouts = st.sampled_from(["plain", "turned", "part"])
sizes = st.one_of(st.integers(1, 9), st.integers(60, 70), st.integers(120, 300))


@settings(deadline=None, max_examples=60)
@given(
    size=st.tuples(sizes, sizes, sizes),
    dtype=st.sampled_from(list(LIMIT)),
    left=layouts,
    right=layouts,
    start=st.sampled_from(["nothing", "row", "matrix", "out"]),
    sign=st.sampled_from([1.0, -1.0]),
)
def test_products_of_any_size_and_layout(size, dtype, left, right, start, sign):
    rows, inner, columns = size
    first, second = matrix(rows, inner, dtype, 0, left), matrix(inner, columns, dtype, 1, right)
    whole = torch.full((rows, columns + 3), 7.0, dtype=dtype)  # the result is a part of something larger
    out = whole[:, 1:-2]
    out.copy_(matrix(rows, columns, dtype, 2, "plain"))
    begins = {"nothing": None, "row": torch.arange(columns, dtype=dtype), "matrix": out.clone(), "out": out}[start]
    before = 0.0 if begins is None else begins.double().numpy().copy()
    multiply([Product(first, second, out, begins, sign)])
    expected = before + sign * (first.double().numpy() @ second.double().numpy())
    scale = np.abs(first.double().numpy()) @ np.abs(second.double().numpy()) + np.abs(before)
    assert (np.abs(out.numpy() - expected) <= LIMIT[dtype] * scale).all()
    assert (whole[:, 0] == 7).all()
    assert (whole[:, -2:] == 7).all()


def test_several_products_at_once_equal_one_after_the_other():
    pairs = [(matrix(m, k, torch.float32, m, "plain"), matrix(k, n, torch.float32, n, "turned"))
             for m, k, n in ((200, 300, 1024), (3, 1000, 70), (1, 1, 1))]  # fmt: skip
    together = [torch.empty(len(left), right.shape[1]) for left, right in pairs]
    alone = [torch.empty_like(each) for each in together]
    multiply([Product(*pair, out) for pair, out in zip(pairs, together, strict=True)])
    for pair, out in zip(pairs, alone, strict=True):
        multiply([Product(*pair, out)])
    assert all(torch.equal(*each) for each in zip(together, alone, strict=True))


def test_the_number_of_threads_makes_no_difference():
    left, right = matrix(150, 90, torch.float32, 0, "plain"), matrix(90, 300, torch.float32, 1, "turned")
    found = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(torch.empty(150, 300))
            multiply([Product(left, right, found[-1])])
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_stays_in_its_row(bad):
    left, right = torch.ones(9, 5), torch.ones(5, 70)
    left[8, 2] = bad
    out = torch.empty(9, 70)
    multiply([Product(left, right, out)])
    assert (out[:8] == 5).all()
    assert not out[8].isfinite().any()
