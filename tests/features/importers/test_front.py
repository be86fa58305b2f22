"""Arrays come out of every format as they went in; whatever is no matrix of real numbers is refused in one line."""

import contextlib
import pickle
import struct
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drsl.features.errors import MissingFile, UserError
from drsl.features.importers import read_array, read_labels

RNG = np.random.default_rng(0)
MATRIX = RNG.standard_normal((7, 5))


@pytest.fixture
def write(tmp_path, v73):
    """Writes variables in one of the formats."""

    def put(kind: str, **variables) -> Path:
        path = tmp_path / f"file.{kind.removesuffix('-v5').removesuffix('-v7.3').removesuffix('-packed')}"
        if kind == "mat-v5":
            scipy.io.savemat(path, variables)
        elif kind == "mat-packed":
            path = path.with_suffix(".mat")
            scipy.io.savemat(path, variables, do_compression=True)
        elif kind == "mat-v7.3":
            v73(path, variables)
        elif kind == "npz-packed":
            np.savez_compressed(path, **variables)
        elif kind == "npz":
            np.savez(path, **variables)
        elif kind == "npy":
            np.save(path, *variables.values())
        else:
            with h5py.File(path, "w") as file:
                for name, value in variables.items():
                    file[name] = value
        return path

    return put


def refused(read, *words):
    with pytest.raises(UserError) as caught:
        read()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


ALL = ["mat-v5", "mat-packed", "mat-v7.3", "npz", "npz-packed", "npy", "h5"]


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("dtype", ["<f8", "<f4", "<i2", "u1"])
def test_each_format_gives_the_matrix(write, kind, dtype):
    matrix = (MATRIX * 20).astype(dtype)
    for each in (matrix, np.asfortranarray(matrix)):
        found = read_array(write(kind, feat=each))
        assert found.shape == (7, 5)
        np.testing.assert_array_equal(np.asarray(found, dtype=np.float32), matrix.astype(np.float32))
        assert found.dtype == np.float32 or (kind == "npy" and isinstance(found, np.memmap))


def test_big_endian_numbers_are_read_as_numbers(write):
    for kind in ("npy", "npz", "h5"):
        found = read_array(write(kind, feat=MATRIX.astype(">f8")))
        np.testing.assert_array_equal(np.asarray(found, np.float32), MATRIX.astype(np.float32))


@pytest.mark.parametrize("kind", ["mat-v5", "mat-v7.3", "npz", "h5"])
def test_several_arrays_need_a_name(write, kind):
    path = write(kind, one=MATRIX, other=MATRIX[:3])
    refused(lambda: read_array(path), "one 7 x 5", "other 3 x 5", "file.")
    np.testing.assert_array_equal(read_array(path, "other"), MATRIX[:3].astype(np.float32))
    refused(lambda: read_array(path, "othr"), "no 'othr'", "did you mean 'other'", "one 7 x 5")


