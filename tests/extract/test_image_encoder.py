import numpy as np
import pytest
import torch

from drsl.extract.architectures import ARCHITECTURES
from drsl.extract.finetune import finetune
from drsl.extract.image_encoder import ImageEncoder
from drsl.extract.images import center_crop, normalize
from drsl.extract.pictures import read_pixels
from drsl.extract.precision import Precision

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def build(settings, seed=0, classes=("blue", "green", "red"), **changes):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = settings.image(**changes)
        return ImageEncoder(config, classes, Precision(config.precision))


def features_of(encoder, paths, size=64):
    feature, predicted = zip(*encoder.encode(paths, size), strict=True)
    return np.concatenate(feature), np.concatenate(predicted)


@pytest.fixture
def paths(squares):
    return [squares.manifest.image_path(item) for item in squares.manifest.items]


def test_without_a_generator_the_middle_is_taken(tiny_network, settings, paths):
    found = list(build(settings).open(paths)([4, 0, 2], 2))
    assert [positions for positions, _ in found] == [[4, 0], [2]]
    for positions, inputs in found:
        pixels = torch.from_numpy(np.stack([read_pixels(paths[each], 37) for each in positions]))
        assert torch.equal(inputs, normalize(center_crop(pixels, 32), *IMAGENET))


def test_with_a_generator_cuts_are_random_and_seeded(tiny_network, settings, paths):
    batches = build(settings).open(paths)
    ((_, plain),) = batches([0, 1], 2)
    cuts = [next(batches([0, 1], 2, torch.Generator().manual_seed(seed)))[1] for seed in (0, 0, 1)]
    assert plain.shape == cuts[0].shape == (2, 3, 32, 32)
    assert torch.equal(cuts[0], cuts[1])
    assert not torch.equal(cuts[0], cuts[2])
    assert not torch.equal(cuts[0], plain)


def test_features_are_those_of_the_network(tiny_network, settings, paths):
    encoder = build(settings)
    feature, predicted = features_of(encoder, paths)
    assert (feature.shape, feature.dtype) == ((18, encoder.dim), np.float32)
    pixels = torch.from_numpy(np.stack([read_pixels(path, 37) for path in paths]))
    with torch.no_grad():
        scores = encoder.network.eval()(normalize(center_crop(pixels, 32), *IMAGENET))
    assert np.array_equal(predicted, scores.argmax(dim=1).numpy())


@pytest.mark.parametrize("size", [1, 5])
def test_the_size_of_a_batch_does_not_matter(tiny_network, settings, paths, size):
    encoder = build(settings)
    np.testing.assert_allclose(
        features_of(encoder, paths, size)[0], features_of(encoder, paths)[0], rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_it_comes_back_bit_by_bit(tmp_path, tiny_network, settings, paths, same_weights, precision):
    encoder = build(settings, seed=3, precision=precision)
    encoder.weights_digest = "w" * 64
    encoder.save(tmp_path / "image.safetensors", "d")
    again, about = ImageEncoder.load(tmp_path / "image.safetensors")
    assert same_weights(encoder.network, again.network)
    assert (again.config, again.classes, again.precision) == (encoder.config, encoder.classes, Precision(precision))
    assert again.weights_digest == about["weights_digest"] == "w" * 64
    assert features_of(again, paths)[0].tobytes() == features_of(encoder, paths)[0].tobytes()
    again.save(tmp_path / "again.safetensors", "d")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "image.safetensors").read_bytes()


def test_weights_lie_as_the_pixels_do(tmp_path, tiny_network, settings):
    encoder = build(settings)
    encoder.save(tmp_path / "image.safetensors", "d")
    for each in (encoder, ImageEncoder.load(tmp_path / "image.safetensors")[0]):
        assert each.network.features[0].weight.is_contiguous(memory_format=torch.channels_last)


def test_it_says_what_it_is(tiny_network, settings):
    about = build(settings).about()
    assert about["architecture"] == "vgg19_bn"
    assert about["input_size"] == 32
    assert about["weights_digest"] is None
    assert about["precision"] == "float32"
    assert about["settings"]["finetune"]["batch"] == 4


SMALL = ["resnet18", "mobilenet_v3_large", "efficientnet_b0", "efficientnet_lite0"]
LARGE = [name for name in ARCHITECTURES if name not in SMALL and not name.startswith("vgg")]


@pytest.mark.parametrize("architecture", SMALL + [pytest.param(name, marks=pytest.mark.slow) for name in LARGE])
def test_each_architecture_trains_and_comes_back_bit_by_bit(tmp_path, settings, paths, architecture):
    known = ARCHITECTURES[architecture]
    size = {} if known.any_side else {"resize": 256, "crop": 224}
    encoder = build(settings, architecture=architecture, pool=7, **size)
    label, rows = np.arange(6) % 3, np.arange(6)
    log = finetune(encoder, encoder.open(paths[:6]), label, rows, rows[:0], settings.finetune(epochs=1, batch=3))
    assert np.isfinite(log[0].loss)
    feature, predicted = features_of(encoder, paths[:3])
    assert feature.shape == (3, known.width)
    about = encoder.about()
    assert (about["architecture"], about["width"]) == (architecture, known.width)
    assert (about["mean"], about["deviation"]) == (list(known.mean), list(known.deviation))
    path = tmp_path / "image.safetensors"
    encoder.save(path, "d")
    del encoder
    again, _ = ImageEncoder.load(path)
    path.unlink()
    found = features_of(again, paths[:3])
    assert found[0].tobytes() == feature.tobytes()
    assert np.array_equal(found[1], predicted)


def test_pictures_are_normalised_as_the_architecture_asks(settings):
    encoder = build(settings, architecture="efficientnet_lite0", pool=7)
    pixels = torch.tensor([0, 127, 255], dtype=torch.uint8).repeat(1, 2, 2, 1)
    expected = torch.tensor([-127 / 128, 0, 1]).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    torch.testing.assert_close(encoder.ready(pixels), expected, rtol=1e-6, atol=1e-6)


def test_what_vgg_says_of_itself_is_what_older_files_have(tiny_network, settings):
    keys = {"architecture", "input_size", "weights_digest", "precision", "memory_format", "settings"}
    assert set(build(settings).about()) == keys


@pytest.mark.slow  # ten seconds and 160 megabytes
def test_a_real_network_comes_back_bit_by_bit(tmp_path, settings, paths):
    encoder = build(settings)
    feature, predicted = features_of(encoder, paths[:3])
    assert feature.shape == (3, 4096)
    assert (feature >= 0).all()
    path = tmp_path / "image.safetensors"
    encoder.save(path, "d")
    del encoder
    again, _ = ImageEncoder.load(path)
    path.unlink()
    found = features_of(again, paths[:3])
    assert found[0].tobytes() == feature.tobytes()
    assert np.array_equal(found[1], predicted)
