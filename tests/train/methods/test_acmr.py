"""ACMR: reversed gradients, triplets beside loops and a library, what the published demo leaves out."""

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch.nn import functional

from drsl.features import Features
from drsl.features.errors import SettingError
from drsl.train import get_method
from drsl.train.methods.acmr import _most_alike, batch_hard_triplet, batch_sum_triplet, reverse_gradient
from drsl.train.methods.network import Batch

LABEL = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 1])


def vectors(seed=0, count=9, width=5):
    numbers = torch.Generator().manual_seed(seed)
    return [torch.randn(count, width, generator=numbers, dtype=torch.float64).requires_grad_() for _ in range(2)]


# Reversed gradients.


def test_reversing_leaves_values_and_turns_the_gradient_round():
    values = vectors()[0]
    found = reverse_gradient(values, 0.3)
    assert torch.equal(found, values)
    gradient = torch.randn(found.shape, generator=torch.Generator().manual_seed(1), dtype=found.dtype)
    found.backward(gradient)
    torch.testing.assert_close(values.grad, -0.3 * gradient)


def batch_of(toy, done=1.0, count=30):
    """Some training couples as a step sees them."""
    image, text = (each.select("train") for each in toy)
    label = torch.from_numpy(image.label[:count])
    return Batch(*(torch.from_numpy(each.feature[:count]) for each in (image, text)), label, label, done)


def gradients(method, model, batch, term):
    model.zero_grad()
    method._losses(model, batch)[term].backward()
    return {name: each.grad.clone() for name, each in model.named_parameters() if each.grad is not None}


def test_only_the_projectors_gradient_is_reversed_and_it_grows_as_training_goes_on(toy, make_method):
    method = make_method("acmr")
    model = method._build((32, 20), 3)
    start, half, end = (gradients(method, model, batch_of(toy, done), "adversarial") for done in (0.0, 0.5, 1.0))
    plain = make_method("acmr", adversarial_weight=0.5)
    weaker = gradients(plain, model, batch_of(toy, 0.5), "adversarial")
    ramp = {done: 2 / (1 + math.exp(-10 * done)) - 1 for done in (0.0, 0.5, 1.0)}
    for name, each in end.items():
        if name.startswith("discriminator."):
            torch.testing.assert_close(start[name], each)  # learns from the first step on, at full strength
            torch.testing.assert_close(half[name], each)
        else:
            assert not start[name].any()
            torch.testing.assert_close(half[name], each * ramp[0.5] / ramp[1.0])
            torch.testing.assert_close(weaker[name], half[name] / 2)
    # Up the gradient of the discriminator's loss, not down.
    both = torch.cat([model.embed("image", batch_of(toy).image), model.embed("text", batch_of(toy).text)])
    modality = torch.arange(2).repeat_interleave(30)
    loss = 2 * functional.cross_entropy(model.discriminator(both), modality)
    straight = torch.autograd.grad(loss, model.image[0].weight)[0]
    torch.testing.assert_close(end["image.0.weight"], -ramp[1.0] * straight)


def test_a_discriminator_of_random_vectors_is_at_chance(make_method):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = make_method("acmr")._build((32, 20), 3)
        logits = model.discriminator(torch.randn(1000, 8))
    loss = functional.cross_entropy(logits, torch.arange(2).repeat_interleave(500))
    assert float(loss.detach()) == pytest.approx(math.log(2), abs=0.1)


def test_alone_the_labels_train_a_classifier_that_both_modalities_share(toy, make_method):
    method = make_method("acmr", adversarial_weight=0.0, triplet_weight=0.0)
    model, batch = method._build((32, 20), 3), batch_of(toy)
    found = method._losses(model, batch)
    expected = sum(
        functional.cross_entropy(model.classifier(getattr(model, side)(each)), batch.image_label)
        for side, each in (("image", batch.image), ("text", batch.text))
    )
    torch.testing.assert_close(found["label"], expected)
    assert float(found["triplet"].detach()) == 0
    alone = gradients(method, model, batch, "label")
    model.zero_grad()
    torch.stack([*method._losses(model, batch).values()]).sum().backward()
    for name, each in alone.items():
        torch.testing.assert_close(model.get_parameter(name).grad, each)


