"""Which code a method runs, as a digest: a run whose code has not changed need not be made again."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from functools import cache
from pathlib import Path

__all__ = ["code_digest"]

_ROOM = "drsl.train."


def code_digest(module: str) -> str:
    """Digest of a module and of all modules of this room that it imports, at the top or inside functions.

    Comments, docstrings and line breaks do not count. What lies below the room (features, evaluate) does not count
    either: its files say of themselves what they hold.

    Args:
        module: its full name, such as `drsl.train.methods.cca`.

    Returns:
        16 hexadecimal digits.

    Raises:
        ModuleNotFoundError: there is no such module.
    """
    found: dict[str, str] = {}
    todo = [module]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        path = _path(name)
        if path is None:
            if name == module:
                raise ModuleNotFoundError(f"there is no module {name}")
            continue  # `from drsl.train.x import name`: no module, but a name in one
        found[name], imported = _parsed(path)
        todo += imported
    return hashlib.sha256(repr(sorted(found.items())).encode("utf-8")).hexdigest()[:16]


@cache
def _parsed(path: Path) -> tuple[str, tuple[str, ...]]:
    """A file's code in one form, and what it imports from this room; a file does not change while a process runs it."""
    tree = ast.parse(path.read_bytes())
    imported: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(_ROOM):
            imported += [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
        elif isinstance(node, ast.Import):
            imported += [each.name for each in node.names if each.name.startswith(_ROOM)]
    return ast.dump(_Bare().visit(tree)), tuple(imported)


def _path(name: str) -> Path | None:
    """The file of a module; None for what is none."""
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:  # its parent is a module, no package
        return None
    return Path(spec.origin) if spec and spec.origin else None


class _Bare(ast.NodeTransformer):
    """Takes out the texts that stand alone: docstrings of all kinds."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str) else node
