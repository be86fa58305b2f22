import numpy as np
import pytest
import torch

from drsl.extract.sentence_cnn import SentenceNetwork


@pytest.fixture
def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return SentenceNetwork(word_dim=4, classes=3, windows=(1, 2, 3), maps=5, dropout=0.5).eval()


@pytest.fixture
def words():
    return torch.randn(6, 7, 4, generator=torch.Generator().manual_seed(1))


def naive_pooled(network, words):
    """Kim's equations with loops: every filter over every window of every text, ReLU, the largest."""
    rows = []
    for text in words.double().numpy():
        row = []
        for window, layer in zip(network.windows, network.convolutions, strict=True):
            weight, bias = layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy()
            for filter in range(len(weight)):
                seen = []
                for start in range(len(text) - window + 1):
                    total = bias[filter]
                    for offset in range(window):
                        total += weight[filter, :, offset] @ text[start + offset]
                    seen.append(max(0.0, total))
                row.append(max(seen))
        rows.append(row)
    return np.array(rows)


@torch.no_grad()
def test_the_feature_is_the_largest_answer_of_each_filter(network, words):
    found = network.pooled(words)
    assert found.shape == (6, network.dim) == (6, 15)
    np.testing.assert_allclose(found.numpy(), naive_pooled(network, words), rtol=1e-5, atol=1e-6)
    assert (found >= 0).all()
    assert (found == 0).any()


@torch.no_grad()
def test_the_classifier_is_linear(network, words):
    feature = network.pooled(words)
    expected = feature @ network.classifier.weight.T + network.classifier.bias
    torch.testing.assert_close(network.classify(feature), expected)
    assert torch.equal(network(words), network.classify(feature))
    assert network(words).shape == (6, 3)


@torch.no_grad()
def test_dropout_acts_on_the_classifier_in_training_only(network, words):
    network.train()
    feature = network.pooled(words)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        assert not torch.equal(network.classify(feature), network.classify(feature))
    assert torch.equal(feature, network.eval().pooled(words))


def test_the_papers_feature_has_300_numbers():
    with torch.device("meta"):
        network = SentenceNetwork(300, 10, (3, 4, 5), 100, 0.5)
        assert network.pooled(torch.empty(2, 60, 300)).shape == (2, 300)
    assert sum(each.numel() for each in network.convolutions.parameters()) == 300 * 100 * 12 + 300


@torch.no_grad()
def test_a_text_as_long_as_the_widest_window(network, words):
    np.testing.assert_allclose(
        network.pooled(words[:, :3]).numpy(), naive_pooled(network, words[:, :3]), rtol=1e-5, atol=1e-6
    )


@torch.no_grad()
def test_a_text_of_zeros_has_the_feature_of_the_biases(network):
    expected = torch.cat([torch.relu(each.bias) for each in network.convolutions])
    torch.testing.assert_close(network.pooled(torch.zeros(1, 9, 4))[0], expected)


@torch.no_grad()
def test_a_text_has_the_same_feature_in_any_company(network, words):
    alone = torch.cat([network.pooled(each[None]) for each in words])
    torch.testing.assert_close(network.pooled(words), alone, rtol=1e-5, atol=1e-6)
