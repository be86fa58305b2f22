"""The relation network forward and backward, from representations to gradients, against the plain form.

`python benchmarks/relation.py` prints one JSON object; `--smoke` runs small sizes once.
"""

from __future__ import annotations

import argparse

from measure import busy_neighbour, in_turn, peak_megabytes, report, vector_operations  # isort: skip (sets threads)
import torch
from plain import plain_twin

from drsl.train import RelationNetwork
from drsl.train.kernels import choose_backend, numba_cpu, relation_function


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

    def both(model: torch.nn.Module) -> list[torch.Tensor]:
        parameters = [z_image, z_text, *model.parameters()]
        scores = model(z_image, z_text)
        return [scores.detach(), *torch.autograd.grad(scores, parameters, upstream)]

    def forward(model: torch.nn.Module) -> None:
        with torch.no_grad():
            model(z_image, z_text)

    agreement = max(
        float((mine - theirs).abs().max() / theirs.abs().max())
        for mine, theirs in zip(both(network), both(twin), strict=True)
    )
    repeats = 1 if smoke else 100
    plain_repeats = 1 if smoke else 7
    ways = {
        "ours": lambda: both(network),
        "plain": lambda: both(twin),
        "ours_forward": lambda: forward(network),
        "plain_forward": lambda: forward(twin),
    }
    seconds = in_turn(ways, {name: plain_repeats if "plain" in name else repeats for name in ways})
    with torch.no_grad():
        a, b, u, d = torch.randn(items, hidden), torch.randn(items, hidden), torch.randn(hidden), torch.zeros(1)
        backends = ("numba", "l1", "blocks")
        kernels = in_turn(
            {each: lambda each=each: relation_function(a, b, u, d, each) for each in backends}, min(repeats, 30)
        )
    with busy_neighbour():
        busy = in_turn({"ours": ways["ours"]}, repeats)["ours"]
    lanes = numba_cpu._BYTES // 4
    limit = 3 * items * items * hidden / lanes / vector_operations()
    threads = torch.get_num_threads()
    cores_left = threads * threads / (threads + 1)  # of `threads` cores, when one more process wants one
    report(
        "relation",
        {
            "sizes": {"images": items, "texts": items, "hidden": hidden, "dim": dim},
            "backend": choose_backend("auto"),
            "seconds": seconds,
            "ratio": seconds["plain"] / seconds["ours"],
            "forward_ratio": seconds["plain_forward"] / seconds["ours_forward"],
            "relation_function_seconds": kernels,
            "three_operation_limit_seconds": limit,
            "fraction_of_limit": limit / kernels["numba"],
            "agreement_relative": agreement,
            "peak_megabytes": {name: peak_megabytes(ways[name]) for name in ("ours", "plain")},
            "busy_neighbour": {
                "seconds": busy,
                "times_idle": busy / seconds["ours"],
                "times_fair_share": busy / (seconds["ours"] * threads / cores_left),
            },
        },
    )


if __name__ == "__main__":
    main()
