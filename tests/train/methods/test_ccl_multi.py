"""CCL with parts: the mean over the parts that are there, and parts that are all the whole."""

import numpy as np
import torch

from drsl.features.joined import PartsLayout
from drsl.train.methods.ccl_multi import CclMultiConfig, MultiView, mean_of_parts
from drsl.train.methods.joined import JoinedInputs, Taken


def test_the_mean_is_that_of_a_loop_over_the_parts_there_are():
    torch.manual_seed(0)
    layer, part = torch.nn.Linear(4, 3), torch.randn(5, 6, 4)
    mask = torch.rand(5, 6) < 0.5
    mask[:, 2] = True
    part[~mask] = float("nan")  # never looked at
    found = mean_of_parts(layer, Taken(torch.zeros(5, 4), part, mask))
    looped = torch.stack([layer(rows[there]).mean(dim=0) for rows, there in zip(part, mask, strict=True)])
    torch.testing.assert_close(found, looped)


def test_parts_that_are_all_the_whole_have_its_code():
    torch.manual_seed(0)
    config = CclMultiConfig(image_layers=(5, 4), code=3, hidden=3, fused=6)
    view = MultiView(config, (8, 8), config.image_layers, 2)
    view.part.load_state_dict(view.whole.state_dict())
    view.part_correspondence.load_state_dict(view.correspondence.state_dict())
    whole = torch.randn(7, 8)
    taken = Taken(whole, whole[:, None].expand(7, 4, 8), torch.rand(7, 4) < 0.9)
    taken.mask[:, 0] = True
    mean = mean_of_parts(view.part, taken)
    torch.testing.assert_close(mean, view.whole(whole))
    fused = view.fused(view.correspondence(view.whole(whole)).repeat(1, 2))
    torch.testing.assert_close(view.code(taken), fused)


def test_parts_are_prepared_as_their_features_are():
    layout = PartsLayout(3, 2, 3, 1, 0)
    inputs = JoinedInputs("standard", layout, alike=True)
    whole = torch.randn(20, 3) * 4 + 2
    inputs.whole.fit(whole)
    joined = torch.cat([whole, whole, whole.flip(0), torch.ones(20, 1), torch.zeros(20, 1)], dim=1)
    taken = inputs(joined)
    torch.testing.assert_close(taken.part[:, 0], taken.whole)
    torch.testing.assert_close(taken.part[:, 1], taken.whole.flip(0))
    np.testing.assert_array_equal(taken.mask.numpy(), [[True, False]] * 20)
    other = JoinedInputs("standard", layout, alike=False)
    torch.testing.assert_close(other(joined).part[:, 0], whole)
