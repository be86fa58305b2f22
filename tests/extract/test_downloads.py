"""Downloads against a server that cuts, forgets ranges, lies and is not there."""

import hashlib
import http.server
import re
import socket
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from drsl.extract import downloads
from drsl.extract.downloads import download
from drsl.features.errors import MissingFile, UserError

CONTENT = np.random.default_rng(0).bytes(1_000_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(downloads, "_PAUSE", 0.0)
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server():
    """Serves `content`; `cuts` lists after how many bytes each further answer breaks off; `asked` lists the ranges."""
    state = SimpleNamespace(content=CONTENT, cuts=[], ranges=True, status=None, asked=[], length=True)

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers.get("Range")
            state.asked.append(wanted)
            if state.status:
                self.send_error(state.status)
                return
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and state.ranges else 0
            if start and start >= len(state.content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(state.content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = state.content[start:]
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(state.content) - 1}/{len(state.content)}")
            if state.length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            cut = state.cuts.pop(0) if state.cuts else len(body)
            self.wfile.write(body[:cut])
            self.close_connection = True

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        state.address = f"http://127.0.0.1:{server.server_port}/net-{DIGEST[:8]}.pth"
        yield state
        server.shutdown()
        thread.join()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache" / f"net-{DIGEST[:8]}.pth"


def left(path):
    return {each.name for each in path.parent.iterdir() if not each.name.startswith(".")}


def test_a_file_is_fetched_with_progress(server, path):
    seen = []
    download(server.address, path, DIGEST[:8], lambda *each: seen.append(each))
    assert path.read_bytes() == CONTENT
    assert left(path) == {path.name}
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)
    assert seen[-1] == (len(CONTENT), len(CONTENT), "")


def test_a_file_that_is_there_is_not_fetched(server, path):
    path.parent.mkdir()
    path.write_bytes(b"mine")
    download(server.address, path, DIGEST[:8])
    assert path.read_bytes() == b"mine"
    assert server.asked == []


def test_a_cut_connection_goes_on_where_it_was(server, path):
    server.cuts = [300_000, 1, 500_000]
    download(server.address, path, DIGEST[:8])
    assert path.read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-", "bytes=300001-", "bytes=800001-"]


def test_a_later_run_goes_on_where_an_earlier_one_was_stopped(server, path):
    server.cuts = [400_000, 0, 0, 0]
    with pytest.raises(MissingFile, match=r"0\.4 MB of it are kept, and the next run goes on from there$"):
        download(server.address, path, DIGEST[:8])
    assert left(path) == {f"{path.name}.part"}
    server.asked.clear()
    download(server.address, path, DIGEST[:8])
    assert server.asked == ["bytes=400000-"]
    assert path.read_bytes() == CONTENT
    assert left(path) == {path.name}


def test_a_part_that_is_the_whole_file_is_taken(server, path):
    path.parent.mkdir()
    path.with_name(f"{path.name}.part").write_bytes(CONTENT)
    download(server.address, path, DIGEST[:8])
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("length", [200_000, 1_000_000, 1_000_001])
def test_a_part_of_another_file_is_thrown_away(server, path, length):
    path.parent.mkdir()
    path.with_name(f"{path.name}.part").write_bytes(b"x" * length)
    download(server.address, path, DIGEST[:8])
    assert path.read_bytes() == CONTENT


def test_a_server_without_ranges_sends_all_again(server, path):
    server.ranges, server.cuts = False, [300_000, 600_000]
    download(server.address, path, DIGEST[:8])
    assert path.read_bytes() == CONTENT


def test_a_server_without_lengths_is_checked_by_the_digest(server, path):
    server.length = False
    download(server.address, path, DIGEST[:8])
    assert path.read_bytes() == CONTENT
    path.unlink()
    server.cuts = [10]
    with pytest.raises(MissingFile, match="its SHA-256 begins with"):
        download(server.address, path, DIGEST[:8])


def test_a_wrong_digest_is_refused_and_nothing_is_kept(server, path):
    server.content = b"?" + CONTENT[1:]
    with pytest.raises(MissingFile, match=f"its SHA-256 begins with [0-9a-f]{{8}}, not {DIGEST[:8]}"):
        download(server.address, path, DIGEST[:8])
    assert left(path) == set()
    assert len(server.asked) == 1


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (403, 1), (503, 3), (429, 3)])
def test_a_refusal_names_the_file_and_its_place(server, path, status, tries):
    server.status = status
    with pytest.raises(MissingFile) as info:
        download(server.address, path, DIGEST[:8])
    told = str(info.value)
    assert f"{path.name} could not be downloaded (the server says {status} " in told
    assert told.endswith(f"on a machine with a network fetch {server.address} and put it at {path}")
    assert "\n" not in told
    assert len(server.asked) == tries


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/net.pth", "file:///nowhere/at/all", "http://no.invalid/net"])
def test_without_a_network_the_file_and_its_place_are_named(path, address):
    with pytest.raises(MissingFile) as info:
        download(address, path, DIGEST[:8])
    assert str(info.value).endswith(f"fetch {address} and put it at {path}")
    assert "\n" not in str(info.value)
    path.write_bytes(CONTENT)  # as told
    download(address, path, DIGEST[:8])


