"""Context values: parts that an emulator does not support, and the revision of a deployment."""

from constructs import Construct


def is_disabled(scope: Construct, part: str) -> bool:
    """Whether the context value `cordyna:leave-out` (such as `scaling,archive`) names `part`."""
    return part in str(scope.node.try_get_context("cordyna:leave-out") or "").split(",")
