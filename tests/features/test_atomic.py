import errno
import json
import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsl.features.atomic import publish, reserve, write_bytes, write_json, write_text
from drsl.features.errors import UserError

HANG = """
import sys, time
from pathlib import Path
from drsl.features.atomic import publish
with publish(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    print("writing", flush=True)
    {then}
    temporary.write_text("whole")
"""


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("atomic")


@given(st.binary())
def test_bytes_come_back_and_nothing_else_is_left(scratch, content):
    write_bytes(scratch / "some.bin", content)
    assert (scratch / "some.bin").read_bytes() == content
    assert names(scratch) == ["some.bin"]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_is_written_as_it_is(scratch, text):
    write_text(scratch / "some.bin", text)
    assert (scratch / "some.bin").read_bytes() == text.encode("utf-8")


def test_missing_folders_are_made(tmp_path):
    write_text(tmp_path / "a" / "b" / "c.txt", "hello")
    assert (tmp_path / "a" / "b" / "c.txt").read_text() == "hello"


def test_json_keeps_the_order_of_keys_and_the_letters(tmp_path):
    write_json(tmp_path / "r.json", {"z": 1, "a": "größe"})
    text = (tmp_path / "r.json").read_text("utf-8")
    assert text == '{\n  "z": 1,\n  "a": "größe"\n}\n'
    assert list(json.loads(text)) == ["z", "a"]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_json_without_a_number_is_refused_and_the_old_file_stays(tmp_path, number):
    write_json(tmp_path / "r.json", {"map": 0.5})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "r.json", {"map": number})
    assert json.loads((tmp_path / "r.json").read_text()) == {"map": 0.5}
    assert names(tmp_path) == ["r.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, UserError, MemoryError])
def test_a_block_that_raises_leaves_the_old_file(tmp_path, error):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(error), publish(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise error
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_block_that_raises_leaves_nothing_when_there_was_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), publish(tmp_path / "a.txt"):
        raise ZeroDivisionError
    assert names(tmp_path) == []


def test_an_error_about_another_file_is_passed_on_as_it_is(tmp_path):
    with pytest.raises(FileNotFoundError), publish(tmp_path / "a.txt") as temporary:
        temporary.write_text((tmp_path / "not there").read_text())


def test_an_os_error_without_a_number_is_passed_on_as_it_is(tmp_path):
    with pytest.raises(OSError, match=r"^image file is truncated$"), publish(tmp_path / "a.txt"):
        raise OSError("image file is truncated")


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"cannot write .*a\.txt"), publish(tmp_path / "a.txt"):
        pass


def test_an_output_that_is_a_folder_is_named_before_the_block_runs(tmp_path):
    ran = []
    with pytest.raises(UserError, match=r"is a folder.*move it away") as info, publish(tmp_path):
        ran.append(True)
    assert str(tmp_path) in str(info.value)
    assert not ran


@pytest.mark.parametrize("below", ["a.txt", "deep/er/a.txt"])
def test_a_file_where_a_folder_must_be_is_named_before_the_block_runs(tmp_path, below):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="move it away") as info:
        write_text(tmp_path / "file" / below, "hello")
    assert f"{tmp_path / 'file'} is a file" in str(info.value)


def test_a_folder_without_permission_is_named(read_only_folder):
    with pytest.raises(UserError, match="allow writing in") as info:
        write_text(read_only_folder / "a.txt", "hello")
    assert str(read_only_folder / "a.txt") in str(info.value)


def test_a_write_protected_old_file_is_replaced(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    (tmp_path / "a.txt").chmod(0o444)
    write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"


def test_a_link_is_replaced_and_what_it_points_to_stays(tmp_path):
    (tmp_path / "cache").write_text("old")
    (tmp_path / "a.txt").symlink_to(tmp_path / "cache")
    write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "cache").read_text() == "old"
    assert (tmp_path / "a.txt").read_text() == "new"


