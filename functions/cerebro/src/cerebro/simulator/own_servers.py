"""Own: the servers of whoever simulates, instead of drawn ones. Their bodies are not run: a world's servers are simulated.

Law: what is simulated is a graph that cerebro would accept, and of which every task could run.
"""

from collections.abc import Sequence

from cerebro.core.declaration.decide import Rejected, declare_batch
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.errors import UserError
from cordyna_core.server.loading import load_server


def declared_by(targets: Sequence[str]) -> tuple[ServerDeclared, ...]:
    """What these servers declare (MODULE_OR_FILE[:NAME]).

    Raises:
        NotFound: no such file or module.
        UserError: it cannot be imported, has no server, would be rejected, or needs a task that none of these declares.
    """
    declared = tuple(load_server(target).declaration for target in targets)
    batch = declare_batch(declared)
    for each, outcome in batch.outcomes:
        if isinstance(outcome, Rejected):
            why = "\n".join(problem.message for problem in outcome.problems)
            raise UserError(
                f"{each.server} would be rejected",
                why=why,
                next="mend it, or see all of it with `dyna plan --declare`",
            )
    for name, needed_by in batch.graph.unresolved.items():
        raise UserError(
            f"{name!r} is declared by none of these servers, and {needed_by[0]!r} needs it",
            next="give the server that declares it with another --server",
        )
    return declared
