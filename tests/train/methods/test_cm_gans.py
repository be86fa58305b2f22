"""CM-GANs: one shared layer, discriminators within and between, and steps that take turns."""

import copy

import numpy as np
import pytest
import torch
from torch.nn import functional

from drsl.features.errors import SettingError
from drsl.train import get_method
from drsl.train.methods.network import Batch


@pytest.fixture
def batch(toy):
    image, text = (each.select("train") for each in toy)
    label = torch.from_numpy(image.label[:30])
    return Batch(*(torch.from_numpy(each.feature[:30]) for each in (image, text)), label, label, 0.0)


def made(make_method, **changed):
    """A method and fresh networks of it, from a fixed seed."""
    method = make_method("cm-gans", **changed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return method, method._build((32, 20), 3).train()


def test_the_last_layer_of_the_encoders_is_one(make_method, batch):
    method, model = made(make_method)
    for place, parts in ((3, ("weight", "bias")), (4, ("weight", "bias"))):
        for part in parts:
            assert getattr(model.image[place], part) is getattr(model.text[place], part)
    assert model.image[4].running_mean is not model.text[4].running_mean
    assert model.image[0].weight.shape != model.text[0].weight.shape
    gradients = []
    for sides in (["image"], ["text"], ["image", "text"]):
        model.zero_grad()
        sum((getattr(model, side)(getattr(batch, side)) ** 3).sum() for side in sides).backward()
        gradients.append(model.image[3].weight.grad.clone())
    torch.testing.assert_close(gradients[0] + gradients[1], gradients[2])
    assert all(each.any() for each in gradients)
    method._step(model, method._optimizers(model), batch)
    assert model.image[3].weight is model.text[3].weight


def test_the_shared_layer_is_one_after_it_is_read_again(toy, make_method, tmp_path):
    make_method("cm-gans").fit(*toy, seed=0).save(tmp_path / "0.safetensors")
    model = get_method("cm-gans").load(tmp_path / "0.safetensors").model
    assert model.image[3].weight is model.text[3].weight
    assert model.image[4].bias is model.text[4].bias


def test_the_widths_are_those_of_the_published_code():
    with torch.device("meta"):
        model = get_method("cm-gans")._build((4096, 300), 20)
    assert {side: each.in_features for side, each in model.within.items()} == {"image": 4096, "text": 300}
    assert {side: each[0].in_features for side, each in model.between.items()} == {"image": 5120, "text": 1324}
    assert {each[0].out_features for each in model.between.values()} == {512}
    for side, dim in (("image", 4096), ("text", 300)):
        encoder = [each.weight.shape for each in getattr(model, side) if isinstance(each, torch.nn.Linear)]
        decoder = [each.weight.shape for each in model.decoders[side] if isinstance(each, torch.nn.Linear)]
        assert encoder == [(1024, dim), (1024, 1024)]
        assert decoder == [(1024, 1024), (dim, 1024)]
        assert model.classifiers[side].weight.shape == (20, 1024)


def test_each_weight_has_one_optimizer(make_method):
    _, model = made(make_method)
    parts = model.discriminators(), model.generators()
    names = [{id(each) for each in part} for part in parts]
    assert [len(part) for part in parts] == [len(each) for each in names]
    assert not names[0] & names[1]
    assert names[0] | names[1] == {id(each) for each in model.parameters()}


def test_a_step_is_one_update_of_the_discriminators_and_several_of_the_generators(make_method, batch):
    method, model = made(make_method, generator_steps=3)
    optimizers = method._optimizers(model)
    steps = {name: 0 for name in optimizers}
    for name, each in optimizers.items():
        each.register_step_post_hook(lambda *_, name=name: steps.update({name: steps[name] + 1}))
    before = copy.deepcopy(model.state_dict())
    method._step(model, optimizers, batch)
    assert steps == {"discriminators": 1, "generators": 3}
    assert all(each.requires_grad for each in model.parameters())
    changed = {name.split(".")[0] for name, each in model.state_dict().items() if not torch.equal(each, before[name])}
    assert changed == {"image", "text", "classifiers", "decoders", "within", "between"}


def plain_bce(logit, truth):
    return functional.binary_cross_entropy(torch.sigmoid(logit), torch.full_like(logit, truth))


def test_the_losses_are_those_of_the_equations(make_method, batch):
    method, model = made(make_method, adversarial_weight=0.7, recon_weight=0.3)
    model.variance.update(image=5.0, text=9.0)
    x = {"image": batch.image, "text": batch.text}
    c = {side: getattr(model, side)(each) for side, each in x.items()}
    r = {side: model.decoders[side](each) for side, each in c.items()}
    deceit = (
        plain_bce(model.between["image"](torch.cat([c["text"], x["image"]], 1)), 1.0)
        + plain_bce(model.between["text"](torch.cat([c["image"], x["text"]], 1)), 1.0)
        + sum(plain_bce(model.within[side](r[side]), 1.0) for side in x)
    )
    error = ((r["image"] - x["image"]) ** 2).sum() / 30 / 5 + ((r["text"] - x["text"]) ** 2).sum() / 30 / 9
    label = sum(functional.cross_entropy(model.classifiers[side](c[side]), batch.image_label) for side in x)
    found = method._losses(model, batch)
    torch.testing.assert_close(found["adversarial"], 0.7 * deceit)
    torch.testing.assert_close(found["reconstruction"], 0.3 * error)
    torch.testing.assert_close(found["label"], label)


def test_discriminators_see_real_made_foreign_and_wrong(make_method, batch, monkeypatch):
    method, model = made(make_method)
    x = {"image": batch.image, "text": batch.text}
    codes, rebuilt = model.made(x)
    pairs = []
    paired = model.paired
    monkeypatch.setattr(model, "paired", lambda *each: pairs.append(each) or paired(*each))
    found = method._discriminator_loss(model, x, batch.image_label)
    expected = 0
    for side, other in (("image", "text"), ("text", "image")):
        expected += plain_bce(model.within[side](x[side]), 1.0) + plain_bce(model.within[side](rebuilt[side]), 0.0)
        own, foreign, wrong = (code for name, code, _ in pairs if name == side)
        torch.testing.assert_close(own, codes[side])
        torch.testing.assert_close(foreign, codes[other])
        source = [int((codes[side] - each).abs().sum(dim=1).argmin()) for each in wrong]
        torch.testing.assert_close(wrong, codes[side][source])
        assert (batch.image_label[source] != batch.image_label).all()
        for weight, code, truth in ((1, own, 1.0), (0.5, foreign, 0.0), (0.5, wrong, 0.0)):
            expected += weight * plain_bce(model.between[side](torch.cat([code, x[side]], 1)), truth)
    assert all(torch.equal(seen, x[side]) for side, _, seen in pairs)
    torch.testing.assert_close(found, expected)


def test_discriminators_teach_the_generators_nothing_in_their_own_step(make_method, batch):
    method, model = made(make_method)
    method._discriminator_loss(model, {"image": batch.image, "text": batch.text}, batch.image_label).backward()
    assert all(each.grad is None for each in model.generators())
    assert all(each.grad is not None for each in model.discriminators())


def test_a_batch_of_one_class_is_borne(make_method, batch):
    method, model = made(make_method)
    same = torch.zeros_like(batch.image_label)
    found = method._step(model, method._optimizers(model), batch._replace(image_label=same, text_label=same))
    assert all(each.isfinite() for each in found.values())


def test_without_adversaries_and_decoders_there_remain_two_classifiers_with_a_shared_layer(make_method, batch):
    method, model = made(make_method, adversarial_weight=0.0, recon_weight=0.0, generator_steps=1, clip=0.0)
    twin = copy.deepcopy(model)
    optimizers = method._optimizers(model)
    parts = [twin.image, twin.text, twin.classifiers]
    weights = list(dict.fromkeys(each for part in parts for each in part.parameters()))
    adam = torch.optim.Adam(weights, method.config.learning_rate, method.config.betas)
    for _ in range(3):
        method._step(model, optimizers, batch)
        loss = sum(
            functional.cross_entropy(twin.classifiers[side](getattr(twin, side)(each)), batch.image_label)
            for side, each in (("image", batch.image), ("text", batch.text))
        )
        adam.zero_grad()
        loss.backward()
        adam.step()
    for name, each in twin.named_parameters():
        before_norm = name.split(".", 1)[-1] in ("0.bias", "3.bias")  # has no gradient but rounding's
        if name.startswith(("image.", "text.", "classifiers.")) and not before_norm:
            torch.testing.assert_close(model.get_parameter(name), each, rtol=1e-4, atol=1e-6)


def test_a_discriminator_finds_the_odds_of_two_gaussians(make_method):
    """The optimum is log p(real) / p(made); for unit Gaussians at 1 and -1 that is 2 x."""
    from drsl.train.methods.cm_gans import _judged

    numbers = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(20_000, 1, generator=numbers) + shift for shift in (1, -1))
    judge = torch.nn.Linear(1, 1)
    torch.nn.init.zeros_(judge.weight)
    torch.nn.init.zeros_(judge.bias)
    solver = torch.optim.LBFGS(judge.parameters(), max_iter=50)

    def loss():
        solver.zero_grad()
        value = _judged(judge(real), 1) + _judged(judge(fake), 0)
        value.backward()
        return value

    solver.step(loss)
    assert float(judge.weight.detach()) == pytest.approx(2, abs=0.1)
    assert float(judge.bias.detach()) == pytest.approx(0, abs=0.1)


