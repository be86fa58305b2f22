"""torchvision's networks with a new last layer: against torchvision's own."""

import re

import pytest
import torch
from torch import nn
from torchvision import models

from drsl.extract.architectures import ARCHITECTURES
from drsl.extract.backbones.torchvision_networks import TorchvisionNetwork
from drsl.extract.weights import load_weights

NAMES = [name for name, each in ARCHITECTURES.items() if each.family == "torchvision"]
SMALL = ["resnet18", "densenet121", "mobilenet_v3_large", "efficientnet_b0"]
LARGE = [pytest.param(name, marks=pytest.mark.slow) for name in NAMES if name not in SMALL]
# The module that pools the grid, where there is one: its input is the grid.
POOLED = {"resnet18": "avgpool", "mobilenet_v3_large": "avgpool", "efficientnet_b0": "avgpool"}
POOLED |= {"resnet50": "avgpool", "resnet101": "avgpool", "convnext_tiny": "avgpool"}


def seeded(make):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make().eval()


def pixels_for(architecture, count=2):
    side = 64 if ARCHITECTURES[architecture].any_side else 224
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("architecture", SMALL + LARGE)
@torch.no_grad()
def test_the_feature_is_the_input_of_torchvisions_last_layer(tmp_path, architecture):
    theirs = seeded(lambda: models.get_model(architecture, weights=None))
    torch.save(theirs.state_dict(), tmp_path / "published.pth")
    ours = seeded(lambda: TorchvisionNetwork(architecture, 5))
    load_weights(ours, tmp_path / "published.pth")
    (tmp_path / "published.pth").unlink()
    pixels, seen = pixels_for(architecture), {}
    last = [each for each in theirs.modules() if isinstance(each, nn.Linear)][-1]
    last.register_forward_pre_hook(lambda _, inputs: seen.update(feature=inputs[0]))
    if architecture in POOLED:
        pool = theirs.get_submodule(POOLED[architecture])
        pool.register_forward_pre_hook(lambda _, inputs: seen.update(grid=inputs[0]))
    theirs(pixels)
    feature, grid = ours.feature(pixels), ours.grid(pixels)
    assert torch.equal(feature, seen["feature"])
    if "grid" in seen:
        assert torch.equal(grid, seen["grid"])
    elif architecture == "densenet121":
        torch.testing.assert_close(grid.mean(dim=(2, 3)), feature)
    else:
        assert grid.shape == (2, 768, 14, 14)
        assert torch.equal(grid[0, :, 3, 5], theirs.encoder(embedded(theirs, pixels))[0, 1 + 3 * 14 + 5])


def embedded(vit, pixels):
    rows = vit._process_input(pixels)
    return torch.cat([vit.class_token.expand(len(rows), -1, -1), rows], dim=1)


@pytest.mark.parametrize("architecture", NAMES)
def test_layers_are_torchvisions_but_for_the_last(architecture):
    with torch.device("meta"):
        ours = TorchvisionNetwork(architecture, 5)
        theirs = models.get_model(architecture, weights=None)
    found = ours.from_published(theirs.state_dict())
    own = {name: each.shape for name, each in ours.state_dict().items() if not name.startswith("last.")}
    left = {name for name in found if name not in own}
    assert own == {name: each.shape for name, each in found.items() if name in own}
    assert len(left) == 2  # the weight and bias for ImageNet's classes
    assert all(found[name].shape[0] == 1000 for name in left)


def test_a_densenet_file_with_older_names_is_taken_as_torchvision_takes_it():
    theirs = models.densenet121(weights=None)
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", name): each
        for name, each in theirs.state_dict().items()
    }
    assert set(old) != set(theirs.state_dict())
    found = TorchvisionNetwork("densenet121", 5).from_published(old)
    assert set(found) == {f"body.{name}" for name in theirs.state_dict()}


def test_a_vision_transformers_file_with_older_names_is_taken_as_torchvision_takes_it():
    with torch.device("meta"):
        block = models.vision_transformer.MLPBlock(4, 8, 0.0)
    old = {"linear_1.weight": torch.ones(8, 4), "linear_1.bias": torch.ones(8)}
    old |= {"linear_2.weight": torch.ones(4, 8), "linear_2.bias": torch.ones(4)}
    prefix = "encoder.layers.encoder_layer_0.mlp."
    with torch.device("meta"):
        found = TorchvisionNetwork("vit_b_16", 5).from_published({prefix + name: each for name, each in old.items()})
    assert set(found) == {f"body.{prefix}{name}" for name in block.state_dict()}
    block.load_state_dict(old, assign=True)  # torchvision renames them itself
    for name, each in block.state_dict().items():
        assert torch.equal(each, found[f"body.{prefix}{name}"])


@pytest.mark.parametrize("architecture", NAMES)
def test_pictures_are_normalised_as_torchvisions_weights_ask(architecture):
    known = ARCHITECTURES[architecture]
    asked = models.get_model_weights(architecture).IMAGENET1K_V1.transforms()
    assert (tuple(asked.mean), tuple(asked.std), asked.crop_size) == (known.mean, known.deviation, [known.side])


@torch.no_grad()
def test_dropout_acts_before_the_last_layer_and_in_training_only():
    network = seeded(lambda: TorchvisionNetwork("mobilenet_v3_large", 5, dropout=0.5))
    feature = torch.ones(4, network.dim)
    assert torch.equal(network.classify(feature), network.classify(feature))
    network.train()
    assert not torch.equal(network.classify(feature), network.classify(feature))
    assert sum(isinstance(each, nn.Dropout) and each.p > 0 for each in network.modules()) == 1