@pytest.fixture(scope="module")
def gaussians():
    """Two classes; besides them, the modality shifts all items. The modality can be forgotten, the class not."""
    draw = np.random.default_rng(0)
    label = np.arange(240) % 2
    found = []
    for side in (-1, 1):
        feature = draw.standard_normal((240, 6))
        feature[:, 0] += 3 * (2 * label - 1)
        feature[:, 1] += 3 * side
        found.append(
            Features(
                id=np.array([str(row) for row in range(240)], dtype=object),
                feature=feature.astype(np.float32),
                label=label,
                split=np.zeros(240, np.uint8),  # nothing to select by: the last epoch stays
                classes=("a", "b"),
            )
        )
    return found


def probed(method, sides):
    """Accuracy of a fresh classifier of the modality, on the half that it has not seen."""
    embedded = [
        method.model.embed(side, torch.from_numpy(each.feature)).detach().numpy()
        for side, each in zip(("image", "text"), sides, strict=True)
    ]
    truth = np.repeat([0, 1], 120)
    seen, unseen = (np.concatenate([each[half] for each in embedded]) for half in (slice(120), slice(120, None)))
    return LogisticRegression(max_iter=1000).fit(seen, truth).score(unseen, truth)


def test_the_adversary_makes_the_modality_hard_to_tell(gaussians):
    settings = {"image_hidden": [], "text_hidden": [], "components": 4, "batch": 60, "learning_rate": 1e-3}
    accuracy = {}
    for weight in (0.0, 1.0):
        method = get_method("acmr", **settings, epochs=120, triplet_weight=0.0, adversarial_weight=weight)
        accuracy[weight] = probed(method.fit(*gaussians, seed=1), gaussians)
    assert accuracy[1.0] < 0.6 < 0.9 < accuracy[0.0]


# Triplets.


def test_the_hardest_triples_are_those_of_plain_loops():
    image, text = vectors()
    unit = [functional.normalize(each, dim=1) for each in (image, text)]
    expected = 0
    for anchors, others in (unit, unit[::-1]):
        for p in range(len(LABEL)):
            near = {True: [], False: []}
            for q in range(len(LABEL)):
                near[bool(LABEL[p] == LABEL[q])].append((anchors[p] - others[q]).norm())
            expected += max(0, max(near[True]) - min(near[False]) + 0.2) / len(LABEL)
    torch.testing.assert_close(batch_hard_triplet(image, text, LABEL, 0.2), expected)


def test_the_hardest_triples_are_those_of_a_library():
    pytest.importorskip("pytorch_metric_learning")
    from pytorch_metric_learning.distances import LpDistance
    from pytorch_metric_learning.losses import TripletMarginLoss
    from pytorch_metric_learning.miners import BatchHardMiner
    from pytorch_metric_learning.reducers import MeanReducer

    mine, theirs = vectors(3), vectors(3)
    miner = BatchHardMiner(distance=LpDistance())
    loss = TripletMarginLoss(margin=0.2, distance=LpDistance(), reducer=MeanReducer())
    expected = 0
    for anchors, others in (theirs, theirs[::-1]):
        label = LABEL.clone()  # the very same labels would mean the very same items, whose own pair is left out
        triples = miner(anchors, LABEL, others, label)
        expected = expected + loss(anchors, LABEL, triples, ref_emb=others, ref_labels=label)
    found = batch_hard_triplet(*mine, LABEL, 0.2)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)
    found.backward()
    expected.backward()
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-5, atol=1e-8)


def test_a_batch_of_one_class_has_no_triple():
    image, text = vectors()
    loss = batch_hard_triplet(image, text, torch.zeros(len(LABEL)), 0.2)
    loss.backward()
    assert float(loss.detach()) == 0
    assert not image.grad.any()


def test_equal_vectors_have_a_finite_gradient():
    image = vectors()[0]
    batch_hard_triplet(image, image, LABEL, 5.0).backward()
    assert image.grad.isfinite().all()


