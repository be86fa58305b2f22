"""Pictures of every kind on their way into a data set's folder: good ones are placed, bad ones listed with a reason."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from drsl.extract.pictures import read_pixels
from drsl.extract.sources.placing import Reject, check_items, place_items
from drsl.features.errors import SettingError, UserError
from drsl.features.manifest import Item
from drsl.features.threads import core_count

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8))


def item(name, text="a text", image=True):
    return Item(name, f"images/{name}" if image else "", text, "cat", "train")


def encoded(picture, format, **options):
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def rejects(folder):
    lines = (folder / "rejects.csv").read_text("utf-8").splitlines()
    assert lines[0] == "id,path,reason"
    return lines[1:]


@pytest.fixture
def photos(tmp_path):
    """A folder of six pictures."""
    root = tmp_path / "photos"
    root.mkdir()
    for number in range(6):
        NOISE.rotate(90 * number).save(root / f"{number}.png")
    return root


def found(root, *some):
    return [(item(name), root / name) for name in some or names(root)]


def place(folder, what, allowed=0.5):
    return place_items(folder, what, max_reject_fraction=allowed)


# What is placed


def test_pictures_are_copied_in_order_and_originals_stay(tmp_path, photos):
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_nlink) for path in photos.iterdir()}
    what = found(photos)
    calls = []
    kept = place_items(tmp_path / "d", what, max_reject_fraction=0.0, on_progress=lambda *each: calls.append(each))
    assert tuple(kept) == tuple(each for each, _ in what)
    assert calls == [(done, 6) for done in range(1, 7)]
    assert rejects(tmp_path / "d") == []
    for each, path in what:
        assert (tmp_path / "d" / each.image).read_bytes() == path.read_bytes()
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_nlink) for path in before} == before


def test_texts_alone_need_no_picture(tmp_path):
    kept = place(tmp_path / "d", [(item("a", image=False), None)])
    assert [each.id for each in kept] == ["a"]
    assert list((tmp_path / "d" / "images").iterdir()) == []


def test_items_may_share_a_picture(tmp_path, photos):
    shared = [(Item(f"i{number}", "images/0.png", "t", "cat", ""), photos / "0.png") for number in range(50)]
    assert len(place(tmp_path / "d", shared)) == 50
    (photos / "0.png").write_bytes(b"")
    with pytest.raises(UserError, match="50 of 50 items cannot be used"):
        place(tmp_path / "d", shared, allowed=1.0)


def test_a_picture_of_an_earlier_run_goes(tmp_path, photos):
    place(tmp_path / "d", found(photos))
    place(tmp_path / "d", found(photos, "3.png"))
    assert [path.name for path in (tmp_path / "d" / "images").iterdir()] == ["3.png"]


GOOD = {
    "one.png": encoded(Image.new("RGB", (1, 1), (90, 80, 70)), "PNG"),
    "long.png": encoded(Image.new("RGB", (20_000, 1), (90, 80, 70)), "PNG"),
    "high.jpg": encoded(Image.new("RGB", (1, 20_000), (90, 80, 70)), "JPEG"),
    "ending.jpg": encoded(Image.new("RGB", (9, 9), (90, 80, 70)), "PNG"),
    "moving.gif": encoded(
        Image.new("RGB", (9, 9), (90, 80, 70)), "GIF", save_all=True, append_images=[Image.new("RGB", (9, 9))]
    ),
    "print.jpg": encoded(Image.new("CMYK", (9, 9), (165, 175, 185, 0)), "JPEG"),
    "deep.png": encoded(Image.fromarray(np.full((9, 9), 80 * 257, np.uint16)), "PNG"),
    "palette.png": encoded(Image.new("P", (9, 9), 0), "PNG", transparency=0),
    "turned.jpg": encoded(
        Image.new("RGB", (9, 30), (90, 80, 70)),
        "JPEG",
        exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0",
    ),
}
COLORS = {"deep.png": (80, 80, 80), "palette.png": (255, 255, 255)}


@pytest.mark.parametrize("name", GOOD)
def test_odd_but_good_pictures_are_placed_and_read_rightly(tmp_path, name):
    (tmp_path / name).write_bytes(GOOD[name])
    kept = place(tmp_path / "d", [(item(name), tmp_path / name)])
    pixels = read_pixels(tmp_path / "d" / kept[0].image, 8)
    assert pixels.reshape(-1, 3).mean(axis=0) == pytest.approx(COLORS.get(name, (90, 80, 70)), abs=3)


# What is rejected


def bomb(width, height):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(10**5))) + chunk(b"IEND", b"")


JPEG = encoded(NOISE, "JPEG")
BAD = {
    "cut.jpg": (JPEG[: len(JPEG) * 9 // 10], "cannot be decoded: image file is truncated"),
    "barely cut.jpg": (JPEG[:-30], "cannot be decoded: image file is truncated"),
    "progressive.jpg": (encoded(NOISE, "JPEG", progressive=True)[:-300], "cannot be decoded: image file is truncated"),
    "cut.png": (encoded(NOISE, "PNG")[:-3000], "cannot be decoded: image file is truncated"),
    "empty.jpg": (b"", "is not an image that Pillow can read"),
    "zeros.jpg": (JPEG[:900] + bytes(len(JPEG) - 900), "its end is all zeros"),
    "words.jpg": (b"<html>404</html>", "is not an image that Pillow can read"),
    "bomb.png": (bomb(60_000, 60_000), "more than 89,478,485 pixels"),
    "small bomb.png": (bomb(9_460, 9_459), "more than 89,478,485 pixels"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_pictures_are_listed_with_a_reason(tmp_path, photos, name):
    content, reason = BAD[name]
    (photos / name).write_bytes(content)
    kept = place(tmp_path / "d", found(photos))
    assert [each.id for each in kept] == [f"{number}.png" for number in range(6)]
    (line,) = rejects(tmp_path / "d")
    assert line.startswith(f"{name},{photos / name},")
    assert reason in line
    assert not (tmp_path / "d" / "images" / name).exists()


def test_what_is_no_file_is_listed_with_a_reason(tmp_path, photos):
    (photos / "circle.png").symlink_to("circle.png")
    (photos / "folder.png").mkdir()
    os.mkfifo(photos / "pipe.png")
    what = [*found(photos), (item("gone.png"), photos / "gone.png"), (item("long.png"), photos / ("x" * 300))]
    kept = place(tmp_path / "d", what)
    assert len(kept) == 6
    assert rejects(tmp_path / "d") == [
        f"circle.png,{photos}/circle.png,Too many levels of symbolic links",
        f"folder.png,{photos}/folder.png,is a folder",
        f"pipe.png,{photos}/pipe.png,is not a regular file",
        f"gone.png,{photos}/gone.png,is not there",
        f"long.png,{photos}/{'x' * 300},File name too long",
    ]


def test_cells_that_a_manifest_cannot_hold_are_listed(tmp_path, photos):
    what = found(photos, "0.png", "1.png", "2.png", "3.png")
    what += [(item("4.png", text="a\0b"), photos / "4.png"), (item("5.png", text="half \udc80"), photos / "5.png")]
    place(tmp_path / "d", what)
    assert rejects(tmp_path / "d") == [
        f"4.png,{photos}/4.png,text holds a NUL byte",
        f"5.png,{photos}/5.png,text is not UTF-8",
    ]


def test_a_name_that_is_no_utf8_is_listed_and_can_be_read(tmp_path, photos):
    name = os.fsdecode(b"caf\xe9.png")
    NOISE.save(photos / name)
    place(tmp_path / "d", found(photos))
    assert rejects(tmp_path / "d") == [f"caf\\udce9.png,{photos}/caf\\udce9.png,id is not UTF-8"]


def test_rejects_of_the_source_stand_among_the_others_and_strays_do_not_count(tmp_path, photos):
    what = [Reject("", "notes.md", "is of another kind"), *found(photos), Reject("x", "x.txt", "text is empty")]
    kept = place(tmp_path / "d", what, allowed=1 / 7)
    assert len(kept) == 6
    assert rejects(tmp_path / "d") == [",notes.md,is of another kind", "x,x.txt,text is empty"]


# Too many, and what stops at once


def test_too_many_stop_the_run_and_leave_what_was_there(tmp_path, photos):
    place(tmp_path / "d", found(photos))
    for number in range(4):
        (photos / f"{number}.png").write_bytes(b"")
    with pytest.raises(UserError) as info:
        place(tmp_path / "d", found(photos))
    message = str(info.value)
    assert "\n" not in message
    assert "4 of 6 items cannot be used, max_reject_fraction allows 0.5" in message
    assert message.count("is not an image") == 3
    assert f"all are listed in {tmp_path / 'd' / 'rejects.csv'}" in message
    assert len(rejects(tmp_path / "d")) == 4
    assert len(list((tmp_path / "d" / "images").iterdir())) == 6
    assert names(tmp_path / "d") == ["images", "rejects.csv"]


def test_as_many_as_allowed_do_not_stop_the_run(tmp_path, photos):
    for number in range(3):
        (photos / f"{number}.png").write_bytes(b"")
    assert len(place(tmp_path / "d", found(photos))) == 3


def test_nothing_at_all_is_an_error(tmp_path):
    with pytest.raises(UserError, match="there is no item"):
        place(tmp_path / "d", [])


@pytest.mark.parametrize("name", ["../a.png", "images/../../a.png", "/a.png", "a.png", "images", "photos/a.png"])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path, photos, name):
    with pytest.raises(UserError, match="leads out of the folder"):
        place(tmp_path / "d", [(Item("a", name, "t", "cat", "train"), photos / "0.png")])
    assert names(tmp_path) == ["d", "photos"]
    assert names(tmp_path / "d") == []


def test_two_files_for_one_name_are_refused(tmp_path, photos):
    what = [(item("0.png"), photos / "0.png"), (item("0.png"), photos / "1.png")]
    with pytest.raises(UserError, match=r"0\.png and .*1\.png would both become images/0\.png"):
        place(tmp_path / "d", what)


def test_originals_in_the_folder_that_is_made_anew_are_refused_and_stay(tmp_path, photos):
    photos.rename(tmp_path / "images")
    (tmp_path / "alias").symlink_to(tmp_path / "images")
    with pytest.raises(UserError, match="keep originals elsewhere"):
        place(tmp_path, found(tmp_path / "alias"))
    assert len(list((tmp_path / "images").iterdir())) == 6


@pytest.mark.parametrize("allowed", [-0.1, 1.1, float("nan")])
def test_a_share_is_from_0_to_1(tmp_path, allowed):
    with pytest.raises(SettingError, match="max_reject_fraction"):
        place(tmp_path / "d", [], allowed=allowed)


def test_a_folder_that_cannot_be_written_is_named(tmp_path, photos):
    (tmp_path / "d").write_text("a file")
    with pytest.raises(UserError) as info:
        place(tmp_path / "d", found(photos))
    assert str(tmp_path / "d" / "images") in str(info.value)


RUN = """
import os, resource, signal, sys
from pathlib import Path
from drsl.extract.sources.placing import place_items
from drsl.features.errors import UserError
from drsl.features.manifest import Item
from drsl.features.threads import core_count
root, folder = Path(sys.argv[1]), Path(sys.argv[2])
def found():
    for number in range(6):
        yield Item(str(number), f"images/{number}.png", "t", "cat", "train"), root / f"{number}.png"
