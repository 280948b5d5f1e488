"""The folders that `infra/build_assets.py` has built for this stack's architecture and Python."""

from pathlib import Path

from constructs import Construct

from cordyna_cdk.guarded_function import architecture_of, runtime_of
from cordyna_infra.build_variants import ROOT, variant_folder

FUNCTIONS = ROOT / "functions"


class AssetsMissingError(FileNotFoundError):
    """The folders for an architecture and a Python are not built; the text says how."""


def layer_folder(scope: Construct) -> Path:
    """Return the content of the layer: a folder `python/`."""
    return _built(scope, "layer")


def cerebro_folder(scope: Construct) -> Path:
    """cerebro, with the packages that the layer does not hold."""
    return _built(scope, "cerebro")


def console_folder(scope: Construct) -> Path:
    """The hosted console with the command line's client, and packages that the layer lacks."""
    return _built(scope, "console")


def _built(scope: Construct, name: str) -> Path:
    architecture, runtime = architecture_of(scope).name, runtime_of(scope).name
    folder = variant_folder(architecture, runtime) / name
    if not folder.is_dir():
        raise AssetsMissingError(
            f"{folder} does not exist: run `make assets ARCHITECTURE={architecture} "
            f"RUNTIME={runtime}` first (`make synth` builds the default)"
        )
    return folder
