"""Commands of `dyna` that documents name: each can be typed as it is written.

`test_pages` runs most blocks; commands in sentences, in tables and in blocks that are not run are
only read here.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from architecture.repository import files, name_of
from cordyna_cli.main import app

ROOT_COMMAND: Any = get_command(app)
CHANGELOGS = ("CHANGELOG.md",)
DOCUMENTS = [path for path in files() if path.suffix == ".md" and path.name not in CHANGELOGS]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_command_in_a_sentence_can_be_typed(document: Path) -> None:
    wrong = [
        f"{command}: {fault}"
        for command in commands_in(document.read_text())
        if (fault := fault_of(command)) is not None
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("dyna plan --declare a.py --profile prod", "no option --profile of plan"),
        ("dyna --profile prod plan --declare a.py", None),
        ("dyna nonsense", "no command nonsense"),
        ("dyna cron ls", None),
        ("dyna cron list", "no command cron list"),
        ("dyna retry RUN --from TASK --downstream", None),
        ("dyna ... dev", None),
        ("dyna", None),
    ],
)
def test_fault_of_a_command_is_found(command: str, fault: str | None) -> None:
    assert fault_of(command) == fault


def commands_in(text: str) -> Iterator[str]:
    """Yield what begins with `dyna`, between single backticks or as a line of a block."""
    yield from re.findall(r"^(?:\$ )?(dyna .+)$", text, re.MULTILINE)
    sentences = re.sub(r"^([ \t]*)```.*?^\1```", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r"(?<!`)`(dyna(?: [^`\n]*)?)`(?!`)", sentences)


def fault_of(command: str) -> str | None:
    """Return why a command cannot be typed; None: it can, or is abbreviated."""
    words = iter(re.split(r"[;|]| && ", command)[0].split("#")[0].split()[1:])
    known, path = ROOT_COMMAND, list[str]()
    for word in words:
        if word.startswith("-") and word.strip("-"):
            option = option_of(known, word.partition("=")[0])
            if option is None:
                return f"no option {word} of {' '.join(path) or 'dyna'}"
            if not option.is_flag and "=" not in word:
                next(words, None)
        elif hasattr(known, "commands") or known is ROOT_COMMAND:
            if not re.fullmatch(r"[a-z]+", word):
                return None
            found = known.get_command(None, word)
            if found is None:
                takes_argument = bool(path) and known.invoke_without_command
                return None if takes_argument else f"no command {' '.join([*path, word])}"
            known, path = found, [*path, word]
    return None


def option_of(command: Any, name: str) -> Any:
    """Return an option of a command. Every command has `--help`."""
    for param in command.params:
        if name in (*param.opts, *param.secondary_opts):
            return param
    return HELP if name == "--help" else None


class _Help:
    is_flag = True


HELP = _Help()
