"""Both backends of the relation function against its formula, forward and backward."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from drsl.train.config import BACKENDS
from drsl.train.kernels import blocks, choose_backend, relation_function

OWN = ("l1", "blocks")
WEIGHTS = {
    "mixed": lambda u: u,
    "positive": torch.abs,
    "negative": lambda u: -u.abs(),
    "zero": torch.zeros_like,
    "some zero": lambda u: torch.where(torch.arange(len(u)) % 2 == 0, 0.0, u),
}


def plain(a, b, u, d):
    """R[p, q] = d + sum_h u[h] relu(a[p, h] + b[q, h]), pair by pair."""
    rows = [torch.stack([d[0] + (u * torch.relu(a_p + b_q)).sum() for b_q in b]) for a_p in a if len(b)]
    return torch.stack(rows) if rows else (a.sum() + b.sum() + u.sum() + d.sum()) * a.new_zeros(len(a), len(b))


def inputs(n_i=7, n_t=5, h=9, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = ((n_i, h), (n_t, h), (h,), (1,))
    return [torch.randn(*shape, generator=generator, dtype=dtype).requires_grad_() for shape in shapes]


def with_gradients(function, tensors, upstream):
    scores = function(*tensors)
    return scores, *torch.autograd.grad((scores * upstream).sum(), tensors)


def compare(near, backend, tensors, upstream=None):
    if upstream is None:
        upstream = torch.linspace(-1, 2, len(tensors[0]) * len(tensors[1]), dtype=tensors[0].dtype)
        upstream = upstream.reshape(len(tensors[0]), len(tensors[1]))
    ours = with_gradients(lambda *each: relation_function(*each, backend), tensors, upstream)
    for actual, expected in zip(ours, with_gradients(plain, tensors, upstream), strict=True):
        near(actual, expected, least=1e-6)


@pytest.fixture(params=OWN)
def backend(request, small_blocks):
    return request.param


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("weights", WEIGHTS)
def test_scores_and_gradients_equal_the_formula(backend, dtype, weights, near):
    a, b, u, d = inputs(dtype=dtype)
    u = WEIGHTS[weights](u.detach()).to(dtype).requires_grad_()
    compare(near, backend, [a, b, u, d])


@pytest.mark.parametrize(("n_i", "n_t"), [(0, 3), (3, 0), (0, 0), (1, 1), (1, 4), (4, 1)])
def test_few_items(backend, n_i, n_t, near):
    compare(near, backend, inputs(n_i, n_t))


@pytest.mark.parametrize("elements", [1, 45, 46, 89, 90, 7 * 45, 1 << 22])
def test_any_block_size_gives_the_same(elements, monkeypatch, near):
    monkeypatch.setattr(blocks, "_ELEMENTS", elements)
    compare(near, "blocks", inputs())


def test_blocks_hold_no_more_than_their_limit(monkeypatch):
    monkeypatch.setattr(blocks, "_ELEMENTS", 100)
    a, b, _, _ = inputs()
    parts = blocks._blocks(a, b)
    assert [len(a[part]) for part in parts] == [2, 2, 2, 1]
    assert torch.equal(torch.cat([a[part] for part in parts]), a)


def test_inputs_and_gradients_that_are_not_contiguous(backend, near):
    generator = torch.Generator().manual_seed(0)
    draw = [torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in ((9, 14), (9, 5), (18,), (5, 7))]
    a, b, u = draw[0].T[::2].requires_grad_(), draw[1].T.requires_grad_(), draw[2][::2].requires_grad_()
    assert not any(each.is_contiguous() for each in (a, b, u))
    compare(near, backend, [a, b, u, torch.ones(1, dtype=torch.float64, requires_grad=True)], draw[3].T)
    expanded = b[:1].detach().expand(5, 9).requires_grad_()
    compare(near, backend, [a, expanded, u, torch.ones(1, dtype=torch.float64, requires_grad=True)])


def test_gradients_of_a_plain_sum(backend, near):
    tensors = inputs()
    ours = torch.autograd.grad(relation_function(*tensors, backend).sum(), tensors)
    for actual, expected in zip(ours, torch.autograd.grad(plain(*tensors).sum(), tensors), strict=True):
        near(actual, expected)


@pytest.mark.parametrize("place", range(4))
def test_a_gradient_for_one_input_only(backend, place, near):
    tensors = [each.detach().requires_grad_(at == place) for at, each in enumerate(inputs())]
    (ours,) = torch.autograd.grad(relation_function(*tensors, backend).square().sum(), tensors[place])
    near(ours, torch.autograd.grad(plain(*tensors).square().sum(), tensors[place])[0])


def test_gradcheck(backend):
    assert torch.autograd.gradcheck(lambda *each: relation_function(*each, backend), inputs(3, 3, 4))


def test_permuting_rows_permutes_the_scores(backend, near):
    a, b, u, d = inputs()
    rows, columns = torch.randperm(7), torch.randperm(5)
    scores = relation_function(a, b, u, d, backend)
    near(relation_function(a[rows], b[columns], u, d, backend), scores[rows][:, columns])


def test_a_second_gradient_of_blocks_is_refused_and_says_so():
    a, b, u, d = inputs()
    (first,) = torch.autograd.grad(relation_function(a, b, u, d, "blocks").square().sum(), a, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate twice"):
        first.sum().backward()


def test_a_second_gradient_of_l1_is_right():
    tensors = inputs(2, 3, 4)
    assert torch.autograd.gradgradcheck(lambda *each: relation_function(*each, "l1").square(), tensors)


@given(st.integers(0, 6), st.integers(0, 6), st.integers(1, 6), st.integers(0, 1000))
def test_backends_agree(n_i, n_t, h, seed):
    tensors = inputs(n_i, n_t, h, seed=seed)
    one, other = (with_gradients(lambda *each, by=by: relation_function(*each, by), tensors, 1.5) for by in OWN)
    for first, second in zip(one, other, strict=True):
        torch.testing.assert_close(first, second, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", BACKENDS)
def test_auto_is_settled(name):
    assert choose_backend(name) in OWN
    assert choose_backend(name) == name or name == "auto"
    tensors = inputs()
    assert torch.equal(relation_function(*tensors, name), relation_function(*tensors, choose_backend(name)))
