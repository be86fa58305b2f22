"""Each query's average precision as a file: read back equal, and refused when it is another."""

import numpy as np
import pytest

from drsl.evaluate import Query, mean_over_seeds, read_queries, write_queries
from drsl.features.errors import DamagedFile, MissingFile

QUERIES = [
    Query("i2t", "a,1", "cat", 0.123456789),
    Query("i2t", "b", 'a "dog"', float("nan")),
    Query("t2i", "a,1", "cat", 1.0),
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "toy" / "cca" / "3.queries.csv"


def test_read_back(path):
    write_queries(path, QUERIES)
    assert path.read_text("utf-8").splitlines()[:2] == [
        "direction,id,class,average_precision",
        'i2t,"a,1",cat,0.123457',
    ]
    found = read_queries(path)
    assert [each[:3] for each in found] == [each[:3] for each in QUERIES]
    np.testing.assert_allclose([each[3] for each in found], [0.123457, np.nan, 1.0])


def test_a_file_that_is_not_there_names_the_command(path):
    with pytest.raises(MissingFile, match="drsl evaluate -d toy -m cca -s 3"):
        read_queries(path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a,b\n",
        "direction,id,class,average_precision\ni2t,a,b\n",
        "direction,id,class,average_precision\ni2t,a,b,x\n",
        "direction,id,class,average_precision\ni2t,a,b,1.5\n",
        "direction,id,class,average_precision\nx,a,b,0.5\n",
        "\xff",
    ],
)
def test_damaged(path, text):
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DamagedFile, match="drsl evaluate -d toy -m cca -s 3"):
        read_queries(path)


def test_means_over_seeds():
    other = [each._replace(average_precision=0.5) for each in QUERIES]
    other[1] = QUERIES[1]
    assert mean_over_seeds([QUERIES, other]) == {
        ("i2t", "a,1"): pytest.approx((0.123456789 + 0.5) / 2),
        ("t2i", "a,1"): 0.75,
    }
    assert mean_over_seeds([]) == {}
    with pytest.raises(ValueError, match="same queries"):
        mean_over_seeds([QUERIES, other[:1]])
