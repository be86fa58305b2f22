"""The GPU's kernel by Triton's interpreter on the CPU, against the formula; on a GPU when there is one."""

import os
import subprocess
import sys

import pytest
import torch

from drsl.train.kernels import relation_function

pytest.importorskip("triton", reason="Triton is not installed: it comes with torch for GPUs")
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"  # Triton looks at it once, when it is imported
interpreted_only = pytest.mark.skipif(not INTERPRETED, reason="runs in the process that the first test starts")


@pytest.mark.skipif(INTERPRETED, reason="is that process")
def test_by_the_interpreter():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(command, env=os.environ | {"TRITON_INTERPRET": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "failed" not in done.stdout


def inputs(n_i, n_t, h, dtype=torch.float64, device="cpu"):
    generator = torch.Generator().manual_seed(0)
    shapes = ((n_i, h), (n_t, h), (h,), (1,))
    return [torch.randn(*each, generator=generator, dtype=dtype).to(device).requires_grad_() for each in shapes]


def compare(function, tensors, near, reference="blocks"):
    upstream = torch.linspace(-1, 2, len(tensors[0]) * len(tensors[1]), dtype=tensors[0].dtype).to(tensors[0].device)
    upstream = upstream.reshape(len(tensors[0]), len(tensors[1]))
    found = []
    for each in (function, lambda *given: relation_function(*given, reference)):
        scores = each(*tensors)
        found.append((scores, *torch.autograd.grad((scores * upstream).sum(), tensors)))
    for actual, expected in zip(*found, strict=True):
        near(actual, expected, least=1e-6)


@interpreted_only
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(7, 5, 9), (70, 65, 70), (1, 1, 1), (0, 3, 4), (3, 0, 4)])
def test_scores_and_gradients_equal_the_formula(shape, dtype, near):
    from drsl.train.kernels.triton_gpu import triton_relation

    compare(triton_relation, inputs(*shape, dtype), near)


@interpreted_only
def test_gradcheck():
    from drsl.train.kernels.triton_gpu import triton_relation

    assert torch.autograd.gradcheck(triton_relation, inputs(3, 4, 5))


@interpreted_only
def test_bfloat16_is_summed_in_float32():
    tensors = [each.detach().bfloat16() for each in inputs(5, 6, 50)]
    ours = relation_function(*tensors, "triton")
    assert ours.dtype == torch.bfloat16
    expected = relation_function(*(each.float() for each in tensors), "blocks")
    torch.testing.assert_close(ours, expected.bfloat16(), rtol=1e-2, atol=1e-2)


@interpreted_only
def test_numbers_that_are_not_finite_come_out():
    from drsl.train.kernels.triton_gpu import triton_relation

    for place in range(3):
        tensors = [each.detach() for each in inputs(4, 5, 6)]
        tensors[place].view(-1)[0] = float("nan")
        assert not triton_relation(*tensors).isfinite().all()


@interpreted_only
def test_a_second_gradient_is_refused_and_says_so():
    from drsl.train.kernels.triton_gpu import triton_relation

    tensors = inputs(2, 3, 4)
    scores = triton_relation(*tensors).square().sum()
    (first,) = torch.autograd.grad(scores, tensors[0], create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate twice"):
        first.sum().backward()


@pytest.mark.gpu
@pytest.mark.parametrize("shape", [(7, 5, 9), (200, 200, 1024)])
def test_on_a_gpu(shape, near):
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    tensors = inputs(*shape, torch.float64, "cuda")
    compare(lambda *given: relation_function(*given, "triton"), tensors, near)
