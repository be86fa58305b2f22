import errno
import os
import signal

import pytest

from drsl.features.errors import UserError
from drsl.features.lock import exclusive

pytest.importorskip("fcntl", reason="there are no such locks on this system")

HOLD = """
import sys
from pathlib import Path
from drsl.features.lock import exclusive
with exclusive(Path(sys.argv[1]), sys.argv[2]):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path, start_python):
    """Another process that holds the lock of features/toy/image.h5."""
    process = start_python(HOLD, tmp_path / "work", "features/toy/image.h5")
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_process_stops_with_the_first_ones_id(tmp_path, holder):
    with pytest.raises(UserError) as info, exclusive(tmp_path / "work", "features/toy/image.h5"):
        pytest.fail("two processes in one lock")
    for words in (f"process {holder.pid}", "features/toy/image.h5", f"kill {holder.pid}", "run this again"):
        assert words in str(info.value)


def test_the_lock_of_a_killed_process_is_free(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait(timeout=30)
    with exclusive(tmp_path / "work", "features/toy/image.h5"):
        pass


def test_the_lock_of_a_process_that_ended_is_free(tmp_path, holder):
    holder.communicate("end\n", timeout=30)
    assert holder.returncode == 0
    with exclusive(tmp_path / "work", "features/toy/image.h5"):
        pass


def test_a_shorter_id_replaces_a_longer_one(tmp_path, start_python):
    lock = tmp_path / "a.lock"
    lock.write_text("99999999999999")
    process = start_python(HOLD, tmp_path, "a")
    assert process.stdout.readline() == "held\n"
    with pytest.raises(UserError, match=rf"process {process.pid} is still writing a:"), exclusive(tmp_path, "a"):
        pass


def test_other_outputs_are_not_locked(tmp_path, holder):
    with exclusive(tmp_path / "work", "features/toy/text.h5"), exclusive(tmp_path / "work", "features/pets/image.h5"):
        pass
    assert holder.poll() is None


def test_one_process_does_not_write_the_same_output_twice(tmp_path):
    with exclusive(tmp_path, "a"):
        with pytest.raises(UserError, match=f"process {os.getpid()}"), exclusive(tmp_path, "a"):
            pass
        with pytest.raises(UserError), exclusive(tmp_path, "a"):  # the refused one did not let go of the lock
            pass


def test_an_error_in_the_block_is_passed_on_and_frees_the_lock(tmp_path):
    with pytest.raises(ZeroDivisionError), exclusive(tmp_path, "a"):
        raise ZeroDivisionError
    with exclusive(tmp_path, "a"):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write in .*file"), exclusive(tmp_path / "file" / "work", "a"):
        pass


def test_a_folder_without_permission_is_named(read_only_folder):
    with pytest.raises(UserError, match="cannot write in"), exclusive(read_only_folder, "a"):
        pass


def test_a_file_system_without_locks_is_not_mistaken_for_another_process(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(UserError, match=r"cannot lock a in .*: No locks available"), exclusive(tmp_path, "a"):
        pass
