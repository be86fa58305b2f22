"""Curves from the specifications that DVC draws, rendered without a browser."""

import io
import itertools
import json
from xml.etree import ElementTree

import pytest
from PIL import Image

from drsl.evaluate.figures import COLORS, KINDS, Curve, as_png, as_svg, draw
from drsl.features.errors import SettingError

NAMES = ["cca", "drsl-c", "<a & 'b' \">"]


def _drawn(curves, kind="convergence", title="Validation"):
    return ElementTree.fromstring(as_svg(draw(kind, curves, title, "epoch", "mAP")))


def _lines(svg):
    return [
        each
        for group in svg.iter("{http://www.w3.org/2000/svg}g")
        if "mark-line" in group.get("class", "")
        for each in group.iter("{http://www.w3.org/2000/svg}path")
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_each_method_has_a_line_and_a_name(kind):
    svg = _drawn([Curve(name, ((0.1, 0.2), (0.5, 0.4 + 0.1 * place))) for place, name in enumerate(NAMES)], kind)
    assert len(_lines(svg)) == 3
    words = [each.text for each in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert set(NAMES) <= set(words)
    assert [each for each in words if each in NAMES] == NAMES  # one legend, in the order given


def test_the_page_decides_the_ink_and_nothing_is_asked_for():
    text = as_svg(draw("convergence", [Curve("cca", ((1, 0.2), (2, 0.3)))], 'A "title" <&', "epoch", "mAP"))
    svg = ElementTree.fromstring(text)
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == 'A "title" <&'
    assert {each.get("fill") for each in svg.iter("{http://www.w3.org/2000/svg}text")} == {"currentColor"}
    assert "<script" not in text
    assert "href" not in text
    assert " id=" not in text  # several pictures share a page
    assert text.replace("http://www.w3.org/", "").count("http") == 0


def test_thirty_methods_can_be_told_apart():
    names = [f"method-{place}" for place in range(44)]
    svg = _drawn([Curve(name, ((1, place), (2, place + 1))) for place, name in enumerate(names)])
    looks = [(each.get("stroke"), each.get("stroke-dasharray")) for each in _lines(svg)]
    assert len(looks) == len(set(looks)) == 44


def test_what_was_not_measured_is_left_out():
    svg = _drawn([Curve("cca", ((1, 0.2), (2, float("nan")), (3, 0.4)))])
    assert len(_lines(svg)) == 1
    assert "NaN" not in json.dumps(draw("convergence", [Curve("cca", ((1, float("nan")),))], "", "", ""))


def test_no_curve():
    assert _lines(_drawn([])) == []


def test_axes_of_precision_and_recall_go_from_0_to_1():
    svg = _drawn([Curve("cca", ((0.4, 0.5), (0.5, 0.6)))], "precision-recall")
    words = [each.text for each in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert words.count("0.0") == words.count("1.0") == 2


def test_a_picture_is_black_on_white():
    spec = draw(
        "precision-scope", [Curve("cca", ((10, 0.5), (20, 0.6)))], "Scope", "R", "precision", width=200, height=90
    )
    with Image.open(io.BytesIO(as_png(spec, scale=1))) as picture:
        assert picture.width > 200
        assert picture.height > 90
        assert picture.convert("RGB").getpixel((1, 1)) == (255, 255, 255)
        colors = {color for _, color in picture.convert("RGB").getcolors(1 << 20)}
        wanted = tuple(int(COLORS[0][place : place + 2], 16) for place in (1, 3, 5))
        assert wanted in colors


def test_templates_have_the_colours_of_the_report():
    for name, kind in itertools.product(NAMES[:1], KINDS):
        assert tuple(draw(kind, [Curve(name, ())], "", "", "")["encoding"]["color"]["scale"]["range"]) == COLORS


def test_an_unknown_kind_is_refused():
    with pytest.raises(SettingError, match="did you mean 'convergence'"):
        draw("convergenc", [], "", "", "")
