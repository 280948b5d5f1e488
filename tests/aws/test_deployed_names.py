"""Names of a server's resources on AWS, for every name that a server may have."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cordyna_core.aws.deployed_names import deployed_name

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", fullmatch=True)
STAGES = st.sampled_from(["production", "staging", "local"])

FUNCTION = re.compile(r"[A-Za-z0-9_-]{1,64}")
QUEUE = re.compile(r"[A-Za-z0-9_-]{1,80}")


@given(server=NAMES, stage=STAGES)
def test_deployed_name_is_one_that_aws_takes(server: str, stage: str) -> None:
    name = deployed_name(server, stage)
    for suffix in ("", "-ingress", "-worker", "-checks", "-failures", "-deployment"):
        assert FUNCTION.fullmatch(name + suffix)
    assert QUEUE.fullmatch(f"{name}-work-dead-letters")


@given(servers=st.sets(NAMES, min_size=2), stage=STAGES)
def test_deployed_names_of_two_servers_differ(servers: set[str], stage: str) -> None:
    assert len({deployed_name(server, stage) for server in servers}) == len(servers)


@pytest.mark.parametrize(
    ("server", "stage", "name"),
    [
        ("task-server-a", "production", "task-server-a"),
        ("task-server-a", "staging", "staging-task-server-a"),
        ("sales_2", "local", "sales_2"),
        ("a" * 53, "production", "a" * 53),
    ],
)
def test_usable_name_is_kept(server: str, stage: str, name: str) -> None:
    assert deployed_name(server, stage) == name


def test_dots_are_replaced_by_a_name_of_its_own() -> None:
    dotted, hyphened = (deployed_name(name, "production") for name in ("a.b", "a-b"))
    assert hyphened == "a-b"
    assert re.fullmatch(r"a-b-[a-z0-9]{8}", dotted)
