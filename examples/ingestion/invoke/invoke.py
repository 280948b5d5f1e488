"""A Lambda function that puts what a rule made of an event on cordyna's bus, as InvokeTask."""

import json
import os
from typing import Any

import boto3

SOURCE = "cordyna.client.ingest"


def handler(detail: dict[str, Any], _context: object) -> None:
    """`detail` has `task`, `params` and `key`. Raises if the bus refuses it: Lambda tries again."""
    entry = {
        "EventBusName": os.environ["BUS"],
        "Source": SOURCE,
        "DetailType": "InvokeTask",
        "Detail": json.dumps(detail),
    }
    answer = boto3.client("events").put_events(Entries=[entry])
    if answer["FailedEntryCount"]:
        raise RuntimeError(answer["Entries"][0]["ErrorMessage"])
