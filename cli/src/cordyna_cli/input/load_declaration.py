"""To declare: the declarations that a person wants to see rehearsed, from where they are written.

Law: nothing is put on the bus. A server in another language is a JSON file with the `detail` that it would declare.
"""

from pathlib import Path

from pydantic import ValidationError

from cordyna_cli.input.contract_problems import problems_in_words
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.errors import NotFound, Refusal
from cordyna_core.server.loading import load_server


def declaration_of(target: str, cwd: Path) -> ServerDeclared:
    """What the task server in `package.module[:name]`, `file.py[:name]` or `file.json` declares.

    Raises UserError: NotFound, a Refusal where the contract forbids it, or what is wrong with the file.
    """
    return _written(cwd / target) if target.endswith(".json") else load_server(target).declaration


def _written(file: Path) -> ServerDeclared:
    try:
        return ServerDeclared.model_validate_json(file.read_bytes())
    except OSError as unreadable:
        raise NotFound(
            f"{file} cannot be read.",
            why=unreadable.strerror or "",
            next="name a task server, or a JSON file with its declaration",
        ) from unreadable
    except ValidationError as invalid:
        problems = problems_in_words(invalid, "malformed_declaration")
        why = "\n".join(problem.message for problem in problems)
        raise Refusal(
            f"{file} is no declaration.", problems, why=why, next="mend what is listed"
        ) from invalid
