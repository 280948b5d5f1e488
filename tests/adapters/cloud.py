"""The AWS that adapters are tested on: moto in this process, or the emulator at
CORDYNA_TEST_ENDPOINT_URL.
"""

import os
from typing import Any
from uuid import uuid4

import boto3
from botocore.config import Config

from cerebro.adapters.aws.dynamodb_store import DynamoStore
from cerebro.testing.examples import NOW

REGION = "eu-central-1"
ACCOUNT = "123456789012"
ENDPOINT = os.environ.get("CORDYNA_TEST_ENDPOINT_URL")
"""Without it, tests marked `cloud` are not collected."""


def client(service: str, endpoint: str | None = None) -> Any:
    """A client without retries, so that tests of failures are quick."""
    return boto3.client(  # type: ignore[call-overload]
        service,
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"total_max_attempts": 1}),
    )


def never_sleep(seconds: float) -> None:
    raise AssertionError(f"slept for {seconds} s")


def a_table(dynamodb: Any) -> str:
    """A new table with the deployed keys."""
    name = f"cordyna-{uuid4().hex[:12]}"
    dynamodb.create_table(
        TableName=name,
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


def a_store(
    dynamodb: Any, table: str, *, now: float = NOW + 60, retention_days: float = 90
) -> DynamoStore:
    """The store of one process, with a fixed clock."""
    return DynamoStore(
        dynamodb, table, clock=lambda: now, sleep=never_sleep, retention_days=retention_days
    )
