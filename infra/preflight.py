"""Preflight: what can be checked before a first deployment, on this machine and in the account.

    make preflight      the account of AWS_PROFILE or the environment

Invariant: nothing is changed. A check that cannot be made says so, and does not fail.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from cordyna_cli.aws.quotas import QUOTAS, UNRESERVED_MIN, Quota, shortfall, value_of

ROOT: Final = Path(__file__).parents[1]
NODE_MIN: Final = 20
NODE_PREFERRED: Final = 22
BOOTSTRAP_MIN: Final = 6
Status = Literal["ok", "warning", "failure"]
Clients = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check; `next` says what to do about a warning or a failure."""

    name: str
    status: Status
    finding: str
    next: str = ""


def checks(clients: Clients, region: str) -> Iterator[Check]:
    """All checks, in the order in which they matter."""
    yield node_version(_version_of("node"))
    yield command("npm", "install Node with npm")
    yield command("docker", "only needed to build images of container servers", is_needed=False)
    yield wheels(ROOT / "functions" / "task_server_c" / "wheels")
    identity = credentials(clients)
    yield identity
    if identity.status == "failure":
        return
    yield bootstrap(clients, region)
    for quota in QUOTAS:
        yield quota_check(clients, quota)
    yield unreserved_concurrency(clients)
    yield role_of_ecs(clients)


def node_version(version: str | None) -> Check:
    """Node runs the CDK."""
    if version is None:
        return Check("Node", "failure", "not found", f"install Node {NODE_PREFERRED} or later")
    major = int(version.lstrip("v").partition(".")[0])
    if major < NODE_MIN:
        return Check("Node", "failure", version, f"install Node {NODE_PREFERRED} or later")
    if major < NODE_PREFERRED:
        upgrade = f"it works, but is out of support: install Node {NODE_PREFERRED} or later"
        return Check("Node", "warning", version, upgrade)
    return Check("Node", "ok", version)


def command(name: str, hint: str, *, is_needed: bool = True) -> Check:
    """A program on the path."""
    if shutil.which(name):
        return Check(name, "ok", "found")
    return Check(name, "failure" if is_needed else "warning", "not found", hint)


def wheels(folder: Path) -> Check:
    """The library's wheel, which the image of task-server-c needs."""
    if list(folder.glob("cordyna_core-*.whl")):
        return Check("wheels", "ok", "built")
    return Check("wheels", "warning", "not built", "run `make wheels` before deploying all stacks")


def credentials(clients: Clients) -> Check:
    """Who would deploy."""
    try:
        arn = clients("sts").get_caller_identity()["Arn"]
    except (BotoCoreError, ClientError) as error:
        return Check("credentials", "failure", str(error), "set AWS_PROFILE, or log in")
    return Check("credentials", "ok", arn)


def bootstrap(clients: Clients, region: str) -> Check:
    """The bootstrap stack of the CDK."""
    hint = f"run `npx cdk bootstrap` in {region}"
    try:
        parameter = clients("ssm").get_parameter(Name="/cdk-bootstrap/hnb659fds/version")
    except ClientError as error:
        return Check("CDK bootstrap", "failure", _code(error), hint)
    version = int(parameter["Parameter"]["Value"])
    if version < BOOTSTRAP_MIN:
        return Check("CDK bootstrap", "failure", f"version {version}", hint)
    return Check("CDK bootstrap", "ok", f"version {version}")


def quota_check(clients: Clients, quota: Quota) -> Check:
    """One quota, as it applies to this account."""
    try:
        value = _quota_value(clients("service-quotas"), quota)
    except (BotoCoreError, ClientError) as error:
        why = _code(error) if isinstance(error, ClientError) else str(error)
        hint = "look it up in the console: Service Quotas"
        return Check(quota.name, "warning", f"not read: {why}", hint)
    found = "not listed" if value is None else f"{value:g}"
    todo = shortfall(quota, value)
    return Check(quota.name, "warning", found, todo) if todo else Check(quota.name, "ok", found)


def _quota_value(service_quotas: Any, quota: Quota) -> float | None:
    pages = service_quotas.get_paginator("list_service_quotas").paginate(ServiceCode=quota.service)
    return value_of(quota, (entry for page in pages for entry in page["Quotas"]))


def unreserved_concurrency(clients: Clients) -> Check:
    """What other functions of the account leave."""
    name = "unreserved Lambda concurrency"
    try:
        limits = clients("lambda").get_account_settings()["AccountLimit"]
    except ClientError as error:
        return Check(
            name, "warning", f"not read: {_code(error)}", "allow lambda:GetAccountSettings"
        )
    free = limits["UnreservedConcurrentExecutions"]
    if free < UNRESERVED_MIN:
        return Check(name, "warning", f"{free}", "lower the reservations of other functions")
    return Check(name, "ok", f"{free}")


def role_of_ecs(clients: Clients) -> Check:
    """The role of ECS in this account, which its first service may not find in time."""
    name = "service-linked role of ECS"
    try:
        clients("iam").get_role(RoleName="AWSServiceRoleForECS")
    except ClientError as error:
        if _code(error) != "NoSuchEntity":
            return Check(name, "warning", f"not read: {_code(error)}", "allow iam:GetRole")
        create = "aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com"
        return Check(name, "warning", "missing", f"{create}   (for containers)")
    return Check(name, "ok", "found")


def report(results: Iterable[Check]) -> int:
    """Print the checks; 1 if one failed, else 0."""
    failed = False
    for check in results:
        sign = {"ok": "✓", "warning": "!", "failure": "✗"}[check.status]
        sys.stdout.write(f"{sign}  {check.name:34} {check.finding}\n")
        if check.next and check.status != "ok":
            sys.stdout.write(f"   {'':34} next: {check.next}\n")
        failed = failed or check.status == "failure"
    return int(failed)


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


def _version_of(program: str) -> str | None:
    path = shutil.which(program)
    if path is None:
        return None
    run = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return run.stdout.strip() or None


def session_of_the_environment() -> boto3.Session:
    """With the region of the CDK and the AWS CLI: AWS_REGION, which botocore does not read."""
    return boto3.Session(region_name=os.environ.get("AWS_REGION"))


def main() -> int:
    """Run the command line."""
    argparse.ArgumentParser(description="Checks before a first deployment to AWS").parse_args()
    session = session_of_the_environment()
    region = session.region_name
    if region is None:
        hint = "set AWS_REGION, or a region in the profile"
        return report([Check("region", "failure", "not set", hint)])

    @cache
    def client(service: str) -> Any:
        return session.client(service)  # type: ignore[call-overload]

    return report(checks(client, region))


if __name__ == "__main__":
    raise SystemExit(main())
