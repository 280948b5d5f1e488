"""Documents: every block of code is run or compared, or says why not."""

import configparser
import json
import tomllib
from pathlib import Path

import pytest

from architecture.repository import ROOT, name_of
from docs.blocks import Block, blocks_of, by_place, exists, pages
from docs.sandbox import Sandbox, commands_of, is_session, matches, steadied

NOT_RUN_MAX = 30
SHELLS = frozenset({"sh", "bash", "console"})
PAGES = pages()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_page_does_what_it_shows(page: Path, tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path)
    for block in blocks_of(page):
        if "setup" in block.directives:
            status, output = sandbox.shell(block.directives["setup"])
            assert status == 0, f"{block.place}: its setup: {output}"
        if block.is_run:
            check(block, sandbox)


def check(block: Block, sandbox: Sandbox) -> None:
    if "file" in block.directives:
        sandbox.write(block.directives["file"], block.text)
    elif is_session(block):
        for command, shown in commands_of(block.text):
            _, output = sandbox.shell(command)
            compare(block, shown, output, sandbox)
    elif block.language in SHELLS:
        status, sandbox.last_output = sandbox.shell(block.text)
        expected = int(block.directives.get("exit", 0))
        assert status == expected, f"{block.place}: {sandbox.last_output}"
    elif block.language == "python":
        status, sandbox.last_output = sandbox.run_python(block.text)
        assert status == 0, f"{block.place}: {sandbox.last_output}"
    elif block.language == "text":
        compare(block, block.text, sandbox.last_output, sandbox)
    else:
        parse(block)


def compare(block: Block, shown: str, output: str, sandbox: Sandbox) -> None:
    expected, actual = steadied(shown, sandbox.folder), steadied(output, sandbox.folder)
    assert matches(expected, actual), "\n".join(
        [f"{block.place} shows:", *expected, "", "but the output is:", *actual, "", output]
    )


def parse(block: Block) -> None:
    """A block that is data is at least well formed."""
    match block.language:
        case "json":
            json.loads(block.text)
        case "toml":
            tomllib.loads(block.text)
        case "ini":
            configparser.ConfigParser().read_string(block.text)
        case _:
            pytest.fail(f"{block.place}: no test knows what to do with {block.language!r}")


def test_blocks_that_are_not_run_are_few_and_say_why() -> None:
    reasons = {
        place: block.directives["not-run"]
        for place, block in by_place().items()
        if "not-run" in block.directives
    }
    assert [place for place, reason in reasons.items() if len(reason.split()) < 3] == []
    assert len(reasons) <= NOT_RUN_MAX, "\n".join(f"{at}: {why}" for at, why in reasons.items())


def test_blocks_that_are_run_elsewhere_name_where() -> None:
    """The file that runs a block names the page, so that both are changed together."""
    for place, block in by_place().items():
        target = block.directives.get("run-by")
        if target is not None:
            assert exists(target), f"{place}: {target} does not exist"
            assert Path(block.page).name in (ROOT / target).read_text(), f"{place}: {target}"
