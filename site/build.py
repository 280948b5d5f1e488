"""Builds the documentation site from docs/ into build/site/site, without the network.

Invariant: every page of docs/ is in the navigation, every link leads somewhere, and no page loads
anything from another host.

    python site/build.py
"""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
DOCS: Final = ROOT / "docs"
SOURCE: Final = ROOT / "build" / "site"
TARGET: Final = SOURCE / "site"
CONFIGURATION: Final = ROOT / "site" / "zensical.toml"
MERMAID: Final = ROOT / "node_modules" / "mermaid" / "dist" / "mermaid.min.js"
FRONT_PAGE: Final = "README.md"

_LINK: Final = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
_FOREIGN: Final = re.compile(
    r"""<(?:script|img|iframe)\b[^>]*\bsrc=["']?(https?://[^"'\s>]+)"""
    r"""|href=["']?(https?://[^"'\s>]+\.(?:js|css|woff2?))|@import url\((https?://[^)]+)\)"""
)


def main() -> int:
    """0, with the front page on stdout, if it is built; else 1, with each problem on stderr."""
    prepare()
    problems = pages_without_navigation()
    if not problems:
        command = [str(Path(sys.executable).with_name("zensical")), "build", "--strict", "--clean"]
        built = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, check=False)
        problems = [built.stdout + built.stderr] if built.returncode else foreign_addresses()
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    if not problems:
        folder = TARGET.relative_to(ROOT)
        sys.stdout.write(
            f"{folder}/index.html; to search: python3 -m http.server -b 127.0.0.1 -d {folder}\n"
        )
    return 1 if problems else 0


def prepare() -> None:
    """Copy docs/ with links that a page of the site can follow."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.copytree(DOCS, SOURCE / "docs")
    shutil.copy(CONFIGURATION, SOURCE / "zensical.toml")
    shutil.copy(ROOT / FRONT_PAGE, SOURCE / "docs" / "index.md")
    for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"):
        shutil.copy(ROOT / name, SOURCE / "docs" / name.lower())
    scripts = SOURCE / "docs" / "assets"
    scripts.mkdir(exist_ok=True)
    shutil.copy(MERMAID, scripts / "mermaid.min.js")
    for page in (SOURCE / "docs").rglob("*.md"):
        page.write_text(with_site_links(page))


def with_site_links(page: Path) -> str:
    """Return the page's text.

    A link to a file that is not part of the site becomes its path as code.
    """
    folder = page.parent
    in_root = page.parent == SOURCE / "docs" and page.name in {
        "index.md",
        "changelog.md",
        "contributing.md",
        "security.md",
    }

    def rewritten(match: re.Match[str]) -> str:
        image, text, target = match.groups()
        if target.startswith(("http", "#", "mailto:")):
            return match.group(0)
        path, _, anchor = target.partition("#")
        if in_root:
            path = path.removeprefix("docs/") if path.startswith("docs/") else f"../{path}"
            top = {f"../{name}": name.lower() for name in _TOP_PAGES}
            path = top.get(path, path)
        if (folder / path).resolve().is_relative_to(SOURCE / "docs") and (folder / path).is_file():
            return f"{image}[{text}]({path}{'#' + anchor if anchor else ''})"
        return text if text.startswith("`") else f"`{text}`"

    return _LINK.sub(rewritten, page.read_text())


_TOP_PAGES: Final = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")


def pages_without_navigation() -> list[str]:
    """Return the pages that a reader of the site could not find."""
    navigation = tomllib.loads(CONFIGURATION.read_text())["project"]["nav"]
    named = set(_pages_of(navigation))
    present = {
        page.relative_to(SOURCE / "docs").as_posix() for page in (SOURCE / "docs").rglob("*.md")
    }
    return [f"{page} is not in the navigation" for page in sorted(present - named)] + [
        f"the navigation names {page}, which does not exist" for page in sorted(named - present)
    ]


def _pages_of(entry: Any) -> list[str]:
    match entry:
        case str():
            return [entry]
        case list():
            return [page for part in entry for page in _pages_of(part)]
        case dict():
            return [page for part in entry.values() for page in _pages_of(part)]
    raise TypeError(f"{entry!r} is not a part of a navigation")


def foreign_addresses() -> list[str]:
    """Return scripts, styles and fonts that a page would load from another host."""
    return sorted(
        f"{page.relative_to(TARGET)} loads {next(filter(None, match.groups()))}"
        for page in TARGET.rglob("*.html")
        for match in _FOREIGN.finditer(page.read_text())
    )


if __name__ == "__main__":
    raise SystemExit(main())
