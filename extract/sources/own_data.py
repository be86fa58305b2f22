"""What the two sources of one's own files share: their settings, captions of one image, and splits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from sys import intern

from drsl.extract.sources.captions import CAPTIONS
from drsl.extract.sources.item_spool import ItemSpool, ItemsWithSplits
from drsl.extract.sources.placing import Found, Reject, check_items, check_reject_fraction, place_items
from drsl.features.errors import DamagedFile, SettingError, choose, did_you_mean, require
from drsl.features.items import first_repeated
from drsl.features.manifest import MODALITIES, Item
from drsl.features.splits import stratified_split

__all__ = [
    "ATTRIBUTION",
    "OwnDataConfig",
    "Reader",
    "Survey",
    "refuse_overlap",
    "settle_splits",
    "survey",
    "write_own_data",
]

ATTRIBUTION = ""
"""Nobody to name: the data are the user's own."""


@dataclass(frozen=True)
class OwnDataConfig:
    """Where one's own files are, and how they become items."""

    path: str
    """the folder or the CSV file, from the project's folder"""
    train: float
    """share of the train split; the shares count where the data have no splits of their own"""
    val: float
    """share of the val split; it is taken from train where the data have train and test alone"""
    test: float
    """share of the test split"""
    seed: int
    """seed of the splits"""
    captions: str = "together"
    """several captions of an image: `together` in one item, or one item for `each`"""
    max_reject_fraction: float = 0.01
    """share of items that may be unusable before preparing stops"""

    def __post_init__(self) -> None:
        require(bool(self.path), "path: name the folder or the CSV file")
        shares = [self.train, self.val, self.test]
        require(
            min(shares) >= 0 and self.train > 0 and abs(sum(shares) - 1) <= 1e-9,
            f"train, val, test: {shares} must not be negative, train not 0, and sum to 1",
        )
        require(self.seed >= 0, f"seed: {self.seed} must be 0 or more")
        choose("captions", self.captions, CAPTIONS)
        check_reject_fraction(self.max_reject_fraction)


Reader = Callable[[OwnDataConfig, dict[str, str]], Iterator[Found]]
"""Reads files one by one and yields what it finds; an item whose split is empty shall be given one. The mapping is
filled with the family of each item's id, where items belong together in one split."""


@dataclass(frozen=True)
class Survey:
    """What one's own files hold, seen without writing anything."""

    items: Sequence[Item]
    """the items that can be used; their splits are not settled yet"""
    rejects: tuple[Reject, ...]
    """the items that cannot"""
    strays: tuple[Reject, ...]
    """files that belong to no item"""
    family: Mapping[str, str]
    """by id, what the items share that must get the same split"""


def settle_splits(items: Sequence[Item], family: Mapping[str, str], config: OwnDataConfig) -> Sequence[Item]:
    """Gives items their splits, or checks those that they have.

    Args:
        items: the items that are kept; either all have a split or none has.
        family: by id, a name that the items share which must get the same split.
        config: shares and seed.

    Returns:
        The items with splits: seeded and stratified by class where they had none. Where they had train and test
        alone, val is taken from train.

    Raises:
        DamagedFile: an id occurs twice, there is one class only, or a class or a split lacks what it needs.
    """
    where = config.path
    if (twice := first_repeated(item.id for item in items)) is not None:
        raise DamagedFile(f"{where}: two items are called {twice!r}; rename one of them")
    classes = {item.label for item in items}
    if len(classes) < 2:
        raise DamagedFile(
            f"{where}: all items are of one class, {min(classes)!r}; there must be two or more to tell apart"
        )
    splits = [item.split for item in items]
    made_here = not splits[0]
    if made_here:
        splits = _split(items, family, {"train": config.train, "val": config.val, "test": config.test}, config.seed)
    elif config.val and "val" not in splits:
        train = [place for place, split in enumerate(splits) if split == "train"]
        both = config.train + config.val
        shares = {"train": config.train / both, "val": 1 - config.train / both}
        for place, split in zip(
            train, _split((items[each] for each in train), family, shares, config.seed), strict=True
        ):
            splits[place] = split
    made = ItemsWithSplits(items, splits)
    _check_splits(where, made, made_here)
    return made


def write_own_data(
    read: Reader, folder: Path, config: OwnDataConfig, on_progress: Callable[[int, int], None] | None
) -> Sequence[Item]:
    """Lists the items and places their pictures.

    Args:
        read: reads the files.
        folder: the data set's folder.
        config: where the files are, and how they become items.
        on_progress: called with (items done, 0).

    Returns:
        The items.

    Raises:
        UserError: the files cannot be read, too many are unusable, or the classes or splits lack what they need.
    """
    refuse_overlap(Path(config.path), folder)
    family: dict[str, str] = {}
    items = place_items(
        folder, read(config, family), max_reject_fraction=config.max_reject_fraction, on_progress=on_progress
    )
    return settle_splits(items, family, config)


def refuse_overlap(path: Path, folder: Path) -> None:
    """Refuses own files that lie where the data set's files are written: they would be overwritten, or read as data.

    Args:
        path: the user's folder or CSV file.
        folder: the data set's folder.

    Raises:
        SettingError: one lies in the other.
    """
    source, target = path.resolve(), folder.resolve()
    if source.is_relative_to(target) or target.is_relative_to(source):
        raise SettingError(f"path: {path} and {folder}, which is written, lie in each other: keep your files elsewhere")


def survey(read: Reader, config: OwnDataConfig, on_progress: Callable[[int, int], None] | None = None) -> Survey:
    """Looks at all files as `write_own_data` would, and writes nothing.

    Args:
        read: reads the files.
        config: where the files are, and how they become items.
        on_progress: called with (items done, 0).

    Returns:
        Items and rejects.

    Raises:
        UserError: the files cannot be read.
    """
    family: dict[str, str] = {}
    items, rejects = ItemSpool(), []
    for each in check_items(read(config, family), on_progress):
        if isinstance(each, Item):
            items.append(each)
        else:
            rejects.append(each)
    return Survey(
        items=items,
        rejects=tuple(each for each in rejects if each.id),
        strays=tuple(each for each in rejects if not each.id),
        family=family,
    )


def _split(items: Iterable[Item], family: Mapping[str, str], shares: Mapping[str, float], seed: int) -> list[str]:
    strata, names = [], []
    for item in items:
        # Items that lack a side are dealt out by themselves, so that no split gets all the images or all the texts.
        strata.append(intern(f"{bool(item.image):d}{bool(item.text):d} {item.label}"))
        # A family's name may be an id that another item has: they are told apart by what stands before.
        names.append(f"family {family[item.id]}" if item.id in family else f"item {item.id}")
    return stratified_split(strata, names, shares, seed)


def _check_splits(where: str, items: Sequence[Item], made_here: bool) -> None:
    there = {(item.split, modality) for item in items for modality in MODALITIES if getattr(item, modality)}
    for split in ("train", "test"):
        for modality in MODALITIES:
            if (split, modality) not in there:
                advice = "more items are needed, or a larger share" if made_here else "see the column split"
                raise DamagedFile(f"{where}: no {modality} is in the {split} split: {advice}")
    trained = {item.label for item in items if item.split == "train"}
    unseen = sorted({item.label for item in items} - trained)
    if unseen:
        raise DamagedFile(
            f"{where}: class {unseen[0]!r} has no item in the train split, so it could not be learned"
            f"{did_you_mean(unseen[0], trained)}"
        )
