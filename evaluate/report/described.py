"""What the methods are, from the page that `drsl methods --markdown` writes."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["described"]


def described(path: Path) -> dict[str, str]:
    """Reads the first paragraph on each method.

    Args:
        path: docs/methods.md; it need not be there.

    Returns:
        Method to a sentence or two; empty without the page.
    """
    if not path.is_file():
        return {}
    sections = re.split(r"^## +(\S+) *$", path.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return {
        name: " ".join(text.strip().split("\n\n")[0].split())
        for name, text in zip(sections[::2], sections[1::2], strict=True)
    }
