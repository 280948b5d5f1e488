"""Load a declaration: of a task server in Python, or from a JSON file.

Invariant: nothing is put on the bus. The JSON file of a server in another language holds the
`detail` that the server would declare.
"""

from pathlib import Path

from pydantic import ValidationError

from cordyna_cli.input.contract_problems import readable_problems
from cordyna_core.contract.base import Problem
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.errors import NotFound, Refusal
from cordyna_core.server.loading import load_server


def load_declaration(target: str, cwd: Path) -> ServerDeclared:
    """The declaration of `package.module[:name]`, `file.py[:name]` or `file.json`.

    Raises NotFound; Refusal where the contract forbids it; UserError for a file that does not load.
    """
    return _read_json(cwd / target) if target.endswith(".json") else load_server(target).declaration


def _read_json(file: Path) -> ServerDeclared:
    try:
        declared = ServerDeclared.model_validate_json(file.read_bytes())
    except OSError as unreadable:
        raise NotFound(
            f"{file} cannot be read.",
            why=unreadable.strerror or "",
            next="name a task server, or a JSON file with its declaration",
        ) from unreadable
    except ValidationError as invalid:
        problems = readable_problems(invalid, "malformed_declaration")
        raise Refusal(
            f"{file} is not a valid declaration.",
            problems,
            why="\n".join(problem.message for problem in problems),
            next="fix the problems above",
        ) from invalid
    if "tasks" not in declared.model_fields_set:
        # On the bus it means no tasks; in a file it is more often a slip than a wish.
        raise Refusal(
            f"{file} declares no tasks.",
            [Problem(code="malformed_declaration", message="the key `tasks` is missing")],
            why="the key `tasks` is missing",
            next='write `"tasks": []` if the server is to have none',
        )
    return declared
