"""Every public function and class says what it takes, gives and raises."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("features", "evaluate", "extract", "train", "search", "drsl")
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py") if "commands" not in path.parts)


def _public(body: list[ast.stmt]):
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _public(node.body)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_public_names_are_documented(path):
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree), "the file says in a line what it is"
    for node in _public(tree.body):
        text = ast.get_docstring(node)
        assert text, f"{node.name} has no docstring"
        if isinstance(node, ast.ClassDef):
            continue
        arguments = [each.arg for each in node.args.args + node.args.kwonlyargs if each.arg not in ("self", "cls")]
        overrides = any("property" in ast.unparse(each) for each in node.decorator_list)
        if arguments:
            assert "Args:" in text, f"{node.name} does not explain its arguments"
            for name in arguments:
                assert f"    {name}:" in text, f"{node.name} does not explain {name}"
        gives = node.returns is not None and ast.unparse(node.returns) not in ("None", "Self") and arguments
        if gives and not overrides:
            assert "Returns:" in text or "Yields:" in text, f"{node.name} does not say what it gives"
        assert all(each.annotation is not None for each in node.args.args if each.arg not in ("self", "cls")), node.name
