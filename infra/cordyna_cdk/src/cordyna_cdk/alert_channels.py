"""Alert channels: where the incidents of one owner are sent, and in which format.

A channel is data: the endpoint of an API destination, what of it is secret, and the body for its
receiver. A secret stays in AWS Secrets Manager: the template refers to it by name, and EventBridge
reads it when the stack is deployed.

Invariant: a value of a body is a whole field of the event, never a part of a text. So whatever an
error says, the body stays JSON.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aws_cdk import SecretValue
from aws_cdk import aws_events as events
from aws_cdk import aws_sns as sns

OPENED: Final = ("IncidentOpened", "IncidentChanged")
CLOSED: Final = ("IncidentClosed",)


def _field(name: str) -> str:
    return events.EventField.from_path(f"$.detail.{name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An HTTPS endpoint that takes JSON.

    Fields:
        url: without what is secret.
        header: the name of the header that carries the secret.
        body_field, query_field: the name of a field of the body, or of the query, that carries
            the secret.
        secret_name: of a secret in AWS Secrets Manager, a plain text.
        bodies: by the kinds of events, the body for the owner.
        waiting_body: the body for owners who wait; None: they are not told.
    """

    url: str
    secret_name: str
    header: str = "Authorization"
    body_field: str | None = None
    query_field: str | None = None
    bodies: Mapping[tuple[str, ...], Any]
    waiting_body: Any = None

    def connection(self, name: str) -> dict[str, Any]:
        """Return the arguments of its connection."""
        secret = SecretValue.secrets_manager(self.secret_name)
        parameter = events.HttpParameter.from_secret(secret)
        # EventBridge requires an authorization; a receiver that wants none ignores the header.
        header = self.header if not (self.body_field or self.query_field) else "X-Cordyna-Key"
        return {
            "description": f"{name}: the secret is {self.secret_name} of AWS Secrets Manager",
            "authorization": events.Authorization.api_key(header, secret),
            "body_parameters": {self.body_field: parameter} if self.body_field else None,
            "query_string_parameters": {self.query_field: parameter} if self.query_field else None,
        }


@dataclass(frozen=True, slots=True)
class Topic:
    """An SNS topic; its subscribers (mail, text messages, a queue) get one line."""

    topic: sns.ITopic
    bodies: Mapping[tuple[str, ...], Any] = field(
        default_factory=lambda: {(*OPENED, *CLOSED): _field("summary")}
    )
    waiting_body: Any = field(default_factory=lambda: _field("summary_for_blocked"))


def slack(*, channel: str, secret_name: str) -> Webhook:
    """Return a channel of Slack.

    `secret_name`: a secret with `Bearer xoxb-...`, the token of an app with the scope chat:write.
    """

    def body(summary: str) -> dict[str, Any]:
        fields = (("owner", "owner"), ("server", "server"), ("next", "next"))
        return {
            "channel": channel,
            "text": _field(summary),
            "attachments": [
                {
                    "fields": [
                        {"title": title, "value": _field(name), "short": name != "next"}
                        for title, name in fields
                    ]
                }
            ],
        }

    return Webhook(
        url="https://slack.com/api/chat.postMessage",
        secret_name=secret_name,
        bodies={(*OPENED, *CLOSED): body("summary")},
        waiting_body=body("summary_for_blocked"),
    )


def teams(*, url: str, secret_name: str) -> Webhook:
    """Return a channel of Microsoft Teams, by a workflow that posts an adaptive card.

    `url`: that of the workflow without its parameter `sig`. `secret_name`: a secret with the value
    of `sig`.
    """

    def body(summary: str) -> dict[str, Any]:
        facts = [{"title": name, "value": _field(name)} for name in ("owner", "server", "next")]
        card = {
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": [
                {"type": "TextBlock", "wrap": True, "weight": "Bolder", "text": _field(summary)},
                {"type": "FactSet", "facts": facts},
            ],
        }
        attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
        return {"type": "message", "attachments": [attachment]}

    return Webhook(
        url=url,
        secret_name=secret_name,
        query_field="sig",
        bodies={(*OPENED, *CLOSED): body("summary")},
        waiting_body=body("summary_for_blocked"),
    )


def pagerduty(*, secret_name: str, severity: str = "error") -> Webhook:
    """Return a service of PagerDuty. Who only waits is not paged.

    `secret_name`: a secret with the integration key of the service (Events API v2).
    """
    payload = {
        "summary": _field("summary"),
        "source": _field("server"),
        "severity": severity,
        "custom_details": events.EventField.from_path("$.detail"),
    }
    key = {"dedup_key": _field("incident")}
    return Webhook(
        url="https://events.pagerduty.com/v2/enqueue",
        secret_name=secret_name,
        body_field="routing_key",
        bodies={
            OPENED: {"event_action": "trigger", **key, "payload": payload},
            CLOSED: {"event_action": "resolve", **key},
        },
    )


def webhook(*, url: str, secret_name: str, header: str = "Authorization") -> Webhook:
    """Any HTTPS endpoint: the whole event is posted, with the secret in `header`."""
    event = {
        "event": events.EventField.from_path("$.detail-type"),
        "detail": events.EventField.from_path("$.detail"),
    }
    return Webhook(
        url=url,
        secret_name=secret_name,
        header=header,
        bodies={(*OPENED, *CLOSED): event},
        waiting_body=event,
    )
