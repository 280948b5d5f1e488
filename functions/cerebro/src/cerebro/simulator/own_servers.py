"""Own servers: simulates the tasks that a user's servers declare, instead of drawn ones.

Their bodies are not run: a world's servers are simulated.

Invariant: what is simulated is a graph that cerebro would accept, and every task of it could run.
"""

from collections.abc import Sequence

from cerebro.core.declaration.decide import Rejected, declare_batch
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.errors import UserError, fix_problems
from cordyna_core.server.loading import load_server


def declared_by(targets: Sequence[str]) -> tuple[ServerDeclared, ...]:
    """Return what these servers declare (MODULE_OR_FILE[:NAME]).

    Raises:
        NotFound: a file or module does not exist.
        UserError: a server cannot be imported, has no server object, would be rejected, or needs a
            task that none of these servers declares.
    """
    declarations = tuple(load_server(target).declaration for target in targets)
    batch = declare_batch(declarations)
    for declaration, outcome in batch.outcomes:
        if isinstance(outcome, Rejected):
            raise UserError(
                f"{declaration.server} would be rejected",
                why="\n".join(problem.message for problem in outcome.problems),
                next=f"{fix_problems(len(outcome.problems))},"
                " or see all of them with `dyna plan --declare FILE`",
            )
    for name, needed_by in batch.graph.unresolved.items():
        raise UserError(
            f"{name!r} is declared by none of these servers, but {needed_by[0]!r} needs it",
            next="add the server that declares it with another --server",
        )
    return declarations
