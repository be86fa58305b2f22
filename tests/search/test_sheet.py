import numpy as np
import pytest
from PIL import Image, ImageColor

from drsl.features.errors import DamagedFile, MissingFile, UserError
from drsl.features.manifest import Item
from drsl.search.gallery import Hit
from drsl.search.sheet import save_sheet

GREEN, RED, GREY = (ImageColor.getrgb(each) for each in ("#1a7f37", "#cf222e", "#888888"))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    for number in range(12):
        Image.new("RGB", (30 + 40 * number, 200), (0, 0, 200)).save(tmp_path / "images" / f"{number}.png")
    return tmp_path


def hits(count, right=None, text="a text", image=True):
    return [
        Hit(
            number + 1,
            Item(f"item-{number}", f"images/{number}.png" if image else "", text, "label", "test"),
            0.5,
            right,
        )
        for number in range(count)
    ]


def sheet(folder, *arguments, **options):
    save_sheet(folder / "out" / "sheet.png", *arguments, folder, **options)
    assert [each.name for each in (folder / "out").iterdir()] == ["sheet.png"]
    with Image.open(folder / "out" / "sheet.png") as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        return np.asarray(image)


def frame(pixels, place):
    """Colour of a tile's upper left corner."""
    return tuple(pixels[40 + place // 5 * 224, 12 + place % 5 * 172].tolist())


@pytest.mark.parametrize(("count", "rows"), [(0, 1), (1, 1), (5, 1), (6, 2), (10, 2), (11, 3)])
def test_five_answers_stand_in_a_row(folder, count, rows):
    assert sheet(folder, "red fruit", hits(count)).shape == (40 + rows * 224 + 26 + 12, 872, 3)


@pytest.mark.parametrize(("right", "color"), [(True, GREEN), (False, RED), (None, GREY)])
def test_frames_tell_right_from_wrong(folder, right, color):
    pixels = sheet(folder, "red fruit", hits(7, right))
    assert [frame(pixels, place) for place in range(8)] == [color] * 7 + [(255, 255, 255)]


def test_the_query_comes_first(folder):
    Image.new("RGB", (50, 50), (200, 0, 200)).save(folder / "query.png")
    pixels = sheet(folder, "query.png", hits(5, True), query=folder / "query.png")
    assert pixels.shape[0] == 40 + 2 * 224 + 26 + 12
    assert [frame(pixels, place) for place in range(6)] == [GREY] + [GREEN] * 5
    assert tuple(pixels[40 + 80, 12 + 80]) == (200, 0, 200)
    assert tuple(pixels[40 + 80, 12 + 172 + 80]) == (0, 0, 200)


def test_a_legend_names_the_colours_that_are_there(folder):
    Image.new("RGB", (50, 50), (0, 0, 200)).save(folder / "query.png")
    both = [*hits(1, True), *hits(1, False)]
    for found, query, colors in (
        (hits(2, True), None, [GREEN]),
        (both, None, [GREEN, RED]),
        (both, folder / "query.png", [GREEN, RED, GREY]),
        (hits(2), None, []),
    ):
        legend = sheet(folder, "", found, query=query)[-36:]
        shown = [color for color in (GREEN, RED, GREY) if (legend == color).all(axis=2).sum() > 50]
        assert shown == colors
        assert (legend[:, -11:] == 255).all()


def test_pictures_keep_their_shape(folder):
    pixels = sheet(folder, "", hits(1))
    blue = (pixels == (0, 0, 200)).all(axis=2)
    assert np.flatnonzero(blue.any(axis=1)).size == 152
    assert np.flatnonzero(blue.any(axis=0)).size == pytest.approx(152 * 30 / 200, abs=1)


def test_an_answer_without_a_picture_has_an_empty_tile(folder):
    pixels = sheet(folder, "", hits(2, image=False))
    assert (pixels[50:190, 20:160] == 255).all()


@pytest.mark.parametrize(
    "text",
    ["", "two\nlines\r\nand\ttabs", "größe שלום 中文 👩‍🚀", "<b>&amp;</b>", "word " * 20_000, "x" * 100_000, "a\0b"],
)
def test_any_text_fits_on_one_line(folder, text):
    pixels = sheet(folder, text, hits(6, True, text))
    assert (pixels[:40, -11:] == 255).all()  # the title ends in time
    for gap in range(1, 5):  # and so do the texts under the tiles
        assert (pixels[202:250, 172 * gap + 2 : 172 * gap + 11] == 255).all()


def test_lines_of_a_text_are_joined(folder):
    pixels = [sheet(folder, text, hits(3, True, text)) for text in ("two\nlines\r\n", "two lines")]
    assert np.array_equal(*pixels)


def test_transparent_parts_are_white(folder):
    Image.new("RGBA", (200, 200), (0, 0, 0, 0)).save(folder / "images" / "0.png")
    assert (sheet(folder, "", hits(1))[60:180, 30:150] == 255).all()


@pytest.mark.parametrize("name", ["sheet.jpg", "sheet", "sheet.png.txt", "png"])
def test_another_ending_is_refused_before_anything_is_written(folder, name):
    with pytest.raises(UserError, match=r"a contact sheet is a PNG file, so its name must end in \.png"):
        save_sheet(folder / "out" / name, "", hits(1), folder)
    assert not (folder / "out").exists()


def test_capitals_in_the_ending_will_do(folder):
    save_sheet(folder / "out" / "SHEET.PNG", "", hits(1), folder)
    assert (folder / "out" / "SHEET.PNG").is_file()


@pytest.mark.parametrize(("content", "error"), [(None, MissingFile), (b"", DamagedFile), (b"hello", DamagedFile)])
def test_a_picture_that_cannot_be_read_is_named_and_nothing_is_left(folder, content, error):
    path = folder / "images" / "3.png"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(error, match=r"images/3\.png"):
        save_sheet(folder / "out" / "sheet.png", "", hits(5), folder)
    assert not (folder / "out").exists()


def test_a_folder_that_cannot_be_written_is_one_message(folder):
    (folder / "out").write_text("a file")
    with pytest.raises(UserError, match="is a file, but a folder of that name is needed"):
        save_sheet(folder / "out" / "sheet.png", "", hits(1), folder)


def test_the_same_answers_give_the_same_bytes(folder):
    for name in ("a.png", "b.png"):
        save_sheet(folder / name, "red", hits(6, True), folder)
    assert (folder / "a.png").read_bytes() == (folder / "b.png").read_bytes()
