"""A server of hostile text: long names and lines, marks that turn the direction."""

from cordyna_core import TaskServer

TURNED = "\u202egnp.exe"
server = TaskServer("hostile", owner=f"<b>team</b> {TURNED}")
NAME = "a" * 60


@server.task(name=NAME)
def source() -> dict[str, str]:
    """<script>document.title = 'injected'</script>"""
    print("y" * 70_000)
    print(f"\x1b]0;injected\x07 {TURNED} \x00")
    return {TURNED: "<b>x</b>"}


@server.task(upstream=[NAME])
def fails() -> None:
    """Fails with a text that is long."""
    raise ValueError("<script>document.title = 'injected'</script>\n" + "w" * 65_000 + TURNED)
