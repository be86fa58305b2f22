"""params.yaml -> the rooms' own settings. Unknown keys, wrong types and YAML's traps are errors that name the key."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from drsl.features.errors import DamagedFile, MissingFile, SettingError, choose, did_you_mean
from drsl.features.settings import to_stored

__all__ = ["EvaluateConfig", "Params", "build", "find_project", "read_params"]

Config = TypeVar("Config")

_DRSL = ("drsl-c", "drsl-m", "drsl-a", "drsl-s")
"""The paper's method and its variants: they share the data set's block `drsl`. Other methods named drsl-... do not."""
_DATASET_KEYS = ("source", "prepare", "image", "text", "parts", "drsl", "evaluate")


@dataclass(frozen=True)
class EvaluateConfig:
    """What is worked out from the test scores beside mAP@ALL."""

    at: tuple[int, ...]
    """cut-offs R of mAP@R"""
    scope: tuple[int, ...]
    """points R of the precision-scope curve"""

    def __post_init__(self) -> None:
        for key in ("at", "scope"):
            if not getattr(self, key) or min(getattr(self, key)) < 1:
                raise SettingError(f"{key}: {list(getattr(self, key))} must be one or more positive numbers")


@dataclass(frozen=True)
class Params:
    """params.yaml, read and checked as far as its own shape goes."""

    root: Path
    """the project's folder"""
    content: Mapping[str, Any]
    """the file's content"""

    def dataset(self, name: str) -> Mapping[str, Any]:
        """The block of one data set.

        Args:
            name: a key under `datasets`.

        Returns:
            Its settings.

        Raises:
            SettingError: there is no such data set (the nearest is named), or the block has an unknown key.
        """
        block = _mapping("datasets", _mapping("params.yaml", self.content).get("datasets", {}))
        found = _mapping(f"datasets.{name}", block[choose("data set", name, block)])
        for key in found:
            if key not in _DATASET_KEYS:
                raise SettingError(f"datasets.{name}.{key} is not known{did_you_mean(key, _DATASET_KEYS)}")
        return found

    def part(self, dataset: str, key: str, config: type[Config]) -> Config:
        """One part of a data set's block as a settings object.

        Args:
            dataset: the data set's name.
            key: `prepare`, `image`, `text` or `evaluate`.
            config: the dataclass that describes the part.

        Returns:
            The settings.

        Raises:
            SettingError: the part is missing, has unknown or missing keys, or values of a wrong type or range.
        """
        where = f"datasets.{dataset}.{key}"
        block = self.dataset(dataset)
        if key not in block:
            raise SettingError(f"{where} is missing in params.yaml; see the block of another data set")
        return build(config, block[key], where)

    def stored(self, dataset: str, modality: str, config: type[Any]) -> dict[str, Any]:
        """Stage one's settings of a modality as network and feature files store them, for comparison.

        Args:
            dataset: the data set's name.
            modality: `image` or `text`.
            config: the dataclass of that modality's settings.

        Returns:
            `{"settings": ...}`, the same whether a default is written in params.yaml or left out; empty when the block
            is absent, as for features that were not made here.

        Raises:
            SettingError: the block has unknown or missing keys, or values of a wrong type or range.
        """
        if self.dataset(dataset).get(modality) is None:
            return {}
        return {"settings": to_stored(self.part(dataset, modality, config))}

    def method(self, dataset: str, name: str) -> dict[str, Any]:
        """All settings of a method on a data set; what is named later overrides.

        First the data set's block `drsl`, for the four DRSL methods alone; then the method's block `methods.NAME`; then
        what that block says of this data set, `methods.NAME.datasets.DATASET`.

        Args:
            dataset: the data set's name.
            name: the method's name; it need not have a block.

        Returns:
            Settings for `get_method`.

        Raises:
            SettingError: a data set is unknown (the nearest is named), or a block is not a mapping.
        """
        block = self.dataset(dataset)
        shared = _mapping(f"datasets.{dataset}.drsl", block.get("drsl") or {}) if name in _DRSL else {}
        methods = _mapping("methods", self.content.get("methods") or {})
        own = dict(_mapping(f"methods.{name}", methods.get(name) or {}))
        apart = _mapping(f"methods.{name}.datasets", own.pop("datasets", None) or {})
        for each in apart:
            if each not in self.content["datasets"]:
                near = did_you_mean(str(each), self.content["datasets"])
                raise SettingError(f"methods.{name}.datasets.{each} is no data set of params.yaml{near}")
        return {**shared, **own, **_mapping(f"methods.{name}.datasets.{dataset}", apart.get(dataset) or {})}

    def grid(self, name: str) -> dict[str, list[Any]]:
        """The values that `drsl tune` tries for a method, `grids.NAME`.

        Args:
            name: the method's name.

        Returns:
            Setting to its values, in the file's order; empty when there is no block.

        Raises:
            SettingError: a block is not a mapping, or a setting has not one or more different values in a list.
        """
        grids = _mapping("grids", self.content.get("grids") or {})
        found = {}
        for key, values in _mapping(f"grids.{name}", grids.get(name) or {}).items():
            if not isinstance(values, list) or not values or any(each in values[:at] for at, each in enumerate(values)):
                raise SettingError(f"grids.{name}.{key}: {values!r} must be a list of one or more different values")
            found[str(key)] = values
        return found

    @property
    def device(self) -> str:
        """`auto`, `cpu` or `cuda`."""
        return choose("device", self.content.get("device", "auto"), ("auto", "cpu", "cuda"))


