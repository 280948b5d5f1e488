"""Terminal: what a command shows on a terminal of 100 columns, as an SVG picture.

Invariant: the picture loads nothing from elsewhere: its text is drawn with the reader's own font.
"""

import os
import pty
import re
import select
import subprocess
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

COLUMNS: Final = 100
_ROW_PIXELS: Final = 24.4
_CONTROL: Final = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\r|\n")
_THEME: Final = TerminalTheme(
    (17, 24, 39),
    (226, 232, 240),
    [
        (17, 24, 39),
        (248, 113, 113),
        (74, 222, 128),
        (250, 204, 21),
        (96, 165, 250),
        (232, 121, 249),
        (34, 211, 238),
        (226, 232, 240),
    ],
)
_FORMAT: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} ROWS">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; \
font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" \
height="{terminal_height}" /></clipPath>
{lines}</defs>
<rect fill="#111827" width="{width}" height="ROWS" rx="8"/>
<g transform="translate({terminal_x}, 10)" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def output_on_a_terminal(commands: str, cwd: Path, environ: Mapping[str, str]) -> str:
    """Return what a shell's commands write to a terminal, with its colours."""
    main, other = pty.openpty()
    process = subprocess.Popen(
        ["bash", "-c", f"stty cols {COLUMNS} rows 40; {commands}"],
        cwd=cwd,
        env={**environ, "TERM": "xterm-256color"},
        stdin=other,
        stdout=other,
        stderr=other,
        start_new_session=True,
    )
    os.close(other)
    chunks = []
    while select.select([main], [], [], 60)[0]:
        try:
            chunk = os.read(main, 65536)
        except OSError:  # The last process on it has ended.
            break
        if not chunk:
            break
        chunks.append(chunk)
    process.wait()
    os.close(main)
    return b"".join(chunks).decode()


def last_screen(output: str) -> list[str]:
    """Return the lines that stay on the screen: what a moving picture has drawn over is gone."""
    lines, row, at = [""], 0, 0
    for match in _CONTROL.finditer(output):
        text, at = output[at : match.start()], match.end()
        lines[row] += text
        if match[0] == "\n":
            row += 1
            if row == len(lines):
                lines.append("")
        elif match[2] == "A":
            row = max(row - int(match[1] or 1), 0)
        elif match[2] == "K":
            lines[row] = ""
        elif match[2] == "m":
            lines[row] += match[0]
    lines[row] += output[at:]
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def picture_of(command: str, output: str, name: str) -> str:
    """Return the SVG of a command and its output."""
    console = Console(
        record=True, width=COLUMNS, file=StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print(Text.assemble(("$ ", "green"), (command, "bold")), highlight=False)
    for line in last_screen(output):
        console.print(Text.from_ansi(line), highlight=False, soft_wrap=True)
    rows = len(console.export_text(clear=False).splitlines())
    drawn = console.export_svg(theme=_THEME, code_format=_FORMAT, unique_id=name)
    return drawn.replace("ROWS", f"{rows * _ROW_PIXELS + 24:.0f}")
