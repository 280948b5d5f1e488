"""The command line itself: help, misuse, faults, and where the commands come from."""

import os
import subprocess
import sys

import pytest

from cli.fake_engine import FakeEngine
from cli.run_dyna import Terminal, dyna
from cordyna_cli.command_registry import COMMANDS, ENTRIES
from cordyna_cli.output.exit_status import ExitStatus
from cordyna_cli.output.screen import Screen
from cordyna_cli.output.streams import ReaderLeft
from cordyna_core._version import __version__
from cordyna_core.errors import AccessError, CordynaError, NotFound, ServiceError, UserError


def test_help_lists_every_command_with_its_summary() -> None:
    result = dyna("--help")

    assert result.status == 0
    for title, section in COMMANDS.items():
        assert f"\n{title}:\n" in result.out
        for name in section:
            assert f"\n  {name} " in result.out


def test_help_offers_no_completion_options() -> None:
    assert "--install-completion" not in dyna("--help").out


@pytest.mark.parametrize("name", [*ENTRIES, "cron pause", "dlq redrive"])
def test_every_command_has_its_own_help(name: str) -> None:
    result = dyna(*name.split(), "--help")

    assert result.status == 0
    assert f"Usage: dyna {name} " in result.out


@pytest.mark.parametrize("name", ["cron", "dlq", "servers"])
def test_help_of_a_group_cuts_no_summary(name: str) -> None:
    assert "..." not in dyna(name, "--help").out.partition("Commands:")[2]


@pytest.mark.parametrize("name", ENTRIES)
def test_usage_has_one_pair_of_brackets(name: str) -> None:
    assert "[[" not in dyna(name, "--help").out


def test_help_imports_no_terminal_engine_or_command() -> None:
    program = (
        "import sys; from cordyna_cli.main import main; sys.argv[1:] = ['--help']; main();"
        "unwanted = ('rich', 'cerebro', 'boto3', 'pydantic');"
        "print([m for m in sys.modules if m.split('.')[0] in unwanted"
        " or m.startswith('cordyna_cli.commands')], file=sys.stderr)"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert (ended.stdout.startswith("Usage"), ended.stderr) == (True, "[]\n")


def test_missing_command_shows_help_and_exits_with_2() -> None:
    result = dyna()

    assert (result.status, "Usage: dyna" in result.out) == (2, True)


def test_version_is_printed() -> None:
    assert dyna("--version").out == f"cordyna {__version__}\n"


FORMATS = "'svg' is not one of 'tree', 'mermaid', 'json'"


def _no_command(word: str, step: str) -> str:
    return f'error: there is no command "{word}".\n  next: {step}\n'


@pytest.mark.parametrize(
    ("words", "err"),
    [
        *(
            (
                (word,),
                _no_command(word, f"did you mean `dyna {command}`? `dyna --help` lists all"),
            )
            for word, command in [
                ("shwo", "show"),
                ("run", "do"),
                ("triger", "do"),
                ("up", "dev"),
                ("backfill", "do"),
                ("unpause", "cron"),
                ("web", "open"),
            ]
        ),
        (("bogus",), _no_command("bogus", "dyna --help")),
        (("zzz",), 'error: there is no command "zzz".\n  next: dyna --help\n'),
        (("show", "--nonsense"), "error: No such option: --nonsense\n  next: dyna show --help\n"),
        (
            ("graph", "-o", "svg"),
            f"error: Invalid value for '-o' / '--output': {FORMATS}.\n  next: dyna graph --help\n",
        ),
        (
            ("dlq",),
            "error: `dyna dlq` needs a command: ls, redrive, purge.\n  next: dyna dlq --help\n",
        ),
        (("do",), "error: Missing argument 'TASK'.\n  next: dyna do --help\n"),
        (
            ("do", "task-3", "--profile", "p"),
            "error: --profile belongs before the command.\n  next: dyna --profile ... do ...\n",
        ),
    ],
)
def test_usage_error_exits_with_2_and_names_the_help(words: tuple[str, ...], err: str) -> None:
    result = dyna(*words, engine=FakeEngine())

    assert (result.status, result.out, result.err) == (2, "", err)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (UserError("x"), ExitStatus.ENDED_IN_ERROR),
        (NotFound("x"), ExitStatus.NOT_FOUND),
        (AccessError("x"), ExitStatus.ACCESS),
        (ServiceError("x"), ExitStatus.SERVICE),
        (KeyboardInterrupt(), ExitStatus.INTERRUPTED),
        (CordynaError("x"), ExitStatus.SERVICE),
        (RuntimeError("x"), ExitStatus.SERVICE),
        (ReaderLeft(), ExitStatus.ENDED_IN_ERROR),
    ],
)
def test_each_kind_of_error_has_its_exit_status(fault: BaseException, status: ExitStatus) -> None:
    assert dyna("runs", engine=FakeEngine(fault=fault)).status == status


