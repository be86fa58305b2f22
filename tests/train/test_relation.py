"""The relation network against its plain twin: every pair expanded, fused and sent through ordinary Linear layers."""

import pytest
import torch
from torch import nn
from torch.func import functional_call

from drsl.features.errors import SettingError
from drsl.train import RelationNetwork
from drsl.train.config import FUSIONS
from drsl.train.kernels import deep

DIM = 6
HIDDEN = {"one": 9, "two": (9, 8), "three": (9, 8, 7)}


def network_of(fusion="concat", hidden=9, *, dtype=torch.float64, training=True, seed=0, **options):
    """A network whose batch norms have seen something."""
    torch.manual_seed(seed)
    network = RelationNetwork(DIM, hidden, fusion, **options).to(dtype)
    for norm in network.norms:
        nn.init.uniform_(norm.weight, -1.5, 1.5)
        nn.init.normal_(norm.bias)
        nn.init.normal_(norm.running_mean)
        nn.init.uniform_(norm.running_var, 0.5, 2)
    return network.train(training)


def representations(n_i=7, n_t=5, dtype=torch.float64, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, DIM, generator=generator, dtype=dtype).relu().requires_grad_() for n in (n_i, n_t)]


def compare(near, network, twin, z_image, z_text):
    """Scores, gradients to inputs and parameters, and running statistics."""
    assert [key for key, _ in network.named_parameters()] == [key for key, _ in twin.named_parameters()]
    found = []
    for each in (network, twin):
        scores = each(z_image, z_text)
        upstream = torch.linspace(-1, 2, scores.numel(), dtype=scores.dtype).reshape(scores.shape)
        found.append((scores, *torch.autograd.grad((scores * upstream).sum(), [z_image, z_text, *each.parameters()])))
    # Batch norm takes the mean away, so some gradients are sums of large numbers that cancel.
    cancels = network.training and len(network.norms) > 0
    least = max(float(each.detach().abs().max()) for each in found[1]) if cancels else 1e-6
    for actual, expected in zip(*found, strict=True):
        near(actual, expected, least)
    for (key, actual), expected in zip(network.named_buffers(), twin.buffers(), strict=True):
        if key.endswith("num_batches_tracked"):
            assert actual == expected
        else:
            near(actual, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("backend", ["numba", "l1", "blocks"])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("fusion", FUSIONS)
def test_equals_its_plain_twin(
    fusion, hidden, batch_norm, training, backend, dtype, small_blocks, plain_relation, near
):
    options = {"batch_norm": batch_norm, "backend": backend, "dtype": dtype, "training": training}
    network = network_of(fusion, HIDDEN[hidden], **options)
    twin = plain_relation(network)
    for seed in (1, 2):  # running statistics go on from step to step
        compare(near, network, twin, *representations(dtype=dtype, seed=seed))


@pytest.mark.parametrize("backend", ["numba", "l1", "blocks"])
@pytest.mark.parametrize("fusion", FUSIONS)
def test_equals_its_plain_twin_at_the_papers_widths(fusion, backend, plain_relation, near):
    torch.manual_seed(0)
    network = RelationNetwork(fusion=fusion, backend=backend)
    z_image, z_text = torch.rand(5, 300, requires_grad=True), torch.rand(4, 300, requires_grad=True)
    compare(near, network, plain_relation(network), z_image, z_text)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_the_state_is_that_of_two_ordinary_layers(fusion):
    network = network_of(fusion)
    plain = nn.Sequential(nn.Linear(2 * DIM if fusion == "concat" else DIM, 9), nn.ReLU(), nn.Linear(9, 1)).double()
    names = {"first": "0", "last": "2"}
    state = {f"{names[key.split('.')[0]]}.{key.split('.')[1]}": each for key, each in network.state_dict().items()}
    plain.load_state_dict(state)
    z_image, z_text = representations()
    scores = network(z_image, z_text)
    for p in range(7):
        for q in range(5):
            image, text = z_image[p], z_text[q]
            pair = {"mul": image * text, "add": image + text, "sub": image - text}.get(fusion, torch.cat([image, text]))
            torch.testing.assert_close(scores[p, q], plain(pair)[0], rtol=1e-10, atol=1e-12)


def test_the_papers_widths_are_the_default():
    network = RelationNetwork()
    assert {key: tuple(each.shape) for key, each in network.state_dict().items()} == {
        "first.weight": (1024, 600),
        "first.bias": (1024,),
        "last.weight": (1, 1024),
        "last.bias": (1,),
    }
    assert network.fusion == "concat"


def test_one_hidden_layer_may_be_named_as_a_number_or_a_list():
    one, other = network_of(hidden=9), network_of(hidden=[9])
    assert torch.equal(one(*representations()), other(*representations()))


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("fusion", FUSIONS)
def test_evaluation_does_not_change_the_state(fusion, hidden, batch_norm):
    network = network_of(fusion, HIDDEN[hidden], batch_norm=batch_norm, training=False)
    before = {key: each.clone() for key, each in network.state_dict().items()}
    with torch.no_grad():
        scores = network(*representations())
    assert not scores.requires_grad
    torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=0)
    torch.testing.assert_close(network(*representations()), scores, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("backend", ["numba", "l1", "blocks"])
@pytest.mark.parametrize("hidden", [4, (4, 3), (4, 3, 3)])
@pytest.mark.parametrize("fusion", FUSIONS)
def test_gradcheck(fusion, hidden, backend, batch_norm, small_blocks):
    network = network_of(fusion, hidden, backend=backend, batch_norm=batch_norm)
    names, values = zip(*network.named_parameters(), strict=True)

    def scores(z_image, z_text, *parameters):
        state = {**dict(zip(names, parameters, strict=True)), **dict(network.named_buffers())}
        return functional_call(network, state, (z_image, z_text))

    inputs = [each.detach() + 0.1 for each in representations(3, 3)]  # not at the kink of mul's zeros
    inputs = [each.requires_grad_() for each in [*inputs, *(value.detach().clone() for value in values)]]
    assert torch.autograd.gradcheck(scores, inputs, fast_mode=True)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("backend", ["numba", "l1", "blocks"])
@pytest.mark.parametrize("fusion", FUSIONS)
def test_permuting_rows_permutes_the_scores(fusion, backend, hidden, batch_norm, small_blocks, near):
    network = network_of(fusion, HIDDEN[hidden], backend=backend, batch_norm=batch_norm)
    z_image, z_text = representations()
    rows, columns = torch.randperm(7), torch.randperm(5)
    near(network(z_image[rows], z_text[columns]), network(z_image, z_text)[rows][:, columns])


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("backend", ["numba", "l1", "blocks"])
@pytest.mark.parametrize("fusion", FUSIONS)
def test_inputs_that_are_not_contiguous(fusion, backend, hidden, small_blocks, plain_relation, near):
    network = network_of(fusion, HIDDEN[hidden], backend=backend)
    z_image = torch.randn(DIM, 14, dtype=torch.float64).T[::2].requires_grad_()
    z_text = torch.randn(1, DIM, dtype=torch.float64).expand(5, DIM).requires_grad_()
    assert not any(each.is_contiguous() for each in (z_image, z_text))
    compare(near, network, plain_relation(network), z_image, z_text)


@pytest.mark.parametrize(("n_i", "n_t"), [(0, 3), (3, 0), (0, 0), (1, 1), (1, 4), (4, 1)])
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("fusion", FUSIONS)
def test_few_items(fusion, hidden, batch_norm, n_i, n_t, plain_relation, near):
    for backend in ("numba", "l1", "blocks"):
        network = network_of(fusion, HIDDEN[hidden], batch_norm=batch_norm, backend=backend, training=False)
        compare(near, network, plain_relation(network), *representations(n_i, n_t))


@pytest.mark.parametrize(("n_i", "n_t"), [(1, 4), (4, 1), (2, 1)])
@pytest.mark.parametrize("hidden", HIDDEN)
def test_few_items_in_training_with_batch_norm(hidden, n_i, n_t, plain_relation, near):
    network = network_of(hidden=HIDDEN[hidden], batch_norm=True)
    compare(near, network, plain_relation(network), *representations(n_i, n_t))


@pytest.mark.parametrize("hidden", HIDDEN)
def test_one_pair_has_no_batch_statistics(hidden):
    network = network_of(hidden=HIDDEN[hidden], batch_norm=True)
    with pytest.raises(ValueError, match=r"more than (one pair|1 value)"):
        network(*representations(1, 1))


@pytest.mark.parametrize(("n_i", "n_t"), [(0, 3), (3, 0), (0, 0)])
@pytest.mark.parametrize("hidden", HIDDEN)
def test_no_pairs_leave_the_running_statistics_finite(hidden, n_i, n_t):
    network = network_of(hidden=HIDDEN[hidden], batch_norm=True)
    assert network(*representations(n_i, n_t)).shape == (n_i, n_t)
    assert all(bool(each.isfinite().all()) for each in network.buffers())


def test_the_score_is_a_linear_unit():
    network = network_of()
    with torch.no_grad():
        network.last.bias.fill_(-100)
        assert network(*representations()).max() < -50
        network.last.bias.fill_(100)
        assert network(*representations()).min() > 50


def test_a_second_gradient_of_blocks_is_refused_and_says_so():
    z_image, z_text = representations()
    scores = network_of(backend="blocks")(z_image, z_text)
    (first,) = torch.autograd.grad(scores.square().sum(), z_image, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate twice"):
        first.sum().backward()


def test_a_last_layer_of_zeros_gets_its_gradient(plain_relation, near):
    network = network_of()
    nn.init.zeros_(network.last.weight)
    compare(near, network, plain_relation(network), *representations())


def test_unknown_words_name_the_nearest():
    with pytest.raises(SettingError, match=r"fusion: 'mult' is not known \(did you mean 'mul'"):
        RelationNetwork(fusion="mult")
    with pytest.raises(SettingError, match=r"backend: 'block' is not known \(did you mean 'blocks'"):
        RelationNetwork(backend="block")


@pytest.mark.parametrize(("fusion", "hidden"), [("mul", (16, 16)), ("concat", (16, 16, 16))])
def test_what_is_kept_for_the_gradient_does_not_grow_with_the_pairs(fusion, hidden, monkeypatch):
    monkeypatch.setattr(deep, "_TILE", 16 * 16 * 16)
    network = network_of(fusion, hidden, batch_norm=True)
    kept = {}
    for items in (20, 80):
        elements = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda each, into=elements: into.append(each.numel()), lambda each: each
        ):
            scores = network(*representations(items, items))
        kept[items] = sum(elements)
        assert scores.shape == (items, items)
    assert kept[80] < 80 * 80 * 16  # less than one layer's outputs over all pairs
    assert kept[80] < 8 * kept[20]  # and linear in the items, whose pairs are 16 times as many
