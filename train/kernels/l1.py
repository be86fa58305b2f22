"""The relation function as L1 distances: exact, without a compiler, on any device that torch knows.

Because relu(x) = (x + |x|) / 2, the sum over hidden units is half of u.a + u.b plus the L1 distance over units with
u > 0 minus that over units with u < 0, columns scaled by |u| and b negated.
"""

from __future__ import annotations

import torch

__all__ = ["l1_relation"]


def l1_relation(a: torch.Tensor, b: torch.Tensor, u: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
    """R[p, q] = d + sum_h u[h] relu(a[p, h] + b[q, h]).

    Args:
        a: (n_i, h).
        b: (n_t, h).
        u: (h,).
        d: (1,).

    Returns:
        R (n_i, n_t); memory O(n_i n_t + (n_i + n_t) h), gradients too.
    """
    scores = (a @ u)[:, None] + (b @ u)[None, :]
    positive = u > 0
    tiny = torch.finfo(u.dtype).tiny ** 0.5  # in place of a weight of 0, whose gradient needs the signs of a + b
    for sign, columns in ((1.0, positive), (-1.0, ~positive)):
        scale = sign * u[columns]
        scale = scale + (scale == 0).to(u.dtype) * tiny
        distance = torch.cdist(a[:, columns] * scale, -b[:, columns] * scale, p=1.0)
        scores = scores + sign * distance
    return d + scores / 2