def test_error_shows_what_why_and_next() -> None:
    result = dyna(
        "runs",
        engine=FakeEngine(fault=UserError("it broke.", why="of this\nand that", next="do so")),
    )

    assert result.err == "error: it broke.\n  of this\n  and that\n  next: do so\n"


def test_error_on_terminal_is_red_unless_no_color_is_set() -> None:
    engine = FakeEngine(fault=UserError("x"))

    assert dyna("runs", engine=engine, terminal=True).err == "\x1b[1;31merror:\x1b[0m x\n"
    assert dyna("runs", engine=engine, terminal=True, environ={"NO_COLOR": "1"}).err == "error: x\n"


def test_internal_error_is_short_and_names_debug() -> None:
    result = dyna("--home", "my home", "runs", engine=FakeEngine(fault=RuntimeError("oh")))

    assert (
        result.err == "error: cordyna itself failed: RuntimeError: oh\n"
        "  next: dyna --debug --home 'my home' runs   (shows the traceback)\n"
    )


def test_debug_shows_the_traceback_before_the_message() -> None:
    result = dyna("--debug", "runs", engine=FakeEngine(fault=RuntimeError("oh")))

    assert result.err.startswith("Traceback")
    assert result.err.endswith("error: cordyna itself failed: RuntimeError: oh\n")


def test_reader_that_leaves_ends_the_call_silently() -> None:
    class Left(Terminal):
        def isatty(self) -> bool:
            return False

        def flush(self) -> None:
            raise BrokenPipeError

    with pytest.raises(ReaderLeft):
        Screen(Left(), {}).print(["x"])


def test_closed_pipe_is_not_an_error() -> None:
    program = """
import sys
from dataclasses import replace
from cli.sample_messages import PASSED
from cli.fake_engine import FakeEngine
from cordyna_cli.process import process_environment
from cordyna_cli.main import main
engines = {"embedded": FakeEngine(passed=PASSED * 500).open}
sys.exit(main(replace(process_environment(), argv=("events", "--all"), engines=engines)))
"""
    environ = {"PYTHONPATH": os.pathsep.join(sys.path)}

    ended = subprocess.run(
        ["sh", "-c", f"\"{sys.executable}\" -c '{program}' | true"],
        capture_output=True,
        text=True,
        check=True,
        env=environ,
    )

    assert ended.stderr == ""


def test_missing_engine_names_what_to_install() -> None:
    here, cloud = dyna("runs"), dyna("--bus", "b", "runs")

    assert here.err == (
        "error: the embedded engine is not installed.\n"
        "  no installed package provides an engine called embedded\n"
        "  next: pip install 'cordyna-cerebro'\n"
    )
    assert cloud.err.endswith("next: pip install 'cordyna-cli[aws]'\n")


def test_process_environment_has_argv_and_streams() -> None:
    program = """
import sys
from cordyna_cli.process import process_environment
sys.argv[1:] = ["runs"]
real = process_environment()
real.stdout.write(f"{real.argv} {real.now().tzinfo}")
"""

    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert ended.stdout == "('runs',) UTC"