"""


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path, photos, start_python):
    code = """
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))  # no file can be longer, as on a disk with so much room
try:
    place_items(folder, found(), max_reject_fraction=0.0)
except UserError as error:
    print(error)
"""
    place(tmp_path / "d", found(photos, "0.png"))
    said = start_python(RUN + code, photos, tmp_path / "d").communicate(timeout=60)
    assert said[1] == ""
    assert "File too large" in said[0]
    assert "bytes are free" in said[0]
    assert len(said[0].splitlines()) == 1
    assert names(tmp_path / "d" / "images") == ["0.png"]
    assert names(tmp_path / "d") == ["images", "rejects.csv"]


def test_a_killed_run_leaves_no_half_folder(tmp_path, photos, start_python):
    code = """
place_items(folder, found(), max_reject_fraction=0.0,
            on_progress=lambda done, total: done == 4 and os.kill(os.getpid(), signal.SIGKILL))
"""
    place(tmp_path / "d", found(photos, "5.png"))
    assert start_python(RUN + code, photos, tmp_path / "d").wait(60) == -9
    assert names(tmp_path / "d" / "images") == ["5.png"]
    place(tmp_path / "d", found(photos))
    assert names(tmp_path / "d") == ["images", "rejects.csv"]
    assert len(names(tmp_path / "d" / "images")) == 6


# Looking without writing


def test_check_decides_the_same_and_writes_nothing(tmp_path, photos):
    (photos / "bad.png").write_bytes(b"")
    before = names(tmp_path)
    seen = list(check_items(found(photos)))
    assert names(tmp_path) == before
    kept = place(tmp_path / "d", found(photos))
    assert tuple(each for each in seen if isinstance(each, Item)) == tuple(kept)
    assert [f"{each.id},{each.path},{each.reason}" for each in seen if isinstance(each, Reject)] == rejects(
        tmp_path / "d"
    )


def test_pictures_are_not_held(tmp_path, photos):
    """Thousands of pictures pass; what is found is asked for only a little ahead of what is done."""
    ahead = []
    done = 0

    def many():
        for number in range(400):
            ahead.append(number - done)
            yield Item(str(number), f"images/{number}.png", "t", "cat", "train"), photos / f"{number % 6}.png"

    for _ in check_items(many()):
        done += 1
    assert done == 400
    assert max(ahead) <= 1 + 8 * max(2, core_count())