def test_the_learning_rate_is_halved_again_and_again(make_method, batch):
    method, model = made(make_method, epochs=6, halve_every=2, learning_rate=1e-3)
    optimizers = method._optimizers(model)
    rates = []
    for epoch in range(6):
        method._step(model, optimizers, batch._replace(done=(epoch * 3 + 1) / 18))
        rates.append({group["lr"] for each in optimizers.values() for group in each.param_groups})
    assert rates == [{1e-3}, {1e-3}, {5e-4}, {5e-4}, {2.5e-4}, {2.5e-4}]


def test_the_least_batch_and_a_remainder_of_one_are_borne(make_toy, make_method):
    for count in (21, 3, 2):
        make_method("cm-gans", batch=2, epochs=1).fit(*make_toy((count, 6, 6)), seed=0)


@pytest.mark.parametrize(
    "settings",
    [
        {"hidden": 0},
        {"discriminator": 0},
        {"generator_steps": 0},
        {"halve_every": 0},
        {"recon_weight": -1.0},
        {"adversarial_weight": float("inf")},
    ],
)
def test_a_setting_out_of_range_is_named(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        get_method("cm-gans", **settings)


def test_it_learns(toy, make_method):
    method = make_method("cm-gans", hidden=32, generator_steps=5, learning_rate=5e-3, epochs=25).fit(*toy, seed=0)
    assert method.best_val_map > 0.9
    assert np.isfinite(method.log).all()
