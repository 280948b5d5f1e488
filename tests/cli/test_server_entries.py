"""The servers of a settings file: targets, and tables with options."""

from pathlib import Path
from typing import Any

import pytest

from cli.fake_engine import FakeEngine
from cli.run_dyna import dyna
from cordyna_cli.engine import EngineOptions, ServerOptions
from cordyna_cli.input.server_entries import ConfiguredServer, entry_problems, read_entries

FOLDER = Path("/project")


@pytest.mark.parametrize(
    ("entry", "target", "options"),
    [
        ("shop.py", "/project/shop.py", None),
        ("servers/shop.py:one", "/project/servers/shop.py:one", None),
        ("my.module:server", "my.module:server", None),
        ("exec:node server.mjs", "exec:node server.mjs", ServerOptions(cwd="/project")),
        ({"target": "shop.py"}, "/project/shop.py", ServerOptions()),
        (
            {"target": "exec:./run", "cwd": "sub"},
            "exec:./run",
            ServerOptions(cwd="/project/sub"),
        ),
        (
            {
                "target": "shop.py",
                "concurrency": 4,
                "python": ".venv-a/bin/python",
                "env": {"B": "2", "A": "1"},
                "isolation": "spawn",
            },
            "/project/shop.py",
            ServerOptions(
                concurrency=4,
                python="/project/.venv-a/bin/python",
                env=(("A", "1"), ("B", "2")),
                isolation="spawn",
            ),
        ),
        ({"target": "a.py", "python": "python3"}, "/project/a.py", ServerOptions(python="python3")),
    ],
)
def test_entry_is_read_with_absolute_paths(
    entry: Any, target: str, options: ServerOptions | None
) -> None:
    assert list(entry_problems([entry])) == []
    assert read_entries([entry], FOLDER) == [ConfiguredServer(target, options)]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("shop.py", "`servers` is a list"),
        ([1], "an entry of `servers` is a text or a table"),
        ([{}], "has a `target`"),
        ([{"target": 1}], "`target` of a server is a text"),
        ([{"target": "a.py", "concurrency": 0}], "a whole number from 1 to 1000"),
        ([{"target": "a.py", "concurrency": True}], "a whole number from 1 to 1000"),
        ([{"target": "a.py", "env": {"A": 1}}], "a table of texts"),
        ([{"target": "a.py", "isolation": "thread"}], "one of auto, fork, spawn"),
        ([{"target": "a.py", "cwd": 1}], "`cwd` of a server is a text"),
        ([{"target": "a.py", "concurency": 4}], "did you mean `concurrency`?"),
        ([{"target": "a.py", "xyz": 4}], "there are target, concurrency"),
    ],
)
def test_invalid_entry_is_reported(value: Any, problem: str) -> None:
    (text,) = entry_problems(value)
    assert problem in text


def options_of(*words: str, cwd: Path) -> EngineOptions:
    engine = FakeEngine()
    assert dyna(*words, "runs", engine=engine, cwd=cwd).status == 0
    assert engine.options is not None
    return engine.options


def test_options_of_entries_reach_the_engine(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.cordyna]\nservers = ["b.py", {target = "a.py", concurrency = 4}]\n'
    )
    a, b = str(tmp_path / "a.py"), str(tmp_path / "b.py")

    options = options_of(cwd=tmp_path)
    assert options.servers == (b, a)
    assert options.server_options == {a: ServerOptions(concurrency=4)}

    typed = options_of("--server", "a.py", "--server", "c.py", cwd=tmp_path)
    assert typed.server_options == {"a.py": ServerOptions(concurrency=4)}


def test_invalid_entries_of_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.cordyna]\nservers = [{}]\n")

    refused = dyna("runs", engine=FakeEngine(), cwd=tmp_path)

    assert refused.status == 1
    assert "has a `target`" in refused.err
