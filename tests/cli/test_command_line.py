"""The command line itself: help, misuse, faults, and where the commands come from."""

import os
import subprocess
import sys

import pytest

from cli.fake_engine import FakeEngine
from cli.running import Terminal, dyna
from cordyna_cli.command_catalog import CATALOG, ENTRIES
from cordyna_cli.output.exit_status import ExitStatus
from cordyna_cli.output.screen import Screen
from cordyna_cli.output.streams import ReaderLeft
from cordyna_core._version import __version__
from cordyna_core.errors import AccessError, CordynaError, NotFound, ServiceError, UserError


def test_help_names_every_command_by_what_it_is_for() -> None:
    told = dyna("--help")

    assert told.status == 0
    for title, section in CATALOG.items():
        assert f"\n{title}:\n" in told.out
        for name in section:
            assert f"\n  {name} " in told.out


def test_help_offers_no_completion_to_install() -> None:
    assert "completion" not in dyna("--help").out


@pytest.mark.parametrize("name", [*ENTRIES, "cron pause", "dlq redrive"])
def test_every_command_has_help_of_its_own(name: str) -> None:
    told = dyna(*name.split(), "--help")

    assert told.status == 0
    assert f"Usage: dyna {name} " in told.out


def test_help_imports_neither_the_terminal_nor_an_engine_nor_the_commands() -> None:
    program = (
        "import sys; from cordyna_cli.main import main; sys.argv[1:] = ['--help']; main();"
        "print([m for m in sys.modules if m.split('.')[0] in ('rich', 'cerebro', 'boto3', 'importlib.metadata', 'pydantic')"
        " or '.cli.commands' in m], file=sys.stderr)"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert (ended.stdout.startswith("Usage"), ended.stderr) == (True, "[]\n")


def test_without_a_command_help_is_shown_and_the_status_is_2() -> None:
    told = dyna()

    assert (told.status, "Usage: dyna" in told.out) == (2, True)


def test_version() -> None:
    assert dyna("--version").out == f"cordyna {__version__}\n"


@pytest.mark.parametrize(
    ("words", "err"),
    [
        (("shwo",), 'error: there is no command "shwo".\n  next: dyna show\n'),
        (("zzz",), 'error: there is no command "zzz".\n  next: dyna --help\n'),
        (("show", "--nonsense"), "error: No such option: --nonsense\n  next: dyna show --help\n"),
        (("do",), "error: Missing argument 'TASK'.\n  next: dyna do --help\n"),
        (
            ("do", "task-3", "--profile", "p"),
            "error: --profile stands before the command.\n  next: dyna --profile ... do ...\n",
        ),
    ],
)
def test_misuse_exits_with_2_and_says_where_to_read(words: tuple[str, ...], err: str) -> None:
    told = dyna(*words, engine=FakeEngine())

    assert (told.status, told.out, told.err) == (2, "", err)


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


def test_an_error_says_what_why_and_what_next() -> None:
    told = dyna(
        "runs",
        engine=FakeEngine(fault=UserError("it broke.", why="of this\nand that", next="do so")),
    )

    assert told.err == "error: it broke.\n  of this\n  and that\n  next: do so\n"


def test_on_a_terminal_the_word_error_is_red_unless_no_colour_is_wanted() -> None:
    engine = FakeEngine(fault=UserError("x"))

    assert dyna("runs", engine=engine, terminal=True).err == "\x1b[1;31merror:\x1b[0m x\n"
    assert dyna("runs", engine=engine, terminal=True, environ={"NO_COLOR": "1"}).err == "error: x\n"


def test_an_unexpected_fault_is_short_and_says_how_to_see_the_rest() -> None:
    told = dyna("--home", "my home", "runs", engine=FakeEngine(fault=RuntimeError("oh")))

    assert (
        told.err
        == "error: cordyna itself failed: RuntimeError: oh\n  next: dyna --debug --home 'my home' runs   (shows the traceback)\n"
    )


def test_debug_shows_the_traceback_before_the_message() -> None:
    told = dyna("--debug", "runs", engine=FakeEngine(fault=RuntimeError("oh")))

    assert told.err.startswith("Traceback")
    assert told.err.endswith("error: cordyna itself failed: RuntimeError: oh\n")


def test_who_stops_reading_ends_the_call_without_a_word() -> None:
    class Left(Terminal):
        def isatty(self) -> bool:
            return False

        def flush(self) -> None:
            raise BrokenPipeError

    with pytest.raises(ReaderLeft):
        Screen(Left(), {}).print(["x"])


def test_a_pipe_whose_reader_left_is_no_error() -> None:
    program = """
import sys
from dataclasses import replace
from cli.conversation import PASSED
from cli.fake_engine import FakeEngine
from cordyna_cli.input.environment import of_this_process
from cordyna_cli.main import main
sys.exit(main(replace(of_this_process(), argv=("events", "--all"), engines={"embedded": FakeEngine(passed=PASSED * 500).open})))
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


def test_a_missing_engine_says_which_distribution_to_install() -> None:
    here, cloud = dyna("runs"), dyna("--bus", "b", "runs")

    assert here.err == (
        "error: the embedded engine is not installed.\n"
        "  `dyna` shows and asks; the engine that runs tasks comes with cerebro.\n"
        "  next: pip install 'cordyna-cerebro'\n"
    )
    assert cloud.err.endswith("next: pip install 'cordyna-cerebro[aws]'\n")


def test_the_process_is_read_in_one_place() -> None:
    program = """
import sys
from cordyna_cli.input.environment import of_this_process
sys.argv[1:] = ["runs"]
real = of_this_process()
real.stdout.write(f"{real.argv} {real.now().tzinfo}")
"""

    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert ended.stdout == "('runs',) UTC"
