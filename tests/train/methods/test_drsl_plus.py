"""DRSL+ against its equations written plainly: scores, loss, steps, averaged weights, and what its two controls are."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from drsl.features.errors import SettingError
from drsl.train import get_method, read_method, top_k
from drsl.train.batches import epoch_batches
from drsl.train.methods import drsl_plus
from drsl.train.methods.drsl_plus import DrslPlusConfig, PlusNetworks
from drsl.train.settings import make_settings

PLUS = ("drsl-plus", "drsl-plus-no-relation", "drsl-plus-cross-entropy")
SMALL = {"representation": 12, "hidden": 7, "batch": 20, "learning_rate": 5e-3}


@pytest.fixture(params=PLUS)
def name(request):
    return request.param


def networks(dims=(8, 5), classes=4, **changed):
    """Small networks in float64 whose inputs were fitted."""
    torch.manual_seed(3)
    config = make_settings(DrslPlusConfig, {"representation": 6, "hidden": 9, **changed})
    model = PlusNetworks(config, dims, classes).double()
    for side, dim in zip(("image", "text"), dims, strict=True):
        model.inputs[side].fit(torch.randn(50, dim).double())
    return model.eval()


def views(dims=(8, 5), rows=(7, 6)):
    return [torch.randn(count, dim, dtype=torch.float64) for count, dim in zip(rows, dims, strict=True)]


def plain_score(model, image, text, shares=None):
    """R, pair by pair as written, and the two sides' logits; with dropout where `shares` are given."""
    logits, posteriors, zs = [], [], []
    for side, feature in (("image", image), ("text", text)):
        inputs, linear = model.inputs[side], getattr(model, side)[1]
        x = (feature - inputs.mean) * inputs.scale
        if shares:
            x = functional.dropout(x, shares[side])
        z = torch.relu(linear(x))
        if shares:
            z = functional.dropout(z, shares["z"])
        zs.append(z)
        logits.append(z @ model.classifier.weight.T + model.classifier.bias)
        posteriors.append(torch.exp(logits[-1]) / torch.exp(logits[-1]).sum(dim=1, keepdim=True))
    rows = []
    for p, z_image in zip(posteriors[0], zs[0], strict=True):
        for q, z_text in zip(posteriors[1], zs[1], strict=True):
            score = model.alpha[0] * (p * q).sum()
            if model.relation is not None:
                hidden = torch.relu(model.relation.first(torch.cat([z_image, z_text])))
                score = score + model.relation.last(hidden)[0]
            rows.append(score)
    return torch.stack(rows).reshape(len(image), len(text)), logits


# The score.


def test_the_widths_are_those_of_the_recipe():
    config = get_method("drsl-plus").config
    with torch.device("meta"):
        model = PlusNetworks(config, (4096, 100), 10)
    shapes = {key: tuple(each.shape) for key, each in model.named_parameters()}
    assert shapes == {
        "alpha": (1,),
        "image.1.weight": (1024, 4096),
        "image.1.bias": (1024,),
        "text.1.weight": (1024, 100),
        "text.1.bias": (1024,),
        "classifier.weight": (10, 1024),
        "classifier.bias": (10,),
        "relation.first.weight": (256, 2048),
        "relation.first.bias": (256,),
        "relation.last.weight": (1, 256),
        "relation.last.bias": (1,),
    }
    assert [each.p for each in model.modules() if isinstance(each, nn.Dropout)] == [0.5] * 4
    assert (config.learning_rate, config.learning_rate_decay, config.batch, config.epochs) == (1e-3, 0.93, 100, 40)
    assert (config.average, config.validate_every, config.patience) == (0.98, 2, 16)
    assert (config.pair_weight, config.class_weight, config.standardise) == (1.0, 10.0, True)


def test_before_training_the_score_is_exactly_that_of_the_posteriors():
    model = networks()
    image, text = views()
    left, right = model.embed("image", image), model.embed("text", text)
    with torch.no_grad():
        model.alpha.fill_(1.7)
    torch.testing.assert_close(model.relate(left, right), model.alpha * (left[:, :4] @ right[:, :4].T), rtol=0, atol=0)


@pytest.mark.parametrize("relation", [True, False])
def test_scores_are_those_of_a_loop_over_pairs(relation):
    model = networks(relation=relation)
    with torch.no_grad():
        model.alpha.fill_(0.6)
        if relation:
            nn.init.normal_(model.relation.last.weight)
            nn.init.normal_(model.relation.last.bias)
    image, text = views()
    expected, _ = plain_score(model, image, text)
    torch.testing.assert_close(model.relate(model.embed("image", image), model.embed("text", text)), expected)


