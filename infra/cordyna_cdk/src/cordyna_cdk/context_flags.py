"""Left out: what an emulator refuses, by the context's `cordyna:leave-out` (`scaling,archive,metric-math`). On AWS nothing is left out."""

from constructs import Construct


def is_disabled(scope: Construct, part: str) -> bool:
    """Whether `part` is to be left out of this synthesis."""
    return part in str(scope.node.try_get_context("cordyna:leave-out") or "").split(",")
