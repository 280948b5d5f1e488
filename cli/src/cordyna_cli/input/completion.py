"""Completion: what may follow the words of an unfinished command line.

Invariant: it reads; it runs nothing and declares nothing. What it cannot know has no candidates.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, Final, get_args


class Shell(StrEnum):
    """The shells that a completion script is printed for."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A word that may follow, and what it means."""

    word: str
    help: str = ""


HELP_CHARACTERS_MAX: Final = 100

Names = Callable[[], Sequence[Candidate]]
"""Reads the names that an argument may have."""

SCRIPTS: Final = {
    Shell.bash: """\
_dyna() {
  local IFS=$'\\n'
  COMPREPLY=($(dyna completion --at "$COMP_CWORD" -- "${COMP_WORDS[@]}" 2>/dev/null | cut -f1))
}
complete -o default -F _dyna dyna cordyna
""",
    Shell.zsh: """\
#compdef dyna cordyna
_dyna() {
  local line
  local -a described
  for line in "${(@f)$(dyna completion --at $((CURRENT - 1)) -- "${words[@]}" 2>/dev/null)}"; do
    [[ -n $line ]] && described+=("${${line//:/\\\\:}/$'\\t'/:}")
  done
  _describe dyna described
}
compdef _dyna dyna cordyna
""",
    Shell.fish: """\
function __dyna_complete
  set -l words (commandline -opc)
  dyna completion --at (count $words) -- $words (commandline -ct) 2>/dev/null
end
complete -c dyna -f -a '(__dyna_complete)'
complete -c cordyna -f -a '(__dyna_complete)'
""",
}
"""Each asks `dyna completion --at N -- WORDS` for candidates, one a line: word, tab, help."""


def candidates(
    root: Any, words: Sequence[str], at: int, names_of: dict[str, Names]
) -> list[Candidate]:
    """Return the candidates for `words[at]`, the first word being the program.

    `root` is the command group. `names_of` reads the names of arguments and options by their
    parameter's name. The types are Any because typer keeps those of its copy of click to itself.
    """
    before, current = list(words[1:at]), words[at] if at < len(words) else ""
    command, positionals, pending = _parse(root, before)
    if pending is not None:
        offered: Iterator[Candidate] = iter(_values(pending, names_of))
    elif current.startswith("-"):
        offered = _options(command)
    elif hasattr(command, "commands") or hasattr(command, "list_commands"):
        offered = _subcommands(command)
    else:
        arguments = [param for param in command.params if param.param_type_name == "argument"]
        offered = iter(
            _values(arguments[positionals], names_of) if positionals < len(arguments) else ()
        )
    return [candidate for candidate in offered if candidate.word.startswith(current)]


def _parse(command: Any, words: Sequence[str]) -> tuple[Any, int, Any | None]:
    """Return the innermost command, its positional arguments, and an option without value."""
    positionals, pending = 0, None
    for word in words:
        if pending is not None:
            pending = None
        elif word.startswith("-"):
            pending = _option_with_value(command, word)
        elif (subcommand := _subcommand(command, word)) is not None:
            command, positionals = subcommand, 0
        else:
            positionals += 1
    return command, positionals, pending


def _option_with_value(command: Any, word: str) -> Any | None:
    options = (param for param in command.params if word in param.opts)
    return next((option for option in options if not option.is_flag), None)


def _subcommand(command: Any, name: str) -> Any | None:
    get_command = getattr(command, "get_command", None)
    return None if get_command is None else get_command(None, name)


def _options(command: Any) -> Iterator[Candidate]:
    for param in command.params:
        if param.param_type_name == "option" and not param.hidden:
            yield Candidate(max(param.opts, key=len), param.help or "")
    yield Candidate("--help", "Show this message and exit.")


def _subcommands(command: Any) -> Iterator[Candidate]:
    for name in command.list_commands(None):
        subcommand = command.get_command(None, name)
        yield Candidate(
            name, subcommand.get_short_help_str(HELP_CHARACTERS_MAX) if subcommand else ""
        )


def _values(param: Any, names_of: dict[str, Names]) -> Sequence[Candidate]:
    choices = enum_of(param.type_descriptor.annotation)
    if choices is not None:
        return [Candidate(str(choice.value)) for choice in choices]
    names = names_of.get(param.name)
    return [] if names is None else names()


def enum_of(annotation: Any) -> type[Enum] | None:
    """Return the enum that an argument's values are of, also below `list[...]` and `... | None`."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return annotation
    inner = (enum_of(argument) for argument in get_args(annotation))
    return next((enum for enum in inner if enum is not None), None)
