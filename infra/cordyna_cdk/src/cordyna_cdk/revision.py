"""The revision of a deployment: it rises, so that an older instance cannot declare the graph back
(docs/rules.md, rule 9).
"""

import time

from constructs import Construct


def revision_of(scope: Construct) -> int:
    """The context value `cordyna:revision` (a pipeline's run number).

    Default: the second of this synthesis.
    """
    value = scope.node.try_get_context("cordyna:revision")
    # Every synthesis is a new deployment unless the pipeline counts them itself.
    return int(value) if value is not None else int(time.time())