def test_the_demos_triplet_is_that_of_plain_loops():
    image, text = (each.detach() for each in vectors())
    nears = [[3, 0, 4, 1, 8, 7, 2, 5, 6], [1, 2, 0, 4, 3, 6, 5, 8, 7]]
    own = sum(0.5 * ((image[p] - text[p]) ** 2).sum() for p in range(9))
    negative = [
        sum(0.5 * ((image[p] - text[nears[0][p]]) ** 2).sum() for p in range(9)),
        sum(0.5 * ((text[p] - image[nears[1][p]]) ** 2).sum() for p in range(9)),
    ]
    expected = sum(max(0, 0.1 + 5 * own - each) for each in negative)
    torch.testing.assert_close(batch_sum_triplet(image, text, *map(torch.tensor, nears), 0.1), expected)


def test_the_demos_negative_is_the_item_of_another_class_most_alike():
    feature = vectors()[0].detach()
    for p, found in enumerate(_most_alike(feature, LABEL).tolist()):
        other = [q for q in range(9) if LABEL[q] != LABEL[p]]
        assert found == max(other, key=lambda q: float(functional.cosine_similarity(feature[p], feature[q], dim=0)))


# The published demo.


def test_the_demo_has_its_own_numbers_where_none_are_given():
    method = get_method("acmr", variant="demo")
    model = method._build((4096, 300), 10)
    for network, expected in (
        (model.image, [(512, 4096), (100, 512), (40, 100)]),
        (model.text, [(40, 300), (100, 40), (40, 100)]),
        (model.discriminator, [(20, 40), (10, 20), (2, 10)]),
    ):
        assert [each.weight.shape for each in network if isinstance(each, torch.nn.Linear)] == expected
    assert not any(isinstance(each, torch.nn.ReLU | torch.nn.Tanh) for each in model.discriminator)
    assert (method.config.epochs, method.config.batch, method.config.ranking) == (50, 64, "euclidean")
    assert get_method("acmr", variant="demo", epochs=3).config.epochs == 3
    assert get_method("acmr").config.ranking == "cosine"


def test_the_demo_trains_no_classifier_and_its_projectors_know_no_discriminator(toy):
    method = get_method("acmr", variant="demo", batch=30)
    model = method._build((32, 20), 3)
    before = {name: each.clone() for name, each in model.state_dict().items()}
    found = gradients(method, model, batch_of(toy), "adversarial")
    assert all(name.startswith("discriminator.") or not each.any() for name, each in found.items())
    method._step(model, method._optimizers(model), batch_of(toy))
    for name, each in model.state_dict().items():
        assert torch.equal(each, before[name]) == name.startswith("classifier.")


def test_euclidean_scores_are_distances_below_0(toy, make_method):
    method = make_method("acmr", ranking="euclidean").fit(*toy, seed=0)
    image, text = (each.select("test").feature for each in toy)
    left, right = (method.represent(side, each) for side, each in (("image", image), ("text", text)))
    expected = -np.linalg.norm(left[:, None].astype(float) - right[None], axis=2)
    np.testing.assert_allclose(method.score(image, text), expected, rtol=0, atol=1e-6)


def test_the_demo_is_saved_and_loaded(toy, tmp_path):
    method = get_method("acmr", variant="demo", epochs=2, batch=30).fit(*toy, seed=0)
    method.save(tmp_path / "0.safetensors")
    loaded = get_method("acmr").load(tmp_path / "0.safetensors")
    test = [each.select("test").feature for each in toy]
    np.testing.assert_array_equal(loaded.score(*test), method.score(*test))
    assert loaded.settings == method.settings


@pytest.mark.parametrize(
    "settings",
    [
        {"variant": "demos"},
        {"ranking": "cosinus"},
        {"image_hidden": [0]},
        {"components": 0},
        {"margin": -1.0},
        {"adversarial_weight": math.nan},
    ],
)
def test_a_setting_out_of_range_is_named(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        get_method("acmr", **settings)


def test_it_learns(toy, make_method):
    assert make_method("acmr", epochs=15, learning_rate=5e-3).fit(*toy, seed=0).best_val_map > 0.9