def test_datasets_in_groups_go_by_their_path(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["train/image"] = MATRIX
        file["outside"] = h5py.ExternalLink("/elsewhere.h5", "secret")
    np.testing.assert_array_equal(read_array(tmp_path / "x.h5"), MATRIX.astype(np.float32))
    np.testing.assert_array_equal(read_array(tmp_path / "x.h5", "train/image"), MATRIX.astype(np.float32))
    refused(lambda: read_array(tmp_path / "x.h5", "outside"), "no 'outside'")


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_a_value_that_is_not_finite_is_named_with_its_row(write, kind, bad):
    matrix = MATRIX.copy()
    matrix[4, 2] = bad
    path = write(kind, feat=matrix)
    refused(lambda: read_array(path), str(path), "row 5, column 3")


@pytest.mark.parametrize("kind", ALL)
def test_complex_numbers_are_refused(write, kind):
    path = write(kind, feat=MATRIX + 1j)
    refused(lambda: read_array(path), "real numbers")
    refused(lambda: read_labels(path), "real numbers")


@pytest.mark.parametrize("kind", ["mat-v5", "mat-v7.3", "npz", "npy", "h5"])
def test_arrays_that_are_no_matrix_are_refused(write, kind):
    refused(lambda: read_array(write(kind, feat=np.ones((2, 3, 4)))), "shape is (2, 3, 4)")
    if kind != "mat-v7.3":
        refused(lambda: read_array(write(kind, feat=np.ones((0, 4)))), "shape is (0, 4)")


def test_texts_cells_and_structures_are_no_features(write, tmp_path):
    for value in (np.array(["ab", "cd"], dtype=object), "abc", {"field": MATRIX}):
        refused(lambda each=value: read_array(write("mat-v5", feat=each)), "feat does not hold real numbers")
    refused(lambda: read_array(write("mat-v7.3", feat=["ab", "cd"])), "feat does not hold real numbers")
    refused(lambda: read_labels(write("mat-v5", feat={"field": MATRIX})), "feat does not hold real numbers")
    with h5py.File(tmp_path / "s.mat", "w") as file:
        file["sparse/data"] = MATRIX[0]
    refused(lambda: read_array(tmp_path / "s.mat"), "full(sparse)")


def test_cells_and_letters_are_labels(write):
    names = ["cat", "red fox", "öl"]
    for kind in ("mat-v5", "mat-v7.3"):
        value = np.array(names, dtype=object)[:, None] if kind == "mat-v5" else names
        assert read_labels(write(kind, label=value)).tolist() == names
    assert read_labels(write("mat-v5", label=["ab ", "abc"])).tolist() == ["ab", "abc"]
    assert read_labels(write("mat-v7.3", label="abc")).tolist() == ["abc"]
    assert read_labels(write("h5", label=["a", "bc"])).tolist() == ["a", "bc"]
    assert read_labels(write("npy", label=np.array(["a", "bc"]))).tolist() == ["a", "bc"]
    refused(lambda: read_labels(write("mat-v5", label=np.array([np.ones(3), "a"], dtype=object))), "one text a cell")


def test_a_sparse_matrix_is_written_out_unless_it_is_too_large(write):
    matrix = np.where(MATRIX > 0.5, MATRIX, 0)
    found = read_array(write("mat-v5", feat=scipy.sparse.csc_array(matrix)))
    np.testing.assert_array_equal(found, matrix.astype(np.float32))
    huge = scipy.sparse.csc_array(([1.0], ([0], [0])), shape=(2_000_000, 1000))
    refused(lambda: read_array(write("mat-v5", feat=huge)), "sparse", "GiB")


class _Bomb:
    """A pickle that leaves a trace when it is opened."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


def test_a_pickle_is_refused_and_not_opened(tmp_path):
    trace = tmp_path / "executed"
    bomb = np.array([[_Bomb(trace)]], dtype=object)
    np.savez(tmp_path / "x.npz", feat=bomb)
    np.save(tmp_path / "x.npy", bomb)
    (tmp_path / "bare.npy").write_bytes(pickle.dumps(_Bomb(trace)))
    with zipfile.ZipFile(tmp_path / "inside.npz", "w") as archive:
        archive.writestr("feat.npy", pickle.dumps(_Bomb(trace)))
    for read in (read_array, read_labels):
        refused(lambda each=read: each(tmp_path / "x.npz"), "feat is a pickle", "not opened")
        refused(lambda each=read: each(tmp_path / "x.npy"), "is a pickle", "not opened")
        refused(lambda each=read: each(tmp_path / "bare.npy"), "damaged")
        refused(lambda each=read: each(tmp_path / "inside.npz"), "damaged")
    assert not trace.exists()
    pickle.loads((tmp_path / "bare.npy").read_bytes())  # it would have left its trace
    assert trace.exists()


def test_names_and_endings(tmp_path):
    with pytest.raises(MissingFile, match="not there"):
        read_array(tmp_path / "none.mat")
    (tmp_path / "folder.mat").mkdir()
    refused(lambda: read_array(tmp_path / "folder.mat"), "a folder")
    (tmp_path / "x.csv").write_text("1,2")
    refused(lambda: read_array(tmp_path / "x.csv"), "'.csv'", ".mat")
    (tmp_path / "x.list").write_text("1 2\n")
    refused(lambda: read_array(tmp_path / "x.list", "1"), "text file")


def test_columns_of_a_text_file(tmp_path):
    path = tmp_path / "train.list"
    path.write_text("a-1\tpic\t3\r\nb-2\tpic2\t10\r\n\r\n", "utf-8")
    assert read_labels(path, "3").tolist() == [3, 10]
    assert read_labels(path, "1").tolist() == ["a-1", "b-2"]
    refused(lambda: read_labels(path), "several arrays", "train.list:1")
    refused(lambda: read_labels(path, "4"), "no '4'")
    path.write_text("a b\nc\n", "utf-8")
    refused(lambda: read_labels(path, "1"), "line 2: 1 columns, but line 1 has 2")
    path.write_bytes(b"\xff\n")
    refused(lambda: read_labels(path, "1"), "UTF-8")
    path.write_text("", "utf-8")
    refused(lambda: read_labels(path), "no array")


def test_old_and_foreign_mat_files_are_refused(tmp_path):
    scipy.io.savemat(tmp_path / "old.mat", {"feat": MATRIX}, format="4")
    refused(lambda: read_array(tmp_path / "old.mat"), "v5 or later", "save -v7")
    (tmp_path / "text.mat").write_text("hello")
    refused(lambda: read_array(tmp_path / "text.mat"), "text.mat")
    (tmp_path / "empty.mat").touch()
    refused(lambda: read_array(tmp_path / "empty.mat"), "empty.mat")


def test_a_head_that_claims_too_much_memory_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", MATRIX)
    raw = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(raw.replace(b"(7, 5), }", b"(9**9, 5)"[:9]))
    refused(lambda: read_array(tmp_path / "x.npy"), "damaged")
    (tmp_path / "y.npy").write_bytes(raw.replace(b"(7, 5), }    ", b"(7777777, 5)}"))
    refused(lambda: read_array(tmp_path / "y.npy"), "damaged")
    with zipfile.ZipFile(tmp_path / "z.npz", "w") as archive:
        archive.writestr("feat.npy", raw.replace(b"(7, 5), }    ", b"(7777777, 5)}"))
    refused(lambda: read_array(tmp_path / "z.npz"), "shorter than its shape")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("feat", (10**7, 10**4), np.float32, chunks=(1, 10**4))
    refused(lambda: read_array(tmp_path / "x.h5"), "shorter than its shape")


def test_objects_beside_matrices_do_no_harm(tmp_path):
    path = tmp_path / "x.mat"
    scipy.io.savemat(path, {"feat": MATRIX})
    flags = struct.pack("<IIII", 6, 8, 17, 0)
    body = flags + struct.pack("<HH4s", 1, 3, b"tab") + struct.pack("<II8s", 1, 8, b"MCOS    ")
    path.write_bytes(path.read_bytes() + struct.pack("<II", 14, len(body)) + body)
    np.testing.assert_array_equal(read_array(path, "feat"), MATRIX.astype(np.float32))
    refused(lambda: read_array(path, "tab"), "tab does not hold real numbers")


def test_a_matrix_that_claims_a_part_it_has_not_is_refused(tmp_path):
    path = tmp_path / "x.mat"
    scipy.io.savemat(path, {"feat": MATRIX, "other": MATRIX})
    good = path.read_bytes()
    for place, byte, what in (
        (145, 0x08, "1 parts instead of 2"),
        (176, 77, "unknown type 77"),
        (160, 200, "shape (200, 5)"),
    ):
        content = bytearray(good)
        content[place] = byte
        path.write_bytes(content)
        refused(lambda: read_array(path, "feat"), what, "get the file again")


@pytest.fixture(scope="module")
def samples(tmp_path_factory, v73):
    """One good file of each kind, as bytes, and a folder to break copies in."""
    folder = tmp_path_factory.mktemp("fuzz")
    labels = {"feat": MATRIX, "label": np.arange(7)[:, None] % 3}
    scipy.io.savemat(folder / "a.mat", {**labels, "names": np.array(["x", "yz"], dtype=object)})
    scipy.io.savemat(folder / "b.mat", {**labels, "sparse": scipy.sparse.csc_array(MATRIX)}, do_compression=True)
    v73(folder / "c.mat", {**labels, "names": ["x", "yz"]})
    np.savez_compressed(folder / "d.npz", **labels)
    np.save(folder / "e.npy", MATRIX)
    return folder, {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _read_everything(path):
    """Gives arrays or a UserError; everything else fails the test."""
    for read in (read_array, read_labels):
        for name in (None, "feat", "label", "names", "sparse"):
            with contextlib.suppress(UserError):
                assert isinstance(read(path, name), np.ndarray)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_never_end_in_a_traceback(samples, data):
    folder, good = samples
    name = data.draw(st.sampled_from(sorted(good)))
    content = bytearray(good[name])
    # Heads are what readers trust, so most of the damage goes there.
    places = st.integers(0, min(len(content), 700) - 1) | st.integers(0, len(content) - 1)
    for place, byte in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=6)):
        content[place] = byte
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    path = folder / f"damaged-{name}"
    path.write_bytes(content)
    _read_everything(path)


@given(content=st.binary(max_size=400), ending=st.sampled_from([".mat", ".npy", ".npz", ".h5", ".list"]))
def test_any_bytes_never_end_in_a_traceback(samples, content, ending):
    path = samples[0] / f"any{ending}"
    path.write_bytes(content)
    _read_everything(path)
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + content)
    _read_everything(path)
