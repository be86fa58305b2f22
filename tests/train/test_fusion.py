"""The four fusions against loops over the pairs, and the first layer's split."""

import pytest
import torch

from drsl.features.errors import SettingError
from drsl.train.config import FUSIONS
from drsl.train.fusion import fuse, fused_width, split_first_layer

BY_HAND = {
    "concat": lambda image, text: torch.cat([image, text]),
    "mul": lambda image, text: image * text,
    "add": lambda image, text: image + text,
    "sub": lambda image, text: image - text,
}


def representations(n_i=4, n_t=3, dim=5):
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(n, dim, generator=generator, dtype=torch.float64) for n in (n_i, n_t))


@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_pair_is_fused(fusion):
    image, text = representations()
    fused = fuse(fusion, image, text)
    assert fused.shape == (4, 3, fused_width(fusion, 5))
    for p in range(4):
        for q in range(3):
            assert torch.equal(fused[p, q], BY_HAND[fusion](image[p], text[q]))


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize(("n_i", "n_t"), [(0, 3), (3, 0), (0, 0), (1, 1)])
def test_few_items(fusion, n_i, n_t):
    assert fuse(fusion, *representations(n_i, n_t)).shape == (n_i, n_t, fused_width(fusion, 5))


@pytest.mark.parametrize(("fusion", "width"), [("concat", 600), ("mul", 300), ("add", 300), ("sub", 300)])
def test_the_papers_widths(fusion, width):
    assert fused_width(fusion, 300) == width


@pytest.mark.parametrize("fusion", ["concat", "add", "sub"])
def test_the_split_layer_gives_what_the_whole_layer_gives(fusion):
    image, text = representations()
    weight = torch.randn(7, fused_width(fusion, 5), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    image_part, text_part = split_first_layer(fusion, weight)
    assert image_part.shape == text_part.shape == (7, 5)
    split = (image @ image_part.T)[:, None, :] + (text @ text_part.T)[None, :, :]
    torch.testing.assert_close(split, fuse(fusion, image, text) @ weight.T, rtol=1e-12, atol=1e-12)


def test_the_first_half_is_the_images():
    image_part, text_part = split_first_layer("concat", torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    assert image_part.tolist() == [[1.0, 2.0]]
    assert text_part.tolist() == [[3.0, 4.0]]


def test_mul_is_not_linear():
    assert split_first_layer("mul", torch.ones(7, 5)) is None


def test_an_unknown_fusion_names_the_nearest():
    with pytest.raises(SettingError, match="did you mean 'concat'"):
        fused_width("concatenate", 5)
