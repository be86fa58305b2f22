"""The fusions' widths, and the first layer's split against a loop over the pairs."""

import pytest
import torch

from drsl.features.errors import SettingError
from drsl.train.fusion import first_layer, fused_width

BY_HAND = {
    "concat": lambda image, text: torch.cat([image, text]),
    "add": lambda image, text: image + text,
    "sub": lambda image, text: image - text,
}


def representations(n_i=4, n_t=3, dim=5):
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(n, dim, generator=generator, dtype=torch.float64) for n in (n_i, n_t))


@pytest.mark.parametrize(("fusion", "width"), [("concat", 600), ("mul", 300), ("add", 300), ("sub", 300)])
def test_the_papers_widths(fusion, width):
    assert fused_width(fusion, 300) == width


@pytest.mark.parametrize("fusion", ["concat", "add", "sub"])
def test_the_split_layer_gives_what_the_whole_layer_gives(fusion):
    draw = torch.Generator().manual_seed(1)
    inputs = [
        *representations(),
        torch.randn(7, fused_width(fusion, 5), generator=draw, dtype=torch.float64),
        torch.randn(7, generator=draw, dtype=torch.float64),
    ]
    inputs = [each.requires_grad_() for each in inputs]
    found = []
    a, b = first_layer(fusion, *inputs)
    assert a.shape == (4, 7)
    assert b.shape == (3, 7)
    image, text, weight, bias = inputs
    pairs = torch.stack([torch.stack([BY_HAND[fusion](each, other) for other in text]) for each in image])
    for hidden in (a[:, None, :] + b[None, :, :], pairs @ weight.T + bias):
        upstream = torch.linspace(-1, 2, hidden.numel(), dtype=torch.float64).reshape(hidden.shape)
        found.append((hidden, *torch.autograd.grad((hidden * upstream).sum(), inputs)))
    for ours, plain in zip(*found, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-12, atol=1e-12)
    assert torch.autograd.gradcheck(lambda *each: first_layer(fusion, *each), inputs)


def test_the_first_half_is_the_images():
    ones = torch.ones(1, 2)
    a, b = first_layer("concat", ones, ones, torch.tensor([[1.0, 2.0, 3.0, 4.0]]), torch.tensor([10.0]))
    assert (a.item(), b.item()) == (13.0, 7.0)


def test_an_unknown_fusion_names_the_nearest():
    with pytest.raises(SettingError, match="did you mean 'concat'"):
        fused_width("concatenate", 5)
