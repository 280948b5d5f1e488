"""Mutant list: reads the planted bugs of mutants.toml, and plants one into a copy of its package.

A bug replaces `old` by `new` in a module. White space does not matter when `old` is searched for,
so that reformatting the module moves nothing; `new` is indented as the line that it replaces.

Invariant: a bug whose `old` is not in its module exactly once is refused.
"""

import re
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGES: Final = {
    "cerebro": ROOT / "functions/cerebro/src/cerebro",
    "cordyna_core": ROOT / "layers/cordyna_core/src/cordyna_core",
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One planted bug: `old` becomes `new` in `module` of `package`."""

    name: str
    module: str
    old: str
    new: str
    package: str = "cerebro"

    @property
    def file(self) -> Path:
        """The module as it is without the bug."""
        return PACKAGES[self.package] / self.module


MUTANTS: Final = tuple(
    Mutant(**mutant)
    for mutant in tomllib.loads((Path(__file__).parent / "mutants.toml").read_text())["mutant"]
)


class DoesNotApply(Exception):
    """The text of a mutant is not in its module exactly once."""


def mutate(text: str, mutant: Mutant) -> str:
    """Return `text` with the bug.

    Raises DoesNotApply if `old` is not in `text` exactly once.
    """
    tokens = _TOKEN.findall(mutant.old)
    pattern = r"(?<!\w)" * tokens[0].isidentifier() + r"\s*".join(map(re.escape, tokens))
    matches = list(re.finditer(pattern, text))
    if len(matches) != 1:
        raise DoesNotApply(
            f"mutant {mutant.name}: its text is in {mutant.module} {len(matches)} times, not once; "
            "adapt bench/mutants.toml to the module"
        )
    begin, end = matches[0].span()
    line = text[text.rfind("\n", 0, begin) + 1 : begin]
    return text[:begin] + _indented(mutant.new, _depth(line)) + text[end:]


def _indented(code: str, depth: int) -> str:
    """Return `code` with its first line at `depth`, the others relative to it.

    The first has no spaces.
    """
    first, *rest = code.strip("\n").split("\n")
    shift = depth - _depth(first)
    shifted = [" " * max(0, _depth(row) + shift) + row.lstrip() for row in rest]
    return "\n".join([first.lstrip(), *shifted])


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


_TOKEN: Final = re.compile(r"\w+|[^\w\s]")


def plant(mutant: Mutant, into: Path) -> None:
    """Copy the package of a bug to `into`, with the bug.

    Raises DoesNotApply if the text of the mutant is not in its module exactly once.
    """
    copy = into / mutant.package
    shutil.copytree(PACKAGES[mutant.package], copy, ignore=shutil.ignore_patterns("__pycache__"))
    file = copy / mutant.module
    file.write_text(mutate(file.read_text(), mutant))
