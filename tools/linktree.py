"""Makes build/linktree/drsl: one folder with links to every room, for tools that do not follow setup.cfg's package map.

mypy, import-linter and grimp look for `drsl.train` at drsl/train. Run `python tools/linktree.py`; it prints the folder.
"""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("features", "evaluate", "extract", "train", "search")


def make_linktree() -> Path:
    """Makes the tree anew.

    Returns:
        The folder to put on the tools' search path.
    """
    tree = ROOT / "build" / "linktree"
    shutil.rmtree(tree, ignore_errors=True)
    package = tree / "drsl"
    package.mkdir(parents=True)
    for path in sorted((ROOT / "drsl").iterdir()):
        if path.name != "__pycache__":
            (package / path.name).symlink_to(path)
    for room in ROOMS:
        (package / room).symlink_to(ROOT / room)
    return tree


if __name__ == "__main__":
    print(make_linktree())
