"""What an import will write: rows and columns, couples, ids, the val split; and what it refuses."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsl.features import read_features, read_manifest
from drsl.features.errors import SettingError, UserError
from drsl.features.importers import ImportRequest, plan_import, write_import
from drsl.features.importers.location import Location, parse_location, parse_splits
from drsl.features.importers.orientation import settle
from drsl.features.importers.val import draw_val
from drsl.features.layout import Layout

RNG = np.random.default_rng(1)
SIZES = {"train": 12, "test": 6}


@pytest.fixture
def files(tmp_path):
    """Saves arrays, and gives their places by split."""

    def save(name, arrays):
        places = {}
        for split, array in arrays.items():
            path = tmp_path / f"{name}-{split}.npy"
            np.save(path, array)
            places[split] = Location(path)
        return places

    return save


@pytest.fixture
def request_of(files):
    """A right request of 12 and 6 couples; keywords replace parts of it."""

    def build(**other):
        parts = {
            "image": {split: RNG.standard_normal((n, 9)) for split, n in SIZES.items()},
            "text": {split: RNG.standard_normal((n, 4)).astype(np.float32) for split, n in SIZES.items()},
            "labels": {"both": {split: np.arange(n) % 3 for split, n in SIZES.items()}},
        }
        parts |= {key: other.pop(key) for key in list(other) if key in parts}
        return ImportRequest(
            features={each: files(each, parts[each]) for each in ("image", "text")},
            labels={side: files(f"{side}-label", each) for side, each in parts["labels"].items()},
            ids=files("id", other.pop("ids")) if "ids" in other else {},
            **other,
        )

    return build


def test_couples_are_numbered_by_split(request_of, tmp_path):
    request = request_of(classes=("a", "b", "c"))
    plan = plan_import(request)
    assert [item.row() for item in plan.items[:2]] == [
        ("train-0001", "", "", "a", "train"),
        ("train-0002", "", "", "b", "train"),
    ]
    layout = Layout(tmp_path / "project", "made")
    write_import(plan, layout)
    manifest = read_manifest(layout.manifest)
    assert manifest.items == plan.items
    for modality in ("image", "text"):
        found = read_features(layout.features(modality))
        assert found.id.tolist() == [item.id for item in plan.items]
        given = [np.load(place.path) for place in request.features[modality].values()]
        np.testing.assert_array_equal(found.feature, np.concatenate(given).astype(np.float32))
        assert [found.classes[each] for each in found.label] == [item.label for item in plan.items]
        assert found.attrs["manifest_digest"] == manifest.digest


def test_files_that_lie_in_columns_give_the_same_rows(request_of):
    rows = request_of()
    arrays = {each: {split: np.load(at.path) for split, at in rows.features[each].items()} for each in rows.features}
    want = plan_import(rows)
    hot = {split: np.eye(3)[np.arange(n) % 3].T for split, n in SIZES.items()}
    turned = {each: {split: array.T for split, array in found.items()} for each, found in arrays.items()}
    found = plan_import(request_of(**turned, labels={"both": hot}, classes=("class-0", "class-1", "class-2")))
    assert found.items == want.items
    for each in ("image", "text"):
        for one, other in zip(found.sides[each].matrices, want.sides[each].matrices, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_square_matrix_is_settled_by_the_other_split_or_by_the_option(request_of):
    square = {"train": RNG.standard_normal((12, 12)), "test": RNG.standard_normal((6, 12))}
    assert plan_import(request_of(image=square)).sides["image"].matrices[1].shape == (6, 12)
    same = {"train": square["train"], "test": square["train"]}
    labels = {"both": dict.fromkeys(SIZES, np.arange(12) % 3)}
    text = {"train": RNG.standard_normal((12, 4)), "test": RNG.standard_normal((12, 4))}
    with pytest.raises(SettingError, match=r"image features .* both ways: say `--orientation rows`"):
        plan_import(request_of(image=same, text=text, labels=labels))
    plan = plan_import(request_of(image=same, text=text, labels=labels, orientation="columns"))
    np.testing.assert_array_equal(plan.sides["image"].matrices[0], square["train"].T)
    np.testing.assert_array_equal(plan.sides["text"].matrices[0], text["train"])  # these fit one way only
    with pytest.raises(SettingError, match="--orientation"):
        plan_import(request_of(image=same, text=text, labels=labels, orientation="colums"))


def test_other_numbers_of_images_and_texts_give_one_sided_rows(request_of, tmp_path):
    labels = {
        "image": {"train": np.arange(12) % 3 + 1, "test": np.arange(6) % 3 + 1},
        "text": {"train": np.arange(15) % 3 + 1, "test": np.arange(3) % 3 + 1},
    }
    text = {"train": RNG.standard_normal((15, 4)), "test": RNG.standard_normal((3, 4))}
    plan = plan_import(request_of(text=text, labels=labels))
    assert len(plan.items) == 12 + 6 + 15 + 3
    assert plan.sides["image"].items[0].id == "image-train-0001"
    assert plan.sides["text"].items[-1].id == "text-test-0003"
    layout = Layout(tmp_path / "project", "made")
    write_import(plan, layout)
    assert len(read_features(layout.features("image"))) == 18
    assert len(read_features(layout.features("text"))) == 18
    with pytest.raises(SettingError, match="--image-label and --text-label"):
        plan_import(request_of(text=text))
    with pytest.raises(SettingError, match="not couples"):
        plan_import(request_of(text=text, labels=labels, ids={split: np.arange(n) for split, n in SIZES.items()}))


def test_ids_come_from_files_and_must_be_unique(request_of):
    ids = {"train": np.array([f"t{n}" for n in range(12)]), "test": np.array([f"e{n}" for n in range(6)])}
    assert plan_import(request_of(ids=ids)).items[12].id == "e0"
    with pytest.raises(SettingError, match=r"'t0'.* occurs twice"):
        plan_import(request_of(ids={**ids, "test": ids["train"][:6]}))
    with pytest.raises(SettingError, match="test has 5 ids but 6 items"):
        plan_import(request_of(ids={**ids, "test": ids["test"][:5]}))


def test_val_is_drawn_and_keeps_its_ids(request_of):
    plan = plan_import(request_of(val_from="test", val_count=3, seed=5))
    assert Counter(item.split for item in plan.items) == {"train": 12, "val": 3, "test": 3}
    assert all(item.id.startswith("test-") for item in plan.items if item.split == "val")
    assert Counter(item.label for item in plan.items if item.split == "val") == {f"class-{n}": 1 for n in range(3)}
    assert plan.items == plan_import(request_of(val_from="test", val_count=3, seed=5)).items
    assert plan.items != plan_import(request_of(val_from="test", val_count=3, seed=6)).items


@given(st.lists(st.sampled_from("abcde"), min_size=2, max_size=60), st.data())
def test_a_draw_is_exact_and_proportional(labels, data):
    most = len(labels) - len(set(labels))
    if most < 1:
        return
    count = data.draw(st.integers(1, most))
    chosen = draw_val(labels, count, data.draw(st.integers(0, 9)))
    assert len(chosen) == count
    assert chosen <= set(range(len(labels)))
    total, drawn = Counter(labels), Counter(labels[each] for each in chosen)
    for name, size in total.items():
        assert drawn[name] < size
        if size > 1 and min(total.values()) * (len(labels) - count) >= 2 * len(labels):  # nothing is used up
            assert abs(drawn[name] - count * size / len(labels)) < 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image": {"train": np.ones((12, 9)), "test": np.ones((6, 8))}}, "different widths .train 9, test 8."),
        ({"image": {"train": np.ones((11, 9)), "test": np.ones((6, 9))}}, "image train has 11 x 9 .* 12 labels"),
        ({"image": {"train": np.ones((12, 9)), "test": np.ones((9, 6))}}, "a row in one split and a column"),
        ({"labels": {"both": {"train": np.arange(12) % 3}}}, "--label: test=FILE is missing"),
        ({"val_count": 3}, "--val-from test"),
        ({"val_from": "test"}, "--val-count N"),
        ({"val_from": "val", "val_count": 3}, "must be train or test"),
        ({"val_from": "test", "val_count": 4}, "--val-count: 4 must be 1 to 3"),
        ({"labels": {"both": {"train": np.arange(12) % 3, "test": np.arange(6) % 4}}}, "outside the train split"),
    ],
)
def test_what_does_not_match_is_refused(request_of, change, words):
    with pytest.raises(SettingError, match=words):
        plan_import(request_of(**change))


def test_standardized_features_have_mean_0_and_deviation_1_on_train(request_of, tmp_path):
    image = {split: RNG.standard_normal((n, 9)) * 5 + 3 for split, n in SIZES.items()}
    for each in image.values():
        each[:, 4] = 7  # a constant stays finite
    layout = Layout(tmp_path / "project", "made")
    write_import(plan_import(request_of(image=image, standardize=True)), layout)
    found = read_features(layout.features("image"))
    train = found.select("train").feature
    np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(train.std(axis=0), np.arange(9) != 4, atol=1e-6)
    keep = np.arange(9) != 4
    wanted = (image["test"] - image["train"].mean(axis=0))[:, keep] / image["train"].std(axis=0)[keep]
    np.testing.assert_allclose(found.select("test").feature[:, keep], wanted, atol=1e-5)
    assert '"standardized": true' in str(found.attrs["encoder"])


def test_a_val_split_may_come_as_files(request_of):
    three = {"train": 12, "val": 3, "test": 6}
    plan = plan_import(
        request_of(
            image={split: RNG.standard_normal((n, 9)) for split, n in three.items()},
            text={split: RNG.standard_normal((n, 4)) for split, n in three.items()},
            labels={"both": {split: np.arange(n) % 3 for split, n in three.items()}},
        )
    )
    assert [item.split for item in plan.items] == ["train"] * 12 + ["val"] * 3 + ["test"] * 6
    with pytest.raises(SettingError, match="val is given for some options only"):
        plan_import(request_of(image={split: RNG.standard_normal((n, 9)) for split, n in three.items()}))


def test_an_error_at_the_end_puts_everything_back(request_of, tmp_path):
    def fail():
        raise UserError("params.yaml cannot be written")

    layout = Layout(tmp_path / "project", "made")
    layout.root.mkdir()
    with pytest.raises(UserError, match="params"):
        write_import(plan_import(request_of()), layout, fail)
    assert list(layout.root.rglob("*")) == []
    write_import(plan_import(request_of()), layout)
    before = {path: path.read_bytes() for path in layout.root.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="params"):
        write_import(plan_import(request_of(val_from="test", val_count=3)), layout, fail)
    assert {path: path.read_bytes() for path in layout.root.rglob("*") if path.is_file()} == before


def test_places_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("x.mat", "C", "odd:name"):
        (tmp_path / name).touch()
    (tmp_path / "C:").mkdir()
    (tmp_path / "C:" / "x.mat").touch()
    for text, path, variable in (
        ("x.mat", "x.mat", None),
        ("x.mat:I_tr", "x.mat", "I_tr"),
        ("x.mat:3", "x.mat", "3"),
        ("x.mat:group/image", "x.mat", "group/image"),
        ("C:/x.mat", "C:/x.mat", None),
        ("C:/x.mat:I_tr", "C:/x.mat", "I_tr"),
        ("C:\\none\\x.mat", "C:\\none\\x.mat", None),
        ("odd:name", "odd:name", None),
        ("gone.mat:I_tr", "gone.mat:I_tr", None),
    ):
        assert parse_location(text) == Location(type(tmp_path)(path), variable), text
    assert list(parse_splits("--image", ["test=x.mat", "train=x.mat:a"])) == ["train", "test"]
    for wrong, words in ((["x.mat"], "SPLIT=FILE"), (["trian=x.mat"], "train"), (["test=a", "test=b"], "twice")):
        with pytest.raises(SettingError, match=words):
            parse_splits("--image", wrong)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6), st.sampled_from([None, "rows", "columns"]))
def test_the_way_that_is_settled_always_fits(a, b, width, asked):
    counts = {"train": a, "test": b}
    for axis, way in enumerate(("rows", "columns")):
        shapes = {split: (n, width) if axis == 0 else (width, n) for split, n in counts.items()}
        try:
            found = settle("image", shapes, counts, asked)
        except SettingError:
            assert asked is None
            assert a == b == width
        else:
            assert found == way or a == b == width
