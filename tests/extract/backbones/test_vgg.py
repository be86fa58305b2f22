import pytest
import torch
from torchvision import models

from drsl.extract.backbones.vgg import Vgg


def shapes(network):
    return {name: tuple(each.shape) for name, each in network.state_dict().items()}


@pytest.fixture(scope="module")
def network():
    """The published layers with a pool of 1, which leaves 4 of 123 million numbers before fc7."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Vgg("vgg19", 5, pool=1).eval()


@pytest.fixture(scope="module")
def pixels():
    return torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("architecture", ["vgg19", "vgg19_bn"])
def test_layers_are_torchvisions_but_for_the_last(architecture):
    with torch.device("meta"):  # shapes without numbers
        ours, theirs = Vgg(architecture, 5), getattr(models, architecture)(weights=None)
    found, published = shapes(ours), shapes(theirs)
    assert (found.pop("classifier.6.weight"), found.pop("classifier.6.bias")) == ((5, 4096), (5,))
    del published["classifier.6.weight"], published["classifier.6.bias"]
    assert list(found.items()) == list(published.items())
    assert repr(ours.features) == repr(theirs.features)
    assert repr(ours.avgpool) == repr(theirs.avgpool)
    assert repr(ours.classifier[:-1]) == repr(theirs.classifier[:-1])


@pytest.mark.parametrize(("pool", "size"), [(7, 224), (7, 32), (1, 32), (1, 45), (3, 96)])
def test_shapes(pool, size):
    with torch.device("meta"):
        network = Vgg("vgg19", 5, pool)
        feature = network.feature(torch.empty(2, 3, size, size))
        assert feature.shape == (2, network.dim) == (2, 4096)
        assert network.classify(feature).shape == (2, 5)
        assert network.classifier[0].in_features == 512 * pool * pool


def test_fc7_is_what_the_layers_give_by_hand(network, pixels):
    state = network.state_dict()
    with torch.no_grad():
        grid = pixels
        for layer in network.features:
            grid = layer(grid)
        row = grid.mean(dim=(2, 3))  # a pool of 1
        fc6 = (row @ state["classifier.0.weight"].T + state["classifier.0.bias"]).clamp(min=0)
        fc7 = (fc6 @ state["classifier.3.weight"].T + state["classifier.3.bias"]).clamp(min=0)
        scores = fc7 @ state["classifier.6.weight"].T + state["classifier.6.bias"]
        torch.testing.assert_close(network.feature(pixels), fc7, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(network(pixels), scores, rtol=1e-4, atol=1e-6)


@torch.no_grad()
def test_fc7_is_after_relu(network, pixels):
    feature = network.feature(pixels)
    assert (feature >= 0).all()
    assert (feature == 0).any()
    assert (feature > 0).any()


@torch.no_grad()
def test_forward_classifies_fc7(network, pixels):
    assert torch.equal(network(pixels), network.classify(network.feature(pixels)))


@torch.no_grad()
def test_dropout_acts_in_training_only(network, pixels):
    assert torch.equal(network.feature(pixels), network.feature(pixels))
    network.train()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            zeros = (network.feature(pixels) == 0).float().mean()
    finally:
        network.eval()
    assert zeros > (network.feature(pixels) == 0).float().mean() + 0.1


@torch.no_grad()
def test_a_picture_has_the_same_feature_in_any_company(network, pixels):
    alone = torch.cat([network.feature(each[None]) for each in pixels])
    torch.testing.assert_close(network.feature(pixels), alone, rtol=1e-5, atol=1e-5)


def test_the_first_layer_of_a_smaller_pool_starts_as_torchvisions(network):
    first = network.classifier[0]
    assert first.weight.std().item() == pytest.approx(0.01, rel=0.01)
    assert not first.bias.any()


@torch.no_grad()
def test_the_grid_is_pool5(network, pixels):
    grid = network.grid(pixels)
    assert grid.shape == (3, 512, 1, 1)
    assert torch.equal(network.classifier[:-1](grid.flatten(1)), network.feature(pixels))
    with torch.device("meta"):
        assert Vgg("vgg19", 5).grid(torch.empty(2, 3, 224, 224)).shape == (2, 512, 7, 7)
