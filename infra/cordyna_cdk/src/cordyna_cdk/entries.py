"""Entries: the Lambda handlers in cordyna_core that the functions of a task server begin in."""

from typing import Final

SERVER: Final = "cordyna_core.aws.lambda_handlers.handler"
"""Runs the body of the command that a rule brings."""

DOOR: Final = "cordyna_core.aws.lambda_handlers.door"
"""Says `queued` and puts the command into the work queue."""

WORKER: Final = "cordyna_core.aws.lambda_handlers.worker"
"""Runs the bodies of the commands that a work queue brings."""
