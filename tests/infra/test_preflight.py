"""Preflight: what is checked before a first deployment."""

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

import preflight
from cordyna_cli.aws.quotas import LAMBDA_CONCURRENCY_MIN, QUOTAS, UNRESERVED_MIN, Quota
from cordyna_infra.capacity import MAX_CONCURRENCY
from preflight import Check, checks, node_version, report, wheels


class Account:
    """Clients of an account in which everything is in order, unless a call is made to fail."""

    def __init__(self, *, quota: float = 10_000, free: int = 900, **failing: Exception) -> None:
        self.quota, self.free, self.failing = quota, free, failing
        self.bootstrap = "21"
        self.listed: tuple[Quota, ...] = QUOTAS

    def __call__(self, service: str) -> "Account":
        return self

    def _answer(self, call: str, answer: dict[str, Any]) -> dict[str, Any]:
        if call in self.failing:
            raise self.failing[call]
        return answer

    def get_caller_identity(self) -> dict[str, Any]:
        return self._answer("identity", {"Arn": "arn:aws:iam::111122223333:role/deploy"})

    def get_parameter(self, **_: Any) -> dict[str, Any]:
        return self._answer("parameter", {"Parameter": {"Value": self.bootstrap}})

    def get_paginator(self, _: str) -> "Account":
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        quotas = [
            {"QuotaName": f"{quota.title} in transactions per second", "Value": self.quota}
            for quota in self.listed
        ]
        return [self._answer("quota", {"Quotas": quotas})]

    def get_account_settings(self) -> dict[str, Any]:
        limits = {"UnreservedConcurrentExecutions": self.free}
        return self._answer("settings", {"AccountLimit": limits})

    def get_role(self, **_: Any) -> dict[str, Any]:
        return self._answer("role", {"Role": {}})


def denied() -> ClientError:
    return ClientError({"Error": {"Code": "AccessDenied", "Message": ""}}, "Call")


def by_name(account: Account) -> dict[str, Check]:
    return {check.name: check for check in checks(account, "eu-central-1")}


def test_account_in_order_passes() -> None:
    found = by_name(Account())
    for name in ("credentials", "CDK bootstrap", *(quota.name for quota in QUOTAS)):
        assert found[name].status == "ok", name


@pytest.mark.parametrize(
    ("version", "status"),
    [(None, "failure"), ("v18.1.0", "failure"), ("v20.20.2", "warning"), ("v24.0.0", "ok")],
)
def test_node_22_is_preferred_and_20_works(version: str | None, status: str) -> None:
    assert node_version(version).status == status


def test_missing_credentials_end_the_checks_of_the_account() -> None:
    found = by_name(Account(identity=NoCredentialsError()))
    assert found["credentials"].status == "failure"
    assert "CDK bootstrap" not in found


@pytest.mark.parametrize("account", [Account(parameter=denied()), Account()])
def test_missing_or_old_bootstrap_is_a_failure(account: Account) -> None:
    account.bootstrap = "5"
    found = by_name(account)["CDK bootstrap"]
    assert (found.status, "cdk bootstrap" in found.next) == ("failure", True)


def test_low_quota_says_what_it_is_needed_for() -> None:
    found = by_name(Account(quota=10))["Lambda concurrency"]
    assert found.status == "warning"
    assert "244 are needed" in found.next


def test_needed_concurrency_is_that_of_all_queues() -> None:
    assert sum(MAX_CONCURRENCY.values()) + UNRESERVED_MIN == LAMBDA_CONCURRENCY_MIN


def test_unlisted_quota_is_no_failure() -> None:
    account = Account()
    account.listed = ()
    assert by_name(account)["Lambda concurrency"].status == "warning"


@pytest.mark.parametrize("error", [denied(), NoCredentialsError()])
def test_unreadable_quota_is_no_failure(error: Exception) -> None:
    account = Account()
    account.failing["quota"] = error
    assert by_name(account)["Lambda concurrency"].status == "warning"


@pytest.mark.parametrize("account", [Account(settings=denied()), Account(free=10)])
def test_little_unreserved_concurrency_is_a_warning(account: Account) -> None:
    assert by_name(account)["unreserved Lambda concurrency"].status == "warning"


@pytest.mark.parametrize(
    ("code", "finding"), [("NoSuchEntity", "missing"), ("AccessDenied", "not read: AccessDenied")]
)
def test_missing_role_of_ecs_is_a_warning(code: str, finding: str) -> None:
    account = Account(role=ClientError({"Error": {"Code": code, "Message": ""}}, "GetRole"))
    found = by_name(account)["service-linked role of ECS"]
    assert (found.status, found.finding) == ("warning", finding)
    assert by_name(Account())["service-linked role of ECS"].status == "ok"


def test_wheels_are_needed_for_the_image(tmp_path: Path) -> None:
    assert wheels(tmp_path).status == "warning"
    (tmp_path / "cordyna_core-0.1.0-py3-none-any.whl").touch()
    assert wheels(tmp_path).status == "ok"


def test_region_is_that_of_the_other_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert preflight.session_of_the_environment().region_name == "us-east-1"
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert preflight.session_of_the_environment().region_name == "eu-central-1"


def test_report_fails_only_with_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert report([Check("a", "ok", "fine"), Check("b", "warning", "low", "raise it")]) == 0
    assert report([Check("c", "failure", "gone", "get it")]) == 1
    assert "next: get it" in capsys.readouterr().out


def test_programs_are_looked_for_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert preflight.command("npm", "install it").status == "failure"
    assert preflight.command("docker", "optional", is_needed=False).status == "warning"
    assert preflight._version_of("node") is None
