"""Folders: what `infra/build_assets.py` has put together for this stack's architecture and Python."""

from pathlib import Path

from constructs import Construct

from cordyna_cdk.guarded_function import architecture_of, runtime_of
from cordyna_infra.variants import ROOT, variant

FUNCTIONS = ROOT / "functions"


def layer_folder(scope: Construct) -> Path:
    """The layer's content: a folder `python/`."""
    return _built(scope, "layer")


def cerebro_folder(scope: Construct) -> Path:
    """cerebro with what it needs beside the layer."""
    return _built(scope, "cerebro")


def _built(scope: Construct, name: str) -> Path:
    folder = variant(architecture_of(scope).name, runtime_of(scope).name) / name
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder} is not built: run `make assets`, which `make synth` does"
        )
    return folder
