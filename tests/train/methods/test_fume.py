"""FUME's credibilities against a loop and closed cases."""

import pytest
import torch

from drsl.train.methods.fume import credibility


def test_credibility_is_that_of_the_loop():
    draw = torch.Generator().manual_seed(0)
    membership, label = torch.rand(5, 4, generator=draw, dtype=torch.float64), torch.tensor([0, 3, 1, 1, 2])
    found = credibility(membership, label)
    for p, row in enumerate(membership.tolist()):
        right = int(label[p])
        for k, own in enumerate(row):
            rival = max(each for other, each in enumerate(row) if other != right) if k == right else row[right]
            assert float(found[p, k]) == pytest.approx((own + 1 - rival) / 2, abs=1e-12)
    assert torch.autograd.gradcheck(lambda each: credibility(each, label), (membership.requires_grad_(),))


def test_a_full_membership_is_fully_credible_and_none_is_half():
    membership, label = torch.eye(3), torch.arange(3)
    torch.testing.assert_close(credibility(membership, label), torch.eye(3))
    torch.testing.assert_close(credibility(torch.zeros(3, 3), label), torch.full((3, 3), 0.5))
    wrong = credibility(membership, torch.tensor([1, 2, 0]))
    torch.testing.assert_close(wrong[0], torch.tensor([1.0, 0.0, 0.5]))


def test_the_frame_is_square_fixed_and_kept_in_the_file(make_method, toy, tmp_path):
    method = make_method("fume").fit(*toy, seed=0)
    frame = method.model.frame
    torch.testing.assert_close(frame @ frame.T, torch.eye(3), rtol=0, atol=1e-5)
    assert "frame" not in dict(method.model.named_parameters())
    method.save(tmp_path / "0.safetensors")
    assert torch.equal(make_method("fume").load(tmp_path / "0.safetensors").model.frame, frame)


def test_the_last_layer_has_no_bias(make_method):
    with torch.random.fork_rng(devices=[]):
        model = make_method("fume", hidden=[16, 8])._build((6, 5), 3)
    linears = [each for each in model.image.modules() if isinstance(each, torch.nn.Linear)]
    assert [each.out_features for each in linears] == [16, 8, 3]
    assert [each.bias is not None for each in linears] == [True, True, False]
