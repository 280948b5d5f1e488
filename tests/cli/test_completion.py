"""dyna completion: the scripts, and the candidates for unfinished command lines."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.fake_engine import FakeEngine
from cli.fake_operations import CloudEngine, FakeOperations
from cli.run_builders import RUN, T0
from cli.run_dyna import dyna
from cordyna_cli.operations import DeadLetterQueue
from cordyna_core.contract.views.graph import ServerInfo, TaskInfo
from cordyna_core.contract.views.runs import RunSummary
from cordyna_core.errors import ServiceError

ENGINE = CloudEngine(
    declared=[
        TaskInfo(task="task-1", server="a", upstream=[]),
        TaskInfo(task="report", server="a", upstream=[]),
    ],
    known_servers=[ServerInfo(server="sales", state="ready", tasks=1, revision=1)],
    summaries=[RunSummary(run_id=RUN, task="task-1", state="completed", created_at=T0)],
    operations=FakeOperations(letters=(DeadLetterQueue("planner-dead", 3, "planner"),)),
)


def complete(*words: str, engine: FakeEngine = ENGINE) -> list[str]:
    """The candidates for the last of `words`."""
    result = dyna("completion", "--at", str(len(words)), "--", "dyna", *words, engine=engine)
    assert (result.status, result.err) == (0, "")
    return [line.split("\t")[0] for line in result.out.splitlines()]


@pytest.mark.parametrize(
    ("words", "candidates"),
    [
        (("d",), ["do", "describe", "dev", "doctor", "dlq"]),
        (("--home", "x", "wat"), ["watch"]),
        (("--ho",), ["--home"]),
        (("do", ""), ["task-1", "report"]),
        (("do", "r"), ["report"]),
        (("do", "task-1", ""), []),
        (("do", "--key", ""), []),
        (("why", ""), [RUN]),
        (("why", RUN, "t"), ["task-1"]),
        (("retry", RUN, "--from", "t"), ["task-1"]),
        (("runs", "--task", "re"), ["report"]),
        (("runs", "--state", "c"), ["completed", "cancelled"]),
        (("logs", "--stream", "std"), ["stdout", "stderr"]),
        (("dlq", ""), ["ls", "redrive", "purge"]),
        (("dlq", "redrive", "p"), ["planner-dead"]),
        (("completion", ""), ["bash", "zsh", "fish"]),
        (("servers", "rm", ""), ["sales"]),
        (("cron", "pause", "--h"), ["--help"]),
    ],
)
def test_completion_of_words_offers_candidates(
    words: tuple[str, ...], candidates: list[str]
) -> None:
    assert complete(*words) == candidates


def test_completion_without_an_engine_offers_nothing() -> None:
    engine = FakeEngine(fault=ServiceError("the home is damaged."))

    assert complete("do", "t", engine=engine) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_script_of_a_shell(shell: str) -> None:
    result = dyna("completion", shell)

    assert result.status == 0
    assert "dyna completion --at" in result.out


@pytest.mark.parametrize("words", [(), ("tcsh",), ("bash", "zsh")])
def test_completion_of_unknown_shell_exits_with_2(words: tuple[str, ...]) -> None:
    result = dyna("completion", *words)

    assert (result.status, result.err.splitlines()[0]) == (
        2,
        "error: completion takes one shell: bash, zsh, fish.",
    )


def test_completion_script_of_bash_fills_in_candidates(tmp_path: Path) -> None:
    """Bash itself completes: the script calls a `dyna` that is on its path."""
    program = tmp_path / "dyna"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nfrom cordyna_cli.main import main\nsys.exit(main())\n"
    )
    program.chmod(0o755)
    script = (
        "source <(dyna completion bash); COMP_WORDS=(dyna dlq r); COMP_CWORD=2; _dyna;"
        ' echo "${COMPREPLY[@]}"'
    )
    environ = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "HOME": str(tmp_path),
    }

    answer = subprocess.run(
        ["bash", "-c", script], env=environ, capture_output=True, text=True, check=True
    )

    assert answer.stdout == "redrive\n"
