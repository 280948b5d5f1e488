"""Verdict: how a world ended."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Verdict:
    """`broken` names the invariant that broke; None: none did."""

    seed: int
    broken: str | None = None
    run_id: str = ""
    at: float = 0.0
    effects: int = 0
    runs: int = 0
    attempts: int = 0
    injected: dict[str, int] = field(default_factory=dict)

    @property
    def faults(self) -> int:
        return sum(self.injected.values())