def test_gradients_are_those_of_finite_differences():
    model = networks()
    nn.init.normal_(model.relation.last.weight)
    parameters = [*model.parameters()]

    def score(image, text, *_):
        return model.relate(model.embed("image", image), model.embed("text", text))

    inputs = [each.requires_grad_() for each in views(rows=(3, 4))]
    assert torch.autograd.gradcheck(score, (*inputs, *parameters))


# The steps.


class _Double:
    """Networks in float64, so that a plain loop can be compared digit by digit."""

    def _build(self, dims, classes):
        return super()._build(dims, classes).double()


@pytest.mark.parametrize("average", [0.0, 0.5, 0.98])
def test_training_is_a_plain_loop(name, average, make_toy):
    """Three epochs without val, so that the last is kept: loss, Adam, rate, dropout and averaged weights by hand."""
    image, text = (replace(each, feature=each.feature.astype(np.float64)) for each in make_toy((90, 0, 6), (70, 0, 6)))
    kind = {
        "drsl-plus": drsl_plus.DrslPlus,
        "drsl-plus-no-relation": drsl_plus.DrslPlusNoRelation,
        "drsl-plus-cross-entropy": drsl_plus.DrslPlusCrossEntropy,
    }[name]
    settings = {**SMALL, "epochs": 3, "average": average, "learning_rate_decay": 0.7, "text_dropout": 0.2}
    method = type("Double", (_Double, kind), {})(**settings).fit(image, text, seed=5)

    rows = {"image": image.split == 0, "text": text.split == 0}
    x = {"image": image.feature[rows["image"]], "text": text.feature[rows["text"]]}
    y = {"image": torch.tensor(image.label[rows["image"]]), "text": torch.tensor(text.label[rows["text"]])}
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(5)
        model = PlusNetworks(method.config, (32, 20), 3).double()
        for side in x:
            deviation = x[side].std(axis=0)
            model.inputs[side].mean.copy_(torch.tensor(x[side].mean(axis=0)))
            model.inputs[side].scale.copy_(torch.tensor(np.where(deviation > 1e-9, 1 / deviation.clip(1e-9), 0)))
        optimizer = torch.optim.Adam(model.parameters(), 5e-3)
        generator = torch.Generator().manual_seed(5)
        averaged = None
        pair_weight = 0.0 if name == "drsl-plus-cross-entropy" else 1.0
        for epoch in range(3):
            optimizer.param_groups[0]["lr"] = 5e-3 * 0.7**epoch
            parts = []
            for left, right in epoch_batches(90, 70, 20, generator):
                shares = {"image": 0.5, "text": 0.2, "z": 0.5}
                batch = torch.tensor(x["image"])[left], torch.tensor(x["text"])[right]
                scores, logits = plain_score(model, *batch, shares)
                same = y["image"][left][:, None] == y["text"][right][None, :]
                pairs = pair_weight * ((scores - same.double()) ** 2).sum() / len(left)
                entropy = -sum(
                    torch.log_softmax(each, dim=1)[torch.arange(len(label)), label].mean()
                    for each, label in zip(logits, (y["image"][left], y["text"][right]), strict=True)
                )
                parts.append(
                    [pairs.item(), 10 * entropy.item(), scores[same].mean().item(), scores[~same].mean().item()]
                )
                optimizer.zero_grad()
                (pairs + 10 * entropy).backward()
                optimizer.step()
                now = {key: each.detach().clone() for key, each in model.named_parameters()}
                averaged = averaged or now
                averaged = {key: average * averaged[key] + (1 - average) * each for key, each in now.items()}
            assert method.log[epoch][:-1] == pytest.approx([epoch + 1, *np.mean(parts, axis=0)], rel=1e-4)
    found = dict(method.model.named_parameters())
    assert found.keys() == averaged.keys()
    for key, expected in averaged.items():
        torch.testing.assert_close(found[key].detach(), expected, rtol=0, atol=1e-7)


def test_looks_at_val_are_as_far_apart_as_set_and_the_best_is_kept(name, make_method, toy):
    method = make_method(name, epochs=7, validate_every=3).fit(*toy, seed=0)
    values = [row[-1] for row in method.log]
    assert [value == value for value in values] == [False, False, True, False, False, True, True]
    assert method._val_map(*toy) == pytest.approx(method.best_val_map, abs=1e-12)


