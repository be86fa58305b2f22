"""The relation network forward and backward, from representations to gradients, against the plain form.

`python benchmarks/relation.py` prints one JSON object; `--smoke` runs small sizes once.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable

from measure import beside_busy, in_turn, peak_megabytes, report, vector_operations  # isort: skip (sets threads)
import torch
from plain import plain_twin

from drsl.train import RelationNetwork, fusion
from drsl.train.kernels import choose_backend, relation_function, vector_code


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="small sizes, one repeat")
    smoke = parser.parse_args().smoke
    items, hidden, dim = (24, 64, 30) if smoke else (200, 1024, 300)
    torch.manual_seed(0)
    network = RelationNetwork(dim, hidden)
    twin = plain_twin(network)
    z_image, z_text = (torch.rand(items, dim).requires_grad_() for _ in range(2))
    upstream = torch.randn(items, items)

    def both(model: torch.nn.Module, image: torch.Tensor = z_image, text: torch.Tensor = z_text) -> list[torch.Tensor]:
        scores = model(image, text)
        wanted = [image, text, *model.parameters()]
        return [scores.detach(), *torch.autograd.grad(scores, wanted, upstream.to(scores.dtype))]

    def forward(model: torch.nn.Module) -> None:
        with torch.no_grad():
            model(z_image, z_text)

    exact = [each.double() for each in (z_image.detach(), z_text.detach())]
    truth = both(copy.deepcopy(twin).double(), *(each.requires_grad_() for each in exact))
    error = {"ours": furthest(both(network), truth), "plain": furthest(both(twin), truth)}
    repeats = 1 if smoke else 100
    plain_repeats = 1 if smoke else 7
    ways = {
        "ours": lambda: both(network),
        "plain": lambda: both(twin),
        "ours_forward": lambda: forward(network),
        "plain_forward": lambda: forward(twin),
    }
    seconds = in_turn(ways, {name: plain_repeats if "plain" in name else repeats for name in ways})
    a, b, u, d = torch.randn(items, hidden), torch.randn(items, hidden), torch.randn(hidden) / 30, torch.zeros(1)
    kernel = {each: both_of(each, (a, b, u, d), upstream) for each in ("numba", "blocks")}
    with torch.no_grad():
        kernels = {}
        for each in ("numba", "l1", "blocks"):
            kernels |= in_turn({each: lambda each=each: relation_function(a, b, u, d, each)}, min(repeats, 30))
    products = in_turn(
        {name: step_products(z_image, z_text, network, each) for name, each in PRODUCTS.items()}, repeats
    )
    busy = beside_busy(ways["ours"], repeats, 1 if smoke else 9)
    lanes = vector_code.LANE_BYTES // 4
    limit = 3 * items * items * hidden / lanes / vector_operations()
    report(
        "relation",
        {
            "sizes": {"images": items, "texts": items, "hidden": hidden, "dim": dim},
            "backend": choose_backend("auto"),
            "seconds": seconds,
            "ratio": seconds["plain"] / seconds["ours"],
            "forward_ratio": seconds["plain_forward"] / seconds["ours_forward"],
            "relation_function_seconds": kernels,
            "six_products_seconds": products,
            "three_operation_limit_seconds": limit,
            "fraction_of_limit": limit / kernels["numba"],
            "relation_function_agreement": furthest(kernel["numba"], kernel["blocks"]),
            # From z a unit may fall on the other side of 0 by rounding: both forms are compared with float64.
            "largest_relative_error_from_z": error,
            "peak_megabytes": {name: peak_megabytes(ways[name]) for name in ("ours", "plain")},
            "busy_neighbour": busy,
        },
    )


PRODUCTS = {"ours": fusion._compiled_products, "torch": fusion._torch_products}


def step_products(
    z_image: torch.Tensor, z_text: torch.Tensor, network: RelationNetwork, multiply: Callable[..., None]
) -> Callable[[], None]:
    """The matrix products of a step alone: two forward, four backward."""
    weight, bias = network.first.weight.detach(), network.first.bias.detach()
    image, text = weight.chunk(2, dim=1)
    left, right = z_image.detach(), z_text.detach()
    a, b = left @ image.T, right @ text.T
    d_left, d_right, d_weight = torch.empty_like(left), torch.empty_like(right), torch.empty_like(weight)
    d_image, d_text = d_weight.chunk(2, dim=1)

    def step() -> None:
        multiply([(left, image.T, a, bias, 1.0), (right, text.T, b, None, 1.0)])
        products = [(a, image, d_left, None, 1.0), (b, text, d_right, None, 1.0)]
        multiply([*products, (a.T, left, d_image, None, 1.0), (b.T, right, d_text, None, 1.0)])

    return step


def both_of(backend: str, inputs: tuple[torch.Tensor, ...], upstream: torch.Tensor) -> list[torch.Tensor]:
    """Scores and gradients of one backend."""
    wanted = [each.clone().requires_grad_() for each in inputs]
    scores = relation_function(*wanted, backend)
    return [scores.detach(), *torch.autograd.grad(scores, wanted, upstream)]


def furthest(ours: list[torch.Tensor], theirs: list[torch.Tensor]) -> float:
    """Largest difference of any result, as a fraction of that result's largest number."""
    pairs = zip(ours, theirs, strict=True)
    return max(float((mine - other).abs().max() / other.abs().max()) for mine, other in pairs)


if __name__ == "__main__":
    main()
