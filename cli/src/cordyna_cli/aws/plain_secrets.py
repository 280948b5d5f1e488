"""Plain secrets: what an invocation would send as a plain value, though a task takes a secret.

Invariant: it is found before anything is put on the bus, whose archive cannot be redacted.
"""

from cordyna_cli.aws.queries import QueryClient
from cordyna_core.contract.base import Problem
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.secret_params import plain_secret_problems


def plain_secrets_in(command: InvokeTask, queries: QueryClient) -> tuple[Problem, ...]:
    """Return a problem for each of them. A task that is not declared is left to cerebro."""
    if not command.params:
        return ()
    tasks = {info.task: info for info in queries.tasks()}
    names = [command.task]
    for name in names:
        upstream = tasks[name].upstream if name in tasks else ()
        names += [needed for needed in upstream if needed not in names]
    known = [tasks[name] for name in names if name in tasks]
    schemas = [(f"{info.task} ({info.server})", info.params_schema or {}) for info in known]
    return tuple(plain_secret_problems(schemas, command.params))
