"""What each run was made from: settings, digests, machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from drsl.evaluate.report.content import RunFacts
from drsl.evaluate.results import read_machine
from drsl.features.layout import Run
from drsl.features.tensor_file import MODEL_FORMAT, read_head

__all__ = ["run_facts"]


def run_facts(
    runs: Mapping[str, Sequence[Run]], results: Mapping[str, Sequence[Mapping[str, Any]]]
) -> tuple[RunFacts, ...]:
    """Reads what the files of all runs tell of themselves.

    Args:
        runs: method to its runs.
        results: method to the content of its runs' result files, in the same order.

    Returns:
        One entry a run, in the order given. Model files may be missing, as in a clone of results alone.

    Raises:
        UserError: a file is damaged.
    """
    found = []
    for method, each in runs.items():
        for run, metrics in zip(each, results[method], strict=True):
            about = {}
            if run.model.is_file():
                again = f"drsl fit -d {run.folder.parent.name} -m {method} -s {run.seed}"
                about = read_head(run.model, MODEL_FORMAT, again)
            origin = about.get("provenance") or {}
            digests = {side: origin.get(f"{side}_digest", "") for side in ("image", "text")}
            found.append(
                RunFacts(
                    method=method,
                    seed=run.seed,
                    metrics=metrics,
                    settings=about.get("settings") or {},
                    digests={side: digest for side, digest in digests.items() if digest},
                    machine=read_machine(run),
                )
            )
    return tuple(found)
