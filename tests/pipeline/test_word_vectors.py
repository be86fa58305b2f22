"""Word vectors through the commands: what is wrong with them is one line and leaves no network behind."""

import gzip

import pytest

D = ("-d", "colors")


@pytest.fixture
def text_setting(project):
    """Puts another line in the place of `vectors: words.txt`; afterwards the settings are as before."""
    path = project / "params.yaml"
    good = path.read_text("utf-8")
    yield lambda line: path.write_text(good.replace("vectors: words.txt", line, 1), encoding="utf-8")
    path.write_text(good, encoding="utf-8")


WHOLE = b"2 3\nred " + bytes(12) + b"sea " + bytes(12)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("v.bin", WHOLE[:-1], "ends at word 2 of 2; is it cut short?"),
        ("v.bin.gz", gzip.compress(WHOLE)[:-9], "are not whole word vectors"),
        ("v.bin", WHOLE.replace(b"2 3", b"2 2"), "are not whole word vectors"),
        ("v.txt", b"2 3\nred 1 2 3\nsea 1 2\n", "line 3 has 2 numbers, not 3"),
        ("v.txt", b"red 1 nan\nsea 1 2\n", "the word vector of 'red'"),
        ("v.txt", "gr\u00fc\u00df 1 2\n".encode(), "no word of the texts has a word vector"),
        ("v.kv", b"\x80\x04\x95", "pickle"),
    ],
)
def test_damaged_vectors_are_one_line_and_leave_no_network(drsl, project, text_setting, name, content, words):
    (project / name).write_bytes(content)
    text_setting(f"vectors: {name}")
    found = drsl("finetune", "text", *D)
    assert found.code == 1
    (line,) = found.err.splitlines()
    assert words in line
    assert name in line
    assert not (project / "models" / "colors" / "text.safetensors").exists()


def test_trained_vectors_characters_and_averaged_captions_run(drsl, text_setting):
    settings = ("vectors: train", "tokens: characters", "ngram: 3", "captions: mean", "word2vec: {dim: 8, epochs: 2}")
    text_setting("\n      ".join(settings))
    trained = drsl("finetune", "text", *D)
    assert trained.code == 0, trained.err
    assert "training 8-d word vectors on the training texts, 2 epochs" in trained.out
    assert drsl("encode", "text", *D).code == 0
    text_setting("\n      ".join((*settings[:2], *settings[3:])))
    stale = drsl("encode", "text", *D)
    assert stale.code == 1
    assert "settings.ngram was 3, now not set" in stale.err
