"""Start sender process: sends held `started` updates beside a process whose body keeps the GIL.

Theory of operation. It is a program of its own, which imports neither cordyna nor botocore: it
takes 5 MB and 16 ms of processor time. What it may have to send arrives as a signed request, so it
needs no credentials; what sending needs is imported when a body outlives its hold. Lines of JSON
on stdin, {"hold": N, "delay_s": S, "request": {...}} and {"take_back": N}, are answered on stdout
by {"sent": N}, {"failed": N, "why": ...} and {"taken_back": N}; {"ready": true} comes first.

Invariant: what was written before an update is due is read before it is sent. So a sandbox that
was frozen past that time and thawed sends nothing that was taken back. (The bus may still deliver
`started` after the end, which then changes nothing: docs/rules.md, rule 1.)

It ends with its stdin, and sends nothing more then.
"""

import json
import os
import select
import sys
import time
from collections.abc import Iterator
from typing import Any, Final, NoReturn

TRIES_MAX: Final = 60
"""How often an update is sent; signatures are valid for 5 minutes."""

PAUSE_S: Final = 1.0
"""Between two tries, unless the hold is longer. After a shorter hold, pauses double up to it."""

TIMEOUT_S: Final = 10
_READ_BYTES: Final = 65536


class Held:
    """One update: when it is due, and the event that tells its thread that it was taken back."""

    def __init__(self, number: int, delay_s: float, request: dict[str, Any]) -> None:
        self.number, self.delay_s, self.request = number, delay_s, request
        self.due = time.monotonic() + delay_s
        self.taken_back: Any = None


class StartSenderProcess:
    """Reads `stdin`, answers on `stdout`; both are descriptors of pipes."""

    def __init__(self, stdin: int, stdout: int) -> None:
        self._stdin, self._stdout = stdin, stdout
        self._waiting: dict[int, Held] = {}
        self._sending: dict[int, Held] = {}

    def run(self) -> None:
        """Serve until stdin is closed."""
        self._answer(ready=True)
        unread = b""
        while True:
            due_s = min((held.due for held in self._waiting.values()), default=None)
            timeout_s = None if due_s is None else max(0.0, due_s - time.monotonic())
            # Nothing is sent while something can be read.
            if not select.select([self._stdin], [], [], timeout_s)[0]:
                self._send_what_is_due()
                continue
            data = os.read(self._stdin, _READ_BYTES)
            if not data:
                return
            *lines, unread = (unread + data).split(b"\n")
            for line in lines:
                self._handle(json.loads(line))

    def _handle(self, asked: dict[str, Any]) -> None:
        if "hold" in asked:
            held = Held(asked["hold"], asked["delay_s"], asked["request"])
            self._waiting[held.number] = held
            return
        number = asked["take_back"]
        if self._waiting.pop(number, None):
            self._answer(taken_back=number)
        elif sending := self._sending.get(number):
            sending.taken_back.set()

    def _send_what_is_due(self) -> None:
        import threading  # noqa: PLC0415  only for a body that outlives its hold

        now = time.monotonic()
        for held in [held for held in self._waiting.values() if held.due <= now]:
            self._sending[held.number] = self._waiting.pop(held.number)
            held.taken_back = threading.Event()
            # A thread for each: a bus that does not answer delays no other update.
            threading.Thread(target=self._send, args=(held,), daemon=True).start()

    def _send(self, held: Held) -> None:
        is_sent = self._try(held)
        if not is_sent:
            held.taken_back.wait()
        del self._sending[held.number]
        self._answer(**{"sent" if is_sent else "taken_back": held.number})

    def _try(self, held: Held) -> bool:
        """Send an update until it is accepted or taken back; return whether it was accepted."""
        known = ""
        for pause_s in pauses(held.delay_s):
            why = post(held.request)
            if not why:
                return True
            if why != known:
                self._answer(failed=held.number, why=why)
                known = why
            if held.taken_back.wait(pause_s):
                break
        return False

    def _answer(self, **answer: object) -> None:
        os.write(self._stdout, json.dumps(answer).encode() + b"\n")


def pauses(delay_s: float) -> Iterator[float]:
    """Yield the seconds after each try."""
    pause_s = delay_s
    for _ in range(TRIES_MAX):
        yield pause_s
        pause_s = min(2 * pause_s, max(PAUSE_S, delay_s))


def post(request: dict[str, Any]) -> str:
    """Send a signed PutEvents request; return why it failed, "" if it did not."""
    # They take 45 ms, and 5 MB.
    import ssl  # noqa: PLC0415  only for a body that outlives its hold
    import urllib.request  # noqa: PLC0415

    url, ca_file = request["url"], request["ca_file"]
    try:
        context = ssl.create_default_context(cafile=ca_file) if url.startswith("https:") else None
        signed = urllib.request.Request(  # noqa: S310  the endpoint of the parent's client
            url, request["body"].encode(), request["headers"], method="POST"
        )
        with urllib.request.urlopen(signed, timeout=TIMEOUT_S, context=context) as response:  # noqa: S310
            answer = json.load(response)
        refused = answer["Entries"][0] if answer.get("FailedEntryCount") else {}
    except Exception as failure:  # noqa: BLE001  whatever failed, it is tried again
        body = failure.read(500) if hasattr(failure, "read") else b""
        return f"{type(failure).__name__}: {failure} {body.decode(errors='replace')}".strip()
    return f"{refused.get('ErrorCode')}: {refused.get('ErrorMessage')}" if refused else ""


def main() -> NoReturn:
    """Run the program."""
    StartSenderProcess(sys.stdin.fileno(), sys.stdout.fileno()).run()
    # A thread that still sends is not waited for: the parent is gone.
    os._exit(0)


if __name__ == "__main__":
    main()