def find_project(start: Path | None) -> Path:
    """The project's folder.

    Args:
        start: a folder given by the user; None searches from the current folder upwards.

    Returns:
        The folder that holds params.yaml.

    Raises:
        MissingFile: there is none.
    """
    places = [start.resolve()] if start else [Path.cwd(), *Path.cwd().parents]
    for place in places:
        if (place / "params.yaml").is_file():
            return place
    raise MissingFile(
        f"there is no params.yaml in {places[0]}{'' if start else ' or above it'}: "
        "go to the project's folder, or name it with `drsl -C FOLDER ...`"
    )


def read_params(root: Path) -> Params:
    """Reads params.yaml as DVC does (YAML 1.2).

    Args:
        root: the project's folder.

    Returns:
        The settings, checked for their top-level keys.

    Raises:
        DamagedFile: it is not YAML.
        SettingError: a top-level key is unknown.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    path = root / "params.yaml"
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise DamagedFile(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    known = ("run", "device", "datasets", "methods", "grids")
    for key in _mapping("params.yaml", content):
        if key not in known:
            raise SettingError(f"{key} in params.yaml is not known{did_you_mean(str(key), known)}")
    return Params(root, content)


def build(config: type[Config], block: Any, where: str) -> Config:
    """Makes a settings object from a block of params.yaml.

    Args:
        config: a frozen dataclass.
        block: a mapping with a key for each of its fields.
        where: the block's full name, for messages.

    Returns:
        The object; its own checks have run.

    Raises:
        SettingError: an unknown, missing or wrongly typed key, or a value out of range; names the key in full.
    """
    given = _mapping(where, block)
    hints = typing.get_type_hints(config)
    for key in given:
        if key not in hints:
            raise SettingError(f"{where}.{key} is not known{did_you_mean(str(key), hints)}")
    needed = [each.name for each in fields(config) if each.default is MISSING]  # type: ignore[arg-type]
    missing = [key for key in needed if key not in given]
    if missing:
        raise SettingError(f"{where}.{missing[0]} is missing in params.yaml")
    values = {key: _value(hints[key], value, f"{where}.{key}") for key, value in given.items()}
    try:
        return config(**values)
    except SettingError as error:
        raise SettingError(f"{where}.{error}") from None


def _value(hint: Any, value: Any, where: str) -> Any:
    if is_dataclass(hint):
        return build(typing.cast(type, hint), value, where)
    if isinstance(hint, types.GenericAlias) and hint.__origin__ is tuple:
        if not isinstance(value, list):
            raise SettingError(f"{where}: {value!r} must be a list")
        return tuple(_value(hint.__args__[0], each, where) for each in value)
    wanted = {int: "a whole number", float: "a number", bool: "true or false", str: "a word or text"}[hint]
    right = isinstance(value, bool) if hint is bool else isinstance(value, hint) and not isinstance(value, bool)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not right:
        note = "; write it without quotes" if isinstance(value, str) and hint in (int, float, bool) else ""
        note = "; put it in quotes" if hint is str else note
        raise SettingError(f"{where}: {value!r} must be {wanted}{note}")
    return value


def _mapping(where: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise SettingError(f"{where} must be a block of `key: value` lines, not {value!r}")
    return value
