"""Markdown: small pieces that the generated pages are made of."""

from collections.abc import Iterable, Sequence

GENERATED = "<!-- Made by `make references` from the code: change the code, not this page. -->"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a table; `|` within a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in lines]


def code(text: str) -> str:
    """Return text as code; nothing for an empty one."""
    return f"`{text}`" if text else ""


def sentences(text: str) -> list[str]:
    """Return a docstring as lines: one sentence a line, paragraphs kept."""
    paragraphs = [" ".join(part.split()) for part in text.strip().split("\n\n")]
    lines: list[str] = []
    for paragraph in paragraphs:
        lines += ["", *paragraph.replace(". ", ".\n").splitlines()]
    return lines[1:]
