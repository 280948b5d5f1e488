"""Output types: the few schemas that drawn tasks declare and expect, and whether one suits another.

Invariant: the verdict is read off these schemas alone, not found by comparing two of any kind. What
other schemas give, such as those of one's own servers, is not known here.
"""

from typing import Any, Final, Literal

from cordyna_core.contract.declaration import TaskDeclaration, Upstream

_COUNT: Final = {"type": "integer"}
ROWS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"rows": _COUNT},
    "required": ["rows"],
}
TEXT: Final[dict[str, Any]] = {"type": "string"}
_PERHAPS_ROWS: Final[dict[str, Any]] = {"type": "object", "properties": {"rows": _COUNT}}
_LINES: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"lines": _COUNT},
    "required": ["lines"],
    "additionalProperties": False,
}
_ANYTHING: Final[dict[str, Any]] = {}

PRODUCED: Final = (None, ROWS, ROWS, TEXT, _PERHAPS_ROWS, _LINES, _ANYTHING)
EXPECTED: Final = (ROWS, ROWS, TEXT)

Verdict = Literal["suits", "breaks", "cannot_tell", "unknown"]


def suits(used: TaskDeclaration, edge: Upstream) -> Verdict:
    """Return whether the outputs of a task suit what an edge expects of it."""
    produced, expected = used.output_schema, edge.expects
    if produced is None:
        return "cannot_tell"
    if produced not in PRODUCED or expected is None or expected not in EXPECTED:
        return "unknown"
    if produced == _ANYTHING:
        return "cannot_tell"
    if produced["type"] != expected["type"]:
        return "breaks"
    always = set(produced.get("required", ()))
    return "suits" if always.issuperset(expected.get("required", ())) else "breaks"
