"""What searching reads is read once, again when it has changed, and by one of many callers."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from drsl.search.shelf import Shelf


@pytest.fixture
def counted(monkeypatch, project):
    """A shelf, and how often a feature file was read; a reading waits until it may go on."""
    from drsl.search import shelf

    read, asked, go = shelf.read_features, [], threading.Event()
    go.set()

    def slow(path):
        asked.append(path.stem)
        assert go.wait(20)
        return read(path)

    monkeypatch.setattr(shelf, "read_features", slow)
    return Shelf(project.layout), asked, go


def test_a_file_is_read_once(counted):
    shelf, asked, _ = counted
    assert shelf.features("text") is shelf.features("text")
    assert asked == ["text"]


def test_a_file_that_was_replaced_is_read_again(counted, project):
    shelf, asked, _ = counted
    before = shelf.features("text")
    os.utime(project.layout.features("text"), ns=(1, 1))
    after = shelf.features("text")
    assert after is not before
    assert asked == ["text", "text"]


def test_many_callers_wait_for_one_that_reads(counted):
    shelf, asked, go = counted
    go.clear()
    with ThreadPoolExecutor(4) as pool:
        found = [pool.submit(shelf.features, "text") for _ in range(4)]
        assert shelf.manifest().classes == ("blue", "green", "red")  # what is not being read does not wait
        go.set()
    assert len({id(each.result()) for each in found}) == 1
    assert asked == ["text"]


def test_a_file_that_cannot_be_read_is_asked_for_again(counted, project):
    from drsl.features.errors import MissingFile

    shelf, _, _ = counted
    path = project.layout.features("text")
    content = path.read_bytes()
    path.unlink()
    with pytest.raises(MissingFile):
        shelf.features("text")
    path.write_bytes(content)
    assert len(shelf.features("text")) == 36
