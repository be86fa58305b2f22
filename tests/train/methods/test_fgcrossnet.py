"""FGCrossNet's quadruplets against four loops, its centres, and what pairs are ranked by."""

import numpy as np
import pytest
import torch

from drsl.features.errors import SettingError
from drsl.train import get_method
from drsl.train.methods.fgcrossnet import centre_loss, draw_quadruplets, quadruplet_loss
from drsl.train.methods.network import Batch

LABEL = torch.tensor([0, 1, 0, 2, 1, 2, 3, 0])


def logits_of(count=8, width=4, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(count, width, generator=draw, dtype=torch.float64)


def every(label):
    """All quadruplets, by four loops."""
    count, label = len(label), label.tolist()
    return [
        (a, p, n, m)
        for a in range(count)
        for p in range(count)
        for n in range(count)
        for m in range(count)
        if a != p and label[a] == label[p] and len({label[a], label[n], label[m]}) == 3
    ]


@pytest.fixture
def seeded():
    """Torch's own generator, for the length of a test."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        yield


def test_the_loss_of_all_quadruplets_is_that_of_the_loops():
    logits, found = logits_of(), []
    for a, p, n, m in every(LABEL):
        near, far, between = ((logits[x] - logits[y]).norm() for x, y in ((a, p), (a, n), (n, m)))
        found.append(max(0.0, float((near - far + 1) + (near - between + 0.5))))
    positive = [each for each in found if each > 0]
    assert 0 < len(positive) < len(found)
    loss = quadruplet_loss(logits, torch.tensor(every(LABEL)))
    assert float(loss) == pytest.approx(sum(positive) / len(positive), abs=1e-9)


def test_gradients():
    logits, drawn = logits_of().requires_grad_(), torch.tensor(every(LABEL))
    assert torch.autograd.gradcheck(lambda each: quadruplet_loss(each, drawn), (logits,))
    assert torch.autograd.gradcheck(lambda each: centre_loss(each, LABEL, logits_of(4, 4, 1)), (logits,))
    equal = torch.zeros(8, 4, requires_grad=True)
    quadruplet_loss(equal, drawn).backward()
    assert torch.isfinite(equal.grad).all()


def test_those_drawn_are_valid_and_none_is_left_out(seeded):
    drawn = draw_quadruplets(LABEL, 20000)
    valid = set(every(LABEL))
    assert {tuple(each) for each in drawn.tolist()} == valid
    # Item 6 is alone in its class: no anchor.
    assert 20000 * 0.85 < len(drawn) < 20000 * 0.9


@pytest.mark.parametrize("label", [[0, 0, 1, 1], [0, 1, 2, 3], [0, 0]])
def test_where_there_is_none_the_loss_is_0(label, seeded):
    drawn = draw_quadruplets(torch.tensor(label), 10)
    assert drawn.shape == (0, 4)
    assert float(quadruplet_loss(logits_of(len(label)), drawn)) == 0


def test_the_centre_loss_is_0_on_the_centres_and_that_of_the_loop_beside_them():
    centres = logits_of(4, 4, 1)
    assert float(centre_loss(centres[LABEL], LABEL, centres)) == 0
    logits = logits_of()
    expected = sum(float((z - centres[y]).square().sum()) for z, y in zip(logits, LABEL, strict=True)) / 8
    assert float(centre_loss(logits, LABEL, centres)) == pytest.approx(expected, abs=1e-12)


def test_the_centres_step_is_free_of_the_weight(seeded):
    method = get_method("fgcrossnet", hidden=8, trunk=8, centre_weight=1e-3, centre_learning_rate=0.25)
    model = method._build((6, 5), 4)
    batch = Batch(torch.rand(8, 6), torch.rand(8, 5), LABEL, LABEL, 0.0)
    with torch.no_grad():
        both = torch.cat([model.logits("image", batch.image), model.logits("text", batch.text)])
    centres = model.centres.detach().clone().requires_grad_()
    centre_loss(both, LABEL.repeat(2), centres).backward()
    method._step(model, method._optimizers(model), batch)
    torch.testing.assert_close(model.centres.detach(), (centres - 0.25 * centres.grad).detach())


def test_pairs_are_ranked_by_probabilities_or_logits(make_method, toy, seeded):
    methods = {ranking: make_method("fgcrossnet", ranking=ranking, epochs=1) for ranking in ("probabilities", "logits")}
    scores = {}
    for ranking, method in methods.items():
        method.fit(*toy, seed=0)
        sides = [torch.from_numpy(each.feature[:6]) for each in toy]
        with torch.no_grad():
            rows = [method.model.logits(side, each) for side, each in zip(("image", "text"), sides, strict=True)]
        rows = [each.softmax(dim=1) if ranking == "probabilities" else each for each in rows]
        image, text = (each / each.norm(dim=1, keepdim=True) for each in rows)
        scores[ranking] = method.score(*(each.feature[:6] for each in toy))
        np.testing.assert_allclose(scores[ranking], (image @ text.T).numpy(), rtol=0, atol=1e-5)
    assert not np.allclose(*scores.values())
    with pytest.raises(SettingError, match=r"ranking: 'logit'.*did you mean 'logits'"):
        get_method("fgcrossnet", ranking="logit")
