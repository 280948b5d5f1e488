"""Load a declaration: of a task server in Python, of an `exec:` server, or from a JSON file.

Invariant: nothing is put on the bus. The JSON file of a server in another language holds the
`detail` that the server would declare.
"""

import json
from pathlib import Path

from pydantic import ValidationError

from cordyna_cli.input.contract_problems import readable_problems
from cordyna_cli.input.load_exec import load_exec
from cordyna_core.contract.base import Problem
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.errors import NotFound, Refusal, fix_problems
from cordyna_core.server.loading import load_server
from cordyna_core.worker.spec import EXEC_PREFIX


def load_declaration(target: str, cwd: Path) -> ServerDeclared:
    """Return what a target declares.

    A target is `package.module[:name]`, `file.py[:name]`, `file.json` or `exec:COMMAND`.

    Raises NotFound; Refusal where the contract forbids it; UserError for a server that does not
    load.
    """
    if target.startswith(EXEC_PREFIX):
        return _checked(target, json.dumps(load_exec(target, cwd)).encode())
    if target.endswith(".json"):
        return _read_json(cwd / target)
    return load_server(target).declaration


def _read_json(file: Path) -> ServerDeclared:
    try:
        content = file.read_bytes()
    except OSError as unreadable:
        raise NotFound(
            f"{file} cannot be read.",
            why=unreadable.strerror or "",
            next="name a task server, or a JSON file with its declaration",
        ) from unreadable
    declared = _checked(str(file), content)
    if "tasks" not in declared.model_fields_set:
        # On the bus it means no tasks; in a file it is more often a slip than a wish.
        raise Refusal(
            f"{file} declares no tasks.",
            [Problem(code="malformed_declaration", message="the key `tasks` is missing")],
            why="the key `tasks` is missing",
            next='write `"tasks": []` if the server is to have none',
        )
    return declared


def _checked(name: str, content: bytes) -> ServerDeclared:
    try:
        return ServerDeclared.model_validate_json(content)
    except ValidationError as invalid:
        problems = readable_problems(invalid, "malformed_declaration")
        raise Refusal(
            f"{name} is not a valid declaration.",
            problems,
            why="\n".join(problem.message for problem in problems),
            next=fix_problems(len(problems)),
        ) from invalid
