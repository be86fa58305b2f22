"""The modality networks: Linear, batch norm, ReLU, in this order, for every layer (equations 2, 3, 6 and 7)."""

import pytest
import torch
from torch import nn

from drsl.train.fnn import Fnn


def plain(width, layers, batch_norm):
    parts = []
    for after in layers:
        parts.append(nn.Linear(width, after))
        if batch_norm:
            parts.append(nn.BatchNorm1d(after))
        parts.append(nn.ReLU())
        width = after
    return nn.Sequential(*parts)


@pytest.mark.parametrize("layers", [(4,), (7, 4), (7, 6, 4)])
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("training", [True, False])
def test_equals_a_plain_stack_of_layers(layers, batch_norm, training):
    torch.manual_seed(0)
    network = Fnn(5, layers, batch_norm).train(training)
    twin = plain(5, layers, batch_norm).train(training)
    twin.load_state_dict(network.layers.state_dict())
    feature = torch.randn(6, 5)
    torch.testing.assert_close(network(feature), twin(feature), rtol=0, atol=0)
    torch.testing.assert_close(network.layers.state_dict(), twin.state_dict(), rtol=0, atol=0)


def test_one_layer_by_hand():
    network = Fnn(2, [2])
    with torch.no_grad():
        network.layers[0].weight.copy_(torch.tensor([[1.0, 2.0], [-1.0, 0.0]]))
        network.layers[0].bias.copy_(torch.tensor([0.5, 1.0]))
    assert network(torch.tensor([[1.0, 1.0], [-3.0, 0.0]])).tolist() == [[3.5, 0.0], [0.0, 4.0]]


@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_representation_is_never_negative(batch_norm):
    torch.manual_seed(0)
    z = Fnn(5, (8, 16), batch_norm)(torch.randn(9, 5))
    assert z.shape == (9, 16)
    assert z.min() == 0
    assert z.max() > 0


@pytest.mark.parametrize("rows", [0, 1])
def test_few_rows(rows):
    assert Fnn(5, (7, 4))(torch.ones(rows, 5)).shape == (rows, 4)
    assert Fnn(5, (7, 4), True).eval()(torch.ones(rows, 5)).shape == (rows, 4)


def test_no_batch_norm_unless_asked_for():
    assert not any(isinstance(part, nn.BatchNorm1d) for part in Fnn(5, (7, 4)).modules())
    assert sum(isinstance(part, nn.BatchNorm1d) for part in Fnn(5, (7, 4), True).modules()) == 2
