"""THE CONTRACT between the stages: what a manifest and a feature file are. numpy and h5py only, never torch.

Read first: `read_features` (store.py) and `read_manifest` (manifest.py).
"""

from drsl.features.manifest import Item, Manifest, read_manifest, write_manifest
from drsl.features.store import Features, read_features, write_features

__all__ = ["Features", "Item", "Manifest", "read_features", "read_manifest", "write_features", "write_manifest"]
