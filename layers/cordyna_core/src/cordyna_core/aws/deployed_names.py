"""Deployed names: how the resources of a task server on AWS are named.

Invariant: the constructs that deploy them and the commands that look for them use one function.
Its result is a valid beginning of the name of a function, a queue and a cluster, for every name
that a server may have.
"""

import re
from typing import Final

from cordyna_core.contract.ids import derived_id

DEFAULT_STAGE: Final = "production"
DEPLOYED_NAME_CHARS_MAX: Final = 53
"""The 64 of AWS Lambda, without the longest suffix of a function, `-deployment`."""

_UNPREFIXED_STAGES: Final = (DEFAULT_STAGE, "local")
_UNUSABLE: Final = re.compile(r"[^A-Za-z0-9_-]")
_MARK_CHARS: Final = 8


def deployed_name(server: str, stage: str) -> str:
    """Return the prefix of the names of a server's resources: several stages share an account.

    A name that AWS does not take, with dots or of more than 53 characters, is shortened, and ends
    in characters that are its own.
    """
    name = server if stage in _UNPREFIXED_STAGES else f"{stage}-{server}"
    usable = _UNUSABLE.sub("-", name)
    if usable == name and len(name) <= DEPLOYED_NAME_CHARS_MAX:
        return name
    mark = derived_id("deployed-name", name)[:_MARK_CHARS].lower()
    return f"{usable[: DEPLOYED_NAME_CHARS_MAX - _MARK_CHARS - 1]}-{mark}"
