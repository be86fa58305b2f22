"""A run that ends in the middle goes on, and its file is equal to the byte."""

import gc
import signal
import time
import tracemalloc
from collections import deque

import numpy as np
import pytest

from drsl.extract import encode_blocks
from drsl.features.errors import UserError
from drsl.features.manifest import Item, read_manifest, write_manifest
from drsl.features.stopping import Stopped

RUN = """
import time
from pathlib import Path
import numpy as np
import torch
from drsl.extract import encode_blocks
from drsl.extract.encode import encode_items
from drsl.extract.encoder import Encoder
from drsl.extract.precision import Precision
from drsl.features.manifest import Item, Manifest

class Slow(Encoder):
    modality, batch, dim, classes, precision, device = "text", 8, 33, ("a", "b"), Precision("float32"), "cpu"

    def __init__(self, delay=0.0):
        self.delay, self.seen = delay, []
        self.network = torch.nn.Linear(4, 33)
        with torch.no_grad():
            for place, each in enumerate(self.network.parameters()):
                each.copy_(torch.linspace(-1, 1, each.numel()).reshape(each.shape).sin() * (place + 1))

    def open(self, contents, once=False):
        def batches(order, size, generator=None):
            for start in range(0, len(order), size):
                places = list(order[start : start + size])
                texts = [contents[each] for each in places]
                time.sleep(self.delay)
                self.seen.append(texts)
                yield places, torch.tensor([[float(cell) for cell in text.split()] for text in texts])
        return batches

    def feature(self, inputs):
        return self.network(inputs - inputs.mean(dim=0)).relu()  # of the whole batch, as the last bits may be

    def classify(self, feature):
        return feature[:, :2]

    def about(self):
        return {}

def manifest(folder):
    draw = np.random.default_rng(0)
    texts = [" ".join(f"{each:.3f}" for each in draw.standard_normal(4)) for _ in range(217)]
    texts[40:50], texts[200] = texts[:10], texts[3]
    items = [Item(f"{n}", "", text, "ab"[n % 2], ("train", "val", "test")[n // 80]) for n, text in enumerate(texts)]
    return Manifest(tuple(items), folder)

def run(folder, encoder, network="0" * 64, tell=None):
    about = {"fingerprint": network}
    return encode_items(encoder, about, manifest(folder), folder / "text.h5", folder / "work", tell)
"""
_SPACE: dict = {}
exec(RUN, _SPACE)
Slow, run = _SPACE["Slow"], _SPACE["run"]
BATCHES = 26  # 206 different texts, 8 at a time


class Killed(BaseException):
    """Nothing answers it, as nothing answers SIGKILL."""


