"""The library's own adapters pass the contract tests of their ports."""

from collections.abc import Callable, Sequence

from cordyna_core.contract.base import Message
from cordyna_core.ports import Bus, Claims
from cordyna_core.testing import BusContract, ClaimsContract, MemoryClaims, RecordingBus


class TestRecordingBus(BusContract):
    def a_bus(self, source: str) -> tuple[Bus, Callable[[], Sequence[Message]]]:
        bus = RecordingBus()
        return bus, lambda: bus.published


class TestMemoryClaims(ClaimsContract):
    def two_claimants(self) -> tuple[Claims, Claims]:
        claims = MemoryClaims()
        return claims, claims