def test_a_silent_server_counts_as_cut(path, monkeypatch):
    monkeypatch.setattr(downloads, "_PATIENCE", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(MissingFile, match="timed out"):
        download(f"http://127.0.0.1:{silent.getsockname()[1]}/net", path, DIGEST[:8])


def test_a_second_process_stops_and_names_the_first(server, path, start_python):
    other = start_python(
        "import sys, time\nfrom pathlib import Path\nfrom drsl.features.lock import exclusive\n"
        "path = Path(sys.argv[1])\nwith exclusive(path.parent / '.locks', path.name):\n"
        "    print('held', flush=True)\n    time.sleep(60)\n",
        path,
    )
    assert other.stdout.readline() == "held\n"
    with pytest.raises(UserError, match=f"process {other.pid} is still writing {path.name}"):
        download(server.address, path, DIGEST[:8])
    other.kill()
    other.wait()
    download(server.address, path, DIGEST[:8])
    assert path.read_bytes() == CONTENT


def test_a_killed_download_goes_on(server, path, start_python):
    server.cuts = [600_000]
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom drsl.extract.downloads import download\n"
        "def wait(done, total, word):\n"
        "    if done > 500_000:\n        print('half', flush=True)\n        time.sleep(60)\n"
        "download(sys.argv[1], Path(sys.argv[2]), sys.argv[3], wait)\n"
    )
    other = start_python(code, server.address, path, DIGEST[:8])
    assert other.stdout.readline() == "half\n"
    other.kill()
    other.wait()
    part = path.with_name(f"{path.name}.part")
    kept = part.stat().st_size
    assert not path.exists()
    assert 500_000 < kept <= 600_000
    server.asked.clear()
    download(server.address, path, DIGEST[:8])
    assert server.asked == [f"bytes={kept}-"]
    assert path.read_bytes() == CONTENT


def test_a_full_disk_is_one_message_and_what_came_is_kept(server, path, start_python):
    code = (
        "import resource, sys\nfrom pathlib import Path\nfrom drsl.extract.downloads import download\n"
        "from drsl.features.errors import UserError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        "try:\n    download(sys.argv[1], Path(sys.argv[2]), sys.argv[3])\n"
        "except UserError as error:\n    print(error)\n"
    )
    out, err = start_python(code, server.address, path, DIGEST[:8]).communicate(timeout=30)
    assert out == f"cannot write {path}.part: File too large; make room or allow writing, then run this again\n", err
    assert path.with_name(f"{path.name}.part").read_bytes() == CONTENT[:300_000]
    server.asked.clear()
    download(server.address, path, DIGEST[:8])
    assert server.asked == ["bytes=300000-"]
    assert path.read_bytes() == CONTENT


def test_a_folder_that_cannot_be_written_is_one_message(server, read_only_folder):
    with pytest.raises(UserError) as info:
        download(server.address, read_only_folder / "net.pth", DIGEST[:8])
    assert "cannot write in" in str(info.value) or "could not be downloaded" in str(info.value)
    assert "\n" not in str(info.value)


def test_pauses_grow(server, path, monkeypatch):
    monkeypatch.setattr(downloads, "_PAUSE", 1.0)
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    server.status = 503
    with pytest.raises(MissingFile):
        download(server.address, path, DIGEST[:8])
    assert slept == [1.0, 2.0]
