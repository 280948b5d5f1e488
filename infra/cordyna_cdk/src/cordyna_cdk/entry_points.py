"""The Lambda handlers of cordyna_core that the functions of a task server use."""

from typing import Final

SERVER: Final = "cordyna_core.entrypoints.lambda_handlers.handler"
"""Runs the body of a command that is delivered by a rule."""

FAILED: Final = "cordyna_core.entrypoints.lambda_handlers.failed"
"""Reports the attempt of a function that died."""

INGRESS: Final = "cordyna_core.entrypoints.lambda_handlers.ingress"
"""Sends commands to the work queue, and publishes `queued` of those whose bodies do not begin."""

WORKER: Final = "cordyna_core.entrypoints.lambda_handlers.worker"
"""Runs the bodies of commands from the work queue."""