def test_patience_counts_epochs_between_looks(make_method, toy, monkeypatch):
    monkeypatch.setattr(drsl_plus.DrslPlus, "_val_map", lambda *_: 0.5)
    assert len(make_method("drsl-plus", epochs=30, validate_every=2, patience=5).fit(*toy, seed=0).log) == 8
    assert len(make_method("drsl-plus", epochs=30, validate_every=4, patience=1).fit(*toy, seed=0).log) == 8


# The controls, and what is kept.


def test_the_controls_are_scored_by_posteriors_alone(name, make_method, toy):
    method = make_method(name).fit(*toy, seed=0)
    arrays = method._arrays()
    posteriors = []
    for side, each in zip(("image", "text"), toy, strict=True):
        x = (each.select("test").feature - arrays[f"inputs.{side}.mean"]) * arrays[f"inputs.{side}.scale"]
        z = np.maximum(0, x @ arrays[f"{side}.1.weight"].T + arrays[f"{side}.1.bias"])
        power = np.exp(z @ arrays["classifier.weight"].T + arrays["classifier.bias"])
        posteriors.append(power / power.sum(axis=1, keepdims=True))
    product = posteriors[0] @ posteriors[1].T
    scores = method.score(*(each.select("test").feature for each in toy))
    alpha = float(arrays["alpha"][0])
    assert ("relation.last.weight" in arrays) == (name == "drsl-plus")
    assert (alpha == 1) == (name == "drsl-plus-cross-entropy")
    if name == "drsl-plus":
        assert np.abs(scores - alpha * product).max() > 1e-3
    else:
        np.testing.assert_allclose(scores, alpha * product, rtol=0, atol=1e-5)


def test_cross_entropy_never_sees_a_pair(make_method, toy):
    """Nothing of a pair moves a weight; not even weight decay moves alpha, which gets no gradient."""
    method = make_method("drsl-plus-cross-entropy", weight_decay=1e-2, epochs=2).fit(*toy, seed=0)
    assert float(method._arrays()["alpha"][0]) == 1
    assert all(row[method.log_columns.index("pairs")] == 0 for row in method.log)


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        (
            "drsl-plus-no-relation",
            {"relation": True},
            "relation: True is not that of drsl-plus-no-relation: take drsl-plus",
        ),
        ("drsl-plus-cross-entropy", {"pair_weight": 1.0}, "pair_weight: 1.0 is not that of drsl-plus-cross-entropy"),
        ("drsl-plus", {"pair_weight": 0.0}, "relation: true learns nothing with pair_weight 0"),
        ("drsl-plus-no-relation", {"pair_weight": 0.0, "class_weight": 0.0}, "leaves nothing to learn"),
        ("drsl-plus", {"inputs": "unit"}, "standardise: true does not go with inputs: unit"),
        ("drsl-plus", {"text_dropout": 1.0}, "text_dropout: 1.0 must be"),
        ("drsl-plus", {"average": 1.0}, "average: 1.0 must be"),
        ("drsl-plus", {"learning_rate_decay": 0.0}, "learning_rate_decay: 0.0 must be"),
        ("drsl-plus", {"validate_every": 0}, "validate_every: 0 must be"),
        ("drsl-plus", {"hidden": 0}, "hidden: 0 must be"),
        ("drsl-plus", {"class_weight": -1.0}, "class_weight: -1.0 must be"),
    ],
    indirect=["name"],
)
def test_wrong_settings_are_named(name, settings, words):
    with pytest.raises(SettingError) as info:
        get_method(name, **settings)
    assert words in str(info.value)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize(
    ("standardise", "inputs"), [(True, "raw"), (False, "raw"), (False, "unit"), (True, "standard")]
)
def test_inputs_are_prepared_as_set(standardise, inputs, make_method, toy, tmp_path):
    method = make_method("drsl-plus", standardise=standardise, inputs=inputs).fit(*toy, seed=0)
    assert ("inputs.image.mean" in method._arrays()) == standardise
    method.save(tmp_path / "0.safetensors")
    loaded = read_method(tmp_path / "0.safetensors")
    image, text = (each.select("test").feature for each in toy)
    np.testing.assert_array_equal(loaded.score(image, text), method.score(image, text))
    answers = top_k(loaded, image, text, 4, columns=7)["t2i"]
    expected = np.sort(method.score(image, text).T, axis=1)[:, ::-1][:, :4]
    np.testing.assert_allclose(answers.score, expected, rtol=0, atol=1e-5)
