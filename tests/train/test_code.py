"""The digest of a method's code: what it runs counts, how it is written does not."""

import ast

import pytest

from drsl.train import method_names
from drsl.train.code import _Bare, code_digest
from drsl.train.methods import method_class


def bare(text):
    return ast.dump(_Bare().visit(ast.parse(text)))


def test_words_about_code_do_not_count():
    assert bare('"""One."""\ndef f(x: int = 1):\n    """Two."""\n    return (x + 1)  # three\n') == bare(
        "def f(x: int = 1):\n    return x + 1\n"
    )
    assert bare("def f(): return 1") != bare("def f(): return 2")


def test_each_methods_code_has_a_digest():
    modules = {method_class(name).__module__ for name in method_names()}
    assert len({code_digest(module) for module in modules}) == len(modules)
    with pytest.raises(ModuleNotFoundError):
        code_digest("drsl.train.methods.none")


@pytest.mark.parametrize(
    ("module", "changed", "counts"),
    [
        ("cca", "drsl.train.moments", True),  # imported by it
        ("cca", "drsl.train.methods.linear", True),
        ("cca", "drsl.train.score", True),  # imported by what it imports
        ("cca", "drsl.train.loss", False),
        ("drsl", "drsl.train.loss", True),
    ],
)
def test_only_what_it_imports_counts(monkeypatch, module, changed, counts, tmp_path):
    from drsl.train import code

    before = code_digest(f"drsl.train.methods.{module}")
    (tmp_path / "other.py").write_text("x = 1\n")
    path = code._path
    monkeypatch.setattr(code, "_path", lambda name: tmp_path / "other.py" if name == changed else path(name))
    assert (code_digest(f"drsl.train.methods.{module}") != before) == counts
