"""Images by position: in order, decoded ahead, by threads or processes."""

import os
import signal
import threading
from pathlib import Path

import pytest
from PIL import Image

from drsl.extract import pixel_store
from drsl.extract.pictures import read_pixels
from drsl.extract.pixel_store import PixelStore
from drsl.features.errors import DamagedFile, MissingFile, UserError


def picture(path, number):
    Image.new("RGB", (5, 4), (number, 0, 0)).save(path)
    return path


@pytest.fixture
def files(tmp_path):
    return [picture(tmp_path / f"{number}.png", number) for number in range(11)]


def walk(store, order, size):
    return [(positions, pixels[:, 0, 0, 0].tolist()) for positions, pixels in store.batches(order, size)]


@pytest.mark.parametrize("keep", [1024, 0])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 11, 50])
def test_batches_come_in_the_order_asked_for(files, keep, size):
    order = [7, 0, 10, 3, 3, 5, 9, 1]
    found = walk(PixelStore(files, 6, keep_megabytes=keep), order, size)
    assert [len(positions) for positions, _ in found[:-1]] == [size] * (len(found) - 1)
    assert [each for positions, _ in found for each in positions] == order
    assert [each for _, colors in found for each in colors] == order


@pytest.mark.parametrize("keep", [1024, 0])
def test_a_second_walk_gives_the_same(files, keep):
    store = PixelStore(files, 6, keep_megabytes=keep)
    assert walk(store, range(11), 4) == walk(store, range(11), 4)


@pytest.mark.parametrize(("keep", "reads"), [(1024, 11), (0, 22)])
def test_pictures_are_kept_when_all_fit(files, monkeypatch, keep, reads):
    read = []
    monkeypatch.setattr(pixel_store, "read_pixels", lambda path, side: read.append(path) or read_pixels(path, side))
    store = PixelStore(files, 6, keep_megabytes=keep)
    for _ in range(2):
        walk(store, range(11), 4)
    assert len(read) == reads


def test_what_is_kept_cannot_be_changed_through_a_batch(files):
    store = PixelStore(files, 6)
    for _, pixels in store.batches(range(11), 4):
        pixels.zero_()
    assert walk(store, [10], 1) == [([10], [10])]


def test_an_empty_order_gives_nothing(files):
    assert walk(PixelStore(files, 6), [], 4) == []
    assert walk(PixelStore([], 6), [], 4) == []


def test_the_store_has_as_many_as_it_was_given(files):
    assert len(PixelStore(files, 6)) == 11


@pytest.mark.parametrize("keep", [1024, 0])
def test_only_two_batches_are_decoded_ahead(files, monkeypatch, keep):
    read = []
    monkeypatch.setattr(pixel_store, "read_pixels", lambda path, side: read.append(path) or read_pixels(path, side))
    walking = PixelStore(files, 6, keep_megabytes=keep).batches(range(11), 2)
    next(walking)
    walking.close()
    assert len(read) <= 4


@pytest.mark.parametrize("position", [0, 5, 10])
def test_an_unreadable_picture_stops_the_walk_with_its_name(files, position):
    files[position].write_bytes(b"broken")
    with pytest.raises(DamagedFile, match=rf"{position}\.png"):
        walk(PixelStore(files, 6), range(11), 3)


def test_a_missing_picture_stops_the_walk_with_its_name(files):
    files[9].unlink()
    with pytest.raises(MissingFile, match=r"9\.png"):
        walk(PixelStore(files, 6), range(11), 3)


def test_threads_end_with_the_walk(files):
    before = threading.active_count()
    walk(PixelStore(files, 6), range(11), 3)
    assert threading.active_count() == before


@pytest.fixture
def processes(monkeypatch):
    monkeypatch.setattr(pixel_store, "_FEW", 0)
    return 2


@pytest.mark.parametrize("keep", [1024, 0])
def test_processes_give_what_threads_give(files, processes, keep):
    order = [7, 0, 10, 3, 3, 5, 9, 1]
    store = PixelStore(files, 6, keep_megabytes=keep, processes=processes)
    assert walk(store, order, 3) == walk(PixelStore(files, 6), order, 3)
    files[0].unlink()
    files[4].write_bytes(b"broken")
    if keep:
        assert walk(store, [0], 1) == [([0], [0])]  # kept
    with pytest.raises(DamagedFile, match=r"4\.png is not an image"):
        walk(store, [1, 2, 4], 2)


def test_few_images_start_no_process(files, monkeypatch):
    monkeypatch.setattr(pixel_store, "ProcessPoolExecutor", None)
    assert len(walk(PixelStore(files, 6, processes=2), range(11), 3)) == 4


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the process in /proc")
def test_a_killed_process_is_an_error_in_words(files, processes):
    store = PixelStore(files, 6, keep_megabytes=0, processes=1)
    walking = store.batches(range(11), 1)
    next(walking)
    (child,) = [int(each) for each in children_of(os.getpid()) if "spawn_main" in command_of(each)]
    os.kill(child, signal.SIGKILL)
    with pytest.raises(UserError, match="a process that decodes images was killed"):
        list(walking)
    assert len(walk(store, range(11), 3)) == 4  # and it can be done again


def children_of(parent):
    return Path(f"/proc/{parent}/task/{parent}/children").read_text().split()


def command_of(process):
    return Path(f"/proc/{process}/cmdline").read_text()
