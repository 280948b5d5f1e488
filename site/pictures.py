"""Takes the pictures of the tutorial again: its terminals as SVG, and the console as PNG.

    PYTHONPATH=tests python site/pictures.py

Invariant: each is of a real run of what the page shows at that place.
"""

import re
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from terminal import output_on_a_terminal, picture_of

from docs.blocks import blocks_of
from docs.checks import check
from docs.sandbox import Sandbox, commands_of

ROOT: Final = Path(__file__).parents[1]
TUTORIAL: Final = ROOT / "docs" / "tutorial.md"
PICTURES: Final = ROOT / "docs" / "images" / "tutorial"
SCREENSHOT: Final = ROOT / "site" / "screenshot.mjs"
CONSOLE: Final = "console.png"
CONSOLE_BEHIND: Final = "why"
"""The picture after which the console is opened: the run has failed, and is not yet repaired."""


def main() -> int:
    """Take every picture."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        sandbox = Sandbox(Path(folder))
        for block in blocks_of(TUTORIAL):
            name = block.directives.get("picture")
            if name is not None:
                # In a copy of the folder, because a command does not repeat what it has done.
                take_terminal(name, commands_of(block.text)[-1][0].strip(), sandbox)
            if block.is_run and (name is None or name in ("do-report", "do-invoice")):
                check(block, sandbox)
            if name == CONSOLE_BEHIND:
                take_console(sandbox)
    return 0


def take_terminal(name: str, command: str, sandbox: Sandbox) -> None:
    output = output_on_a_terminal(command, sandbox.cwd, sandbox.environment())
    shown = command.removeprefix("(cd shop && ").removesuffix(")")
    text = output.replace(str(sandbox.folder / "page"), "~")
    (PICTURES / f"{name}.svg").write_text(picture_of(shown, text, name))


def take_console(sandbox: Sandbox) -> None:
    """The page of the last run in Chromium, without a window."""
    run_id = sandbox.shell("dyna runs -n 1 | tail -1")[1].split()[0]
    serving = subprocess.Popen(
        ["dyna", "open", run_id, "billing.invoice", "--no-open"],
        cwd=sandbox.cwd,
        env=sandbox.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        address = ""
        while not address and serving.stdout is not None:
            found = re.search(r"http://\S+", serving.stdout.readline())
            address = found[0] if found else ""
        subprocess.run(
            ["node", str(SCREENSHOT), address, str(PICTURES / CONSOLE)], check=True, timeout=60
        )
    finally:
        serving.terminate()
        serving.wait()


if __name__ == "__main__":
    started = time.monotonic()
    status = main()
    sys.stderr.write(f"took {time.monotonic() - started:.0f} s\n")
    raise SystemExit(status)
