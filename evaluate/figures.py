"""Curves of methods from the specifications that `dvc plots` draws, rendered without a browser or a network.

The Vega-Lite templates lie in `plots/` beside this file; `.dvc/plots` holds the same files, because DVC looks there.
vl-convert renders them: one wheel, no service, and the very specification that DVC shows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Any

from drsl.features.errors import choose

__all__ = ["COLORS", "KINDS", "Curve", "as_png", "as_svg", "draw"]

KINDS = {
    "precision-recall": "shares",
    "precision-scope": "lines",
    "convergence": "lines",
    "fine-tuning": "lines",
}
"""What is drawn, and the template for it: `shares` has axes from 0 to 1, `lines` takes them from the data."""
COLORS = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"),
    *("#8c564b", "#7f7f7f", "#9467bd", "#b3a400", "#e7298a"),
)
"""Okabe and Ito's colours, which colour-blind readers can tell apart, then others; the templates have the same."""
_INK = "currentColor"
_THEME: dict[str, Any] = {
    "background": None,
    "view": {"stroke": None},
    "axis": {
        "labelColor": _INK,
        "titleColor": _INK,
        "domainColor": _INK,
        "tickColor": _INK,
        "gridColor": _INK,
        "gridOpacity": 0.12,
    },
    "legend": {"labelColor": _INK, "titleColor": _INK, "labelLimit": 170},
    "title": {"color": _INK},
    "text": {"color": _INK},
}


@dataclass(frozen=True)
class Curve:
    """One method's curve."""

    name: str
    """the method"""
    points: tuple[tuple[float, float], ...]
    """(x, y), in any order; NaN is left out"""


def draw(
    kind: str, curves: Sequence[Curve], title: str, x: str, y: str, *, width: int = 420, height: int = 320
) -> dict[str, Any]:
    """Fills a template.

    Args:
        kind: a key of `KINDS`.
        curves: one a method, in the order of the legend.
        title: stands above the picture; also its words for those who cannot see it.
        x: title of the horizontal axis.
        y: title of the vertical axis.
        width: of the plot without axes and legend, pixels.
        height: the same.

    Returns:
        A Vega-Lite specification.

    Raises:
        SettingError: there is no such kind.

    >>> spec = draw("convergence", [Curve("cca", ((1, 0.2), (2, 0.3)))], "Validation", "epoch", "mAP")
    >>> spec["data"]["values"][1]
    {'x': 2, 'y': 0.3, 'filename': 'cca/', 'rev': 'workspace'}
    """
    template = (files(__package__) / "plots" / f"{KINDS[choose('kind', kind, KINDS)]}.json").read_text("utf-8")
    values = [
        {"x": each[0], "y": each[1] if each[1] == each[1] else None, "filename": f"{curve.name}/", "rev": "workspace"}
        for curve in curves
        for each in curve.points
    ]
    words = {"DATA": values, "TITLE": title, "X": "x", "Y": "y", "X_LABEL": x, "Y_LABEL": y}
    spec = _filled(json.loads(template), {f"<DVC_METRIC_{word}>": value for word, value in words.items()})
    names = [curve.name for curve in curves]
    encoding = spec["encoding"]
    del encoding["opacity"]  # there is one revision
    # Nothing moves in a picture; and what can be moved is clipped, by a name that differs from call to call.
    del spec["mark"]["clip"], spec["params"], encoding["strokeOpacity"]
    for channel in ("color", "strokeDash"):
        encoding[channel]["scale"]["domain"] = names  # a sorted field would have a legend of its own for each channel
        encoding[channel]["legend"] = {"columns": 1 + len(names) // 16}
    return {**spec, "width": width, "height": height, "description": title}


def as_svg(spec: Mapping[str, Any]) -> str:
    """Renders a specification as a part of a page.

    Args:
        spec: a Vega-Lite specification with a title.

    Returns:
        An `<svg>` element without any outside resource; letters and axes have the colour of the text around it. Its
        title is what screen readers say.
    """
    import vl_convert

    own = spec.get("config", {})
    themed = {key: {**own.get(key, {}), **value} if isinstance(value, dict) else value for key, value in _THEME.items()}
    found: str = vl_convert.vegalite_to_svg({**spec, "config": {**own, **themed}})
    return f'<svg role="img" aria-label="{escape(_title(spec), quote=True)}"' + found.partition("<svg")[2]


def as_png(spec: Mapping[str, Any], scale: float = 2.0) -> bytes:
    """Renders a specification as a picture, black on white.

    Args:
        spec: a Vega-Lite specification.
        scale: pixels of the picture a pixel of the specification.

    Returns:
        PNG.
    """
    import vl_convert

    found: bytes = vl_convert.vegalite_to_png({"background": "white", **spec}, scale=scale)
    return found


def _filled(part: Any, words: Mapping[str, Any]) -> Any:
    """A template's part with its words replaced, as DVC does it."""
    if isinstance(part, Mapping):
        return {key: _filled(value, words) for key, value in part.items()}
    if isinstance(part, list):
        return [_filled(value, words) for value in part]
    if not isinstance(part, str):
        return part
    if part in words:
        return words[part]
    for word, value in words.items():  # within an expression
        part = part.replace(word, value) if isinstance(value, str) else part
    return part


def _title(spec: Mapping[str, Any]) -> str:
    title = spec.get("title", "")
    return str(title.get("text", "")) if isinstance(title, Mapping) else str(title)
