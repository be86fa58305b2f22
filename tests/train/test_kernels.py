"""Every backend of the relation function against its formula, forward and backward."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from drsl.features.errors import SettingError
from drsl.train import kernels
from drsl.train.kernels import blocks, choose_backend, numba_cpu, relation_function

OWN = ("numba", "l1", "blocks")
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


@pytest.mark.parametrize("backend", ["numba", "blocks"])
def test_a_second_gradient_is_refused_and_says_so(backend):
    a, b, u, d = inputs()
    (first,) = torch.autograd.grad(relation_function(a, b, u, d, backend).square().sum(), a, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate twice"):
        first.sum().backward()


def test_a_second_gradient_of_l1_is_right():
    tensors = inputs(2, 3, 4)
    assert torch.autograd.gradgradcheck(lambda *each: relation_function(*each, "l1").square(), tensors)


@given(st.integers(0, 90), st.integers(0, 140), st.integers(1, 40), st.integers(0, 1000))
@settings(max_examples=40)
def test_backends_agree(n_i, n_t, h, seed):
    tensors = inputs(n_i, n_t, h, seed=seed)
    first, *others = (with_gradients(lambda *each, by=by: relation_function(*each, by), tensors, 1.5) for by in OWN)
    for other in others:
        for one, two in zip(first, other, strict=True):
            torch.testing.assert_close(one, two, rtol=1e-10, atol=1e-10)


def test_the_papers_widths_in_float32(backend, near):
    a, b, u, d = (each.detach() for each in inputs(200, 130, 1024, torch.float32))
    exact = with_gradients(
        lambda *each: relation_function(*each, "blocks"),
        [each.double().requires_grad_() for each in (a, b, u / 30, d)],
        1.0,
    )
    ours = with_gradients(
        lambda *each: relation_function(*each, backend), [each.requires_grad_() for each in (a, b, u / 30, d)], 1.0
    )
    for actual, expected in zip(ours, exact, strict=True):
        near(actual, expected.float())


def test_bfloat16_is_summed_in_float32():
    low = [each.detach().bfloat16().requires_grad_() for each in inputs(20, 30, 50)]
    high = [each.detach().float().requires_grad_() for each in low]
    ours = with_gradients(lambda *each: relation_function(*each, "numba"), low, 1.0)
    for actual, expected in zip(ours, with_gradients(plain, high, 1.0), strict=True):
        assert actual.dtype == torch.bfloat16
        torch.testing.assert_close(actual, expected.detach().bfloat16(), rtol=1e-2, atol=1e-2)


def test_any_number_of_threads_gives_the_same_bits(monkeypatch):
    monkeypatch.setattr(numba_cpu, "_SMALL", 0)
    tensors = inputs(90, 70, 300, torch.float32)
    upstream = torch.randn(90, 70, generator=torch.Generator().manual_seed(1))
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            found.append(with_gradients(lambda *each: relation_function(*each, "numba"), tensors, upstream))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            assert torch.equal(one, two)


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_come_out(backend, place, wrong):
    tensors = [each.detach() for each in inputs()]
    tensors[place].view(-1)[0] = wrong
    assert not relation_function(*tensors, backend).isfinite().all()


def test_unit_pairs_at_the_kink_have_no_gradient():
    _, b, u, d = inputs()
    at_zero = (-b[2:3].detach()).requires_grad_()
    (found,) = torch.autograd.grad(relation_function(at_zero, b[2:3], u, d, "numba").sum(), at_zero)
    assert torch.equal(found, torch.zeros_like(found))


@pytest.mark.parametrize("name", OWN)
def test_a_named_backend_is_taken(name):
    assert choose_backend(name) == name


def test_auto_takes_numba_on_the_cpu_and_what_any_device_has_elsewhere(monkeypatch):
    assert choose_backend("auto") == "numba"
    assert choose_backend("auto", "cuda") == choose_backend("auto", "mps") == "l1"
    tensors = inputs()
    assert torch.equal(relation_function(*tensors, "auto"), relation_function(*tensors, "numba"))
    monkeypatch.setattr(kernels, "_installed", lambda package: False)
    assert choose_backend("auto") == "l1"
    with pytest.raises(SettingError, match=r"backend: triton is not installed: `pip install triton`"):
        choose_backend("triton")


def test_numba_is_for_the_cpu():
    with pytest.raises(SettingError, match="backend: numba works on the CPU, not on cuda: set it to auto"):
        choose_backend("numba", "cuda")
