"""Revision: the number of a deployment, which rises, so that an older instance cannot declare the graph back (section 4, rule 9)."""

import time

from constructs import Construct


def revision_of(scope: Construct) -> int:
    """The context's `cordyna:revision` (a pipeline's run number); otherwise the second of this synthesis."""
    given = scope.node.try_get_context("cordyna:revision")
    # Every synthesis is a new deployment unless the pipeline counts them itself.
    return int(given) if given is not None else int(time.time())
