"""One file a method, one interface. To add a method: a subclass of `Method`, and its line in `_METHODS` here."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from drsl.features.errors import choose
from drsl.train.methods.base import Method, read_about

__all__ = ["Method", "get_method", "method_class", "method_names", "read_about", "read_method"]

# Imported when asked for, so that a change of one method's file does not make another method's results stale.
_METHODS = {
    "drsl-c": ("drsl", "DrslConcat"),
    "drsl-m": ("drsl", "DrslMul"),
    "drsl-a": ("drsl", "DrslAdd"),
    "drsl-s": ("drsl", "DrslSub"),
    "drsl-plus": ("drsl_plus", "DrslPlus"),
    "drsl-plus-no-relation": ("drsl_plus", "DrslPlusNoRelation"),
    "drsl-plus-cross-entropy": ("drsl_plus", "DrslPlusCrossEntropy"),
    "deep-sm": ("deep_sm", "DeepSm"),
    "cca": ("cca", "Cca"),
    "cca-paper": ("cca", "CcaPaper"),
    "pls": ("pls", "Pls"),
    "mcca": ("mcca", "Mcca"),
    "gma": ("gma", "Gma"),
    "kcca": ("kcca", "Kcca"),
    "dcca": ("dcca", "Dcca"),
    "dccae": ("dccae", "Dccae"),
    "acmr": ("acmr", "Acmr"),
    "cm-gans": ("cm_gans", "CmGans"),
    "dscmr": ("dscmr", "Dscmr"),
    "sdml": ("sdml", "Sdml"),
    "man": ("man", "Man"),
    "mrl": ("mrl", "Mrl"),
    "fume": ("fume", "Fume"),
    "fgcrossnet": ("fgcrossnet", "FgCrossNet"),
    "mvda": ("mvda", "Mvda"),
    "mvda-vc": ("mvda_vc", "MvdaVc"),
    "jrl": ("jrl", "Jrl"),
    "cmdn": ("cmdn", "Cmdn"),
    "ccl": ("ccl", "Ccl"),
    "mcsm": ("mcsm", "Mcsm"),
    "ccl-multi": ("ccl_multi", "CclMulti"),
    "mcsm-full": ("mcsm_full", "McsmFull"),
}


def method_names() -> tuple[str, ...]:
    """Names of all methods.

    Returns:
        The names that `get_method` takes.

    >>> method_names()[:2]
    ('drsl-c', 'drsl-m')
    """
    return tuple(_METHODS)


def get_method(name: str, **settings: Any) -> Method:
    """Makes a method that is not fitted yet.

    Args:
        name: one of `method_names()`.
        settings: the method's own; what is not given has the value of the preset `paper`.

    Returns:
        The method.

    Raises:
        SettingError: the name or a setting is unknown (the nearest is named), or a value is out of range.
    """
    return method_class(name)(**settings)


def method_class(name: str) -> type[Method]:
    """The class of a method.

    Args:
        name: one of `method_names()`.

    Returns:
        A subclass of `Method`.

    Raises:
        SettingError: the name is unknown; the nearest is named.
    """
    module, kind = _METHODS[choose("method", name, _METHODS)]
    found: type[Method] = getattr(importlib.import_module(f"drsl.train.methods.{module}"), kind)
    return found


def read_method(path: Path) -> Method:
    """Reads a fitted method of any kind.

    Args:
        path: a file that `Method.save` wrote.

    Returns:
        The fitted method, on the CPU.

    Raises:
        UserError: the file is missing, damaged, or of a method this version does not know.
    """
    return get_method(str(read_about(path)["method"])).load(path)
