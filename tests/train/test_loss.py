"""The target and the loss against loops over the pairs (equations 9 and 10)."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from drsl.features.errors import SettingError
from drsl.train.config import REDUCTIONS
from drsl.train.loss import relation_loss, target_matrix

LABELS = st.lists(st.integers(-2, 3) | st.integers(2**31, 2**40), min_size=1, max_size=6)


def problem(n_i=4, n_t=6):
    generator = torch.Generator().manual_seed(0)
    image, text = (torch.randint(0, 3, (n,), generator=generator) for n in (n_i, n_t))
    return torch.randn(n_i, n_t, generator=generator, dtype=torch.float64), target_matrix(image, text)


@given(LABELS, LABELS)
def test_the_target_is_1_for_equal_classes(image, text):
    target = target_matrix(torch.tensor(image), torch.tensor(text))
    assert target.dtype == torch.float32
    assert target.tolist() == [[1.0 if p == q else 0.0 for q in text] for p in image]


@pytest.mark.parametrize(("n_i", "n_t"), [(4, 6), (5, 5), (1, 1), (1, 7)])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_the_loss_is_the_sum_of_squares(reduction, n_i, n_t):
    scores, target = problem(n_i, n_t)
    total = 0.0
    for p in range(n_i):
        for q in range(n_t):
            total += (float(scores[p, q]) - float(target[p, q])) ** 2
    expected = total / {"sum": 1, "per_batch": (n_i * n_t) ** 0.5, "mean": n_i * n_t}[reduction]
    loss = relation_loss(scores, target, reduction)
    assert loss.shape == ()
    assert float(loss) == pytest.approx(expected, rel=1e-12)


def test_per_batch_divides_by_the_batch_size():
    scores, target = problem(5, 5)
    whole, part = (relation_loss(scores, target, reduction) for reduction in ("sum", "per_batch"))
    assert float(whole) == pytest.approx(5 * float(part), rel=1e-12)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_scores_equal_to_the_target_cost_nothing(reduction):
    _, target = problem()
    scores = target.clone().requires_grad_()
    loss = relation_loss(scores, target, reduction)
    loss.backward()
    assert loss == 0
    assert torch.equal(scores.grad, torch.zeros_like(target))


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_the_gradient_is_twice_the_difference(reduction):
    scores, target = problem()
    scores.requires_grad_()
    relation_loss(scores, target, reduction).backward()
    divisor = {"sum": 1, "per_batch": 24**0.5, "mean": 24}[reduction]
    torch.testing.assert_close(scores.grad, 2 * (scores.detach() - target) / divisor, rtol=1e-12, atol=0)


def test_an_unknown_reduction_names_the_nearest():
    with pytest.raises(SettingError, match=r"loss_reduction: 'means' is not known \(did you mean 'mean'"):
        relation_loss(*problem(), "means")
