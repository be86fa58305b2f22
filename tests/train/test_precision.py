"""Which arithmetic a fit takes, and that both train."""

import json

import numpy as np
import pytest
import torch

from drsl.evaluate import mean_average_precision
from drsl.train import get_method, precision
from drsl.train.config import drsl_config
from drsl.train.model import DrslModel


def tune(make_method, toy, memory=None, **changed):
    method = make_method("drsl-c", **changed)
    return method, method.tune(*toy, memory=memory)


def test_a_set_precision_is_not_measured(make_method, toy, monkeypatch):
    monkeypatch.setattr(precision, "choose_arithmetic", None)
    for name in ("float32", "bfloat16"):
        method, lines = tune(make_method, toy, precision=name)
        assert method.config.precision == method.settings["precision"] == name
        assert lines == ["relation function: numba"]


def test_auto_is_settled_remembered_and_saved(make_method, toy, tmp_path):
    memory = tmp_path / "precision.json"
    method, lines = tune(make_method, toy, memory, precision="auto")
    chosen = method.config.precision
    assert chosen in ("float32", "bfloat16")
    assert lines[1].startswith(f"precision: {chosen}: a step takes ")
    for other in ("drsl-c", "drsl-c"):  # other learning rates and epochs do the same work
        again = make_method(other, precision="auto", learning_rate=0.5, epochs=9)
        again.tune(*toy, memory=memory)
        assert again.config.precision == chosen
    assert len(json.loads(memory.read_text())) == 1
    (key,) = json.loads(memory.read_text())
    for slow, expected in ((9.0, "bfloat16"), (1.0, "float32")):
        memory.write_text(json.dumps({key: {"float32": slow, "bfloat16": 1.0}}))
        assert tune(make_method, toy, memory, precision="auto")[0].config.precision == expected
    method.fit(*toy, seed=0).save(tmp_path / "0.safetensors")
    assert get_method("drsl-c").load(tmp_path / "0.safetensors").config.precision == chosen


def test_measuring_draws_no_random_numbers(make_method, toy):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    tune(make_method, toy, precision="auto")
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("fusion", ["concat", "mul"])
def test_both_give_nearly_the_same_scores(fusion):
    config = drsl_config({}, fusion)
    torch.manual_seed(0)
    model = DrslModel(config, 64, 50)
    image, text = torch.rand(30, 64), torch.rand(20, 50)
    exact, rounded = model(image, text), model(image, text, "bfloat16")
    assert rounded.dtype == torch.float32
    assert not torch.equal(exact, rounded)
    torch.testing.assert_close(rounded, exact, rtol=0, atol=0.02 * float(exact.detach().abs().max()))


@pytest.mark.parametrize("name", ["drsl-c", "drsl-m"])
def test_both_learn(name, make_method, toy):
    maps = []
    for each in ("float32", "bfloat16"):
        method = make_method(name, precision=each, epochs=12).fit(*toy, seed=0)
        image, text = (side.select("test") for side in toy)
        scores = method.score(image.feature, text.feature)
        assert scores.dtype == np.float32
        maps.append(mean_average_precision(scores, image.label, text.label))
    assert maps[1] == pytest.approx(maps[0], abs=0.1)
    assert min(maps) > 0.6
