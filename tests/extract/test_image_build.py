import json

import pytest
import torch

from drsl.extract.image_build import build_image_encoder
from drsl.extract.precision import CHOICES
from drsl.features.digest import digest_file
from drsl.features.errors import MissingFile, SettingError

pytestmark = pytest.mark.usefixtures("tiny_network")


@pytest.fixture
def build(squares):
    def run(config, say=lambda line: None):
        return build_image_encoder(config, squares.manifest, squares.root, squares.layout.work, say)

    return run


def test_classes_are_the_manifests(build, settings):
    encoder = build(settings.image())
    assert encoder.classes == ("blue", "green", "red")
    assert encoder.network.classifier[6].out_features == 3
    assert encoder.weights_digest is None


def test_the_seed_makes_the_weights_and_nothing_else_does(build, settings, same_weights, keeps_randomness):
    before = keeps_randomness()
    first = build(settings.image(precision="auto"))
    assert keeps_randomness() == before
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(99)
        assert same_weights(first.network, build(settings.image()).network)
    assert not same_weights(first.network, build(settings.image(seed=1)).network)


def test_measuring_leaves_weights_and_statistics_as_they_were(build, settings, squares, same_weights):
    told = []
    measured = build(settings.image(precision="auto"), told.append)
    assert same_weights(measured.network, build(settings.image()).network)
    assert all(each.grad is None for each in measured.network.parameters())
    assert measured.network.features[1].num_batches_tracked == 0
    assert told[-1].startswith(
        f"precision: {measured.precision.name} {measured.precision.memory_format}: a step takes "
    )
    assert len(json.loads((squares.layout.work / "precision.json").read_text())) == 1


def test_a_second_build_takes_the_remembered_precision(build, settings, squares):
    build(settings.image(precision="auto"))
    memory = squares.layout.work / "precision.json"
    for slow, name in ((9.0, "bfloat16"), (1.0, "float32")):
        (key,) = json.loads(memory.read_text())
        memory.write_text(
            json.dumps(
                {
                    key: {
                        f"{each.name} {each.memory_format}": slow if each.name == "float32" else 1.0 for each in CHOICES
                    }
                }
            )
        )
        assert build(settings.image(precision="auto")).precision.name == name


def test_another_size_is_measured_for_itself(build, settings, squares):
    build(settings.image(precision="auto"))
    build(settings.image(precision="auto", batch=2))
    assert len(json.loads((squares.layout.work / "precision.json").read_text())) == 2


def test_a_set_precision_is_taken(build, settings):
    told = []
    assert build(settings.image(precision="bfloat16"), told.append).precision.name == "bfloat16"
    assert told == ["precision: bfloat16, as set"]


def test_weights_by_path_fill_all_layers_but_the_last(build, settings, squares, tiny_network):
    published = tiny_network("vgg19_bn", 1000).state_dict()
    torch.save(published, squares.root / "vgg.pth")
    told = []
    encoder = build(settings.image(weights="vgg.pth", pool=7), told.append)
    assert encoder.weights_digest == digest_file(squares.root / "vgg.pth") == encoder.about()["weights_digest"]
    assert told[0] == f"weights: {squares.root / 'vgg.pth'}"
    state = encoder.network.state_dict()
    assert all(torch.equal(state[name], published[name]) for name in state if not name.startswith("classifier.6."))
    again = build(settings.image(weights="vgg.pth", pool=7)).network.state_dict()
    assert all(torch.equal(state[name], again[name]) for name in state)


def test_missing_weights_are_named(build, settings):
    with pytest.raises(MissingFile, match=r"image\.weights: .*gone\.pth is not there"):
        build(settings.image(weights="gone.pth", pool=7))


def test_weights_that_do_not_fit_are_refused(build, settings, squares, tiny_network):
    torch.save(tiny_network("vgg19", 1000).state_dict(), squares.root / "vgg.pth")
    with pytest.raises(SettingError, match="does not fit the architecture"):
        build(settings.image(weights="vgg.pth", pool=7))
