"""The Lambda handlers of cordyna_core that the functions of a task server use."""

from typing import Final

SERVER: Final = "cordyna_core.entrypoints.lambda_handlers.handler"
"""Runs the body of a command that is delivered by a rule."""

FAILED: Final = "cordyna_core.entrypoints.lambda_handlers.failed"
"""Reports the attempt of a function that died."""

INGRESS: Final = "cordyna_core.entrypoints.lambda_handlers.ingress"
"""Sends commands, and checks of them, to the queues of the server."""

CHECKS: Final = "cordyna_core.entrypoints.lambda_handlers.checks"
"""Publishes `queued` of the commands whose bodies have not begun."""

WORKER: Final = "cordyna_core.entrypoints.lambda_handlers.worker"
"""Runs the bodies of commands from the work queue."""
