"""CMDN: a missing side is given back, stages are frozen, a classifier stage is no worse than a linear one."""

import copy

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from drsl.train.methods.cmdn import BimodalAutoencoder, CmdnConfig
from drsl.train.methods.stages import Autoencoder, Stages


def small(**changed):
    return CmdnConfig(**{"learning_rate": 1e-2, "batch": 50, "stage_epochs": 60} | changed)


def test_an_autoencoder_as_wide_as_the_data_gives_them_back():
    torch.manual_seed(0)
    data = torch.rand(200, 3) @ torch.randn(3, 8)
    part = Autoencoder([8, 16, 3], torch.nn.Identity())
    codes = Stages("cmdn", small(), 200, "cpu").autoencode(part, data.__getitem__, "test")
    assert codes.shape == (200, 3)
    assert float(part.error(data)) < 0.02 * float(data.var(dim=0).mean())
    assert not any(each.requires_grad for each in part.parameters())


def test_a_missing_side_is_told_from_the_other():
    torch.manual_seed(0)
    latent = torch.randn(400, 3)
    image, text = latent @ torch.randn(3, 8), latent @ torch.randn(3, 6)
    part, label = BimodalAutoencoder((8, 6), 64), torch.zeros(400, dtype=torch.int64)
    stages = Stages("cmdn", small(stage_epochs=150), 400, "cpu")
    stages.train(part, lambda rows: part.errors(image[rows], text[rows], label[rows])[0], "test")
    for side, given, hidden in (
        ("image", image, part.decoder(part.of("image", image))[:, 8:]),
        ("text", text, part.decoder(part.of("text", text))[:, :8]),
    ):
        missing = text if side == "image" else image
        assert given.shape[1] != missing.shape[1]
        assert float((hidden - missing).square().mean()) < 0.15 * float(missing.var(dim=0).mean()), side


def test_one_side_is_the_joint_layer_with_zeros_on_the_other():
    part = BimodalAutoencoder((4, 3), 5)
    code = torch.randn(6, 3)
    assert torch.equal(part.of("text", code), part(torch.zeros(6, 4), code))


def test_a_third_of_the_items_has_no_image_and_a_third_no_text():
    torch.manual_seed(0)
    seen = []

    class Spy(BimodalAutoencoder):
        def forward(self, image, text):
            seen.append((image[:, 0] != 0, text[:, 0] != 0))
            return super().forward(image, text)

    Spy((2, 2), 3).errors(torch.ones(9000, 2), torch.ones(9000, 2), torch.zeros(9000, dtype=torch.int64))
    image, text = seen[0]
    assert (image | text).all()
    for share in ((image & text), (image & ~text), (~image & text)):
        assert abs(float(share.float().mean()) - 1 / 3) < 0.02


def test_the_epochs_move_the_last_autoencoder_alone(make_method, toy, monkeypatch):
    method = make_method("cmdn")
    seen = {}
    take_step = method._step

    def step(model, optimizers, batch):
        fixed = {key: each for key, each in model.state_dict().items() if not key.startswith("common.1.")}
        fixed = {key: each for key, each in fixed.items() if ".standard.2." not in key}
        if not seen:
            seen.update(copy.deepcopy(fixed))
        assert all(torch.equal(each, seen[key]) for key, each in fixed.items())
        return take_step(model, optimizers, batch)

    monkeypatch.setattr(method, "_step", step)
    method.fit(*toy, seed=0)
    assert any(key.startswith("common.0.") for key in seen)


def test_the_classifiers_are_no_worse_than_logistic_regression(make_method, toy):
    method = make_method("cmdn", stage_epochs=60).fit(*toy, seed=0)
    for side, each in zip(("image", "text"), toy, strict=True):
        view, feature = getattr(method.model, side), torch.from_numpy(each.feature)
        joint = method.model.both.of(side, view["own_standard"](view["own"](feature)))
        code = view["fused"](view["both_standard"](torch.cat([view["alone"](feature), joint], dim=1)))
        classifier = view["classifier"]
        guess = classifier.last(classifier(view["fused_standard"](code))).argmax(dim=1).numpy()
        train, test = each.split == 0, each.split == 2
        linear = LogisticRegression(max_iter=1000).fit(each.feature[train], each.label[train])
        found = np.mean(guess[test] == each.label[test])
        assert found >= linear.score(each.feature[test], each.label[test]) - 0.1, side
