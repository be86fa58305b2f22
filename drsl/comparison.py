"""All methods and seeds on one data set in one process; runs that are up to date are left as they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from drsl.evaluate.results import evaluate_scores, read_cost, write_result
from drsl.evaluate.scores import read_scores
from drsl.features.errors import SettingError, UserError
from drsl.features.layout import Run
from drsl.features.lock import exclusive
from drsl.features.store import Features
from drsl.params import EvaluateConfig
from drsl.project import Project
from drsl.stage_two import with_parts
from drsl.train.methods import Method, get_method, method_class, method_names, read_about
from drsl.train.stage import fit_stage, recipe

__all__ = ["Outcome", "Planned", "compare", "plan", "up_to_date"]

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Planned:
    """The runs to make, and what is left out."""

    runs: tuple[tuple[str, int], ...]
    """(method, seed)"""
    left_out: tuple[tuple[str, str], ...]
    """(method, why)"""


@dataclass(frozen=True)
class Outcome:
    """How one run went."""

    method: str
    """its name"""
    seed: int
    """its seed"""
    metrics: dict[str, Any]
    """as written to the result file; empty when it failed"""
    seconds: float
    """what it took now"""
    fitted: bool
    """whether it was fitted now; otherwise it was up to date"""
    error: str = ""
    """why it failed"""


def plan(project: Project, methods: Sequence[str], seeds: Sequence[int]) -> Planned:
    """Says which runs a comparison takes.

    Args:
        project: names the data set.
        methods: names; none for all that can run here.
        seeds: of each method that has a random part; the others run with seed 0 alone.

    Returns:
        The runs. A method that was not named and needs parts of items that are not there is left out.

    Raises:
        SettingError: a name is unknown; the nearest is named.
    """
    runs: list[tuple[str, int]] = []
    left_out = []
    for name in dict.fromkeys(methods or method_names()):
        kind = method_class(name)
        parts = kind.parts
        lacking = [path for path in (project.layout.parts(*each) for each in parts.items()) if not path.is_file()]
        if lacking and not methods:
            left_out.append((name, f"{project.layout.show(lacking[0])} is not there"))
            continue
        runs += [(name, seed) for seed in (dict.fromkeys(seeds) if kind.stochastic else (0,))]
    return Planned(tuple(runs), tuple(left_out))


def compare(
    project: Project,
    image: Features,
    text: Features,
    runs: Sequence[tuple[str, int]],
    *,
    force: bool = False,
    progress: Callable[[str, int], Progress] | None = None,
    said: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Fits and evaluates, one run after the other; writes the files that `drsl fit` and `drsl evaluate` write.

    Args:
        project: names the data set.
        image: features (n, d_i) of all splits.
        text: features (n', d_t) of all splits.
        runs: (method, seed).
        force: fit what is up to date too.
        progress: gives the function that a fit calls with (steps done, steps in all, a word).
        said: called after each run.

    Returns:
        How each went; one that fails does not end the others.

    Raises:
        UserError: `datasets.NAME.evaluate` is missing or wrong.
    """
    config = project.params.part(project.layout.dataset, "evaluate", EvaluateConfig)
    outcomes = []
    for name, seed in runs:
        start = time.perf_counter()
        fitted, metrics, error = False, {}, ""
        try:
            run = project.layout.run(name, seed)
            with exclusive(project.params.root / "work" / "locks", project.layout.show(run.model)):
                fitted = _fit(project, image, text, name, seed, force, progress(name, seed) if progress else None)
                # Always: it takes a fraction of a second, and depends on settings that no model file holds.
                result = evaluate_scores(read_scores(run.scores), scope=config.scope, at=config.at, cost=read_cost(run))
                write_result(run, result)
            metrics = result.metrics
        except UserError as problem:
            error = str(problem)
        except Exception as problem:  # a bug in one method must not cost the others their runs
            error = f"{type(problem).__name__}: {problem}"
        outcomes.append(Outcome(name, seed, metrics, time.perf_counter() - start, fitted, error))
        if said:
            said(outcomes[-1])
    return outcomes


def up_to_date(run: Run, made_by: dict[str, str]) -> bool:
    """Whether a run's files are whole and of this recipe.

    Args:
        run: the run's file names.
        made_by: what `recipe` gives now.

    Returns:
        Whether its model's file names the same recipe, and scores and costs are there and whole.
    """
    try:
        known = read_about(run.model)["provenance"].get("made_by") == made_by
        return known and bool(read_cost(run)) and read_scores(run.scores) is not None
    except (UserError, ValueError):
        return False


def _fit(
    project: Project, image: Features, text: Features, name: str, seed: int, force: bool, progress: Progress | None
) -> bool:
    """Fits unless the run is up to date; says whether it did."""
    run = project.layout.run(name, seed)
    try:
        method: Method = get_method(name, **project.params.method(project.layout.dataset, name))
    except SettingError as problem:
        raise SettingError(f"methods.{name}: {problem}") from None
    image, text = with_parts(project, image, text, method.parts)
    made_by = recipe(method, image, text, seed)
    if not force and up_to_date(run, made_by):
        return False
    device = project.device()
    method.tune(image, text, device=device, memory=project.layout.work / "precision.json")
    fit_stage(method, image, text, run, seed=seed, device=device, progress=progress, made_by=made_by)
    return True
