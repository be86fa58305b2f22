"""The whole network: its widths, its parts' order, and a state that says by name what belongs where."""

import pytest
import torch

from drsl.train.config import FUSIONS
from drsl.train.model import DrslModel


@pytest.fixture
def model(tiny_config):
    torch.manual_seed(0)
    return DrslModel(tiny_config(), 8, 5)


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("batch_norm", [False, True])
def test_relation_scores_of_the_two_representations(fusion, batch_norm, tiny_config, plain_relation, near):
    torch.manual_seed(0)
    config = tiny_config(fusion, relation=[20, 6], fnn_batch_norm=batch_norm, relation_batch_norm=batch_norm)
    model = DrslModel(config, 8, 5)
    image, text = torch.randn(6, 8), torch.randn(4, 5)
    model(image, text)  # running statistics have seen something
    model.eval()
    expected = plain_relation(model.relation)(model.image_fnn(image), model.text_fnn(text))
    assert expected.shape == (6, 4)
    near(model(image, text), expected)


@pytest.mark.parametrize(("fusion", "fused"), [("concat", 24), ("mul", 12), ("add", 12), ("sub", 12)])
def test_the_widths_are_those_of_the_config(fusion, fused, tiny_config):
    state = DrslModel(tiny_config(fusion), 8, 5).state_dict()
    assert {key: tuple(each.shape) for key, each in state.items() if key.endswith("weight")} == {
        "image_fnn.layers.0.weight": (24, 8),
        "image_fnn.layers.2.weight": (12, 24),
        "text_fnn.layers.0.weight": (16, 5),
        "text_fnn.layers.2.weight": (12, 16),
        "relation.first.weight": (20, fused),
        "relation.last.weight": (1, 20),
    }


def test_images_are_rows(model):
    image, text = torch.randn(3, 8), torch.randn(4, 5)
    scores = model(image, text)
    torch.testing.assert_close(model(image[1:2], text[2:3]), scores[1:2, 2:3])


def test_every_parameter_learns(model):
    model(torch.randn(6, 8), torch.randn(4, 5)).square().sum().backward()
    assert all(each.grad is not None and bool(each.grad.any()) for each in model.parameters())


@pytest.mark.parametrize("backend", ["auto", "numba", "l1", "blocks"])
def test_the_backend_is_that_of_the_config(backend, tiny_config):
    assert DrslModel(tiny_config(backend=backend), 8, 5).relation.backend == backend
