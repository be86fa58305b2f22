"""The relation function R[p, q] = d + sum_h u[h] relu(a[p, h] + b[q, h]), forward and backward, one file a backend."""

from __future__ import annotations

import functools
import importlib.util

import torch

from drsl.features.errors import SettingError, choose
from drsl.train.config import BACKENDS
from drsl.train.kernels.blocks import blocked_relation
from drsl.train.kernels.l1 import l1_relation

__all__ = ["choose_backend", "relation_function"]


def choose_backend(backend: str, device: str = "cpu") -> str:
    """Settles `auto`.

    Args:
        backend: `auto`, `numba`, `triton`, `l1` or `blocks`.
        device: torch's device type, where the inputs are.

    Returns:
        For `auto`: `numba` on the CPU where it is installed, else `l1`, which any device has. The Triton kernel is to
        be asked for by name: it is tested by Triton's interpreter, and has not been measured on a GPU yet.

    Raises:
        SettingError: the backend is unknown, not for this device, or needs a package that is not installed.
    """
    choose("backend", backend, BACKENDS)
    if backend == "auto":
        return "numba" if device == "cpu" and _installed("numba") else "l1"
    if backend in ("numba", "triton") and not _installed(backend):
        raise SettingError(f"backend: {backend} is not installed: `pip install {backend}`, or set it to auto")
    if backend == "numba" and device != "cpu":
        raise SettingError(f"backend: numba works on the CPU, not on {device}: set it to auto")
    return backend


def relation_function(
    a: torch.Tensor, b: torch.Tensor, u: torch.Tensor, d: torch.Tensor, backend: str = "auto"
) -> torch.Tensor:
    """The factored relation network of one hidden layer, for all pairs (equations 5 and 8).

    Args:
        a: (n_i, h), the image's part of the hidden layer, bias included.
        b: (n_t, h), the text's part.
        u: (h,), weights of the last layer.
        d: (1,), bias of the last layer.
        backend: `auto`, `numba`, `triton`, `l1` or `blocks`; they differ in speed and memory, not in what they give.

    Returns:
        R (n_i, n_t) in the type of a and b. float64 is worked out in float64, everything else in float32.

    Raises:
        SettingError: as `choose_backend`.
    """
    chosen = choose_backend(backend, a.device.type)
    function = l1_relation if chosen == "l1" else blocked_relation
    if chosen == "numba":
        from drsl.train.kernels.numba_cpu import fused_relation as function
    elif chosen == "triton":
        from drsl.train.kernels.triton_gpu import triton_relation as function
    result = torch.result_type(a, b)
    kind = torch.float64 if result == torch.float64 else torch.float32
    return function(a.to(kind), b.to(kind), u.to(kind), d.to(kind)).to(result)


@functools.cache
def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
