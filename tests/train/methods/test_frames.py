"""Frames are orthonormal, a row of zeros has a gradient, and the contrast is that of two loops."""

import math

import pytest
import torch
from torch.nn import functional

from drsl.features.errors import SettingError
from drsl.train.methods.frames import couple_contrast, orthonormal_frame, row_lengths


def unit(count, width, seed):
    draw = torch.Generator().manual_seed(seed)
    return functional.normalize(torch.randn(count, width, generator=draw, dtype=torch.float64), dim=1)


@pytest.mark.parametrize(("space", "classes"), [(12, 5), (5, 5), (512, 200)])
def test_a_frame_is_orthonormal(space, classes):
    frame = orthonormal_frame(space, classes)
    torch.testing.assert_close(frame.T @ frame, torch.eye(classes), rtol=0, atol=1e-5)


def test_more_classes_than_dimensions_are_refused():
    with pytest.raises(SettingError, match="space: 4 must be the number of classes, 5, or more"):
        orthonormal_frame(4, 5)


def test_lengths_are_euclidean_and_zero_rows_have_no_gradient():
    rows = torch.tensor([[3.0, 4.0], [0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    lengths = row_lengths(rows)
    torch.testing.assert_close(lengths.detach(), torch.tensor([5.0, 1e-6], dtype=torch.float64))
    lengths.sum().backward()
    torch.testing.assert_close(rows.grad, torch.tensor([[0.6, 0.8], [0.0, 0.0]], dtype=torch.float64))


@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_the_contrast_is_that_of_the_loops(temperature):
    image, text = unit(5, 4, 0), unit(5, 4, 1)
    both = [*image, *text]
    expected = 0.0
    for row in range(10):
        couple = (row + 5) % 10
        for scores in (  # by rows, then by columns
            [math.exp(both[row] @ each / temperature) for each in both],
            [math.exp(each @ both[row] / temperature) for each in both],
        ):
            others = sum(score for place, score in enumerate(scores) if place != row)
            expected -= math.log(scores[couple] / others) / 10
    assert float(couple_contrast(image, text, temperature)) == pytest.approx(expected, abs=1e-12)


def test_the_contrast_of_aligned_couples_at_right_angles():
    image = torch.eye(6, dtype=torch.float64)
    expected = 2 * (math.log(math.e + 10) - 1)
    assert float(couple_contrast(image, image, 1.0)) == pytest.approx(expected, abs=1e-12)
    assert float(couple_contrast(image, image.roll(1, 0), 1.0)) == pytest.approx(expected + 2, abs=1e-12)


def test_the_contrast_does_not_depend_on_order_or_side():
    image, text = unit(7, 4, 0), unit(7, 4, 1)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(2))
    expected = couple_contrast(image, text, 0.5)
    torch.testing.assert_close(couple_contrast(image[order], text[order], 0.5), expected)
    torch.testing.assert_close(couple_contrast(text, image, 0.5), expected)


def test_gradients():
    image, text = unit(4, 3, 0).requires_grad_(), unit(4, 3, 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda *sides: couple_contrast(*sides, 0.7), (image, text))
    assert torch.autograd.gradcheck(row_lengths, (image,))
