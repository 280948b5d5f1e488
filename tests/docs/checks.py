"""Checks: what a test does with one block of a page."""

import configparser
import json
import tomllib
from pathlib import Path

import pytest

from docs.blocks import Block, blocks_of
from docs.sandbox import Sandbox, commands_of, is_session, matches, steadied

SHELLS = frozenset({"sh", "bash", "console"})


def check_page(page: Path, sandbox: Sandbox) -> None:
    """Do what the page shows, from its first block to its last."""
    for block in blocks_of(page):
        if "setup" in block.directives:
            status, output = sandbox.shell(block.directives["setup"])
            assert status == 0, f"{block.place}: its setup: {output}"
        if block.is_run:
            check(block, sandbox)


def check(block: Block, sandbox: Sandbox) -> None:
    if "file" in block.directives:
        sandbox.write(block.directives["file"], block.text)
    elif "part-of" in block.directives:
        file = sandbox.cwd / block.directives["part-of"]
        assert block.text in file.read_text(), f"{block.place}: {file.read_text()}"
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
