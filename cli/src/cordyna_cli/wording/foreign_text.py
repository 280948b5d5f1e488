"""Foreign text: what tasks, errors and events contain, made safe for a terminal."""

import re
from typing import Final

UNPRINTABLE: Final = re.compile(
    # C0 without tab and line feed, DEL, C1.
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"
    # Marks that change the direction of the text around them, and line separators of Unicode.
    r"\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)
"""Characters that act on a terminal instead of being shown."""

NEXT_LINE: Final = "\n  next: "
"""What is before the next step in the text of a UserError."""

_LINE_END: Final = re.compile("\r\n|[\x0b\x0c\x85\u2028\u2029]")

_ESCAPE_SEQUENCE: Final = re.compile(
    # CSI, OSC, and sequences of two characters.
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)"
)


def printable(text: str) -> str:
    """Return foreign text without control sequences and marks that reorder text.

    Tabs and line ends are kept.
    """
    if text.isprintable():  # nearly every line of a log, and a tenth of the time
        return text
    text = _LINE_END.sub("\n", text).replace("\r", " ")
    return UNPRINTABLE.sub("", _ESCAPE_SEQUENCE.sub("", text))


def one_line(text: str) -> str:
    """Return foreign text on one line."""
    return " ".join(printable(text).split())
