"""Limits: how large a message and its parts may be.

Invariant: a limit has one home, here, and both sides use it: the program that makes a message and
the program that reads it. Sizes in bytes are those of compact JSON in UTF-8.
"""

from typing import Final

MAX_ENVELOPE_BYTES: Final = 1024 * 1024
"""Of an event: the most that EventBridge takes in one PutEvents entry (EventBridge quotas)."""

MAX_DECLARATION_BYTES: Final = 900 * 1024
"""Of a declaration, so that its event has room for the envelope."""

MAX_OUTPUT_BYTES: Final = 16 * 1024
"""Of the output of a task; cordyna stores no blobs."""

MAX_UPSTREAM_BYTES: Final = 128 * 1024
"""Of the outputs that one RunTask carries, together."""

MAX_PARAMS_BYTES: Final = 128 * 1024
"""Of the params and labels of one invocation, together."""

MAX_JSON_DEPTH: Final = 100
"""Of nested arrays and objects in the free parts of a message. Parsers accept about 200; messages,
frames and views add few of them.
"""

MAX_ERROR_BYTES: Final = 4 * 1024
"""Of the description of an error: its type, message and traceback together."""

MAX_ERROR_TYPE_BYTES: Final = 256
MAX_ERROR_MESSAGE_BYTES: Final = 1536

MAX_ID_CHARS: Final = 256
"""Of an id: it is stored beside every fact that its message led to."""

MAX_COMMAND_ID_CHARS: Final = 128
"""Of a command's id: the ids of all applied commands are stored with their run."""

MAX_REASON_CHARS: Final = 64
MAX_PROGRESS_MESSAGE_CHARS: Final = 1024
MAX_OWNER_CHARS: Final = 256
MAX_DESCRIPTION_CHARS: Final = 2048
MAX_DEPRECATED_CHARS: Final = 256

MAX_RETRIES: Final = 20
MAX_RETRY_DELAY_S: Final = 7 * 24 * 3600
MAX_RETRY_BACKOFF: Final = 100.0
MAX_ATTEMPT: Final = 1_000_000
MAX_AGE_S: Final = 100 * 365 * 24 * 3600
"""Of a result that may be reused."""

MAX_CLOCK_S: Final = 365 * 24 * 3600
MAX_REVISION: Final = 2**53 - 1
"""The largest whole number that every JSON reader keeps; above it a server could not declare."""

SNOOZE_MAX_S: Final = 30 * 24 * 3600
"""Of an incident, from now on."""


def output_too_large(size: int) -> str:
    """Return the message of an OutputTooLarge. `size`: bytes of the output."""
    return (
        f"the output is {size} bytes of JSON, more than {MAX_OUTPUT_BYTES}: "
        "store it, and return a reference to it"
    )
