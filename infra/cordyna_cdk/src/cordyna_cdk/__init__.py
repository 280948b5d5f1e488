"""Constructs for a team's own CDK stack: `TaskServer`, and its parts."""

from cordyna_cdk.container import Container
from cordyna_cdk.dead_letters import dead_letter_queue
from cordyna_cdk.discovery import Discovery
from cordyna_cdk.guarded_function import GuardedFunction
from cordyna_cdk.incident_alerts import IncidentAlerts
from cordyna_cdk.permissions import put_events_statement
from cordyna_cdk.task_server import TaskServer

__all__ = [
    "Container",
    "Discovery",
    "GuardedFunction",
    "IncidentAlerts",
    "TaskServer",
    "dead_letter_queue",
    "put_events_statement",
]