def kill_at(encoder, batch):
    """Ends the process, so to say, while a batch is being computed."""
    whole = encoder.feature

    def feature(inputs):
        if len(encoder.seen) == batch:
            raise Killed
        return whole(inputs)

    encoder.feature = feature
    return encoder


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "data"
    encoder = Slow()
    accuracy = run(folder, encoder)
    assert len(encoder.seen) == BATCHES
    return (folder / "text.h5").read_bytes(), accuracy, encoder.seen


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Blocks are sealed at every second batch."""
    monkeypatch.setattr(encode_blocks, "_SEAL_BYTES", 2 * 8 * (33 * 4 + 8))
    return tmp_path / "data"


def kept(folder):
    return sorted((folder / "work").rglob("*.rows"))


@pytest.mark.parametrize("seed", range(20))
def test_a_kill_at_any_moment_costs_no_bytes(folder, whole, seed):
    moment = int(np.random.default_rng(seed).integers(1, BATCHES + 1))
    with pytest.raises(Killed):
        run(folder, kill_at(Slow(), moment))
    assert not (folder / "text.h5").exists()
    encoder, told = Slow(), []
    accuracy = run(folder, encoder, tell=lambda *each: told.append(each))
    assert (folder / "text.h5").read_bytes() == whole[0]
    assert accuracy == whole[1]
    assert encoder.seen == whole[2][(moment - 1) // 2 * 2 :]
    assert (told[0][2] == "going on") == (moment > 2)
    assert told[-1] == (217, 217, "")
    assert sorted(path.name for path in folder.iterdir()) == ["text.h5"]


def test_many_kills_in_a_row(folder, whole):
    for _ in range(9):
        with pytest.raises(Killed):
            run(folder, kill_at(Slow(), 4))
    encoder = Slow()
    run(folder, encoder)
    assert (folder / "text.h5").read_bytes() == whole[0]
    assert len(encoder.seen) == BATCHES - 18


def test_a_kill_while_the_file_is_written_costs_no_encoding(folder, whole, monkeypatch):
    def take(*_):
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("drsl.features.blocks.Blocks.take", take)
        run(folder, Slow())
    encoder = Slow()
    run(folder, encoder)
    assert encoder.seen == []
    assert (folder / "text.h5").read_bytes() == whole[0]


@pytest.mark.parametrize("number", [0, 2, 5])
def test_a_damaged_block_is_made_again(folder, whole, number):
    with pytest.raises(Killed):
        run(folder, kill_at(Slow(), 15))
    blocks = kept(folder)
    assert len(blocks) == 7
    content = bytearray(blocks[number].read_bytes())
    content[17] ^= 64
    blocks[number].write_bytes(content)
    encoder = Slow()
    run(folder, encoder)
    assert (folder / "text.h5").read_bytes() == whole[0]
    assert encoder.seen == whole[2][2 * number : 2 * number + 2] + whole[2][14:]


def test_a_block_of_an_older_network_is_never_mixed_in(folder, whole):
    with pytest.raises(Killed):
        run(folder, kill_at(Slow(), 15), network="1" * 64)
    old = kept(folder)
    encoder = Slow()
    with pytest.raises(Killed):
        run(folder, kill_at(encoder, 5))
    assert not any(path.exists() for path in old)
    run(folder, encoder := Slow())
    assert encoder.seen == whole[2][4:]
    assert (folder / "text.h5").read_bytes() == whole[0]


def test_other_batches_start_anew(folder, monkeypatch):
    with pytest.raises(Killed):
        run(folder, kill_at(Slow(), 15))
    monkeypatch.setattr(Slow, "batch", 16)
    encoder = Slow()
    run(folder, encoder)
    assert sum(len(each) for each in encoder.seen) == 206


def test_blocks_are_sealed_after_some_time(folder, monkeypatch):
    monkeypatch.setattr(encode_blocks, "_SEAL_BYTES", 1 << 30)
    with pytest.raises(Killed):
        run(folder, kill_at(Slow(), 15))
    assert kept(folder) == []
    monkeypatch.setattr(encode_blocks, "_SEAL_SECONDS", 0.0)
    with pytest.raises(Killed):
        run(folder, kill_at(Slow(), 15))
    assert len(kept(folder)) == 14


def test_a_request_to_stop_keeps_what_was_encoded(folder, whole, monkeypatch):
    monkeypatch.setattr(encode_blocks, "_SEAL_BYTES", 1 << 30)

    def tell(done, total, word):
        if done > 90:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Stopped, match="88 of 206 different texts are encoded and kept; run the same command") as info:
        run(folder, Slow(), tell=tell)
    assert info.value.signal == signal.SIGINT
    encoder = Slow()
    run(folder, encoder)
    assert encoder.seen == whole[2][11:]
    assert (folder / "text.h5").read_bytes() == whole[0]


def test_a_folder_that_cannot_be_read_is_one_error(folder):
    (folder / "work").mkdir(parents=True)
    (folder / "work" / "x").write_text("foreign")
    run(folder, Slow())
    (folder / "work").write_text("a file")
    with pytest.raises(UserError):
        run(folder, Slow())


def test_texts_are_not_held(folder):
    texts = (f"{n} 1 2 3" + " " * 16_000 for n in range(1500))
    write_manifest(folder / "manifest.csv", (Item(f"{n}", "", each, "a", "train") for n, each in enumerate(texts)))
    encoder = Slow()
    encoder.seen = deque(maxlen=1)
    gc.collect()
    tracemalloc.start()
    try:
        manifest = read_manifest(folder / "manifest.csv")
        _SPACE["encode_items"](encoder, {"fingerprint": ""}, manifest, folder / "text.h5", folder / "work")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (folder / "manifest.csv").stat().st_size > 24e6
    assert peak < 12e6


def start(start_python, folder):
    code = "encode_blocks._SEAL_SECONDS = 0.0\nfrom drsl import cli\nimport sys\nclass Command:\n"
    code += (
        "    main = staticmethod(lambda **_: run(Path(sys.argv[1]), Slow(0.05)) and 0)\ncli._cli = Command\ncli.main()"
    )
    process = start_python(RUN + code, folder)
    deadline = time.monotonic() + 60
    while len(kept(folder)) < 3:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


def test_sigkill(folder, whole, start_python):
    process = start(start_python, folder)
    process.kill()
    process.communicate()
    before = len(kept(folder))
    assert before >= 3
    encoder = Slow()
    run(folder, encoder)
    assert len(encoder.seen) == BATCHES - before
    assert (folder / "text.h5").read_bytes() == whole[0]
    assert sorted(path.name for path in folder.iterdir()) == ["text.h5"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_command_with_its_code_and_a_line_that_says_how_to_go_on(
    folder, whole, start_python, number, code
):
    process = start(start_python, folder)
    process.send_signal(number)
    out, errors = process.communicate()
    before = 8 * len(kept(folder))
    assert process.returncode == code
    assert (out, errors) == (
        "",
        f"stopped: {before} of 206 different texts are encoded and kept; run the same command again to go on\n",
    )
    assert not (folder / "text.h5").exists()
    run(folder, Slow())
    assert (folder / "text.h5").read_bytes() == whole[0]
