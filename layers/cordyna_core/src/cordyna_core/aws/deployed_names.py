"""Deployed names: how the resources of a task server on AWS are named.

Invariant: the constructs that deploy them and the commands that look for them use one function.
"""

from typing import Final

DEFAULT_STAGE: Final = "production"

_UNPREFIXED_STAGES: Final = (DEFAULT_STAGE, "local")


def deployed_name(server: str, stage: str) -> str:
    """The prefix of the names of a server's resources: several stages share an account."""
    return server if stage in _UNPREFIXED_STAGES else f"{stage}-{server}"
