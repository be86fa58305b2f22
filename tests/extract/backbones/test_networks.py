"""What every image network has in common."""

import pytest
import torch

from drsl.extract.architectures import ARCHITECTURES
from drsl.extract.backbones import image_network
from drsl.features.errors import SettingError


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_widths_are_those_of_the_table(architecture):
    known = ARCHITECTURES[architecture]
    with torch.device("meta"):  # shapes without numbers
        network = image_network(architecture, 5)
        pixels = torch.empty(2, 3, known.side, known.side)
        feature, grid = network.feature(pixels), network.grid(pixels)
        assert feature.shape == (2, network.dim) == (2, known.width)
        assert network.classify(feature).shape == network(pixels).shape == (2, 5)
    side = 14 if architecture == "vit_b_16" else 7
    assert grid.shape[2:] == (side, side)
    last = [each.shape for name, each in network.state_dict().items() if name.startswith(network.last_layer)]
    assert last == [(5, known.width), (5,)]


@pytest.mark.parametrize("architecture", [name for name, each in ARCHITECTURES.items() if each.any_side])
def test_32_pixels_are_enough(architecture):
    with torch.device("meta"):
        network = image_network(architecture, 5, pool=1 if architecture.startswith("vgg") else 7)
        assert network(torch.empty(2, 3, 32, 32)).shape == (2, 5)


def test_an_unknown_name_is_refused():
    with pytest.raises(SettingError, match="did you mean 'vgg19'"):
        image_network("vgg-19", 5)
