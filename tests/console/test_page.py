"""The page as it ships: every file reachable, no foreign text as HTML, small."""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from console.consoles import BEARER, a_client, a_console, an_engine
from cordyna_cli.wording.format import duration
from cordyna_cli.wording.status_marks import RUN_MARKS
from cordyna_console.app import PAGES
from cordyna_console.assets import INDEX, content_security_policy, load_assets
from cordyna_core.contract.reasons import REASONS

PAGE = Path(__file__).parents[2] / "console/src/cordyna_console/page"
OWN = sorted(path for path in PAGE.rglob("*") if path.is_file() and "vendor" not in path.parts)
MODULES = [path for path in OWN if path.suffix == ".js"]
FIRST_VIEW_BYTES_MAX = 75_000
FIRST_VIEW_FILES_MAX = 40
IMPORT = re.compile(
    r"""\b(?:import|export)\b[^;"]*?from ?"([^"]+)"|^import "([^"]+)";""", re.MULTILINE
)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with an_engine() as engine:
        yield a_client(a_console(engine))


def import_map() -> dict[str, str]:
    text = re.search(r'<script type="importmap">(.*?)</script>', (PAGE / INDEX).read_text())
    assert text is not None
    imports: dict[str, str] = json.loads(text.group(1))["imports"]
    return imports


def file_of(module: str, importer: Path) -> Path:
    if module in import_map():
        return PAGE / import_map()[module].lstrip("/")
    return (importer.parent / module).resolve()


def imported(path: Path) -> list[Path]:
    found = [first or second for first, second in IMPORT.findall(path.read_text())]
    return [file_of(module, path) for module in found]


def closure(path: Path, found: set[Path]) -> set[Path]:
    if path not in found:
        found.add(path)
        for other in imported(path):
            closure(other, found)
    return found


def test_every_import_leads_to_a_file() -> None:
    missing = {
        f"{path.name}: {other}"
        for path in MODULES
        for other in imported(path)
        if not other.is_file()
    }
    assert missing == set()


def test_every_page_and_tab_that_is_loaded_late_exists() -> None:
    main = (PAGE / "app/main.js").read_text()
    pages = re.findall(r'\["/[^"]*", "([a-z-]+)", "([A-Za-z]+)"\]', main)
    assert len(pages) >= 15
    for module, name in pages:
        assert f"export function {name}(" in (PAGE / f"app/pages/{module}.js").read_text()
    run = (PAGE / "app/pages/run.js").read_text()
    for tab in re.findall(r'\["([a-z]+)", "[A-Z][^"]*"\]', run):
        assert "export function RunTab(" in (PAGE / f"app/pages/run-{tab}.js").read_text()


def test_first_view_is_small() -> None:
    """Everything that the list of runs loads, compressed as it is served."""
    files = closure(PAGE / "app/main.js", set()) | {PAGE / INDEX, PAGE / "icon.svg"}
    files |= set((PAGE / "style").iterdir())
    sizes = {path.name: len(gzip.compress(path.read_bytes(), 5)) for path in files}
    assert sum(sizes.values()) <= FIRST_VIEW_BYTES_MAX, sizes
    assert len(files) <= FIRST_VIEW_FILES_MAX


