"""Branches: a graph laid out as a tree, each task once, where it is met first; met again, it is only named.

Law: the walk is iterative, so a chain of 100,000 tasks is laid out too.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

_DEEPEST: Final = 16
"""Deeper branches are not indented further: a chain is no reason to run out of the screen."""


@dataclass(slots=True)
class Branch:
    """One place in the tree; `again` when the task stands elsewhere already."""

    name: str
    again: bool = False
    children: list["Branch"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Placed:
    """A branch with the lines of the tree that lead to it."""

    prefix: str
    branch: Branch


def grown(roots: Iterable[str], upstream_of: Callable[[str], Sequence[str]]) -> list[Branch]:
    """The tree below each root, depth first in the order given."""
    seen: set[str] = set()
    trunk = Branch("", children=[Branch(root) for root in roots])
    stack = list(reversed(trunk.children))
    while stack:
        branch = stack.pop()
        if branch.name in seen:
            branch.again = True
            continue
        seen.add(branch.name)
        branch.children = [Branch(name) for name in upstream_of(branch.name)]
        stack.extend(reversed(branch.children))
    return trunk.children


def placed(roots: Sequence[Branch]) -> list[Placed]:
    """Every branch in the order in which it is drawn."""
    lines: list[Placed] = []
    stack: list[tuple[Branch, str, str, int]] = [(root, "", "", 0) for root in reversed(roots)]
    while stack:
        branch, prefix, below, depth = stack.pop()
        lines.append(Placed(prefix, branch))
        for at in reversed(range(len(branch.children))):
            last = at == len(branch.children) - 1
            connector, guide = ("└─ ", "   ") if last else ("├─ ", "│  ")
            deeper = below if depth >= _DEEPEST else below + guide
            stack.append((branch.children[at], below + connector, deeper, depth + 1))
    return lines
