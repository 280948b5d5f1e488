"""Assets: the files of the page, each with its type and its tag, and the policy that binds them.

Invariant: only files that lie in `page/` when the console starts are served; a path is looked up in
a table and never opened.
"""

import base64
import hashlib
import mimetypes
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

INDEX: Final = "index.html"
_IMPORT_MAP: Final = re.compile(rb'<script type="importmap">(.*?)</script>', re.DOTALL)
_TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
}


@dataclass(frozen=True, slots=True)
class PageAsset:
    """One file of the page."""

    content: bytes
    media_type: str
    tag: str


def load_assets() -> dict[str, PageAsset]:
    """Return every file of the page, by its path without a leading slash."""
    assets: dict[str, PageAsset] = {}
    _collect(files("cordyna_console") / "page", "", assets)
    return assets


def _collect(folder: Traversable, prefix: str, assets: dict[str, PageAsset]) -> None:
    for entry in folder.iterdir():
        path = f"{prefix}{entry.name}"
        if entry.is_dir():
            _collect(entry, f"{path}/", assets)
        else:
            assets[path] = page_asset(entry.name, entry.read_bytes())


def page_asset(name: str, content: bytes) -> PageAsset:
    """Return a file of the page, with the type of its name and the tag of its content."""
    return PageAsset(content, _type_of(name), f'W/"{_digest(content)}"')


def _type_of(name: str) -> str:
    suffix = name[name.rfind(".") :]
    return _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def content_security_policy(index: bytes, connect_to: Sequence[str] = ()) -> str:
    """Return the policy of the page: its own files, its import map (by its hash), and nothing else.

    `connect_to`: origins that the page may ask beside its own.
    """
    match = _IMPORT_MAP.search(index)
    script = "'self'"
    if match is not None:
        digest = base64.b64encode(hashlib.sha256(match.group(1)).digest()).decode()
        script += f" 'sha256-{digest}'"
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {script}",
            "style-src 'self'",
            "img-src 'self' data:",
            " ".join(["connect-src 'self'", *connect_to]),
            "worker-src 'self'",
            "manifest-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