def test_modules_of_the_first_view_are_preloaded_truly() -> None:
    preloaded = re.findall(r'modulepreload" href="([^"]+)"', (PAGE / INDEX).read_text())
    assert preloaded
    needed = closure(PAGE / "app/main.js", set())
    for href in preloaded:
        assert PAGE / href.lstrip("/") in needed, href


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PAGE).as_posix())
def test_module_never_makes_html_of_text(path: Path) -> None:
    text = path.read_text()
    for forbidden in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "dangerouslySetInnerHTML",
        "document.write",
        "eval(",
        "new Function",
        "srcdoc",
        "javascript:",
    ):
        assert forbidden not in text, forbidden
    assert not re.search(r'\sstyle="', text), "a style is an object: the policy forbids text"
    assert not re.search(r"https?://", text), "nothing comes from elsewhere"
    assert text.startswith("// "), "a module opens with what it owns"
    assert len(text.splitlines()) <= 400


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.relative_to(PAGE).as_posix())
def test_file_is_served_with_its_type_and_tag(path: Path, client: TestClient) -> None:
    name = f"/{path.relative_to(PAGE).as_posix()}"
    answer = client.get(name)
    assert (answer.status_code, answer.content) == (200, path.read_bytes())
    again = client.get(name, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_address_of_a_page_answers_with_the_page(client: TestClient) -> None:
    for path in ("/", "/runs", "/runs/ABC/graph", "/tasks/a.b", "/compare/A/B"):
        assert client.get(path).text.startswith("<!doctype html>")
    assert client.get("/app/nothing.js").status_code == 404
    assert client.get("/api/v1/nothing", headers=BEARER).status_code == 404
    assert client.head("/").status_code == 200
    assert client.head("/").content == b""


def test_policy_names_the_import_map_by_its_hash() -> None:
    index = (PAGE / INDEX).read_bytes()
    text = index.split(b'<script type="importmap">')[1].split(b"</script>")[0]
    digest = base64.b64encode(hashlib.sha256(text).digest()).decode()
    policy = content_security_policy(index)
    assert f"script-src 'self' 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert content_security_policy(b"<html>").count("sha256") == 0
    inline = re.findall(rb"<script(?![^>]*(?:src=|importmap))", index)
    assert inline == []


def test_vendored_files_are_those_that_were_published() -> None:
    entries = json.loads((PAGE / "vendor/vendor.json").read_text())
    for entry in entries:
        content = (PAGE / "vendor" / entry["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"], entry["file"]
        assert entry["licence"] in ("MIT", "Apache-2.0")
    listed = {entry["file"] for entry in entries} | {"vendor.json"}
    assert {path.name for path in (PAGE / "vendor").iterdir()} == listed
    assert set(import_map().values()) <= {f"/vendor/{name}" for name in listed}


def test_words_of_the_page_are_those_of_the_one_table() -> None:
    text = (PAGE / "app/words.js").read_text()
    rows = re.findall(r'\["(\w+)", (null|"\w+"), "(.)", "([a-z ]+)", (\d)\]', text)
    on_page = {
        (state, None if reason == "null" else reason.strip('"')): (sign, word, int(urgency))
        for state, reason, sign, word, urgency in rows
    }
    by_state = {state: on_page[state, None] for state, reason in on_page if reason is None}
    for row in REASONS:
        mark = (row.mark.sign, row.mark.word, row.mark.urgency)
        assert on_page.get((row.state, row.reason), by_state[row.state]) == mark, row.key
    signs = dict(re.findall(r'(\w+): "(.)"', text))
    for word, run_mark in RUN_MARKS.items():
        assert signs[word] == run_mark.sign


def test_every_word_has_a_colour_in_both_schemes() -> None:
    tokens = (PAGE / "style/tokens.css").read_text()
    for row in REASONS:
        name = {"retry wait": "retry"}.get(row.mark.word, row.mark.word)
        assert re.search(rf"--{name}: light-dark\(#\w+, #\w+\);", tokens), name


def test_assets_are_read_from_the_package() -> None:
    assets = load_assets()
    assert set(assets) == {
        path.relative_to(PAGE).as_posix() for path in PAGE.rglob("*") if path.is_file()
    }


def test_spans_on_the_page_are_written_as_in_a_terminal() -> None:
    """The vectors that tests/console/page/clock.test.mjs runs against the page's own function."""
    vectors = json.loads((Path(__file__).parent / "page/durations.json").read_text())
    assert {text: duration(float(text)) for text in vectors} == vectors


def test_addresses_of_the_page_are_those_that_are_served() -> None:
    patterns = re.findall(r'^  \["/([a-z-]+)', (PAGE / "app/main.js").read_text(), re.MULTILINE)
    # The list of runs is shown at two addresses, and `/signed-in` by the sign-in itself.
    assert set(patterns) | {"", "runs", "signed-in"} == set(PAGES)