@pytest.mark.skipif(os.name == "nt", reason="these letters are not allowed in names there")
@pytest.mark.parametrize("name", ["a[1].txt", "*", "plain", "größe 😀.txt"])
def test_leftovers_go_whatever_the_name(tmp_path, name):
    (tmp_path / f".{name}.999999999.tmp").write_text("half")
    write_text(tmp_path / name, "whole")
    assert names(tmp_path) == [name]


def test_files_of_other_outputs_stay(tmp_path):
    others = [".a.json.999999999.tmp", ".a.txt.999999999.tmp", ".a.mine.tmp", "a.999999999.tmp"]
    for name in others:
        (tmp_path / name).write_text("")
    write_text(tmp_path / "a", "whole")
    assert names(tmp_path) == sorted(["a", *others])


@pytest.mark.parametrize("then", ["import os; os._exit(9)", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"])
def test_a_killed_process_leaves_no_file_and_the_next_one_cleans_up(tmp_path, start_python, then):
    process = start_python(HANG.format(then=then), tmp_path / "a.txt")
    process.communicate(timeout=30)
    assert process.returncode in (9, -9)
    assert not (tmp_path / "a.txt").exists()
    assert len(names(tmp_path)) == 1  # the temporary file of the dead process
    write_text(tmp_path / "a.txt", "whole")
    assert names(tmp_path) == ["a.txt"]


def test_a_killed_process_leaves_the_old_file(tmp_path, start_python):
    write_text(tmp_path / "a.txt", "old")
    start_python(HANG.format(then="import os; os._exit(9)"), tmp_path / "a.txt").communicate(timeout=30)
    assert (tmp_path / "a.txt").read_text() == "old"


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
def test_two_living_processes_do_not_disturb_each_other(tmp_path, start_python):
    process = start_python(HANG.format(then="sys.stdin.readline()"), tmp_path / "a.txt")
    assert process.stdout.readline() == "writing\n"
    write_text(tmp_path / "a.txt", "mine")
    assert (tmp_path / "a.txt").read_text() == "mine"
    _, stderr = process.communicate("go on\n", timeout=30)
    assert (process.returncode, stderr) == (0, "")
    assert (tmp_path / "a.txt").read_text() == "whole"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the size of files")
@pytest.mark.parametrize("old", [None, "old"])
def test_a_full_disk_is_one_line_with_the_room_needed_and_free(tmp_path, start_python, old):
    if old:
        write_text(tmp_path / "a.txt", old)
    process = start_python(
        """
import resource, sys
from pathlib import Path
from drsl.features.atomic import write_text
from drsl.features.errors import UserError
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_text(Path(sys.argv[1]), "x" * 12345)
except UserError as error:
    print(error)
""",
        tmp_path / "a.txt",
    )
    stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr) == (0, "")
    assert stdout.count("\n") == 1
    for words in (str(tmp_path / "a.txt"), "12,345 bytes are needed", "bytes are free", "make room"):
        assert words in stdout
    assert names(tmp_path) == (["a.txt"] if old else [])
    assert not old or (tmp_path / "a.txt").read_text() == old


def test_a_disk_that_fills_while_a_block_writes_is_one_line(tmp_path):
    message = r"a\.txt: No space left .*bytes are free.*make room"
    with pytest.raises(UserError, match=message), publish(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert names(tmp_path) == []


@pytest.mark.parametrize("reservable", [True, False])
def test_more_room_than_there_is_cannot_be_reserved(tmp_path, monkeypatch, reservable):
    if not reservable:  # as on macOS and Windows
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    with (tmp_path / "t").open("wb") as file:
        reserve(tmp_path / "a.txt", file, 0)
        reserve(tmp_path / "a.txt", file, 1000)
        with pytest.raises(UserError, match=r"a\.txt: .*1,000,000,000,000,000 bytes are needed.*make room"):
            reserve(tmp_path / "a.txt", file, 10**15)
    assert (tmp_path / "t").stat().st_size <= 1000


def test_a_signal_while_writing_leaves_nothing(tmp_path):
    def raise_interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, raise_interrupt)
    try:
        with pytest.raises(KeyboardInterrupt), publish(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert names(tmp_path) == []
