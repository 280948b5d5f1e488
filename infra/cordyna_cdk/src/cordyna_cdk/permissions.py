"""Speech: who may say what on the bus, as IAM statements.

Law: identity is `source`, so nobody may PutEvents without both conditions: its own sources, and the detail-types that they say
(section 8). StringEquals, never ForAllValues: that one is also met by a request that names no source at all.
"""

from collections.abc import Sequence
from typing import Final

from aws_cdk import aws_iam as iam

from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.ids import SERVER_PREFIX, is_client, server_of
from cordyna_core.contract.state_updates import ServerStateChanged, TaskStateChanged

SPOKEN_BY_CLIENTS: Final = tuple(kind.__name__ for kind in (InvokeTask, CancelRun, RetryRun))
SPOKEN_BY_SERVERS: Final = (
    tuple(kind.__name__ for kind in (ServerDeclared, ServerStateChanged, TaskStateChanged))
    + SPOKEN_BY_CLIENTS
)


def put_events_statement(
    bus_arn: str, sources: Sequence[str], detail_types: Sequence[str]
) -> iam.PolicyStatement:
    """The permission to put events of `sources` and `detail_types` on this bus, and no others."""
    return iam.PolicyStatement(
        actions=["events:PutEvents"], resources=[bus_arn], conditions=spoken(sources, detail_types)
    )


def spoken(sources: Sequence[str], detail_types: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """Both conditions on PutEvents (Actions, resources, and condition keys for Amazon EventBridge)."""
    return {
        "StringEquals": {
            "events:source": sorted(sources),
            "events:detail-type": sorted(detail_types),
        }
    }


def allowed_detail_types(source: str) -> tuple[str, ...]:
    """What a source of somebody else than cerebro says. Raises ValueError for a source that is not of the contract."""
    if server_of(source):
        return SPOKEN_BY_SERVERS
    if is_client(source):
        return SPOKEN_BY_CLIENTS
    raise ValueError(
        f"{source!r} is no source of a team: write `cordyna.client`, `cordyna.client.<who>` or `{SERVER_PREFIX}<name>`"
    )
