"""IAM statements for PutEvents, derived from the registry of the contract.

Invariant: identity is `source`, so PutEvents is always allowed with two conditions: the sender's
own sources, and the detail-types that the registry allows it. The conditions are StringEquals,
never ForAllValues: that one is also met by a request that names no source.
"""

from collections.abc import Sequence

from aws_cdk import aws_iam as iam

from cordyna_core.contract.ids import SERVER_PREFIX
from cordyna_core.contract.registry import Sender, sender_of, sent_by

_TEAM_SENDERS = (Sender.CLIENT, Sender.SERVER)


def put_events_statement(
    bus_arn: str, sources: Sequence[str], detail_types: Sequence[str]
) -> iam.PolicyStatement:
    """The permission to put events of `sources` and `detail_types` on this bus, and no others."""
    return iam.PolicyStatement(
        actions=["events:PutEvents"],
        resources=[bus_arn],
        conditions=put_events_conditions(sources, detail_types),
    )


def put_events_conditions(
    sources: Sequence[str], detail_types: Sequence[str]
) -> dict[str, dict[str, list[str]]]:
    """Both conditions (Actions, resources, and condition keys for Amazon EventBridge)."""
    return {
        "StringEquals": {
            "events:source": sorted(sources),
            "events:detail-type": sorted(detail_types),
        }
    }


def allowed_detail_types(source: str) -> tuple[str, ...]:
    """Return what a team's source may send. Raises ValueError for a source that is not a team's."""
    sender = sender_of(source)
    if sender not in _TEAM_SENDERS:
        raise ValueError(
            f"{source!r} is not a source of a team: use `cordyna.client`, `cordyna.client.<name>` "
            f"or `{SERVER_PREFIX}<name>`"
        )
    return sent_by(sender)
